"""A store in a PostgreSQL database: one writer at a time by an advisory lock, the server's clock for everyone."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, text

from cellos_nb.errors import StoreError
from cellos_nb.store.address import Address

CONNECT_TIMEOUT_S = 10
IDLE_TIMEOUT_S = 60
"""A writer that falls silent inside a transaction (host asleep, cable pulled) holds up all others for no longer."""

_TURN_KEY = 0x63656C6C6F73
"""The advisory lock of whoever writes: "cellos" in ASCII. Such locks are each database's own."""
# One round trip. All settings end with the transaction, so that a connection shared through a pooler stays clean.
_TURN = text(
    "SELECT set_config('lock_timeout', :patience, true), set_config('synchronous_commit', :synchronous, true), "
    "set_config('idle_in_transaction_session_timeout', :idle, true), pg_advisory_xact_lock(:turn)"
)
_NOW = text("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
_SNAPSHOT = text("SELECT pg_current_snapshot()")
_IDENTITY = text(
    "SELECT current_database(), system_identifier, "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()"
)


class PostgresqlDialect:
    """Connects to the server and begins transactions.

    The rest of the store relies on one writer at a time, as an SQLite file has. Here a writer takes an advisory lock as
    the first thing in its transaction, and READ COMMITTED lets every statement after it see all earlier writers. So
    nothing is ever rolled back for a conflict, and claims, leases and fencing hold as they do on a file. The lock ends
    with the transaction, also when the process was killed.
    """

    def __init__(self, address: Address, *, busy_timeout_s: float) -> None:
        self.address = address
        self._patience_ms = max(1, int(busy_timeout_s * 1000))

    def engine(self) -> Engine:
        """Connections whose every transaction is a consistent view.

        Raises:
            StoreError: the driver is not installed.
        """
        defaults = {"connect_timeout": str(CONNECT_TIMEOUT_S), "application_name": "cellos"}
        url = self.address.url.set(query=defaults | dict(self.address.url.query))
        try:
            # Asked before use, because a server may have been restarted since; SQL parameters may be anybody's.
            return create_engine(url, isolation_level="REPEATABLE READ", pool_pre_ping=True, hide_parameters=True)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{self.address.where}: PostgreSQL needs its driver. "
                "Install it with `pip install 'cellos-nb[postgres]'`."
            ) from error

    def writer(self, engine: Engine) -> Connection:
        """A connection whose every statement sees what was committed before it."""
        return engine.connect().execution_options(isolation_level="READ COMMITTED")

    def begin(self, connection: Connection, *, durable: bool) -> RootTransaction:
        """A transaction in which no other process writes; waits for its turn.

        Not durable: a crash of the server, not of this process, may take back the last fraction of a second.
        """
        transaction = connection.begin()
        settings = {
            "patience": f"{self._patience_ms}ms",
            "synchronous": "on" if durable else "off",
            "idle": f"{IDLE_TIMEOUT_S}s",
            "turn": _TURN_KEY,
        }
        try:
            connection.execute(_TURN, settings)
        except BaseException:
            transaction.rollback()
            raise
        return transaction

    def now(self, connection: Connection) -> datetime:
        """The server's clock: the hosts' own may differ by more than a lease lasts."""
        moment: datetime = connection.execute(_NOW).scalar_one()
        return moment.replace(tzinfo=UTC)

    def stamp(self, connection: Connection) -> str:
        """The transactions that are over and under way on the server: each that writes anything changes it."""
        with connection.begin():
            return str(connection.scalar(_SNAPSHOT))

    def version(self, engine: Engine) -> str:
        """The engine and its version, for a person."""
        numbers = getattr(engine.dialect, "server_version_info", None) or ()
        return " ".join(["PostgreSQL", ".".join(str(number) for number in numbers)]).strip()

    def identity(self, connection: Connection) -> str:
        """The database's name, with a digest that tells it from its namesakes on other servers or of other days."""
        name, server, number = connection.execute(_IDENTITY).one()
        digest = hashlib.sha256(f"{server}/{number}".encode()).hexdigest()[:8]
        return f"{''.join(letter if letter.isalnum() else '-' for letter in name)}-{digest}"
