"""Every error of the database in this project's words: where, what happened, what to do."""

from __future__ import annotations

from sqlalchemy.exc import OperationalError

from cellos_nb.errors import StoreCorruptError, StoreError, StoreWriteError
from cellos_nb.store.address import Address


def translate(error: Exception, address: Address) -> StoreError:
    """The error of this project that says what an error of the driver or of SQLAlchemy means for a person."""
    cause = getattr(error, "orig", None) or error
    # e.g. SQLITE_IOERR_WRITE, whose last part is detail, or 53100, whose first two digits are the class
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    for start, kind, says in _WORDS:
        if name.startswith(start):
            return kind(f"{address.where}: {says}")
    said = address.without_secrets(str(cause)).rstrip(".")
    if address.path is None and isinstance(error, OperationalError) and name[:2] in {"", "08", "57"}:
        return StoreError(
            f"{address.where}: the server cannot be reached or closed the connection ({said}). "
            "Nothing of this change was stored, unless it was just being confirmed. "
            "Check server, database, user and password, then run the same again."
        )
    return StoreError(f"{address.where}: the database refused: {said}. Nothing of this change was stored.")


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
    # PostgreSQL. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
    (
        "53100",
        StoreWriteError,
        "the server's disk is full; nothing of this change was stored. Free some space there and run the same again.",
    ),
    (
        "53300",
        StoreError,
        "the server has no connection left. Close notebooks that no longer need theirs, or raise its max_connections.",
    ),
    (
        "25006",
        StoreWriteError,
        "the server is read-only, as a standby is. Name the one that is written to with --db.",
    ),
    (
        "42501",
        StoreWriteError,
        "this user may not do that. Let the owner of the database grant it: CREATE and USAGE on its schema.",
    ),
    (
        "55P03",
        StoreWriteError,
        (
            "locked by another process for too long; nothing of this change was stored. "
            "End what holds it (see pg_stat_activity) and run the same again."
        ),
    ),
    (
        "25P03",
        StoreWriteError,
        "fell silent inside a transaction, which the server then ended; nothing of it was stored. Run the same again.",
    ),
    (
        "XX00",
        StoreCorruptError,
        "the server reports damaged data or an error of its own. Look at its log; restore a backup if need be.",
    ),
)
