"""A store in one SQLite file: WAL, one writer at a time by BEGIN IMMEDIATE."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event

from cellos_nb.errors import StoreCorruptError, StoreError, StoreWriteError
from cellos_nb.store.address import Address
from cellos_nb.units import now_utc

_MAGIC = b"SQLite format 3\0"


class SqliteDialect:
    """Opens the file and begins its transactions.

    Raises:
        StoreError: the file cannot be a database of this software.
    """

    def __init__(self, address: Address, *, busy_timeout_s: float) -> None:
        self.address = address
        self._path = address.path or Path(address.where)
        self._busy_timeout_s = busy_timeout_s
        _check_file(self._path)

    def engine(self) -> Engine:
        """Connections whose every transaction is a consistent view."""
        engine = create_engine(f"sqlite:///{self._path}", connect_args={"timeout": self._busy_timeout_s})
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def writer(self, engine: Engine) -> Connection:
        """A connection whose transactions are begun IMMEDIATE."""
        return engine.connect().execution_options(cellos_write=True)

    def begin(self, connection: Connection, *, durable: bool) -> RootTransaction:
        """A transaction in which no other process writes; waits for its turn."""
        if connection.info.get("durable") != durable:
            # Cannot change inside a transaction; in WAL, NORMAL survives a crash of the process but not of the machine.
            _driver(connection).execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.info["durable"] = durable
        return connection.begin()

    def now(self, connection: Connection) -> datetime:  # noqa: ARG002 — a file has no clock of its own
        """The clock of this machine, where all processes on one file run."""
        return now_utc()

    def stamp(self, connection: Connection) -> str:
        """Changes with every commit of another connection, and this one is never written with."""
        (version,) = _driver(connection).execute("PRAGMA data_version").fetchone()
        return str(version)

    def version(self, engine: Engine) -> str:  # noqa: ARG002 — the library's, not the file's
        """The engine and its version, for a person."""
        return f"SQLite {sqlite3.sqlite_version}"

    def identity(self, connection: Connection) -> str:  # noqa: ARG002 — its name is enough beside it
        """The file's name."""
        return self._path.name

    def _prepare(self, connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG002
        # Transactions are begun by `_begin`, not by the driver, which would begin them too late for reads.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout_s * 1000)}")
        # Asked first, because changing the mode needs the file for oneself and is needed once in its life.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("cellos_write", False)
    # IMMEDIATE: a writer waits for its turn here, instead of failing in the middle.
    _driver(connection).execute("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _check_file(path: Path) -> None:
    """Refuses what SQLite would only stumble over later."""
    if path.is_dir():
        raise StoreError(f"{path}: is a folder. Name a file in it, e.g. {path / 'lab.db'}.")
    if not path.exists():
        if not path.parent.is_dir():
            raise StoreWriteError(f"{path}: the folder {path.parent} does not exist. Create it first.")
        return
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}). Check who may read it.") from error
    # An empty file is an empty database to SQLite.
    if head and head != _MAGIC:
        raise StoreCorruptError(
            f"{path}: is not a database of this software. "
            "Restore it from a backup if it was one, or name another file with --db."
        )
