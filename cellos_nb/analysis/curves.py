"""Dose-response curves as arrays: replicates pooled per dose, many curves side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
IntArray = NDArray[np.intp]

MIN_DOSES = 4
"""Distinct doses that four parameters need; untreated controls count as one."""
MIN_POINTS = 5
"""Points that four parameters and their errors need."""
_CONTROL_SHIFT = -1e5
"""Added to the logit of a control, so that its response is that of dose zero at any Hill slope."""


@dataclass(frozen=True, slots=True)
class CurveBatch:
    """`K` curves with up to `M` distinct doses each; arrays are (M, K), shorter curves padded with weight 0.

    Replicates at one dose enter as their mean, weighted by their number: the residual sum of squares differs from
    that of the single points by a constant, so nothing is lost and a curve of 33 points costs as much as one of 11.
    """

    log_dose: Array
    """Natural logarithm of the dose; 0 where the dose is 0 or the entry is padding."""
    shift: Array
    """A large negative number where the dose is 0, else 0."""
    weight: Array
    """Number of replicates."""
    mean: Array
    """Mean response less the curve's `centre`, over its `scale`: of order 1 whatever the unit of the response."""
    centre: Array
    """Weighted mean response of each curve, shape (K,)."""
    scale: Array
    """Largest distance of a dose's mean response from the centre, shape (K,); 1 where they are all equal."""
    ss_within: Array
    """Sum of squares of replicates about their means over the scale's square, shape (K,)."""
    n_points: IntArray
    """Points of each curve, shape (K,)."""
    low: Array
    """Natural logarithm of the lowest dose above zero, shape (K,)."""
    high: Array
    """Natural logarithm of the highest dose, shape (K,)."""
    plateaus: Array | None = None
    """Lowest and highest lower plateau, lowest and highest upper plateau, on the scale of `mean`, shape (4, K); None
    where they are free."""

    @property
    def freedom(self) -> IntArray:
        """Points less the parameters that are not fixed, at least 1; shape (K,)."""
        n_free = 4
        if self.plateaus is not None and self.n_curves:
            fixed = self.plateaus[::2, 0] == self.plateaus[1::2, 0]
            n_free -= int(fixed.sum())
        freedom: IntArray = np.maximum(self.n_points - n_free, 1)
        return freedom

    def bounded(self, lower: tuple[float, float], upper: tuple[float, float]) -> CurveBatch:
        """The same curves with plateaus held within these bounds, in the unit of the response."""
        limits = np.array([*lower, *upper])[:, None]
        return replace(self, plateaus=(limits - self.centre) / self.scale)

    @property
    def n_curves(self) -> int:
        """K."""
        return int(self.weight.shape[1])

    @property
    def total_weight(self) -> Array:
        """Points of each curve as floats, shape (K,)."""
        return self.n_points.astype(np.float64)

    @property
    def ss_between(self) -> Array:
        """Sum of squares of the dose means about the curve's mean, shape (K,)."""
        total: Array = (self.weight * self.mean**2).sum(axis=0)
        return total

    def take(self, which: Any) -> CurveBatch:
        """The curves at these positions."""
        return CurveBatch(
            self.log_dose[:, which],
            self.shift[:, which],
            self.weight[:, which],
            self.mean[:, which],
            self.centre[which],
            self.scale[which],
            self.ss_within[which],
            self.n_points[which],
            self.low[which],
            self.high[which],
            None if self.plateaus is None else self.plateaus[:, which],
        )

    def designs(self) -> list[IntArray]:
        """Positions of the curves that share one set of doses, set by set."""
        keys = np.where(self.weight > 0, self.log_dose + self.shift, np.nan).T.copy()
        groups: dict[bytes, list[int]] = {}
        for position, key in enumerate(keys):
            groups.setdefault(key.tobytes(), []).append(position)
        return [np.asarray(members) for members in groups.values()]


@dataclass(frozen=True, slots=True)
class PooledCurves:
    """A batch of the curves that can be fitted, and what the others lack."""

    batch: CurveBatch
    fitted: IntArray
    """Positions of the batch's curves among all curves asked for."""
    n_points: IntArray
    """Points of every curve asked for, missing responses left out."""
    n_doses: IntArray
    """Distinct doses of every curve asked for."""


def pool_replicates(curve: IntArray, dose: Array, response: Array, n_curves: int) -> PooledCurves:
    """Points of many curves, in any order, as one batch.

    Args:
        curve: which curve each point belongs to, counted from 0.
        dose: dose of each point, finite and not negative.
        response: response of each point; NaN is left out.
        n_curves: how many curves there are.
    """
    present = ~np.isnan(response)
    curve, dose, response = curve[present], dose[present], response[present]
    order = np.lexsort((dose, curve))
    curve, dose, response = curve[order], dose[order], response[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(curve) != 0) | (np.diff(dose) != 0)]) if curve.size else curve
    counts = np.diff(np.r_[starts, curve.size]).astype(np.float64)
    means = np.add.reduceat(response, starts) / counts if curve.size else response
    within = (response - np.repeat(means, counts.astype(np.intp))) ** 2
    of_curve = curve[starts]
    n_points = np.bincount(curve, minlength=n_curves)
    n_doses = np.bincount(of_curve, minlength=n_curves)
    n_positive = np.bincount(of_curve, weights=dose[starts] > 0, minlength=n_curves)
    fitted = np.flatnonzero((n_doses >= MIN_DOSES) & (n_points >= MIN_POINTS) & (n_positive >= MIN_DOSES - 1))
    column = np.full(n_curves, -1)
    column[fitted] = np.arange(fitted.size)
    row = np.arange(starts.size) - (np.cumsum(n_doses) - n_doses)[of_curve]
    kept = column[of_curve] >= 0
    shape = (int(n_doses[fitted].max(initial=0)), fitted.size)
    doses, weight, mean = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    place = (row[kept], column[of_curve[kept]])
    doses[place], weight[place], mean[place] = dose[starts][kept], counts[kept], means[kept]
    ss_within: Array = np.zeros(n_curves)
    np.add.at(ss_within, curve, within)
    return PooledCurves(_batch(doses, weight, mean, ss_within[fitted], n_points[fitted]), fitted, n_points, n_doses)


def _batch(doses: Array, weight: Array, mean: Array, ss_within: Array, n_points: IntArray) -> CurveBatch:
    positive = doses > 0
    log_dose = np.log(np.where(positive, doses, 1.0))
    centre = (weight * mean).sum(axis=0) / np.maximum(weight.sum(axis=0), 1.0)
    offset = np.where(weight > 0, mean - centre, 0.0)
    largest = np.abs(offset).max(axis=0, initial=0.0)
    scale = np.where(largest > 0, largest, 1.0)
    return CurveBatch(
        log_dose=log_dose,
        shift=np.where((weight > 0) & ~positive, _CONTROL_SHIFT, 0.0),
        weight=weight,
        mean=offset / scale,
        centre=centre,
        scale=scale,
        ss_within=ss_within / scale / scale,
        n_points=n_points,
        low=np.where(positive, log_dose, np.inf).min(axis=0, initial=np.inf),
        high=np.where(positive, log_dose, -np.inf).max(axis=0, initial=-np.inf),
    )


def chunks(n_curves: int, size: int) -> Sequence[slice]:
    """Slices of nearly equal length and at most `size` curves, so that one slice stays in the processor's cache."""
    n_slices = -(-n_curves // size)
    edges = [round(index * n_curves / n_slices) for index in range(n_slices + 1)] if n_slices else [0]
    return [slice(start, stop) for start, stop in pairwise(edges)]
