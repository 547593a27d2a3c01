"""A person's table as a DataFrame: what is a number, and what is a name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cellos_nb.spreadsheet.table import Table

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
"""A number as people write it, with a point before its decimals."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_NOT_MEASURED = {"na", "n/a", "nan"}
"""What other programs write into an empty cell of a column of numbers."""


def frame_of(table: Table) -> pd.DataFrame:
    """One row per line; the index says which line of the file it is.

    Columns whose cells are all numbers are numbers, others are text; empty cells are missing. A decimal comma is
    understood where cells are separated otherwise and no number has a point.
    """
    import pandas as pd

    headers = [header for header in table.headers if header]
    columns = {header: [line.cells.get(header) for line in table.lines] for header in headers}
    has_comma = table.separator not in {None, ","} and _has_decimal_comma(
        cell for cells in columns.values() for cell in cells if cell is not None
    )
    if has_comma:
        columns = {header: [_pointed(cell) for cell in cells] for header, cells in columns.items()}
    read = {header: _column(cells) for header, cells in columns.items()}
    return pd.DataFrame(read, index=pd.Index([line.number for line in table.lines], name="line"))


def _has_decimal_comma(cells: Iterable[str]) -> bool:
    found = False
    for cell in cells:
        if "." in cell and NUMBER.fullmatch(cell):
            return False
        found = found or _DECIMAL_COMMA.fullmatch(cell) is not None
    return found


def _pointed(cell: str | None) -> str | None:
    return cell.replace(",", ".") if cell is not None and _DECIMAL_COMMA.fullmatch(cell) else cell


def _column(cells: list[str | None]) -> list[str | None] | list[float] | list[int]:
    texts = [None if cell is not None and cell.lower() in _NOT_MEASURED else cell for cell in cells]
    written = [text for text in texts if text is not None]
    if not all(NUMBER.fullmatch(text) for text in written):
        return cells
    if written and len(written) == len(texts) and all(text.lstrip("+-").isdigit() for text in written):
        return [int(text) for text in written]
    return [math.nan if text is None else float(text) for text in texts]
