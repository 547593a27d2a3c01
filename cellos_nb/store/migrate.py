"""Brings a database to the form that this release writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from cellos_nb.errors import StoreCorruptError, StoreVersionError
from cellos_nb.store.database import Database
from cellos_nb.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002")
"""All revisions in order. Stands here, beside the scripts, so that opening a current database imports no alembic."""


def bring_up_to_date(database: Database) -> None:
    """Creates the tables in an empty file, or migrates an older one; all or nothing.

    Raises:
        StoreVersionError: a newer release wrote it.
        StoreCorruptError: it is a database of another program.
    """
    with database.read() as connection:
        if _version(connection, database) == REVISIONS[-1]:
            return
    with database.write(durable=True) as connection:
        # Asked again, because another process may have done it while this one waited for the transaction.
        version = _version(connection, database)
        if version is None:
            create(connection)
        elif version != REVISIONS[-1]:
            upgrade(connection)


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
            f"{database.path}: is an SQLite database of another program (it holds {', '.join(tables[:3])}). "
            "Name another file with --db."
        )
    if found not in REVISIONS:
        raise StoreVersionError(
            f"{database.path}: was written by a newer release of cellos_nb (form {found}; this one knows up to "
            f"{REVISIONS[-1]}). Upgrade cellos_nb, or use another --db."
        )
    return str(found)
