"""Measured screens: tidy tables of viability by cell line, compound, dose and replicate, read and checked."""

from __future__ import annotations

import bisect
import csv
import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cellos_nb.errors import ScreenError
from cellos_nb.units import format_dose

SHIPPED = "sarcoma_lee2023"
REQUIRED = ("cell_line", "compound", "dose_um", "viability")
OPTIONAL = ("replicate",)
EXPECTED = "cell_line, compound, dose_um, viability, and replicate if there are several"
MAX_VIABILITY = 10.0
"""Ten times the vehicle is no viability, but a number in another unit."""
DOSE_TOLERANCE = 1e-3
"""Relative; a dose that is off by less was rounded in pipetting and is meant as the measured one."""


@dataclass(frozen=True, slots=True)
class Curves:
    """The replicate curves of one cell line and compound."""

    dose_um: tuple[float, ...]
    """Measured doses, ascending."""
    log_dose: tuple[float, ...]
    """Their logarithms to base 10."""
    viability: tuple[tuple[float, ...], ...]
    """One curve for each replicate: fractions of vehicle, in the order of the doses."""

    def holds(self, dose_um: float) -> bool:
        """Whether a dose lies between the lowest and the highest that was measured."""
        low, high = self.dose_um[0] * (1 - DOSE_TOLERANCE), self.dose_um[-1] * (1 + DOSE_TOLERANCE)
        return low <= dose_um <= high

    def at(self, dose_um: float, replicate: int) -> float:
        """The viability of one replicate, linear in log dose between measured doses; a dose that `holds`."""
        curve, x = self.viability[replicate], math.log10(dose_um)
        right = bisect.bisect_left(self.log_dose, x)
        for near in (right - 1, right):
            inside = 0 <= near < len(curve)
            if inside and abs(dose_um / self.dose_um[near] - 1) <= DOSE_TOLERANCE:
                return curve[near]
        share = (x - self.log_dose[right - 1]) / (self.log_dose[right] - self.log_dose[right - 1])
        return curve[right - 1] + share * (curve[right] - curve[right - 1])


@dataclass(frozen=True, slots=True)
class Screen:
    """All curves of a screen, and where they come from."""

    curves: Mapping[tuple[str, str], Curves]
    """By cell line and compound."""
    cell_lines: tuple[str, ...]
    compounds: tuple[str, ...]
    dose_range_um: tuple[float, float]
    """Lowest and highest dose of any curve."""
    source: str
    """Citation and licence, or the name of a user's file."""
    sha256: str
    """Of the file as it was read."""


def load_screen(path: str | Path | None = None) -> Screen:
    """A tidy CSV of measured viabilities, plain or gzip-compressed; the shipped sarcoma screen without a path.

    Columns: `cell_line`, `compound`, `dose_um` (µM), `viability` (fraction of vehicle, 1.0 = untreated; may be empty
    when it was not measured) and optionally `replicate`. Other columns are refused. A missing value is bridged
    between its neighbours in log dose; at the end of a curve the mean of the other replicates stands for it.

    Raises:
        ScreenError: the file is missing, unreadable or malformed; names the line and what to do.
    """
    if path is None:
        return _shipped()
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ScreenError(
            f"{path}: there is no such screen. Check the path, or leave it out for the shipped sarcoma screen."
        ) from error
    except OSError as error:
        raise ScreenError(f"{path}: the screen cannot be read ({error.strerror}).") from error
    return _parse(content, str(path), source=path.name)


@cache
def _shipped() -> Screen:
    folder = resources.files("cellos_nb.hardware") / "screens"
    about: dict[str, Any] = yaml.safe_load((folder / f"{SHIPPED}.yaml").read_text(encoding="utf-8"))
    content = (folder / f"{SHIPPED}.csv.gz").read_bytes()
    screen = _parse(content, f"{SHIPPED}.csv.gz", source=f"{about['citation']} ({about['licence']})")
    if screen.sha256 != about["sha256"]:
        raise ScreenError(f"{SHIPPED}.csv.gz: the shipped screen was changed on this disk. Install the package again.")
    return screen


def _parse(content: bytes, name: str, source: str) -> Screen:
    values: dict[tuple[str, str], dict[str, dict[float, float]]] = {}
    for row in _rows(_text(content, name), name):
        by_replicate = values.setdefault((row.cell_line, row.compound), {})
        curve = by_replicate.setdefault(row.replicate, {})
        if row.dose_um in curve:
            hint = "Keep one." if row.has_replicate else "Keep one, or number them in a column 'replicate'."
            raise ScreenError(
                f"{name}, line {row.line}: {row.cell_line}, {row.compound}, {format_dose(row.dose_um)} stands twice "
                f"for the same replicate. {hint}"
            )
        curve[row.dose_um] = row.viability
    curves = {pair: found for pair, by in values.items() if (found := _curves(list(by.values()))) is not None}
    if not curves:
        raise ScreenError(f"{name}: the screen holds no measurement. Give at least one row with a viability.")
    doses = [dose for curve in curves.values() for dose in (curve.dose_um[0], curve.dose_um[-1])]
    return Screen(
        curves,
        tuple(dict.fromkeys(line for line, _ in curves)),
        tuple(dict.fromkeys(compound for _, compound in curves)),
        (min(doses), max(doses)),
        source,
        hashlib.sha256(content).hexdigest(),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cell_line: str
    compound: str
    replicate: str
    has_replicate: bool
    dose_um: float
    viability: float
    """NaN when it was not measured."""


def _text(content: bytes, name: str) -> str:
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise ScreenError(f"{name}: the gzip file is damaged ({error}). Copy or compress it again.") from error
    except UnicodeDecodeError as error:
        raise ScreenError(f"{name}: not UTF-8 text ({error}). Save the table as CSV in UTF-8.") from error


def _rows(text: str, name: str) -> Iterator[_Row]:
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [column.strip() for column in next(lines, [])]
        if not any(header):
            raise ScreenError(f"{name}: the screen is empty. Expected a header with the columns {EXPECTED}.")
        _check_header(header, name)
        place = {column: header.index(column) for column in header}
        for cells in lines:
            if cells:
                yield _row(cells, place, f"{name}, line {lines.line_num}", lines.line_num)
    except csv.Error as error:
        raise ScreenError(f"{name}, line {lines.line_num}: not a CSV table ({error}). Save it as CSV again.") from error


def _check_header(header: list[str], name: str) -> None:
    missing = [column for column in REQUIRED if column not in header]
    extra = [column for column in header if column not in REQUIRED + OPTIONAL]
    twice = [column for column in REQUIRED + OPTIONAL if header.count(column) > 1]
    if missing or extra or twice:
        problems = [f"{what} {', '.join(map(repr, which))}" for what, which in
                    (("missing", missing), ("unknown", extra), ("twice", twice)) if which]  # fmt: skip
        raise ScreenError(f"{name}, line 1: wrong columns: {'; '.join(problems)}. Expected: {EXPECTED}.")


def _row(cells: list[str], place: Mapping[str, int], where: str, line: int) -> _Row:
    if len(cells) != len(place):
        raise ScreenError(f"{where}: {len(cells)} values for {len(place)} columns. Complete the line or remove it.")
    value = {column: cells[index].strip() for column, index in place.items()}
    for column in ("cell_line", "compound", *(("replicate",) if "replicate" in place else ())):
        if not value[column]:
            raise ScreenError(f"{where}: {column} is empty. Name it, or remove the line.")
    dose_um = _number(value["dose_um"], "dose_um", where)
    if not (math.isfinite(dose_um) and dose_um > 0):
        raise ScreenError(
            f"{where}: a dose_um of {value['dose_um']} is no dose; give µM above 0. Vehicle wells are 1.0 by "
            "definition and stay out of the table."
        )
    viability = math.nan
    if value["viability"]:
        viability = _number(value["viability"], "viability", where)
        if not math.isfinite(viability):
            raise ScreenError(f"{where}: a viability of {value['viability']} is no number; leave it empty instead.")
        if abs(viability) > MAX_VIABILITY:
            raise ScreenError(
                f"{where}: a viability of {value['viability']} looks like percent or a raw signal; give fractions of "
                "vehicle, 1.0 = untreated."
            )
    replicate = value.get("replicate", "1")
    return _Row(line, value["cell_line"], value["compound"], replicate, "replicate" in place, dose_um, viability)


def _number(text: str, column: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ScreenError(
            f"{where}: {column} is {text!r}, which is no number. Correct it or remove the line."
        ) from error


def _curves(replicates: list[dict[float, float]]) -> Curves | None:
    """Replicates on the doses of all of them, holes bridged; None when nothing was measured."""
    measured = [{d: v for d, v in curve.items() if not math.isnan(v)} for curve in replicates]
    measured = [curve for curve in measured if curve]
    doses = sorted({dose for curve in measured for dose in curve})
    if not doses:
        return None
    logs = [math.log10(dose) for dose in doses]
    table = np.array([[curve.get(dose, math.nan) for dose in doses] for curve in measured])
    others = np.nanmean(table, axis=0)
    rows = []
    for curve in table:
        known = np.flatnonzero(~np.isnan(curve))
        bridged = np.interp(logs, np.array(logs)[known], curve[known])
        inside = (np.arange(len(doses)) >= known[0]) & (np.arange(len(doses)) <= known[-1])
        rows.append(tuple(np.where(inside, bridged, others).tolist()))
    return Curves(tuple(doses), tuple(logs), tuple(rows))
