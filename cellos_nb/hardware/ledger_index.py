"""Where each step and each labware stands in a ledger: found at once, in memory that does not grow with the ledger."""

from __future__ import annotations

import sqlite3

from cellos_nb.errors import MachineError
from cellos_nb.hardware.ledger import Head

_SCHEMA = """
    PRAGMA journal_mode = MEMORY;
    CREATE TABLE steps (token TEXT PRIMARY KEY, digest TEXT NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE pages (barcode TEXT NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (barcode, at))
        WITHOUT ROWID;
"""


class LedgerIndex:
    """An index of one open ledger, made anew each time it is opened.

    It lies in a private temporary database, of which SQLite keeps about 2 MB in memory and the rest in a file that goes
    with the process: the ledger alone says what happened, and an index that outlived it could disagree.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)

    def add(self, head: Head) -> None:
        """Notes where a step stands.

        Raises:
            MachineError: there is no room for the temporary file.
        """
        try:
            self._database.execute("BEGIN")
            self._database.execute("INSERT INTO steps VALUES (?, ?, ?, ?)", _place(head))
            pages = [(barcode, head.offset, head.length) for barcode in dict.fromkeys(head.barcodes)]
            self._database.executemany("INSERT INTO pages VALUES (?, ?, ?)", pages)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise MachineError(
                f"{head.token}: the index of the machine's ledger cannot be kept ({error}). Nothing was moved. Free "
                "space in the folder for temporary files."
            ) from error

    def remove(self, head: Head) -> None:
        """Takes a step back that did not get into the ledger."""
        self._database.execute("DELETE FROM steps WHERE token = ?", (head.token,))
        self._database.execute("DELETE FROM pages WHERE at = ?", (head.offset,))

    def step(self, token: str) -> Head | None:
        """The step that was executed under a token; without its labware."""
        row = self._database.execute("SELECT digest, at, length FROM steps WHERE token = ?", (token,)).fetchone()
        return None if row is None else Head(token, row[0], (), row[1], row[2])

    def steps_of(self, barcode: str) -> list[tuple[int, int]]:
        """Offset and length of every step that changed a labware, oldest first."""
        query = "SELECT at, length FROM pages WHERE barcode = ? ORDER BY at"
        return self._database.execute(query, (barcode,)).fetchall()


def _place(head: Head) -> tuple[str, str, int, int]:
    return head.token, head.digest, head.offset, head.length
