"""One database: its transactions, whatever engine keeps it, and the one place where its errors are translated."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from cellos_nb.errors import StoreError
from cellos_nb.store.address import Address
from cellos_nb.store.postgresql import PostgresqlDialect
from cellos_nb.store.sqlite import SqliteDialect
from cellos_nb.store.wording import translate

BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for another process's transaction; the longest of ours takes milliseconds."""


class Dialect(Protocol):
    """What differs between engines. Each gives one writer at a time, and readers that see one consistent state."""

    address: Address

    def engine(self) -> Engine:
        """Connections whose every transaction is a consistent view."""

    def writer(self, engine: Engine) -> Connection:
        """A connection to write with."""

    def begin(self, connection: Connection, *, durable: bool) -> RootTransaction:
        """A transaction in which no other process writes; waits for its turn."""

    def now(self, connection: Connection) -> datetime:
        """The clock that all processes on this database share, UTC."""

    def stamp(self, connection: Connection) -> str:
        """Differs from what the same connection said before if anyone has committed a change since."""

    def version(self, engine: Engine) -> str:
        """The engine and its version, for a person."""

    def identity(self, connection: Connection) -> str:
        """A name for this database that no other one has, fit for a folder."""


class Database:
    """Transactions on one database. One connection writes, guarded by a lock; readers have connections of their own.

    All threads of a process may share it.
    """

    def __init__(self, url_or_path: str | Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.address = Address.of(url_or_path)
        make = PostgresqlDialect if self.address.path is None else SqliteDialect
        self._dialect: Dialect = make(self.address, busy_timeout_s=busy_timeout_s)
        self._engine = self._dialect.engine()
        self._writing = threading.RLock()
        self._writers: list[Connection] = []
        self._watching = threading.Lock()
        self._watchers: list[Connection] = []
        self._thread = _Transaction()
        self._close = weakref.finalize(self, _dispose, self._engine, self._writers, self._watchers)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading one consistent state; inside `write` or `one_state`, that transaction's own.

        Raises:
            StoreError: the database cannot be read.
        """
        open_here = self._thread.connection or self._thread.reading
        if open_here is not None:
            yield open_here
            return
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """For the block, everything that this thread reads is of one state, by one connection; may be nested.

        Raises:
            StoreError: the database cannot be read.
        """
        with self.read() as connection:
            before, self._thread.reading = self._thread.reading, connection
            try:
                yield
            finally:
                self._thread.reading = before

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction: everything in the block is stored, or nothing. Inside another one it joins that one.

        Args:
            durable: return only when the disk has it, so that a power cut cannot take it back.

        Raises:
            StoreWriteError: full disk, read-only, or locked for too long; nothing was stored.
        """
        running = self._thread
        if running.connection is not None:
            if durable and not running.durable:
                raise RuntimeError("a durable write was begun inside a transaction that is not; begin it outside.")
            yield running.connection
            return
        with self._translated(), self._writing:
            connection, transaction = self._begin(durable=durable)
            with transaction:
                running.connection, running.durable = connection, durable
                try:
                    yield connection
                finally:
                    running.connection = None

    def now(self, connection: Connection) -> datetime:
        """The clock that all processes on this database share, UTC."""
        return self._dialect.now(connection)

    def stamp(self) -> str:
        """Differs from the last answer if anyone, this process as well, has committed a change since.

        It costs next to nothing: whoever found nothing to do need not look again before it changes.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._translated(), self._watching:
            try:
                return self._dialect.stamp(self._kept(self._watchers, self._engine.connect))
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # A server that was restarted in between has closed the connection.
            return self._dialect.stamp(self._kept(self._watchers, self._engine.connect))

    @property
    def version(self) -> str:
        """The engine and its version, for a person."""
        return self._dialect.version(self._engine)

    def identity(self) -> str:
        """A name for this database that no other one has, fit for a folder.

        Raises:
            StoreError: the database cannot be read.
        """
        with self.read() as connection:
            return self._dialect.identity(connection)

    def close(self) -> None:
        """Closes all connections; may be called twice."""
        with self._writing, self._watching:
            self._close()

    def _begin(self, *, durable: bool) -> tuple[Connection, RootTransaction]:
        try:
            connection = self._writer()
            return connection, self._dialect.begin(connection, durable=durable)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # A server that was restarted in between has closed the connection; nothing was begun on it.
        connection = self._writer()
        return connection, self._dialect.begin(connection, durable=durable)

    def _writer(self) -> Connection:
        return self._kept(self._writers, lambda: self._dialect.writer(self._engine))

    def _kept(self, kept: list[Connection], connect: Callable[[], Connection]) -> Connection:
        """The one connection in a list, made at its first use and again when a server has closed it."""
        if not self._close.alive:
            raise StoreError(f"{self.address.where}: the store was closed. Open it again with Store.open.")
        if kept and kept[0].invalidated:
            kept.pop().close()
        if not kept:
            kept.append(connect())
        return kept[0]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise translate(error, self.address) from error


class _Transaction(threading.local):
    """The transactions that this thread is in."""

    connection: Connection | None = None
    """The one that writes."""
    durable: bool = False
    reading: Connection | None = None
    """The one whose state all reads see."""


def _dispose(engine: Engine, *kept: list[Connection]) -> None:
    for connections in kept:
        for connection in connections:
            connection.close()
        connections.clear()
    engine.dispose()
