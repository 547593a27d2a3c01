"""Single cells of a table of results: numbers, doses, wells, days."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from functools import cache

from cellos_nb.domain.plate import PLATE_FORMATS, well_names
from cellos_nb.operations.history.mapping import HistoryMapping
from cellos_nb.operations.history.problems import Problems
from cellos_nb.operations.history.units import MAX_DOSE_UM, MIN_DOSE_UM, UM_PER_UNIT
from cellos_nb.spreadsheet import NUMBER, Line

_WELL = re.compile(r"(A?[A-Z])0*([1-9][0-9]?)", re.IGNORECASE)


@cache
def _wells() -> frozenset[str]:
    """Of the largest plate; those of every other one are among them."""
    return frozenset(well_names(max(PLATE_FORMATS)))


@dataclass(frozen=True, slots=True)
class Cells:
    """Reads the cells of one line, and notes what cannot be."""

    mapping: HistoryMapping
    problems: Problems
    has_typed_numbers: bool
    """Whether the file has numbers as such, as workbooks do: they have points whatever the mapping says of text."""

    def text(self, line: Line, column: str) -> str | None:
        """A name of at most 120 characters; None, and noted, when there is none."""
        value = line.cells.get(column)
        if value is None or len(value) > 120:
            self.problems.add(line.number, column, value, "give a name of at most 120 characters")
            return None
        return value

    def number(self, line: Line, column: str) -> float | None:
        """A finite number; None, and noted, when there is none."""
        text = line.cells.get(column)
        value = None if text is None else self._number(text)
        if value is None:
            sign = "a comma" if self.mapping.decimal == "," else "a point"
            self.problems.add(line.number, column, text, f"give a number, with {sign} before its decimals")
        return value

    def dose_um(self, line: Line, column: str) -> float | None:
        """A dose in µM, to 12 digits, so that 300 nM is 0.3 µM; None, and noted, when it is none."""
        value = self.number(line, column)
        if value is None:
            return None
        dose = float(f"{value * UM_PER_UNIT[self.mapping.dose_unit]:.12g}")
        if value <= 0:
            cure = "give a dose above 0; untreated wells are named by the mapping's 'vehicle'"
        elif not MIN_DOSE_UM <= dose <= MAX_DOSE_UM:
            cure = f"in {self.mapping.dose_unit} it is {dose:.4g} µM; give 1e-9 to 100,000 µM, or check dose_unit"
        else:
            return dose
        self.problems.add(line.number, column, line.cells[column], cure)
        return None

    def well(self, line: Line, column: str) -> str | None:
        """A well's name as we write it: B07 is B7."""
        text = line.cells.get(column)
        match = _WELL.fullmatch(text or "")
        name = "" if match is None else f"{match[1].upper()}{match[2]}"
        if name not in _wells():
            self.problems.add(line.number, column, text, "give a well, as in B7")
            return None
        return name

    def plate(self, line: Line, column: str) -> str | None:
        """A plate's name, which stands in paths and so has no slash."""
        text = self.text(line, column)
        if text is not None and "/" in text:
            self.problems.add(line.number, column, text, "give a name without '/'")
            return None
        return text

    def replicate(self, line: Line, column: str) -> int | None:
        """A number counted from 1."""
        text = line.cells.get(column)
        if text is None or re.fullmatch(r"[1-9]\d{0,5}", text) is None:
            self.problems.add(line.number, column, text, "give a whole number from 1 on")
            return None
        return int(text)

    def day(self, line: Line, column: str) -> date | None:
        """A day of the calendar."""
        text = line.cells.get(column)
        try:
            return date.fromisoformat(text or "")
        except ValueError:
            self.problems.add(line.number, column, text, "give a day, as in 2024-05-31")
            return None

    def _number(self, text: str) -> float | None:
        if self.mapping.decimal == ",":
            if "," in text:
                text = text.replace(".", " ").replace(",", ".")
            elif "." in text and not self.has_typed_numbers:
                return None
        if NUMBER.fullmatch(text) is None:
            return None
        value = float(text)
        return value if math.isfinite(value) else None
