"""A table as a person's file holds it: CSV in its many dialects, or a workbook, as rows of text."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from cellos_nb.errors import ReaderFileError

WORKBOOKS = (".xlsx", ".xlsm")
_ENCODINGS = ("utf-8-sig", "cp1252")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table; every row may have another length."""

    name: str
    """Of the file, and of the sheet in it."""
    rows: tuple[tuple[str, ...], ...]

    def at(self, row: int, column: int) -> str:
        """One cell without blanks around it; empty beyond the table."""
        if row >= len(self.rows) or column >= len(self.rows[row]):
            return ""
        return self.rows[row][column].strip()

    def cell(self, row: int, column: int) -> str:
        """Where a cell is, for people: `plate.csv, cell C17`."""
        letters, left = "", column + 1
        while left:
            left, letter = divmod(left - 1, 26)
            letters = chr(65 + letter) + letters
        return f"{self.name}, cell {letters}{row + 1}"

    def find(self, text: str, *, after: int = 0) -> tuple[int, int] | None:
        """The first cell with exactly this text, capitals or not."""
        wanted = text.strip().casefold()
        for row in range(after, len(self.rows)):
            for column in range(len(self.rows[row])):
                if self.at(row, column).casefold() == wanted:
                    return row, column
        return None


def read_sheet(name: str, content: bytes, *, sheet: str | None = None, decimal: str = ".") -> Sheet:
    """The table in a file.

    Args:
        name: of the file; its ending tells a workbook from text.
        content: of the file.
        sheet: of a workbook; the first when None.
        decimal: with a comma here, columns are separated otherwise.

    Raises:
        ReaderFileError: the file is empty or cannot be read as a table.
    """
    is_workbook = name.lower().endswith(WORKBOOKS)
    made = _workbook(name, content, sheet) if is_workbook else _text_table(name, content, decimal)
    if not any(cell.strip() for row in made.rows for cell in row):
        raise ReaderFileError(f"{made.name}: is empty. Export the plate again.")
    return made


def _text_table(name: str, content: bytes, decimal: str) -> Sheet:
    text = _decoded(name, content)
    separators = ("\t", ";") if decimal == "," else ("\t", ";", ",")
    lines = text.splitlines()
    separator = max(separators, key=lambda mark: sum(mark in line for line in lines))
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        return Sheet(name, tuple(tuple(row) for row in rows))
    except csv.Error as error:
        raise ReaderFileError(f"{name}: is no table of text ({error}). Export it as CSV.") from error


def _decoded(name: str, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    if b"\0" in content:
        raise ReaderFileError(f"{name}: is no text; name a workbook .xlsx, or export the plate as CSV.")
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ReaderFileError(f"{name}: is neither UTF-8 nor Windows text. Export the plate as CSV in UTF-8.")


def _workbook(name: str, content: bytes, sheet: str | None) -> Sheet:
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Exception as error:
        # openpyxl raises whatever the ZIP and XML inside of it do.
        raise ReaderFileError(f"{name}: cannot be read as a workbook ({error}). Save it as .xlsx again.") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise ReaderFileError(f"{name}: has no sheet {sheet!r}; there are {', '.join(book.sheetnames)}.")
        found = book[sheet or book.sheetnames[0]]
        rows = tuple(tuple(_text(value) for value in row) for row in found.iter_rows(values_only=True))
        return Sheet(f"{name}, sheet {found.title}", rows)
    finally:
        book.close()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
