"""Profile-likelihood intervals of the EC50, for many curves at once."""

from __future__ import annotations

import math

import numpy as np

from cellos_nb.analysis.curves import Array, CurveBatch
from cellos_nb.analysis.logistic import project_hill
from cellos_nb.analysis.search import DECADES_OUTSIDE, Grid, Optimum, box

CONFIDENCE = 0.95
_MAX_OUTWARD = 40
_MAX_ROOT_STEPS = 12
_TOLERANCE = 1e-4
"""Of the interval's end, in units of the threshold; far below what a threshold means."""


def ec50_intervals(batch: CurveBatch, grid: Grid, optimum: Optimum, log_se: Array) -> tuple[Array, Array]:
    """Lowest and highest log EC50 at which the best curve is not rejected; -inf and inf where none is rejected.

    A value is rejected when holding the EC50 there raises the residual sum of squares by more than F(1, n - 4) allows.
    The set of values that are not may have gaps; the ends are the outermost. One end is infinite when EC50s
    as far as `DECADES_OUTSIDE` beyond the doses still fit: the curve does not show that plateau.

    Args:
        batch: the curves.
        grid: what `scan` found.
        optimum: what `minimise` found.
        log_se: standard error of the log EC50, where the search for the ends begins; NaN will do.

    Source: Bates & Watts 1988, doi:10.1002/9780470316757, chapter 6.1 (profile t).
    """
    from scipy.special import stdtrit

    freedom = batch.freedom
    rise = stdtrit(freedom, 0.5 + CONFIDENCE / 2) ** 2 * (optimum.rss + batch.ss_within) / freedom
    # Curves without any scatter have an interval without width; keep it above the rounding error.
    rise = np.maximum(rise, 1e-13 * batch.ss_between) + 1e-300
    ends = [_end(batch, grid, optimum, rise, log_se=log_se, outward=outward) for outward in (-1.0, 1.0)]
    return ends[0], ends[1]


def _end(batch: CurveBatch, grid: Grid, optimum: Optimum, rise: Array, *, log_se: Array, outward: float) -> Array:
    """One end of every interval: step outward until rejected, then close in."""
    reach = DECADES_OUTSIDE * math.log(10.0)
    limit = batch.high + reach if outward > 0 else batch.low - reach
    inside, hill = _outermost(grid, optimum, rise, outward)
    is_beyond = outward * (inside - limit) >= 0
    from_optimum = inside == optimum.log_ec50
    stride = np.where(from_optimum & np.isfinite(log_se), np.clip(2.0 * log_se, 1e-4, 0.5), 0.3)
    excess = np.where(from_optimum, -1.0, -0.5)
    outside, outside_excess = np.full(batch.n_curves, outward * np.inf), np.ones(batch.n_curves)
    open_ = np.flatnonzero(~is_beyond)
    some = batch.take(open_)
    for _ in range(_MAX_OUTWARD):
        if open_.size == 0:
            break
        trial = inside[open_] + outward * stride[open_]
        trial = np.minimum(trial, limit[open_]) if outward > 0 else np.maximum(trial, limit[open_])
        rss, trial_hill = _refine(some, trial, hill[open_], 4)
        found = _excess(rss, optimum.rss[open_], rise[open_])
        hill[open_] = trial_hill
        is_out = found > 0
        outside[open_[is_out]], outside_excess[open_[is_out]] = trial[is_out], found[is_out]
        inside[open_[~is_out]], excess[open_[~is_out]] = trial[~is_out], found[~is_out]
        stride[open_] *= 1.7
        on = ~is_out & (trial != limit[open_])
        open_, some = open_[on], some.take(on)
    closed = np.flatnonzero(np.isfinite(outside))
    ends = np.full(batch.n_curves, outward * np.inf)
    if closed.size:
        bracket = (inside[closed], excess[closed], outside[closed], outside_excess[closed])
        ends[closed] = _close_in(batch.take(closed), optimum.rss[closed], rise[closed], bracket, hill[closed])
    return ends


def _outermost(grid: Grid, optimum: Optimum, rise: Array, outward: float) -> tuple[Array, Array]:
    """The outermost EC50 known not to be rejected, with its log Hill: a node of the grid or the optimum itself."""
    fits = grid.rss <= optimum.rss + rise
    beyond = fits & (outward * (grid.log_ec50 - optimum.log_ec50) > 0)
    rows = beyond.shape[0] - 1 - beyond[::-1].argmax(axis=0) if outward > 0 else beyond.argmax(axis=0)
    columns = np.arange(beyond.shape[1])
    has_any = beyond.any(axis=0)
    return (
        np.where(has_any, grid.log_ec50[rows, columns], optimum.log_ec50),
        np.where(has_any, grid.log_hill[rows, columns], optimum.log_hill),
    )


def _excess(rss: Array, lowest: Array, rise: Array) -> Array:
    """Zero at the interval's end, -1 at the optimum, and nearly straight between: the profile t over its limit."""
    excess: Array = np.sqrt(np.maximum(rss - lowest, 0.0) / rise) - 1.0
    return excess


def _refine(batch: CurveBatch, log_ec50: Array, log_hill: Array, n_steps: int) -> tuple[Array, Array]:
    """The lowest rss over Hill at fixed EC50s, from a good start, and where it is."""
    (_, lowest), (_, highest) = box(batch)
    here = project_hill(batch, log_ec50, log_hill)
    damping = np.full(batch.n_curves, 1e-3)
    for _ in range(n_steps):
        step = np.clip(-here[1] / (here[2] * (1 + damping) + 1e-300), -1.0, 1.0)
        target = np.clip(log_hill + step, lowest, highest)
        there = project_hill(batch, log_ec50, target)
        is_better = there[0] < here[0]
        log_hill, here = np.where(is_better, target, log_hill), np.where(is_better, there, here)
        damping = np.where(is_better, damping, 10.0 * damping + 1.0)
    return here[0], log_hill


def _close_in(
    batch: CurveBatch, lowest: Array, rise: Array, bracket: tuple[Array, Array, Array, Array], log_hill: Array
) -> Array:
    """The root of the excess within each bracket (inside, its excess, outside, its excess), by the Illinois method.

    Source: Dowell & Jarratt 1971, doi:10.1007/BF01934364.
    """
    inside, f_in, outside, f_out = (side.copy() for side in bracket)
    ends = np.empty(batch.n_curves)
    open_ = np.arange(batch.n_curves)
    was_in = np.zeros(batch.n_curves)
    for step in range(_MAX_ROOT_STEPS):
        share = np.clip(f_in / (f_in - f_out), 0.02, 0.98)
        trial = inside + share * (outside - inside)
        rss, log_hill = _refine(batch, trial, log_hill, 3 if step == 0 else 2)
        found = _excess(rss, lowest, rise)
        ends[open_] = trial
        on = (np.abs(found) > _TOLERANCE) & (np.abs(outside - inside) > 1e-9)
        if not on.any():
            break
        is_in = found <= 0
        # The end that stays put twice running counts half, or one side would creep.
        f_out = np.where(is_in & (was_in > 0), f_out / 2, f_out)
        f_in = np.where(~is_in & (was_in < 0), f_in / 2, f_in)
        inside, f_in = np.where(is_in, trial, inside), np.where(is_in, found, f_in)
        outside, f_out = np.where(is_in, outside, trial), np.where(is_in, f_out, found)
        was_in = np.where(is_in, 1.0, -1.0)
        open_, batch, lowest, rise = open_[on], batch.take(on), lowest[on], rise[on]
        inside, f_in, outside, f_out = inside[on], f_in[on], outside[on], f_out[on]
        was_in, log_hill = was_in[on], log_hill[on]
    return ends
