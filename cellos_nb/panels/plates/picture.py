"""A plate as colours: one way to colour it is one function from wells to paint and legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from cellos_nb.domain.plate import WellRole, plate_format, row_label, well_names, well_position
from cellos_nb.panels.grid.cell import Cell
from cellos_nb.panels.plates.model import Plate, Well
from cellos_nb.panels.theme import GREY, SERIES, sequential_colour, series_colour
from cellos_nb.units import format_dose

_WHOLE = 1e3
"""Signals from here on are shown without decimals."""
ColourBy = Literal["dose", "compound", "cell line", "role", "signal", "value", "QC"]
WAYS: tuple[ColourBy, ...] = get_args(ColourBy)
EMPTY = ""
"""No paint: the picture shows the page's own ground."""
_ROLES = {
    WellRole.SAMPLE: (SERIES[0], "sample", ""),
    WellRole.VEHICLE: (SERIES[2], "vehicle control", "V"),
    WellRole.POSITIVE: (SERIES[1], "positive control", "P"),
    WellRole.MEDIUM: (GREY, "medium", "–"),
}
_QC = {
    "passed": (SERIES[2], ""),
    "doubted": (SERIES[5], "?"),
    "quarantined": (SERIES[3], "!"),
    "failed": (SERIES[1], "×"),
    "control, read": (SERIES[4], ""),
    "not concluded": (GREY, "·"),
}


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One colour and what it stands for."""

    colour: str
    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A plate, painted."""

    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    cells: tuple[Cell, ...]
    """Every place of the plate, used or empty, row by row; a mark says the same as the colour to those who do not see
    it."""
    legend: tuple[LegendEntry, ...]


Paint = Callable[[Well], tuple[str, str]]
"""From a well to its colour and mark."""


def paint(plate: Plate, by: ColourBy) -> Picture:
    """A plate coloured in one of the `WAYS`."""
    colour, legend = _palette(plate, by)
    places = []
    for name in well_names(plate.n_wells):
        row, column = well_position(name, plate.n_wells)
        well = plate.wells.get(name)
        painted, mark = colour(well) if well is not None else (EMPTY, "")
        places.append(Cell(name, row, column, painted, mark, describe(well) if well else f"{name}: empty"))
    fmt = plate_format(plate.n_wells)
    rows, columns = map(row_label, range(fmt.n_rows)), (str(column + 1) for column in range(fmt.n_columns))
    is_grey = any(place.colour == GREY for place in places)
    shown = tuple(entry for entry in legend if is_grey or entry.colour != GREY)
    return Picture(tuple(rows), tuple(columns), tuple(places), shown)


def describe(well: Well) -> str:
    """A well in one line of words."""
    held = well.assignment
    parts = [_ROLES[held.role][1]]
    parts += [held.cell_line] if held.cell_line else []
    if held.compound and held.dose_um is not None:
        parts.append(f"{held.compound} {format_dose(held.dose_um)}")
    if well.signal is not None:
        parts.append(f"signal {_signal(well.signal)}")
    if well.value is not None:
        parts.append(f"{well.value:.3f} of vehicle")
    parts += [str(flag) for flag in well.flags]
    parts += [str(well.status)] if well.status is not None and well.status != "ok" else []
    return f"{well.name}: {', '.join(parts)}"


def _signal(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.5g}"


def _palette(plate: Plate, by: ColourBy) -> tuple[Paint, tuple[LegendEntry, ...]]:
    wells = plate.wells.values()
    if by == "role":
        return _by_role(wells)
    if by == "QC":
        return _by_quality(wells)
    if by in _NAMES:
        return _names(wells, _NAMES[by])
    unit = f" {plate.unit}" if plate.unit else ""
    text: dict[ColourBy, Callable[[float], str]] = {
        "dose": format_dose,
        "signal": lambda v: f"{_signal(v)}{unit}",
        "value": lambda v: f"{v:.3g} of vehicle",
    }
    return _amounts(wells, _AMOUNTS[by], text[by], is_log=by == "dose")


_NAMES: dict[ColourBy, Callable[[Well], str | None]] = {
    "compound": lambda well: well.assignment.compound,
    "cell line": lambda well: well.assignment.cell_line,
}
_AMOUNTS: dict[ColourBy, Callable[[Well], float | None]] = {
    "dose": lambda well: well.assignment.dose_um,
    "signal": lambda well: well.signal,
    "value": lambda well: well.value,
}


def _amounts(
    wells: Iterable[Well], amount: Callable[[Well], float | None], text: Callable[[float], str], *, is_log: bool
) -> tuple[Paint, tuple[LegendEntry, ...]]:
    """Low to high in cividis; what has no amount stays grey, with its role as mark."""
    known = [v for v in map(amount, wells) if v is not None and math.isfinite(v) and (v > 0 or not is_log)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = math.log if is_log else float

    def share(value: float) -> float:
        return (scale(value) - scale(low)) / (scale(high) - scale(low)) if high > low else 0.5

    def colour(well: Well) -> tuple[str, str]:
        value = amount(well)
        mark = _ROLES[well.assignment.role][2]
        if value is None or not math.isfinite(value) or (is_log and value <= 0):
            return GREY, mark or "·"
        return sequential_colour(share(value)), mark

    middle = math.sqrt(low * high) if is_log else (low + high) / 2
    ends = dict.fromkeys([low, middle, high]) if high > low else {low: None}
    legend = [LegendEntry(sequential_colour(share(value)), text(value)) for value in ends] if known else []
    return colour, (*legend, LegendEntry(GREY, "none", "·"))


def _names(wells: Iterable[Well], name: Callable[[Well], str | None]) -> tuple[Paint, tuple[LegendEntry, ...]]:
    """A colour for each name, and its number once the colours come round again."""
    names = list(dict.fromkeys(found for well in wells if (found := name(well))))
    names.sort()
    place = {found: index for index, found in enumerate(names)}

    def colour(well: Well) -> tuple[str, str]:
        found = name(well)
        role = _ROLES[well.assignment.role][2]
        return (GREY, role or "·") if found is None else (series_colour(place[found]), str(place[found] + 1))

    legend = [LegendEntry(series_colour(i), found, str(i + 1)) for i, found in enumerate(names)]
    return colour, (*legend, LegendEntry(GREY, "none", "V –"))


def _by_role(wells: Iterable[Well]) -> tuple[Paint, tuple[LegendEntry, ...]]:
    present = {well.assignment.role for well in wells}

    def colour(well: Well) -> tuple[str, str]:
        shade, _, mark = _ROLES[well.assignment.role]
        return shade, mark

    return colour, tuple(LegendEntry(c, text, mark) for role, (c, text, mark) in _ROLES.items() if role in present)


def _by_quality(wells: Iterable[Well]) -> tuple[Paint, tuple[LegendEntry, ...]]:
    present = {_standing(well) for well in wells}

    def colour(well: Well) -> tuple[str, str]:
        return _QC[_standing(well)]

    return colour, tuple(LegendEntry(c, text, mark) for text, (c, mark) in _QC.items() if text in present)


def _standing(well: Well) -> str:
    if well.status is None:
        is_read = well.signal is not None and well.assignment.role is not WellRole.SAMPLE
        return "control, read" if is_read else "not concluded"
    if well.status in {"failed", "quarantined"}:
        return str(well.status)
    return "doubted" if well.flags else "passed"
