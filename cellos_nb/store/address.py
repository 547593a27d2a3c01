"""Where a database is, read from a path or a URL, and how to speak of it without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from cellos_nb.errors import StoreError

_POSSIBLE = "Give a path such as lab.db, or a URL such as postgresql+psycopg://user@host/lab."
_IS_POSTGRESQL = re.compile(r"^postgres(ql)?://")
_SHOWN = ("host", "port")


@dataclass(frozen=True, slots=True)
class Address:
    """One database."""

    where: str
    """For messages and logs: the file, or the URL without password."""
    path: Path | None
    """The file; None when a server keeps the database."""
    url: URL = field(repr=False)
    """For the engine alone: it holds the password."""

    @classmethod
    def of(cls, url_or_path: str | Path) -> Self:
        """Reads a path, an SQLite URL or a PostgreSQL URL.

        Raises:
            StoreError: it names no database that can hold a store.
        """
        named = str(url_or_path)
        if "://" not in named:
            if not named or named == ":memory:":
                raise StoreError(
                    "The store needs a file, so that work outlives the process; give a path such as lab.db."
                )
            return cls(named, Path(named), URL.create("sqlite", database=named))
        try:
            url = make_url(_IS_POSTGRESQL.sub("postgresql+psycopg://", named))
        except (ArgumentError, ValueError):
            # Not chained: the cause may quote the password.
            raise StoreError(f"{_masked(named)}: no database URL. {_POSSIBLE}") from None
        if url.get_backend_name() == "sqlite":
            return cls.of(url.database or "")
        if url.drivername != "postgresql+psycopg":
            raise StoreError(
                f"{_shown(url)}: the store is kept by SQLite or by PostgreSQL through psycopg. {_POSSIBLE}"
            )
        return cls(_shown(url), None, url)

    def without_secrets(self, text: str) -> str:
        """A message of the driver or the server, on one line, without the password should it quote it."""
        secrets = (self.url.password, self.url.query.get("password"), self.url.query.get("sslpassword"))
        for secret in secrets:
            if secret:
                text = text.replace(str(secret), "***")
        return " ".join(text.split())


def _shown(url: URL) -> str:
    """The URL without password, and of its options those that say where it is: any other may be a secret."""
    query = {name: value for name, value in url.query.items() if name in _SHOWN}
    shown = URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database, query)
    # A socket's folder reads as one.
    return shown.render_as_string().replace("%2F", "/")


def _masked(named: str) -> str:
    """What cannot be parsed, without anything that could be a password."""
    scheme, _, rest = named.partition("://")
    rest = rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}://***@{rest}" if "@" in named else f"{scheme}://{rest}"
