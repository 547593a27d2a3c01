"""Brings a database to the form that this release writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from cellos_nb.errors import StoreCorruptError, StoreError, StoreVersionError
from cellos_nb.store.audit_begin import begin
from cellos_nb.store.database import Database
from cellos_nb.store.message_table import metadata

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""All revisions in order. Stands here, beside the scripts, so that opening a current database imports no alembic."""


def bring_up_to_date(database: Database, *, may_create: bool = True) -> None:
    """Creates the tables in an empty database, or migrates an older one; all or nothing.

    Raises:
        StoreError: it is empty and may not be filled.
        StoreVersionError: a newer release wrote it.
        StoreCorruptError: it is a database of another program.
    """
    with database.read() as connection:
        version = _version(connection, database)
    if version == REVISIONS[-1]:
        return
    if version is None and not may_create:
        raise no_database(database)
    with database.write(durable=True) as connection:
        # Asked again, because another process may have done it while this one waited for the transaction.
        version = _version(connection, database)
        if version is None:
            create(connection)
        elif version != REVISIONS[-1]:
            upgrade(connection)
        begin(connection)


def no_database(database: Database) -> StoreError:
    """The error for a database that should be there and is not."""
    return StoreError(
        f"{database.address.where}: there is no such database. Check --db, or run a campaign to create it."
    )


def create(connection: Connection) -> None:
    """The newest form at once; a test holds that the migrations lead to the same."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(
        text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"),
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": REVISIONS[-1]})


def upgrade(connection: Connection) -> None:
    """Runs the migrations that are missing, inside the caller's transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> Config:
    """Where alembic finds the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "cellos_nb.store:migrations")
    return config


def _version(connection: Connection, database: Database) -> str | None:
    """The revision that the database is at; None when it is empty."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    found = None
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is None or "actions" not in tables:
        raise StoreCorruptError(
            f"{database.address.where}: is a database of another program (it holds {', '.join(sorted(tables)[:3])}). "
            "Name another one with --db."
        )
    if found not in REVISIONS:
        raise StoreVersionError(
            f"{database.address.where}: was written by a newer release of cellos_nb (form {found}; this one knows up "
            f"to {REVISIONS[-1]}). Upgrade cellos_nb, or use another --db."
        )
    return str(found)
