"""A plate's wells and one of its signals as arrays: the step from reading to numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array, IntArray
from cellos_nb.domain.plate import PlateLayout, WellAssignment, WellRole
from cellos_nb.domain.reading import Reading
from cellos_nb.errors import AnalysisError

_ROLES = {WellRole.SAMPLE: 0, WellRole.VEHICLE: 1, WellRole.POSITIVE: 2}
MIN_CLIPPED = 3
"""Wells at exactly the same highest number, among otherwise differing ones, that betray a detector at its limit."""
_MOSTLY_DISTINCT = 0.8
"""Share of distinct numbers below which the signal is too coarsely rounded to tell."""


@dataclass(frozen=True, slots=True)
class PlateWells:
    """The wells with cells, column by column; all of one length, in the layout's order."""

    assignments: tuple[WellAssignment, ...]
    role: IntArray
    """0 sample, 1 vehicle, 2 positive."""
    line: IntArray
    """Position in `lines`."""
    lines: tuple[str, ...]

    def controls(self, line: int, role: WellRole) -> NDArray[np.bool_]:
        """Mask of one line's wells of one role."""
        mask: NDArray[np.bool_] = (self.line == line) & (self.role == _ROLES[role])
        return mask

    @property
    def is_sample(self) -> NDArray[np.bool_]:
        """Mask of the wells that answer a proposal."""
        mask: NDArray[np.bool_] = self.role == 0
        return mask


@dataclass(frozen=True, slots=True)
class Signal:
    """One channel over the wells of `PlateWells`."""

    raw: Array
    """Mean over sites; NaN where the device gave no number."""
    is_saturated: NDArray[np.bool_]
    """Wells at the limit of the detector; their number says only `at least`."""

    @property
    def usable(self) -> Array:
        """The raw signal with NaN where it is missing or saturated."""
        return np.where(self.is_saturated | ~np.isfinite(self.raw), np.nan, self.raw)


def plate_wells(layout: PlateLayout) -> PlateWells:
    """The wells of a layout that hold cells."""
    wells = layout.with_cells
    names = [well.cell_line or "" for well in wells]
    lines = tuple(dict.fromkeys(names))
    position = {name: index for index, name in enumerate(lines)}
    return PlateWells(
        assignments=wells,
        role=np.array([_ROLES[well.role] for well in wells], dtype=np.intp),
        line=np.array([position[name] for name in names], dtype=np.intp),
        lines=lines,
    )


def read_signal(wells: PlateWells, reading: Reading, channel: str) -> Signal | None:
    """One channel of a reading over a plate's wells; None when the reading has no such channel.

    Sites are averaged, so that a field out of focus changes the precision of a well and not its level.

    Raises:
        AnalysisError: a channel has another number of values than the reading has wells.
    """
    sites = reading.channel(channel)
    if not sites:
        return None
    wrong = next((site for site in sites if len(site.values) != len(reading.wells)), None)
    if wrong is not None:
        raise AnalysisError(
            f"Plate {reading.plate_id}: channel {channel!r} has {len(wrong.values)} values for "
            f"{len(reading.wells)} wells. The reading is incomplete; read the plate again."
        )
    values = np.array([site.values for site in sites], dtype=np.float64)
    raw = values[0] if len(sites) == 1 else _mean_over_sites(values)
    position = {name: index for index, name in enumerate(reading.wells)}
    n_wells = len(reading.wells)
    at = np.array([position.get(well.well, n_wells) for well in wells.assignments], dtype=np.intp)
    raw = np.append(raw, np.nan)[at]
    is_counted = reading.is_normalised or sites[0].unit == "cells"
    return Signal(raw, np.isposinf(raw) if is_counted else np.isposinf(raw) | _is_clipped(wells, raw))


def _mean_over_sites(values: Array) -> Array:
    present = ~np.isnan(values)
    total = np.where(present, values, 0.0).sum(axis=0)
    count = present.sum(axis=0)
    mean: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _is_clipped(wells: PlateWells, raw: Array) -> NDArray[np.bool_]:
    """Wells that share the highest number, when they are too many for chance on a plate that shows noise elsewhere."""
    none = np.zeros(raw.shape, dtype=np.bool_)
    finite = raw[np.isfinite(raw)]
    if finite.size < 2 * MIN_CLIPPED:
        return none
    at_top: NDArray[np.bool_] = raw == finite.max()
    below = np.isfinite(raw) & ~at_top
    n_below = int(below.sum())
    is_clip = (
        int(at_top.sum()) >= MIN_CLIPPED
        and np.unique(raw[below]).size > _MOSTLY_DISTINCT * n_below
        and _has_noise(wells, raw, below)
    )
    return at_top if is_clip else none


def _has_noise(wells: PlateWells, raw: Array, below: NDArray[np.bool_]) -> bool:
    """Whether replicates below the limit differ; where they do not, equal numbers are the machine's way."""
    first: dict[tuple[str | None, int, int], float] = {}
    keys = zip(
        (well.proposal_id for well in wells.assignments),
        wells.role.tolist(),
        wells.line.tolist(),
        strict=True,
    )
    for key, value, is_below in zip(keys, raw.tolist(), below.tolist(), strict=True):
        if is_below and first.setdefault(key, value) != value:
            return True
    return False
