"""Transfer lists carried out on numbers: the same code rehearses a step in preflight and executes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.step import Fill, Labware, Step, TransferList
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.contents import Contents, Floats, Substance, fixed_wells, has_fixed_wells, substances_of
from cellos_nb.units import format_volume

Rows = NDArray[np.intp]

TOLERANCE_UL = 1e-6
"""Volumes are compared to a picolitre, far below what any dispenser resolves."""


@dataclass(frozen=True, slots=True)
class VolumeLimits:
    """What one transfer of a machine can deliver."""

    min_volume_ul: float
    max_volume_ul: float


def simulate(step: Step, known: Mapping[str, Contents], limits: VolumeLimits) -> dict[str, Contents]:
    """What the labware of a step holds after its fills and transfers; `known` is left as it is.

    Args:
        step: one that moves liquid.
        known: contents so far by barcode; labware that is not in it is empty.
        limits: of one transfer.

    Returns:
        The contents by barcode of all labware that was filled, drawn from or dispensed into.

    Raises:
        MachineRefusedError: the list cannot be carried out from beginning to end; says where and why.
    """
    transfers = step.transfers or TransferList()
    _check_volumes(step, transfers, limits)
    bench = _Bench(step, known)
    for fill in step.fills:
        bench.fill(fill)
    sources = bench.rows(transfers.source_labware, transfers.source_well)
    destinations = bench.rows(transfers.destination_labware, transfers.destination_well)
    volumes = np.asarray(transfers.volume_ul, float)
    if len(volumes):
        for level in _levels(sources, destinations, len(bench.volume)):
            bench.move(sources[level], destinations[level], volumes[level])
    touched = {*transfers.source_labware, *transfers.destination_labware, *(fill.labware for fill in step.fills)}
    return {item.barcode: bench.contents(item.name) for item in step.labware if item.name in touched}


def _check_volumes(step: Step, transfers: TransferList, limits: VolumeLimits) -> None:
    columns = (
        transfers.source_labware,
        transfers.source_well,
        transfers.destination_labware,
        transfers.destination_well,
    )
    if any(len(column) != len(transfers) for column in columns):
        raise MachineRefusedError(f"Step {step.uid}: the columns of its transfer list differ in length.")
    if not len(transfers):
        return
    volumes = np.asarray(transfers.volume_ul, float)
    slack = 1e-9
    low, high = limits.min_volume_ul * (1 - slack), limits.max_volume_ul * (1 + slack)
    wrong = np.flatnonzero(~((volumes >= low) & (volumes <= high)))
    if len(wrong):
        i = int(wrong[0])
        volume = float(volumes[i])
        allowed = f"{format_volume(limits.min_volume_ul)} to {format_volume(limits.max_volume_ul)}"
        cure = "Add an intermediate dilution." if volume < low else "Split it into several transfers."
        raise MachineRefusedError(
            f"Step {step.uid}, well {transfers.destination_well[i]}: one transfer of {format_volume(volume)} from "
            f"{transfers.source_labware[i]} {transfers.source_well[i]}, but this machine delivers {allowed}. {cure}"
        )


def _levels(sources: Rows, destinations: Rows, n_rows: int) -> Sequence[Rows | slice]:
    """Groups of transfers that can be carried out at once, in order.

    Draws from one well commute, and so do dispenses into one well; a dispense and a draw do not. So each well goes
    through phases of draws and of dispenses, and a transfer stands one level above the last phase of its two wells.
    """
    is_source = np.zeros(n_rows, bool)
    is_source[sources] = True
    if not is_source[destinations].any():
        return [slice(None)]
    began, latest, drawing = [0] * n_rows, [-1] * n_rows, [True] * n_rows
    level_of = []
    for source, destination in zip(sources.tolist(), destinations.tolist(), strict=True):
        level = max(
            began[source] if drawing[source] else latest[source] + 1,
            latest[destination] + 1 if drawing[destination] else began[destination],
        )
        for well, draws in ((source, True), (destination, False)):
            if drawing[well] is not draws:
                drawing[well], began[well] = draws, level
            latest[well] = max(latest[well], level)
        level_of.append(level)
    levels = np.array(level_of)
    return [np.flatnonzero(levels == level) for level in range(int(levels.max()) + 1)]


class _Bench:
    """The wells of all labware of one step, one below the other in arrays that may be changed freely."""

    def __init__(self, step: Step, known: Mapping[str, Contents]) -> None:
        self.step = step
        self.labware: dict[str, Labware] = {item.name: item for item in step.labware}
        before = {item.name: known.get(item.barcode) or Contents.empty(item) for item in step.labware}
        recipes = {fill.liquid: substances_of(fill.liquid) for fill in step.fills}
        everything = [s for contents in before.values() for s in contents.substances]
        everything += [s for recipe in recipes.values() for s in recipe]
        self.columns: dict[Substance, int] = {s: i for i, s in enumerate(dict.fromkeys(everything))}
        self.recipes = recipes
        self.offset: dict[str, int] = {}
        self.wells: dict[str, dict[str, int]] = {}
        """For each labware, the row of each of its wells that is known by name."""
        offset = 0
        for name, item in self.labware.items():
            self.offset[name] = offset
            self.wells[name] = {well: offset + i for i, well in enumerate(before[name].wells)}
            offset += item.n_wells
        self.volume: Floats = np.concatenate([contents.volume_ul for contents in before.values()])
        self.amounts: Floats = np.concatenate(
            [contents.dense(self.columns, len(self.columns)) for contents in before.values()]
        )
        items = self.labware.values()
        sizes = [item.n_wells for item in items]
        self.capacity: Floats = np.repeat([item.well_capacity_ul for item in items], sizes)
        self.dead: Floats = np.repeat([item.dead_volume_ul for item in items], sizes)

    def rows(self, labware: Sequence[str], wells: Sequence[str]) -> Rows:
        """The rows of wells given by two columns of a transfer list."""
        known = self.wells
        try:
            return np.array([known[item][well] for item, well in zip(labware, wells, strict=True)], np.intp)
        except KeyError:
            return np.array([self.row(item, well) for item, well in zip(labware, wells, strict=True)], np.intp)

    def row(self, labware: str, well: str) -> int:
        """The row of one well; a position of a rack gets its place when it is first named."""
        item = self.labware.get(labware)
        if item is None:
            raise MachineRefusedError(
                f"Step {self.step.uid}: labware '{labware}' is not on the deck; there are: {', '.join(self.labware)}."
            )
        rows = self.wells[labware]
        if well in rows:
            return rows[well]
        if has_fixed_wells(item):
            names = list(fixed_wells(item.n_wells))
            raise MachineRefusedError(
                f"Step {self.step.uid}: {labware} has no well {well}; its {item.n_wells} wells are {names[0]} to "
                f"{names[-1]}."
            )
        if len(rows) >= item.n_wells:
            raise MachineRefusedError(
                f"Step {self.step.uid}: {labware} has no well {well}; its {item.n_wells} positions are "
                f"{', '.join(rows)}."
            )
        rows[well] = self.offset[labware] + len(rows)
        return rows[well]

    def fill(self, fill: Fill) -> None:
        """Puts a liquid into an empty well, or makes sure that exactly it stands there."""
        row = self.row(fill.labware, fill.well)
        where = f"Step {self.step.uid}, {fill.labware} {fill.well}"
        if not (math.isfinite(fill.volume_ul) and fill.volume_ul > 0):
            raise MachineRefusedError(f"{where}: a fill of {fill.volume_ul:g} µL of {fill.liquid.name} is no volume.")
        if fill.volume_ul > self.capacity[row] + TOLERANCE_UL:
            raise MachineRefusedError(
                f"{where}: {format_volume(fill.volume_ul)} of {fill.liquid.name} overflows the well, which holds "
                f"{format_volume(float(self.capacity[row]))}. Spread it over several wells."
            )
        wanted = np.zeros(len(self.columns))
        for substance, per_ul in self.recipes[fill.liquid].items():
            if not (math.isfinite(per_ul) and per_ul >= 0):
                raise MachineRefusedError(f"{where}: {per_ul:g} of {substance.name} per µL is no concentration.")
            wanted[self.columns[substance]] = per_ul * fill.volume_ul
        if self.volume[row] > 0:
            same = math.isclose(self.volume[row], fill.volume_ul, rel_tol=1e-9, abs_tol=TOLERANCE_UL)
            if not (same and np.allclose(self.amounts[row], wanted, rtol=1e-6, atol=1e-9)):
                raise MachineRefusedError(
                    f"{where}: should hold {format_volume(fill.volume_ul)} of {fill.liquid.name}, but "
                    f"{format_volume(float(self.volume[row]))} of something else or of an earlier step stands there. "
                    "Use fresh labware, or leave the fill out if what is there is meant."
                )
            return
        self.volume[row] = fill.volume_ul
        self.amounts[row] = wanted

    def move(self, sources: Rows, destinations: Rows, volumes: Floats) -> None:
        """Carries out transfers of which no well is both drawn from and dispensed into."""
        n_rows, n_columns = self.amounts.shape
        drawn: Floats = np.bincount(sources, volumes, n_rows).astype(float)
        received: Floats = np.bincount(destinations, volumes, n_rows).astype(float)
        left = self.volume - drawn
        short = (drawn > 0) & (left < self.dead - TOLERANCE_UL)
        if short.any():
            raise self._overdraw(int(np.flatnonzero(short)[0]), drawn)
        full = (received > 0) & (self.volume + received > self.capacity + TOLERANCE_UL)
        if full.any():
            raise self._overflow(int(np.flatnonzero(full)[0]), received)
        left = np.maximum(left, 0.0)
        if n_columns:
            carried = self.amounts[sources] * (volumes / self.volume[sources])[:, None]
            cells = (destinations[:, None] * n_columns + np.arange(n_columns)).ravel()
            arrived = np.bincount(cells, carried.ravel(), n_rows * n_columns).reshape(n_rows, n_columns)
            wells = np.flatnonzero(drawn)
            self.amounts[wells] *= (left[wells] / self.volume[wells])[:, None]
            self.amounts += arrived
        self.volume = left + received

    def contents(self, name: str) -> Contents:
        """What one labware holds now."""
        start = self.offset[name]
        rows = slice(start, start + self.labware[name].n_wells)
        return Contents.from_dense(tuple(self.wells[name]), self.volume[rows], self.columns, self.amounts[rows])

    def _name(self, row: int) -> tuple[Labware, str]:
        for labware, wells in self.wells.items():
            for well, place in wells.items():
                if place == row:
                    return self.labware[labware], well
        raise AssertionError(row)

    def _overdraw(self, row: int, drawn: Floats) -> MachineRefusedError:
        item, well = self._name(row)
        usable = max(float(self.volume[row]) - item.dead_volume_ul, 0.0)
        dead = f" and {format_volume(item.dead_volume_ul)} of it cannot be drawn" if item.dead_volume_ul else ""
        return MachineRefusedError(
            f"Step {self.step.uid}, {item.name} {well}: {format_volume(float(drawn[row]))} is drawn from it, but it "
            f"holds {format_volume(float(self.volume[row]))}{dead}, so {format_volume(usable)} is possible. Fill it "
            "with more, or use fewer wells."
        )

    def _overflow(self, row: int, received: Floats) -> MachineRefusedError:
        item, well = self._name(row)
        return MachineRefusedError(
            f"Step {self.step.uid}, {item.name} {well}: {format_volume(float(received[row]))} is added to "
            f"{format_volume(float(self.volume[row]))}, but the well holds {format_volume(item.well_capacity_ul)}. "
            "Lower the volumes, or use larger wells."
        )
