"""A campaign's history as files for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellos_nb.domain import codec
from cellos_nb.domain.history import COLUMNS, History
from cellos_nb.records.atomic import new_file

if TYPE_CHECKING:
    import pandas as pd

STDOUT = Path("-")


def text_columns() -> tuple[str, ...]:
    """The columns of a history that hold text."""
    return tuple(column for column, kind in COLUMNS.items() if kind == "string")


def csv_text(history: History) -> str:
    """One row per well; equal histories give equal text on every platform. Formulas are disarmed by `frame_csv`."""
    return frame_csv(history.frame())


def frame_csv(frame: pd.DataFrame) -> str:
    """Rows as CSV.

    A text cell that a spreadsheet would take for a formula is preceded by an apostrophe, as OWASP advises.
    """
    safe = frame.copy()
    texts: list[str] = list(safe.select_dtypes("string").columns)
    for column in texts:
        is_formula = safe[column].str.match(r"[=+\-@\t\r]").fillna(value=False)
        safe[column] = safe[column].where(~is_formula, "'" + safe[column])
    # Without a float format, pandas writes the shortest digits that read back as the same number.
    return str(safe.to_csv(index=False, lineterminator="\n"))


def write_csv(history: History, path: Path) -> None:
    """Writes one row per well as CSV.

    Raises:
        OutputError: the file cannot be written.
    """
    _write_text(csv_text(history), path)


def write_json(history: History, path: Path) -> None:
    """Writes every result, whole, as JSON that `History` reads back.

    Raises:
        OutputError: the file cannot be written.
    """
    _write_text(codec.to_json(history) + "\n", path)


def write_parquet(history: History, path: Path) -> None:
    """Writes one row per well as Parquet.

    Raises:
        OutputError: the file cannot be written.
    """
    with new_file(path) as partial:
        history.frame().to_parquet(partial, index=False)


def _write_text(text: str, path: Path) -> None:
    if path == STDOUT:
        sys.stdout.write(text)
        return
    with new_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")
