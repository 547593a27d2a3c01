"""Tests on arrays for what should not matter on a plate: where a well lies, and when it was filled or read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.analysis.curves import Array, IntArray
from cellos_nb.errors import AnalysisError

N_PERMUTATIONS = 1999
"""The smallest p is one in 2,000, well below the level of 0.01 that a plate is judged by."""
LEVEL = 0.01
"""One plate in a hundred without the fault is accused of it."""
_CLIP = 3.0
"""Robust standard deviations beyond which a well counts no more: one bubble must not look like an edge."""
_MIN_WELLS = 6
_EDGE = ("rim wells", "inner wells", "edge effect")
_DRIFT = ("last wells", "first wells", "drift")


@dataclass(frozen=True, slots=True)
class TrendTest:
    """What a test found."""

    statistic: float
    """Edge: mean of the rim less that of the inner wells. Drift: change from the first position to the last. In the
    unit of the values; NaN where it cannot be told."""
    p: float
    """Two-sided, by permutation; NaN where it cannot be told."""
    verdict: str
    """In words."""

    def is_found(self, level: float = LEVEL) -> bool:
        """Whether chance is ruled out at this level."""
        return self.p <= level


def edge_test(
    value: ArrayLike, is_rim: ArrayLike, group: ArrayLike | None = None, *, seed: int = 0, least: float = 0.0
) -> TrendTest:
    """Whether wells on the rim differ from inner wells that hold the same.

    Args:
        value: one number per well on a scale of constant noise, such as a logarithm; NaN is left out.
        is_rim: whether each well lies on the rim.
        group: which wells hold the same (replicates); only they are compared. None: all do.
        seed: of the permutations.
        least: a smaller difference is not tested (p is NaN): it would not matter, and permutations take their time.

    Raises:
        AnalysisError: the arrays differ in length or hold something that is not a number.
    """
    return _test(value, is_rim, group, seed, _EDGE, scaled=False, least=least)


def drift_test(
    value: ArrayLike, position: ArrayLike, group: ArrayLike | None = None, *, seed: int = 0, least: float = 0.0
) -> TrendTest:
    """Whether wells change steadily along a direction or an order, among wells that hold the same.

    Args:
        value: as in `edge_test`.
        position: row, column, or place in the order of filling or reading.
        group: as in `edge_test`.
        seed: of the permutations.
        least: as in `edge_test`.

    Raises:
        AnalysisError: as in `edge_test`.
    """
    return _test(value, position, group, seed, _DRIFT, scaled=True, least=least)


def _test(
    value: ArrayLike,
    along: ArrayLike,
    group: ArrayLike | None,
    seed: int,
    words: tuple[str, str, str],
    *,
    scaled: bool,
    least: float,
) -> TrendTest:
    values, place = _column(value, "value"), _column(along, "position")
    groups = np.zeros(values.size, dtype=np.intp) if group is None else np.unique(group, return_inverse=True)[1]
    if not values.size == place.size == groups.size:
        raise AnalysisError(
            f"{words[2]}: {values.size} values, {place.size} positions, {groups.size} groups; give one for each well."
        )
    used = np.isfinite(values) & np.isfinite(place)
    values, place, groups = values[used], place[used], groups[used]
    spread = float(np.ptp(place)) if place.size else 0.0
    x = _centred(place, groups) / (spread if scaled and spread > 0 else 1.0)
    y = _clipped(_centred(values, groups))
    square = float(x @ x)
    n_telling = int((np.abs(x) > 0).sum())
    if n_telling < _MIN_WELLS or square <= 0:
        why = f"only {n_telling} wells can be compared with a like well elsewhere"
        return TrendTest(math.nan, math.nan, f"{words[2]} cannot be told: {why}")
    statistic = float(x @ y) / square
    if abs(statistic) < least:
        return TrendTest(statistic, math.nan, f"no {words[2]} worth testing ({statistic:+.2g})")
    shuffled = _shuffled(y, groups, seed) @ x / square
    as_far = int((np.abs(shuffled) >= abs(statistic) * (1 - 1e-9)).sum())
    p = (1 + as_far) / (1 + N_PERMUTATIONS)
    if p > LEVEL:
        return TrendTest(statistic, p, f"no {words[2]} seen (p = {p:.2g})")
    direction = "above" if statistic > 0 else "below"
    return TrendTest(
        statistic, p, f"{words[2]}: {words[0]} lie {abs(statistic):.2g} {direction} {words[1]} (p = {p:.2g})"
    )


def _shuffled(y: Array, groups: IntArray, seed: int) -> Array:
    """The values permuted within their groups, shape (permutations, wells)."""
    order = np.argsort(groups, kind="stable")
    random = np.random.default_rng(seed).random((N_PERMUTATIONS, y.size))
    drawn = np.argsort(groups[order] + random, axis=1)
    shuffled = np.empty((N_PERMUTATIONS, y.size))
    shuffled[:, order] = y[order][drawn]
    return shuffled


def _centred(values: Array, groups: IntArray) -> Array:
    n = np.bincount(groups)
    centred: Array = values - (np.bincount(groups, weights=values) / np.maximum(n, 1))[groups]
    return centred


def _clipped(y: Array) -> Array:
    scale = 1.4826 * float(np.median(np.abs(y))) if y.size else 0.0
    return np.clip(y, -_CLIP * scale, _CLIP * scale) if scale > 0 else y


def _column(values: ArrayLike, name: str) -> Array:
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AnalysisError(f"{name}: holds something that is not a number ({error}); give numbers.") from error
    if column.ndim != 1:
        raise AnalysisError(f"{name}: has {column.ndim} dimensions; give one number for each well.")
    return column
