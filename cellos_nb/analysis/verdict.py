"""What kind of curve the points draw: a full sigmoid, part of one, none, or one that turns back."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array, CurveBatch
from cellos_nb.analysis.search import Optimum

Verdict = Literal["fitted", "incomplete", "flat", "hook", "too_few"]

FLAT_LEVEL = 0.01
"""A curve is flat unless its fit beats a constant at this level of the F(3, n - 4) test. On simulated flat curves of
5 to 33 points it calls 0.1 to 1 % curved, as a screen of thousands needs. The level is nominal, because EC50 and Hill
mean nothing where there is no effect."""
HOOK_SHARE = 0.25
"""A response that turns back by more than this share of its range is no single sigmoid."""
HOOK_MIN_DOSES = 7
"""Distinct doses below which single points cannot tell a turn from noise."""
HOOK_LEVEL = 0.01
"""Level of the test that the turn is no noise, over all pairs of doses (Bonferroni)."""


def judge(batch: CurveBatch, optimum: Optimum, interval: tuple[Array, Array]) -> NDArray[np.object_]:
    """The verdict on each curve.

    `hook`: the response turns back, beyond noise, by more than a quarter of its range. `flat`: no better than a
    constant. `incomplete`: a plateau is not shown, because the EC50 lies outside the doses or its interval has no end
    on one side. `fitted`: none of these.
    """
    low, high = interval
    outside = (optimum.log_ec50 > batch.high) | (optimum.log_ec50 < batch.low)
    is_incomplete = outside | np.isinf(low) | np.isinf(high)
    verdict = np.where(is_incomplete, "incomplete", "fitted").astype(object)
    verdict[is_flat(batch, optimum)] = "flat"
    verdict[is_hook(batch)] = "hook"
    return verdict


def is_flat(batch: CurveBatch, optimum: Optimum) -> NDArray[np.bool_]:
    """Whether the fit explains no more than a constant would, by an F test, shape (K,)."""
    from scipy.special import fdtrc

    freedom = batch.freedom
    rss = optimum.rss + batch.ss_within
    # Rounding alone is no effect.
    has_change = batch.scale > 1e-10 * np.abs(batch.centre)
    has_change &= np.abs(batch.mean).max(axis=0) > 0
    explained = np.where(has_change, batch.ss_between - optimum.rss, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(explained > 0, explained / 3 / (rss / freedom), 0.0)
    flat: NDArray[np.bool_] = fdtrc(3, freedom, ratio) > FLAT_LEVEL
    return flat


def is_hook(batch: CurveBatch) -> NDArray[np.bool_]:
    """Whether the dose means turn back beyond noise, shape (K,).

    The depth of a turn at a dose is the smaller of how far the means come down to it and how far they go up from it, or
    the reverse. Noise is the pooled spread of replicates; without replicates, what the best curve with one turn leaves.
    """
    from scipy.special import stdtrit

    used = batch.weight > 0
    n_doses = used.sum(axis=0)
    valley, peak = _depths(batch.mean, used), _depths(-batch.mean, used)
    is_peak = peak.max(axis=0) > valley.max(axis=0)
    depths = np.where(is_peak, peak, valley)
    depth, turn = depths.max(axis=0), depths.argmax(axis=0)
    span = np.where(used, batch.mean, -np.inf).max(axis=0) - np.where(used, batch.mean, np.inf).min(axis=0)
    hook: NDArray[np.bool_] = depth > HOOK_SHARE * span
    which = np.flatnonzero(hook)
    if which.size == 0:
        return hook
    some, n = batch.take(which), n_doses[which]
    freedom = some.n_points - n
    has_replicates = freedom >= n / 2
    variance = some.ss_within / np.maximum(freedom, 1)
    if not has_replicates.all():
        sign = np.where(is_peak[which], -1.0, 1.0)
        left_over = _left_by_one_turn(sign * some.mean, some.weight, turn[which])
        # A curve with a turn follows about half of the points exactly; they tell nothing of the noise.
        spare = np.maximum(n // 2 - 1, 1)
        variance = np.where(has_replicates, variance, left_over / spare)
        freedom = np.where(has_replicates, freedom, spare)
    fewest = np.where(some.weight > 0, some.weight, np.inf).min(axis=0)
    pairs = n * (n - 1) / 2
    limit = stdtrit(freedom, 1 - HOOK_LEVEL / 2 / pairs) * np.sqrt(2 * variance / fewest)
    hook[which] = (depth[which] > limit) & (has_replicates | (n >= HOOK_MIN_DOSES))
    return hook


def _depths(y: Array, used: NDArray[np.bool_]) -> Array:
    """How deep a valley each dose lies in: the smaller of the falls to it from the left and from the right; (M, K)."""
    highest = np.where(used, y, -np.inf)
    before = np.maximum.accumulate(highest)
    after = np.maximum.accumulate(highest[::-1])[::-1]
    return np.where(used, np.minimum(before, after) - y, 0.0)


def _left_by_one_turn(y: Array, weight: Array, turn: NDArray[np.intp]) -> Array:
    """Residual sum of squares of the best curve that falls up to dose `turn` and rises from there, shape (K,)."""
    rows = np.arange(y.shape[0])[:, None]
    falling = _monotone(-y, np.where(rows <= turn, weight, 0.0))
    rising = _monotone(y, np.where(rows >= turn, weight, 0.0))
    at_turn = rows == turn
    residual = np.where(rows <= turn, y + falling, y - rising)
    residual = np.where(at_turn, 0.0, residual)
    total: Array = (weight * residual**2).sum(axis=0)
    return total


def _monotone(y: Array, weight: Array) -> Array:
    """The best rising sequence, by the min-max formula over all stretches; entries of weight 0 take any value.

    Source: Robertson, Wright & Dykstra 1988, Order Restricted Statistical Inference, theorem 1.4.4.
    """
    zero = np.zeros((1, y.shape[1]))
    totals = np.vstack([zero, np.cumsum(weight, axis=0)])
    sums = np.vstack([zero, np.cumsum(weight * y, axis=0)])
    fit = np.full(y.shape, -np.inf)
    for start in range(y.shape[0]):
        mass = totals[start + 1 :] - totals[start]
        means = np.where(mass > 0, (sums[start + 1 :] - sums[start]) / np.where(mass > 0, mass, 1.0), np.inf)
        lowest = np.minimum.accumulate(means[::-1])[::-1]
        # A stretch that starts at a point without weight is the stretch that starts at the next.
        has_weight = weight[start] > 0
        fit[start:] = np.where(has_weight, np.maximum(fit[start:], lowest), fit[start:])
    return np.where(weight > 0, fit, 0.0)
