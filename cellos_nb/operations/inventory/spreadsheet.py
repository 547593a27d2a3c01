"""Tables as spreadsheets read and write them: comma, semicolon or tab, and no cell that becomes a formula."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellos_nb.errors import InventoryError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file, without its empty cells."""

    line: int
    """Where it begins, from 1."""
    cells: dict[str, str]


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV; None is an empty cell.

    A text that a spreadsheet would take for a formula is preceded by an apostrophe, as OWASP advises.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_armed(cell) for cell in row] for row in rows)
    return out.getvalue()


def read_text(path: str | Path) -> str:
    """The text of a file that a spreadsheet wrote.

    Raises:
        InventoryError: it cannot be read, or is not in UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InventoryError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"{path}: is not in UTF-8. Save it as 'CSV UTF-8 (comma delimited)'.") from error


def rows_of(
    text: str, where: str, possible: Sequence[str], required: Sequence[str]
) -> tuple[list[Row], list[tuple[int, str]]]:
    """The rows of a table, and what is wrong with lines that are none: where, and in words.

    Args:
        text: with a line of column names first; separated by comma, semicolon or tab.
        where: the file, for messages.
        possible: column names that may stand there.
        required: those that have to.

    Raises:
        InventoryError: a column is unknown, there twice, or missing; then no line can be understood.
    """
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        while columns and not columns[-1]:
            columns.pop()
        _check_columns(columns, where, possible, required)
        return _split(reader, columns)
    except csv.Error as error:
        raise InventoryError(
            f"{where}, line {reader.line_num}: cannot be read ({error}). Look for a quotation mark."
        ) from error


def _split(reader: Iterator[list[str]], columns: list[str]) -> tuple[list[Row], list[tuple[int, str]]]:
    rows: list[Row] = []
    problems: list[tuple[int, str]] = []
    line = 2
    for cells in reader:
        begins, line = line, reader.line_num + 1  # type: ignore[attr-defined]  # of csv's own reader
        texts = [_disarmed(cell.strip()) for cell in cells]
        if any(texts[len(columns) :]):
            problems.append((begins, f"has {len(texts)} cells, but there are {len(columns)} columns."))
        elif any(texts):
            rows.append(Row(begins, {name: cell for name, cell in zip(columns, texts, strict=False) if cell}))
    return rows, problems


def _check_columns(columns: Sequence[str], where: str, possible: Sequence[str], required: Sequence[str]) -> None:
    for name in columns:
        if name not in possible:
            close = difflib.get_close_matches(name, possible, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise InventoryError(f"{where}: there is no column {name!r}; {hint}Possible: {', '.join(possible)}.")
        if columns.count(name) > 1:
            raise InventoryError(f"{where}: the column {name} is there twice. Remove one.")
    missing = [name for name in required if name not in columns]
    if missing:
        raise InventoryError(f"{where}: the column {missing[0]} is missing in its first line.")


def _armed(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _disarmed(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
