"""A table as measured wells in our units: all of it, or every reason why not."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median

from cellos_nb.operations.history.cells import Cells
from cellos_nb.operations.history.mapping import HistoryMapping
from cellos_nb.operations.history.problems import Problems, refuse_all
from cellos_nb.operations.history.units import dose_unit_in, response_kind_in
from cellos_nb.spreadsheet import Line, Table

ONE_PLATE = "plate"
"""What wells are on that no column names a plate for."""
_LOOKS_PERCENT, _LOOKS_FRACTION = 3.0, 1.5


@dataclass(frozen=True, slots=True)
class Measured:
    """One well of a table."""

    line: int
    """Where it stands in the file."""
    cell_line: str
    compound: str
    dose_um: float
    """0 for a vehicle control."""
    signal: float | None
    """Raw; None where the file has fractions or percent."""
    value: float
    """As a fraction of vehicle."""
    plate: str
    well: str
    replicate: int | None
    day: date | None
    n_vehicle: int = 0
    """Vehicle wells behind the fraction; 0 where the file does not tell."""
    is_vehicle: bool = False


def measured_wells(table: Table, mapping: HistoryMapping) -> tuple[Measured, ...]:
    """Every well of a table in the order of its lines, doses in µM and responses as fractions of vehicle.

    Controls are used and left out.

    Raises:
        InputError: names every column or line that cannot be, with what is wrong and what is possible.
    """
    refuse_all(_wrong_columns(table, mapping))
    refuse_all(_wrong_units(table, mapping))
    problems = Problems(table.where)
    cells = Cells(mapping, problems, has_typed_numbers=table.sheet is not None)
    read = [well for line in table.lines if (well := _read(cells, line)) is not None]
    _note_twice(read, mapping, problems)
    wells = list(_as_fractions(read, mapping, problems)) if mapping.response.kind == "raw" else read
    problems.refuse()
    found = tuple(well for well in wells if not well.is_vehicle)
    refuse_all(_improbable(table, mapping, found))
    return found


def _wrong_columns(table: Table, mapping: HistoryMapping) -> Iterator[tuple[str, str]]:
    named = {f"columns.{key}": name for key, name in mapping.columns.model_dump().items() if name is not None}
    if mapping.response.vehicle_column is not None:
        named["response.vehicle_column"] = mapping.response.vehicle_column
    for key, name in named.items():
        if name not in table.headers:
            close = difflib.get_close_matches(name, table.headers, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}? " if close else ""
            there = ", ".join(filter(None, table.headers))
            yield key, f"{table.where}: there is no column {name!r} ({key}); {hint}There are: {there}."


def _wrong_units(table: Table, mapping: HistoryMapping) -> Iterator[tuple[str, str]]:
    """Headers that contradict the mapping: one of the two is wrong, and only a person knows which."""
    said = dose_unit_in(mapping.columns.dose)
    if said is not None and said != mapping.dose_unit:
        yield (
            "dose_unit",
            (
                f"{table.where}: the header {mapping.columns.dose!r} says {said}, and dose_unit says "
                f"{mapping.dose_unit}. Correct the one that is wrong."
            ),
        )
    kind = response_kind_in(mapping.columns.response)
    if kind is not None and kind != mapping.response.kind:
        yield (
            "response.kind",
            (
                f"{table.where}: the header {mapping.columns.response!r} says {kind}, and response.kind says "
                f"{mapping.response.kind}. Correct the one that is wrong."
            ),
        )


def _improbable(table: Table, mapping: HistoryMapping, wells: Sequence[Measured]) -> Iterator[tuple[str, str]]:
    """Values that speak of another unit than the mapping."""
    if not wells:
        yield "vehicle", f"{table.where}: has no line with a treated well. Check the mapping's 'vehicle' and the file."
        return
    kind, middle = mapping.response.kind, median(abs(well.value) for well in wells)
    highest = max(abs(well.value) for well in wells) * 100
    if kind == "fraction" and middle > _LOOKS_PERCENT and mapping.assay != "reporter":
        yield (
            "response.kind",
            (
                f"{table.where}: half of the responses are above {_LOOKS_PERCENT:g}, which no fraction of vehicle is. "
                "Set response.kind to percent or raw."
            ),
        )
    if kind == "percent" and highest <= _LOOKS_FRACTION:
        yield (
            "response.kind",
            (
                f"{table.where}: no response is above {highest:.3g} %, which looks like fractions of vehicle. "
                "Set response.kind to fraction."
            ),
        )


def _read(cells: Cells, line: Line) -> Measured | None:
    """One line as a well, its value not yet compared with vehicle; None, and noted, when it cannot be."""
    mapping, named = cells.mapping, cells.mapping.columns
    before = len(cells.problems.found)
    compound, cell_line = cells.text(line, named.compound), cells.text(line, named.cell_line)
    is_vehicle = mapping.vehicle is not None and compound == mapping.vehicle
    dose = 0.0 if is_vehicle else cells.dose_um(line, named.dose)
    response = cells.number(line, named.response)
    plate = ONE_PLATE if named.plate is None else cells.plate(line, named.plate)
    well = f"line {line.number}" if named.well is None else cells.well(line, named.well)
    # A control is no replicate of an experiment.
    replicate = None if named.replicate is None or is_vehicle else cells.replicate(line, named.replicate)
    day = None if named.date is None else cells.day(line, named.date)
    vehicle = None
    if mapping.response.vehicle_column is not None and not is_vehicle:
        vehicle = cells.number(line, mapping.response.vehicle_column)
        if vehicle is not None and vehicle <= 0:
            column = mapping.response.vehicle_column
            cells.problems.add(line.number, column, line.cells[column], "give a mean signal above 0")
    if len(cells.problems.found) > before:
        return None
    # Nothing is None here, as it would have been noted; the type checker cannot know.
    if compound is None or cell_line is None or dose is None or response is None or plate is None or well is None:
        return None
    signal = response if mapping.response.kind == "raw" else None
    value = response / 100 if mapping.response.kind == "percent" else response
    if vehicle is not None:
        value = response / vehicle
    # To 12 digits, so that 102.74 % is 1.0274.
    value = float(f"{value:.12g}")
    return Measured(
        line.number, cell_line, compound, dose, signal, value, plate, well, replicate, day, is_vehicle=is_vehicle
    )


def _as_fractions(read: Sequence[Measured], mapping: HistoryMapping, problems: Problems) -> Iterator[Measured]:
    """Signals over the median of the vehicle wells of the same cell line, plate and day."""
    if mapping.response.vehicle_column is not None:
        yield from read
        return
    controls: dict[tuple[str, str, date | None], list[float]] = defaultdict(list)
    for well in read:
        if well.is_vehicle:
            controls[well.plate, well.cell_line, well.day].append(well.value)
    for well in read:
        own = controls.get((well.plate, well.cell_line, well.day), [])
        if own and median(own) > 0:
            yield replace(well, value=well.value / median(own), n_vehicle=len(own))
            continue
        what = "gives a signal above 0" if own else f"is there (compound {mapping.vehicle!r})"
        where = "" if mapping.columns.plate is None else f" on plate {well.plate}"
        cure = f"no vehicle well of {well.cell_line}{where} {what}, so it cannot be compared; add one, or leave it out"
        problems.add(well.line, mapping.columns.response, f"{well.signal:g}", cure)


def _note_twice(read: Sequence[Measured], mapping: HistoryMapping, problems: Problems) -> None:
    """Wells that stand twice, and replicates of one experiment with one number."""
    wells: dict[object, int] = {}
    replicates: dict[object, int] = {}
    for each in read:
        first = wells.setdefault((each.day, each.plate, each.well), each.line)
        if first != each.line:
            column = mapping.columns.well or mapping.columns.response
            problems.add(each.line, column, each.well, f"this well stands in line {first} already; keep one")
        if each.replicate is None:
            continue
        key = (each.day, each.plate, each.cell_line, each.compound, each.dose_um, each.replicate)
        first = replicates.setdefault(key, each.line)
        if first != each.line:
            column = mapping.columns.replicate or ""
            cure = f"this replicate stands in line {first} already; number it anew, or name the column of plates"
            problems.add(each.line, column, str(each.replicate), cure)
