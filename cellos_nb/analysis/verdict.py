"""What kind of curve the points draw: a full sigmoid, part of one, none, or one that turns back."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array, CurveBatch
from cellos_nb.analysis.search import Optimum

Verdict = Literal["fitted", "incomplete", "flat", "hook", "too_few"]

FLAT_LEVEL = 0.02
"""A curve is flat unless its fit beats a constant at this nominal level of the F(3, n - 4) test. The nominal level is
below the usual 5 % because the search over EC50 and Hill fits noise better than three fixed terms would: on simulated
flat curves of 8 to 33 points it calls about 5 % curved (`tests/analysis/test_verdicts.py`)."""
HOOK_SHARE = 0.25
"""A response that turns back by more than this share of its range is no single sigmoid."""
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

    freedom = np.maximum(batch.n_points - 4, 1)
    rss = optimum.rss + batch.ss_within
    # Rounding alone is no effect.
    scale = (batch.weight * (batch.mean + batch.centre) ** 2).sum(axis=0)
    explained = np.where(batch.ss_between > 1e-20 * scale, batch.ss_between - optimum.rss, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(explained > 0, explained / 3 / (rss / freedom), 0.0)
    flat: NDArray[np.bool_] = fdtrc(3, freedom, ratio) > FLAT_LEVEL
    return flat


def is_hook(batch: CurveBatch) -> NDArray[np.bool_]:
    """Whether the dose means turn back beyond noise, shape (K,).

    The depth of a turn at a dose is the smaller of how far the means come down to it and how far they go up from it, or
    the reverse. Noise is the pooled spread of replicates; without replicates, that of successive differences of the
    means, which a steep curve makes larger, so that the test errs towards calling no hook.
    Source of the successive differences: von Neumann 1941, doi:10.1214/aoms/1177731677.
    """
    from scipy.special import stdtrit

    used = batch.weight > 0
    n_doses = used.sum(axis=0)
    y = batch.mean
    highest, lowest = np.where(used, y, -np.inf), np.where(used, y, np.inf)
    max_before, min_before = np.maximum.accumulate(highest), np.minimum.accumulate(lowest)
    max_after, min_after = (
        np.maximum.accumulate(highest[::-1])[::-1],
        np.minimum.accumulate(lowest[::-1])[::-1],
    )
    valley = np.where(used, np.minimum(max_before - y, max_after - y), 0.0).max(axis=0)
    peak = np.where(used, np.minimum(y - min_before, y - min_after), 0.0).max(axis=0)
    depth = np.maximum(valley, peak)
    value_range = highest.max(axis=0) - lowest.min(axis=0)
    within_freedom = batch.n_points - n_doses
    steps = np.diff(y, axis=0)
    both = used[1:] & used[:-1]
    harmonic = np.where(both, 1 / np.maximum(batch.weight[1:], 1) + 1 / np.maximum(batch.weight[:-1], 1), 1.0)
    successive = np.where(both, steps**2 / harmonic, 0.0).sum(axis=0) / np.maximum(n_doses - 1, 1)
    has_replicates = within_freedom >= n_doses / 2
    variance = np.where(has_replicates, batch.ss_within / np.maximum(within_freedom, 1), successive)
    freedom = np.where(has_replicates, within_freedom, np.maximum(n_doses - 2, 1))
    fewest = np.where(used, batch.weight, np.inf).min(axis=0)
    pairs = n_doses * (n_doses - 1) / 2
    limit = stdtrit(freedom, 1 - HOOK_LEVEL / 2 / np.maximum(pairs, 1)) * np.sqrt(2 * variance / fewest)
    hook: NDArray[np.bool_] = (depth > HOOK_SHARE * value_range) & (depth > limit)
    return hook
