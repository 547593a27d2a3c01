"""Every error of the database in this project's words: where, what happened, what to do."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import SQLAlchemyError

from cellos_nb.errors import StoreCorruptError, StoreError, StoreWriteError


def translate(error: Exception, path: str) -> StoreError:
    """The error of this project that says what an error of SQLite or SQLAlchemy means for a person."""
    cause = getattr(error, "orig", None) or error
    # e.g. SQLITE_IOERR_WRITE: the part after the second bar is detail
    name = getattr(cause, "sqlite_errorname", "") or ""
    for start, kind, says in _WORDS:
        if name.startswith(start):
            return kind(f"{path}: {says}")
    if isinstance(error, SQLAlchemyError | sqlite3.Error):
        return StoreError(f"{path}: the database refused: {cause}. Nothing of this change was stored.")
    return StoreError(f"{path}: {cause}.")


_WORDS: tuple[tuple[str, type[StoreError], str], ...] = (
    (
        "SQLITE_FULL",
        StoreWriteError,
        "the disk is full; nothing of this change was stored. Free some space and run the same again.",
    ),
    (
        "SQLITE_READONLY",
        StoreWriteError,
        "the file or its folder is read-only. Make both writable, or name another database with --db.",
    ),
    (
        "SQLITE_CANTOPEN",
        StoreWriteError,
        (
            "cannot be opened for writing. Check that the folder exists and that you may write to it, "
            "or name another database with --db."
        ),
    ),
    (
        "SQLITE_BUSY",
        StoreWriteError,
        (
            "locked by another process for too long; nothing of this change was stored. "
            "Close what holds it (a backup, a database browser) and run the same again."
        ),
    ),
    (
        "SQLITE_LOCKED",
        StoreWriteError,
        "locked by another connection; nothing of this change was stored. Run the same again.",
    ),
    (
        "SQLITE_IOERR",
        StoreWriteError,
        (
            "the disk could not be read or written; nothing of this change was stored. "
            "Check its space and health, then run the same again."
        ),
    ),
    (
        "SQLITE_NOTADB",
        StoreCorruptError,
        "is not a database of this software. Restore it from a backup, or name another file with --db.",
    ),
    (
        "SQLITE_CORRUPT",
        StoreCorruptError,
        (
            "the database is damaged. Keep the file, restore a backup, or save what can be read with "
            "`sqlite3 FILE .recover`, or start anew with another --db."
        ),
    ),
)
