"""A plate: its format, its wells by name, and what each well is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from cellos_nb.errors import LayoutError

_WELL = re.compile(r"(A?[A-Z])([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class PlateFormat:
    """The geometry of a microplate (ANSI/SLAS 4-2004 well positions) and its usual working volume."""

    n_wells: int
    n_rows: int
    n_columns: int
    well_capacity_ul: float
    """The volume at which a well is full."""
    working_volume_ul: float
    """The final assay volume in a well, cells and compound together."""
    well_area_cm2: float
    """Growth area; seeding densities scale with it."""


PLATE_FORMATS: dict[int, PlateFormat] = {
    fmt.n_wells: fmt
    for fmt in (
        PlateFormat(6, 2, 3, 16800.0, 2000.0, 9.5),
        PlateFormat(12, 3, 4, 6900.0, 1000.0, 3.8),
        PlateFormat(24, 4, 6, 3400.0, 500.0, 1.9),
        PlateFormat(48, 6, 8, 1600.0, 250.0, 0.95),
        PlateFormat(96, 8, 12, 360.0, 100.0, 0.32),
        PlateFormat(384, 16, 24, 112.0, 50.0, 0.056),
        PlateFormat(1536, 32, 48, 12.6, 8.0, 0.025),
    )
}
"""The plate formats that can be planned, by number of wells. Source: Corning cell-culture surface area and
volume tables (6 to 1536 wells, flat bottom)."""


def plate_format(n_wells: int) -> PlateFormat:
    """The format with that many wells.

    Raises:
        LayoutError: no such format.
    """
    if n_wells not in PLATE_FORMATS:
        raise LayoutError(f"plate_format: {n_wells} wells is no plate; possible: {', '.join(map(str, PLATE_FORMATS))}.")
    return PLATE_FORMATS[n_wells]


def row_label(row: int) -> str:
    """The letters of a row counted from 0: A … Z, AA, AB …"""
    return chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)


@cache
def well_names(n_wells: int) -> tuple[str, ...]:
    """All wells of a plate, row by row: A1, A2, …, B1, …"""
    fmt = plate_format(n_wells)
    return tuple(f"{row_label(r)}{c + 1}" for r in range(fmt.n_rows) for c in range(fmt.n_columns))


@cache
def well_position(name: str, n_wells: int) -> tuple[int, int]:
    """Row and column of a well, both counted from 0.

    Raises:
        LayoutError: the plate has no such well.
    """
    fmt = plate_format(n_wells)
    match = _WELL.fullmatch(name)
    if match:
        letters, column = match.group(1), int(match.group(2)) - 1
        row = ord(letters) - 65 if len(letters) == 1 else 26 + ord(letters[1]) - 65
        if row < fmt.n_rows and column < fmt.n_columns:
            return row, column
    last = f"{row_label(fmt.n_rows - 1)}{fmt.n_columns}"
    raise LayoutError(f"Well {name!r}: a {n_wells}-well plate has the wells A1 to {last}.")


@cache
def outer_wells(n_wells: int) -> frozenset[str]:
    """The wells on the rim of a plate, which lose the most to evaporation."""
    fmt = plate_format(n_wells)
    rim_rows, rim_columns = {0, fmt.n_rows - 1}, {0, fmt.n_columns - 1}
    positions = ((name, well_position(name, n_wells)) for name in well_names(n_wells))
    return frozenset(name for name, (r, c) in positions if r in rim_rows or c in rim_columns)


class WellRole(StrEnum):
    """What a well is for."""

    SAMPLE = "sample"
    """A proposed experiment."""
    VEHICLE = "vehicle"
    """Cells with solvent alone: 100 % by definition."""
    POSITIVE = "positive"
    """Cells with a compound and dose known to act: the other end of the assay window."""
    MEDIUM = "medium"
    """Medium without cells, against evaporation; never read."""


@dataclass(frozen=True, slots=True)
class WellAssignment:
    """What one well of a plate holds and why."""

    well: str
    role: WellRole
    cell_line: str | None = None
    compound: str | None = None
    dose_um: float | None = None
    """Final concentration in the well, in µM."""
    proposal_id: str | None = None
    """The proposal that a sample well answers."""
    replicate: int = 1
    """Counted from 1 within the proposal or the control."""


@dataclass(frozen=True, slots=True)
class PlateLayout:
    """Every used well of one plate."""

    n_wells: int
    """The plate's format: 6, 12, 24, 48, 96, 384 or 1536."""
    wells: tuple[WellAssignment, ...]
    """In plate order, row by row; a well that is not named stays empty."""

    def __iter__(self) -> Iterator[WellAssignment]:
        return iter(self.wells)

    def with_role(self, role: WellRole) -> tuple[WellAssignment, ...]:
        """The wells of one role, in plate order."""
        return tuple(well for well in self.wells if well.role is role)

    @property
    def with_cells(self) -> tuple[WellAssignment, ...]:
        """The wells that hold cells, which are those that are read."""
        return tuple(well for well in self.wells if well.cell_line is not None)
