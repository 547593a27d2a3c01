"""Faults that a plate's own replicates betray: edge effect, drift, bubbles, and rows that changed places."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array, IntArray
from cellos_nb.analysis.noise import FLOOR
from cellos_nb.analysis.normalise import normalise
from cellos_nb.analysis.signals import PlateWells, plate_wells, read_signal
from cellos_nb.analysis.trends import LEVEL, TrendTest, drift_test, edge_test
from cellos_nb.domain.plate import PlateLayout, WellRole, outer_wells, row_label, well_position
from cellos_nb.domain.reading import Reading
from cellos_nb.errors import AnalysisError

Artefact = Literal["edge", "drift", "bubble", "swapped_rows"]
_MIN_FREEDOM = 8
"""Degrees of freedom among replicates below which a plate's own noise is too uncertain to accuse a well."""
_MIN_SHARED_COLUMNS = 3
"""Columns that two rows must share before they can be compared."""
_LOSS = 1.3
"""Widens the limit for a bubble: the scatter is the robust one, and real noise has heavier tails than the normal."""


@dataclass(frozen=True, slots=True)
class ArtefactFinding:
    """What one test says of one plate."""

    kind: Artefact
    is_found: bool
    statistic: float
    """Edge and drift: relative change. Bubble: the worst well's distance from its replicates, in standard deviations.
    Swapped rows: by how many standard deviations the pair contradicts that each row is itself. NaN: cannot be told."""
    p: float
    """Corrected for the number of wells, directions or pairs looked at; NaN where it cannot be told."""
    wells: tuple[str, ...]
    """The wells accused; empty for the plate-wide faults and where nothing is found."""
    verdict: str
    """In words."""


@dataclass(frozen=True, slots=True)
class _Residuals:
    """A plate's wells on a scale of constant noise; all shapes (wells,)."""

    level: Array
    """NaN where the well is not used."""
    expected: Array
    """Mean of the other replicates; NaN without any."""
    n_others: IntArray
    group: IntArray
    row: IntArray
    column: IntArray
    is_rim: NDArray[np.bool_]
    names: tuple[str, ...]

    def without(self, rows: tuple[int, ...]) -> _Residuals:
        """The same with the wells of some rows unused."""
        return self._with(np.where(np.isin(self.row, rows), np.nan, self.level))

    def without_edge(self) -> _Residuals:
        """The same with the difference between rim and inner wells taken out, where it can be told."""
        shift = edge_test(self.tested, self.is_rim, self.group, least=math.inf).statistic
        return self if math.isnan(shift) else self._with(self.level - shift * self.is_rim)

    def without_drift(self, along: list[TrendTest]) -> _Residuals:
        """The same with the drift along rows and columns taken out, where it was found."""
        level = self.level
        for place, test in zip((self.row, self.column), along, strict=True):
            if test.is_found():
                level = level - test.statistic * place / max(int(np.ptp(place)), 1)
        return self._with(level)

    @property
    def tested(self) -> Array:
        """The level of the wells that can be compared with others; NaN elsewhere."""
        return np.where(self.n_others > 0, self.level, np.nan)

    def _with(self, level: Array) -> _Residuals:
        expected, n_others = _others(level, self.group)
        return replace(self, level=level, expected=expected, n_others=n_others)

    @property
    def noise(self) -> tuple[float, int]:
        """Robust standard deviation of a well, and its degrees of freedom."""
        told = np.isfinite(self.level) & (self.n_others > 0)
        away = (self.level - self.expected)[told] / np.sqrt(1 + 1 / self.n_others[told])
        freedom = int(told.sum() - np.unique(self.group[told]).size)
        return (1.4826 * float(np.median(np.abs(away))) if away.size else math.nan), freedom


def plate_artefacts(
    layout: PlateLayout, reading: Reading, channel: str, *, level: float = LEVEL, seed: int = 0
) -> tuple[ArtefactFinding, ...]:
    """Looks for each kind of artefact; always one finding per kind, in the order swapped rows, bubble, edge, drift.

    Wells are compared with wells that hold the same: replicates of a proposal, and the controls of a line. So nothing
    can be told of a plate without either. Wells of rows that are found swapped are left out of the other tests.

    Args:
        layout: what each well holds.
        reading: the raw answer.
        channel: the signal to look at.
        level: the share of faultless plates that each test may accuse.
        seed: of the permutations behind edge and drift.

    Raises:
        AnalysisError: the reading has no such channel or one of the wrong length, or the level is no probability.
    """
    if not 0 < level < 1:
        raise AnalysisError(f"level: {level:g} is no probability; give a number between 0 and 1, such as {LEVEL}.")
    wells = plate_wells(layout)
    signal = read_signal(wells, reading, channel)
    if signal is None:
        known = ", ".join(dict.fromkeys(c.name for c in reading.channels)) or "none"
        raise AnalysisError(f"Plate {reading.plate_id}: the reading has no channel {channel!r}; it has {known}.")
    value = normalise(wells, signal.usable, is_normalised=reading.is_normalised).value
    # The vehicle wells of a source that normalises are 1 by definition.
    told = np.where(wells.role == 1, np.nan, value) if reading.is_normalised else value
    return find_artefacts(wells, told, layout.n_wells, level=level, seed=seed)


def find_artefacts(
    wells: PlateWells, value: Array, n_wells: int, *, level: float = LEVEL, least: float = 0.0, seed: int = 0
) -> tuple[ArtefactFinding, ...]:
    """The same from normalised values, NaN where a well tells nothing.

    Args:
        wells: the wells with cells.
        value: as fractions of vehicle, in the order of `wells`.
        n_wells: the plate's format.
        level: as in `plate_artefacts`.
        least: relative edge effect or drift below which none is looked for.
        seed: of the permutations.
    """
    residuals = _residuals(wells, value, n_wells)
    # An edge effect is no noise: left in, it would hide what else is wrong.
    levelled = residuals.without_edge()
    swapped = _swapped_rows(levelled, level)
    if swapped.is_found:
        rows = np.isin(residuals.names, swapped.wells)
        gone = tuple(np.unique(residuals.row[rows]).tolist())
        residuals, levelled = residuals.without(gone), levelled.without(gone)
    ways = (residuals.row, residuals.column)
    along = [drift_test(levelled.tested, way, residuals.group, seed=seed, least=least) for way in ways]
    drift = _drift(along, level)
    straight = residuals.without_drift(along) if drift.is_found else residuals
    edge = edge_test(straight.tested, residuals.is_rim, residuals.group, seed=seed, least=least)
    return (
        swapped,
        _bubble(levelled, level),
        ArtefactFinding("edge", edge.is_found(level), edge.statistic, edge.p, (), edge.verdict),
        drift,
    )


def _drift(along: list[TrendTest], level: float) -> ArtefactFinding:
    """The worse of the two directions."""
    told = [(test, way) for test, way in zip(along, ("down the rows", "along the columns"), strict=True) if test.p > 0]
    if not told:
        return _nothing("drift", along[0].statistic, math.nan, along[0].verdict)
    worst, way = min(told, key=lambda pair: pair[0].p)
    p = min(worst.p * len(along), 1.0)
    is_found = p <= level
    text = f"drift {way}: {worst.statistic:+.0%} from first to last" if is_found else "no drift seen"
    return ArtefactFinding("drift", is_found, worst.statistic, p, (), f"{text} (p = {p:.2g})")


def _bubble(residuals: _Residuals, level: float) -> ArtefactFinding:
    """Single wells far from all of their replicates."""
    from scipy.special import stdtr, stdtrit

    sd, freedom = residuals.noise
    if freedom < _MIN_FREEDOM or not sd > 0:
        why = f"replicates give {freedom} degrees of freedom, at least {_MIN_FREEDOM} are needed"
        return _nothing("bubble", math.nan, math.nan, f"bubbles cannot be told: {why}")
    told = np.flatnonzero(np.isfinite(residuals.level) & (residuals.n_others > 0))
    spread = sd * _LOSS * np.sqrt(1 + 1 / residuals.n_others[told])
    away = np.abs(residuals.level - residuals.expected)[told] / spread
    limit = float(stdtrit(freedom, 1 - level / 2 / told.size))
    # A bad well drags its replicates' mean along: only the farthest well of a group is accused, or both of a pair.
    groups = residuals.group[told]
    farthest = np.zeros(groups.max() + 1)
    np.maximum.at(farthest, groups, away)
    accused = (away > limit) & (away >= farthest[groups] * (1 - 1e-9))
    worst = float(away.max())
    p = min(1.0, 2 * told.size * float(stdtr(freedom, -worst)))
    wells = tuple(residuals.names[index] for index in told[accused])
    text = (
        f"{', '.join(wells)}: far from like wells, as after a bubble or a missed tip (p = {p:.2g})"
        if wells
        else f"no single well stands out (p = {p:.2g})"
    )
    return ArtefactFinding("bubble", bool(wells), worst, p, wells, text)


def _swapped_rows(residuals: _Residuals, level: float) -> ArtefactFinding:
    """The pair of rows that fits best when exchanged, if it contradicts being in place.

    With e the replicates' means and y the wells, the sum of squares falls on exchanging rows a and b by
    2 Σ (y_a - y_b)(e_b - e_a). With both rows in place that is normal around a number that is 0 where the rows hold
    the same and negative elsewhere; 0 is taken, so that a plate of inert compounds is not accused.
    """
    from scipy.special import ndtr

    sd, freedom = residuals.noise
    y, e, n, names = _by_row(residuals)
    pairs = [(a, b) for a in range(y.shape[0]) for b in range(a)]
    if freedom < _MIN_FREEDOM or not sd > 0 or not pairs:
        why = f"replicates give {freedom} degrees of freedom, at least {_MIN_FREEDOM} are needed"
        return _nothing("swapped_rows", math.nan, math.nan, f"swapped rows cannot be told: {why}")
    first, second = np.array(pairs).T
    step, apart = y[first] - y[second], e[second] - e[first]
    told = np.isfinite(step) & np.isfinite(apart)
    step, apart = np.where(told, step, 0.0), np.where(told, apart, 0.0)
    gain = (step * apart).sum(axis=1)
    spread = sd * np.sqrt((apart**2 * np.where(told, 2 + n[first] + n[second], 0.0)).sum(axis=1))
    can_tell = (told.sum(axis=1) >= _MIN_SHARED_COLUMNS) & (spread > 0)
    z = np.where(can_tell, gain / np.where(spread > 0, spread, 1.0), -np.inf)
    # Of several pairs that share a row, the true one gains most.
    best = int(np.where(z > -np.inf, gain, -np.inf).argmax())
    p = min(1.0, len(pairs) * float(ndtr(-z[best])))
    if not p <= level:
        return _nothing("swapped_rows", max(float(z[best]), 0.0), p, f"no rows look swapped (p = {p:.2g})")
    rows = sorted((int(first[best]), int(second[best])))
    wells = tuple(name for row in rows for name in names[row])
    text = f"rows {row_label(rows[0])} and {row_label(rows[1])} fit their replicates better exchanged (p = {p:.2g})"
    return ArtefactFinding("swapped_rows", is_found=True, statistic=float(z[best]), p=p, wells=wells, verdict=text)


def _nothing(kind: Artefact, statistic: float, p: float, verdict: str) -> ArtefactFinding:
    return ArtefactFinding(kind, is_found=False, statistic=statistic, p=p, wells=(), verdict=verdict)


def _by_row(residuals: _Residuals) -> tuple[Array, Array, Array, list[list[str]]]:
    """Levels, expectations and the variance factor of the latter as (rows, columns), and the wells of each row."""
    shape = (int(residuals.row.max(initial=-1)) + 1, int(residuals.column.max(initial=-1)) + 1)
    y, e, n = (np.full(shape, np.nan) for _ in range(3))
    place = (residuals.row, residuals.column)
    y[place], e[place], n[place] = residuals.level, residuals.expected, 1 / np.maximum(residuals.n_others, 1)
    names: list[list[str]] = [[] for _ in range(shape[0])]
    for name, row in zip(residuals.names, residuals.row.tolist(), strict=True):
        names[row].append(name)
    return y, e, n, names


def _residuals(wells: PlateWells, value: Array, n_wells: int) -> _Residuals:
    level, group = _constant_noise(value), _like_wells(wells)
    expected, n_others = _others(level, group)
    names = tuple(well.well for well in wells.assignments)
    places = np.array([well_position(name, n_wells) for name in names], dtype=np.intp).reshape(-1, 2)
    rim = outer_wells(n_wells)
    is_rim = np.array([name in rim for name in names], dtype=np.bool_)
    return _Residuals(level, expected, n_others, group, places[:, 0], places[:, 1], is_rim, names)


def _constant_noise(value: Array) -> Array:
    """Logarithm above a tenth of vehicle and straight below, as the scatter grows (`noise.scale_of`)."""
    level: Array = np.where(value > FLOOR, np.log(np.maximum(value, FLOOR) / FLOOR), value / FLOOR - 1.0)
    return level


def _like_wells(wells: PlateWells) -> IntArray:
    """Which wells hold the same: the replicates of a proposal, the vehicle and the positive wells of a line."""
    keys: dict[tuple[object, ...], int] = {}
    group = [
        keys.setdefault(
            (line, role, well.proposal_id or (well.compound, well.dose_um))
            if well.role is WellRole.SAMPLE
            else (line, role),
            len(keys),
        )
        for well, role, line in zip(wells.assignments, wells.role.tolist(), wells.line.tolist(), strict=True)
    ]
    return np.array(group, dtype=np.intp)


def _others(level: Array, group: IntArray) -> tuple[Array, IntArray]:
    """Mean of each well's replicates without itself, and how many they are."""
    present = np.isfinite(level)
    n_groups = int(group.max(initial=-1)) + 1
    n = np.bincount(group[present], minlength=n_groups)[group] - present
    total = np.bincount(group[present], weights=level[present], minlength=n_groups)[group]
    rest = total - np.where(present, level, 0.0)
    expected: Array = np.where(n > 0, rest / np.maximum(n, 1), np.nan)
    return expected, np.where(present, n, 0).astype(np.intp)
