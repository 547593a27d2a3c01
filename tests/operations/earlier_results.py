"""Tables of earlier results as a laboratory has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl

from cellos_nb.operations.history import HistoryMapping

HEADERS = ("Cell line", "Drug", "Dose (nM)", "Viability (%)", "Plate", "Well", "Rep", "Date")
COLUMNS = {
    "cell_line": "Cell line",
    "compound": "Drug",
    "dose": "Dose (nM)",
    "response": "Viability (%)",
    "plate": "Plate",
    "well": "Well",
    "replicate": "Rep",
    "date": "Date",
}
MAPPING: dict[str, Any] = {
    "name": "screen of 2023",
    "columns": COLUMNS,
    "dose_unit": "nM",
    "response": {"kind": "percent"},
}
LINES = ("SK-LMS-1", "RD-ES")
DRUGS = {"Trametinib": 30.0, "Dinaciclib": 8.0, "Capmatinib": 3000.0, "Gefitinib": 900.0, "Erlotinib": 200.0}
"""EC50 in nM."""
DOSES_NM = (1.0, 10.0, 100.0, 1000.0, 10000.0)


def rows() -> list[list[Any]]:
    """Two plates on two days, duplicates that differ by 4 % of vehicle."""
    made: list[list[Any]] = []
    for plate, (line, day) in enumerate(zip(LINES, ("2023-05-02", "2023-05-09"), strict=True), start=1):
        n = 0
        for drug, ec50 in DRUGS.items():
            for dose in DOSES_NM:
                for rep in (1, 2):
                    percent = round(100 / (1 + dose / ec50) + (2 if rep == 1 else -2), 3)
                    made.append(
                        [line, drug, dose, percent, f"P{plate}", f"{'ABCDEFGH'[n // 12]}{n % 12 + 1:02d}", rep, day]
                    )
                    n += 1
    return made


def write_table(path: Path, table: list[list[Any]] | None = None, headers: tuple[str, ...] = HEADERS) -> Path:
    """A CSV, its lines as in `rows` when left out."""
    lines = [headers, *(rows() if table is None else table)]
    path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines), encoding="utf-8")
    return path


def write_book(path: Path, *sheets: str) -> Path:
    """A workbook with the same results on every sheet named."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in sheets:
        page = book.create_sheet(name)
        for line in [HEADERS, *rows()]:
            page.append(list(line))
    book.save(path)
    return path


def mapping(**changes: Any) -> HistoryMapping:
    """The mapping of these tables, with changes."""
    return HistoryMapping(**{**MAPPING, **changes})
