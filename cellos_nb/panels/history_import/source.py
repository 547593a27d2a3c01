"""The file that is looked at, read once for as long as it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cellos_nb.operations.history import Guess, Table, guess, read_table

Standing = tuple[int, int]
"""When a file was written, in ns, and its size in bytes."""


def standing_of(file: str) -> Standing | None:
    """How a file stands on the disk; None where there is none, which reading then says."""
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table, and how it would be understood by itself."""

    table: Table
    proposed: Guess


class Source:
    """Reads a file anew only when it was written, or another file or sheet is asked for.

    A person changes one field of the mapping after the other; the file behind them may have 200,000 lines.
    """

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._of: tuple[str, str, Standing | None] | None = None
        self._sheet: Sheet | None = None

    def sheet(self, file: str, name: str) -> Sheet:
        """A sheet of a file, or the only one when `name` is empty.

        Raises:
            InputError: as `read_table`.
        """
        # How it stands is asked before it is read: what is written meanwhile is then seen at the next look.
        asked = (file, name, standing_of(file))
        if self._sheet is None or asked != self._of:
            table = read_table(file, name or None)
            self._of, self._sheet = asked, Sheet(table, guess(table))
        return self._sheet
