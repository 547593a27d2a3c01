"""A table of a person's own, CSV or XLSX, as headers and lines with their numbers."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from cellos_nb.errors import InputError

MAX_LINES = 200_000
"""Lines beyond which a file is no table of results."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank."""

    number: int
    """Where it begins in the file, counted from 1."""
    cells: dict[str, str]
    """Text by header; empty cells are left out."""


@dataclass(frozen=True, slots=True)
class Table:
    """The content of a file, whole."""

    path: Path
    sha256: str
    """Of the file's bytes."""
    sheet: str | None
    """The sheet that was read; None for CSV."""
    separator: str | None
    """Between the cells of a line: comma, semicolon or tab; None for a workbook."""
    headers: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def where(self) -> str:
        """The file, with its sheet, for messages."""
        return f"{self.path}, sheet {self.sheet}" if self.sheet is not None else str(self.path)


def read_table(path: str | Path, sheet: str | None = None) -> Table:
    """Reads a CSV (comma, semicolon or tab, also packed as `.gz`) or a workbook (`.xlsx`).

    The headers stand in the first line that is not blank.

    Raises:
        InputError: it cannot be read, has no such sheet or several, or its headers are not clear.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    sha256 = hashlib.sha256(content).hexdigest()
    kind, separator = path.suffix.lower(), None
    if kind == ".gz":
        kind, content = Path(path.stem).suffix.lower(), _unpacked(path, content)
    if kind == ".xlsx":
        sheet, found = _workbook(path, content, sheet)
    elif kind in {".csv", ".tsv", ".txt"}:
        if sheet is not None:
            raise InputError(f"{path}: has no sheets; a sheet belongs to a workbook (.xlsx). Leave it out.")
        text = _decoded(path, content)
        separator = _separator(text)
        found = list(_csv_lines(path, text, separator))
    else:
        raise InputError(f"{path}: is neither .csv nor .xlsx. Save it as one of them.")
    where = f"{path}, sheet {sheet}" if sheet is not None else str(path)
    if not found:
        raise InputError(f"{where}: is empty; give a line of headers and one line for each well.")
    headers = _headers(where, *found[0])
    lines = tuple(_line(where, headers, number, cells) for number, cells in found[1:])
    return Table(path, sha256, sheet, separator, headers, lines)


def _line(where: str, headers: tuple[str, ...], number: int, cells: list[str]) -> Line:
    if any(cells[len(headers) :]):
        raise InputError(
            f"{where}, line {number}: has more cells than there are headers ({len(headers)}). "
            "Look for a separator inside a cell, and put such a cell in quotes."
        )
    return Line(number, {name: cell for name, cell in zip(headers, cells, strict=False) if cell and name})


def _headers(where: str, number: int, cells: list[str]) -> tuple[str, ...]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    twice = sorted({name for name in cells if name and cells.count(name) > 1})
    if twice:
        raise InputError(f"{where}, line {number}: the header {twice[0]!r} stands twice. Rename one of the columns.")
    return tuple(cells)


def _unpacked(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked ({error}). Pack it again, or give the file as it is.") from error


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not in UTF-8. Save it as 'CSV UTF-8 (comma delimited)'.") from error


def _separator(text: str) -> str:
    headers = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=headers.count)


def _csv_lines(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begins = 1
    try:
        for cells in reader:
            texts = [cell.strip() for cell in cells]
            if any(texts):
                yield begins, texts
            begins = reader.line_num + 1
            _refuse_long(str(path), begins)
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: cannot be read ({error}). Look for a quotation mark that is not closed."
        ) from error


def _workbook(path: Path, content: bytes, sheet: str | None) -> tuple[str, list[tuple[int, list[str]]]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        # As values: what a formula gave when the workbook was saved.
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InputError(f"{path}: is no workbook that can be read ({error}). Save it again as .xlsx.") from error
    try:
        names = [each.title for each in book.worksheets]
        if sheet is None and len(names) != 1:
            raise InputError(f"{path}: has {len(names)} sheets; name one with --sheet: {', '.join(names)}.")
        if sheet is not None and sheet not in names:
            raise InputError(f"{path}: has no sheet {sheet!r}; there are {', '.join(names)}.")
        chosen = names[0] if sheet is None else sheet
        page = book[chosen]
        page.reset_dimensions()  # some programs write a size that is too small
        return chosen, list(_sheet_lines(f"{path}, sheet {chosen}", page.iter_rows(values_only=True)))
    finally:
        book.close()


def _sheet_lines(where: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, list[str]]]:
    for number, row in enumerate(rows, start=1):
        _refuse_long(where, number)
        texts = [_text(cell) for cell in row]
        if any(texts):
            yield number, texts


def _text(cell: Any) -> str:
    """A cell of a workbook as a person would type it, with all digits of a number."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()


def _refuse_long(where: str, number: int) -> None:
    if number > MAX_LINES + 2:
        raise InputError(f"{where}: has more than {MAX_LINES:,} lines. Split it into one file for each campaign.")
