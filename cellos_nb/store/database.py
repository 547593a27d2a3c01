"""One SQLite file: its connections, its transactions, and the one place where its errors are translated."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from cellos_nb.errors import StoreCorruptError, StoreError, StoreWriteError
from cellos_nb.store.wording import translate

BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for another process's transaction; the longest of ours takes milliseconds."""

_MAGIC = b"SQLite format 3\0"


class Database:
    """Transactions on one file. One connection writes, guarded by a lock; readers have connections of their own.

    All threads of a process may share it.
    """

    def __init__(self, url_or_path: str | Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = _path_of(url_or_path)
        self._busy_timeout_ms = int(busy_timeout_s * 1000)
        _check_file(self.path)
        self._engine = create_engine(f"sqlite:///{self.path}", connect_args={"timeout": busy_timeout_s})
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin)
        self._writing = threading.RLock()
        self._writers: list[Connection] = []
        self._thread = _Transaction()
        self._close = weakref.finalize(self, _dispose, self._engine, self._writers)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading one consistent state; inside `write`, that transaction's own.

        Raises:
            StoreError: the file cannot be read.
        """
        if self._thread.connection is not None:
            yield self._thread.connection
            return
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction: everything in the block is stored, or nothing. Inside another one it joins that one.

        Args:
            durable: return only when the disk has it, so that a power cut cannot take it back.

        Raises:
            StoreWriteError: full disk, read-only file, or locked for too long; nothing was stored.
        """
        running = self._thread
        if running.connection is not None:
            if durable and not running.durable:
                raise RuntimeError("a durable write was begun inside a transaction that is not; begin it outside.")
            yield running.connection
            return
        with self._translated(), self._writing:
            connection = self._writer(durable=durable)
            with connection.begin():
                running.connection, running.durable = connection, durable
                try:
                    yield connection
                finally:
                    running.connection = None

    def close(self) -> None:
        """Closes all connections; may be called twice."""
        with self._writing:
            self._close()

    def _writer(self, *, durable: bool) -> Connection:
        if not self._close.alive:
            raise StoreError(f"{self.path}: the store was closed. Open it again with Store.open.")
        if not self._writers:
            self._writers.append(self._engine.connect().execution_options(cellos_write=True))
        connection = self._writers[0]
        if connection.info.get("durable") != durable:
            # Cannot change inside a transaction; in WAL, NORMAL survives a crash of the process but not of the machine.
            _driver(connection).execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.info["durable"] = durable
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise translate(error, str(self.path)) from error

    def _prepare(self, connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG002
        # Transactions are begun by `_begin`, not by the driver, which would begin them too late for reads.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {self._busy_timeout_ms}")
        # Asked first, because changing the mode needs the file for oneself and is needed once in its life.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")


class _Transaction(threading.local):
    """The write transaction that this thread is in."""

    connection: Connection | None = None
    durable: bool = False


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("cellos_write", False)
    # IMMEDIATE: a writer waits for its turn here, instead of failing in the middle.
    _driver(connection).execute("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _dispose(engine: Engine, writers: list[Connection]) -> None:
    for connection in writers:
        connection.close()
    writers.clear()
    engine.dispose()


def _path_of(url_or_path: str | Path) -> Path:
    named = str(url_or_path)
    if "://" not in named:
        if not named or named == ":memory:":
            raise StoreError("The store needs a file, so that work outlives the process; give a path such as lab.db.")
        return Path(named)
    try:
        url = make_url(named)
    except ArgumentError as error:
        raise StoreError(f"{named}: no database URL. Give a path such as lab.db, or sqlite:///lab.db.") from error
    if url.get_backend_name() != "sqlite":
        raise StoreError(
            f"{url.render_as_string()}: this release keeps its store in an SQLite file. "
            "Give a path such as lab.db, or sqlite:///lab.db."
        )
    return _path_of(url.database or "")


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
