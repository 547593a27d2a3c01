"""Least-squares search for many curves at once: a grid over (EC50, Hill), then Levenberg-Marquardt from two starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cellos_nb.analysis.bounded import scan_bounded
from cellos_nb.analysis.curves import Array, CurveBatch, IntArray, chunks
from cellos_nb.analysis.logistic import project

DECADES_OUTSIDE = 3.0
"""How far beyond the doses an EC50 may lie and still end an interval; further out it is as good as infinite."""
DECADES_SOUGHT = 30.0
"""How far beyond the doses the least squares are sought: a shallow curve without a plateau fits best far out.

At 9 decades one in sixteen curves of the sarcoma screen keeps residuals more than 1e-4 above the best; at 30, one in
a hundred."""
HILL_RANGE = (0.01, 60.0)
"""Sizes of the Hill slope that are sought. Below, the curve is a straight line in log dose; above, a step."""
_HILLS = np.r_[0.03, np.geomspace(0.1, 12.0, 14), 20.0, 45.0]
_OUTSIDE = np.log(10.0) * np.array(
    [0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, DECADES_OUTSIDE, 5.0, 9.0, DECADES_SOUGHT]
)
_BESIDE = 0.03
"""Distance in natural log dose from a dose at which the steepest curves take any value there."""
_CONVEX = 1.01
"""Margin of the determinant by which Newton's step is trusted."""
_MAX_NODES = 160
_MAX_SCANNED = 300
_SCANNED_AT_ONCE = 256
"""Curves whose grids of residuals fit the processor's cache together."""
_MAX_STEPS = 50
_LEAVE_SHARE = 0.15
"""Share of the curves that must have converged before they leave: copying the others costs about a fifth of a step."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The residuals on a grid of EC50s, each with its best Hill slope; arrays are (E, K), padded with infinity."""

    log_ec50: Array
    rss: Array
    log_hill: Array


@dataclass(frozen=True, slots=True)
class Optimum:
    """The least-squares fit of each curve; all shapes (K,)."""

    log_ec50: Array
    log_hill: Array
    rss: Array
    """Of the dose means; the replicates' own spread is left out."""


def scan(batch: CurveBatch) -> Grid:
    """Residuals of every curve over the grid, design by design."""
    parts: list[tuple[IntArray, Array, Array, Array]] = []
    for members in batch.designs():
        some = batch.take(members)
        nodes = _nodes(some.log_dose[(some.weight[:, 0] > 0) & (some.shift[:, 0] == 0), 0])
        coarse = _coarser(some)
        rss, hill = _scan_design(coarse, nodes)
        parts.append((members, nodes, rss + (some.ss_between - coarse.ss_between), hill))
    n_nodes = max((nodes.size for _, nodes, _, _ in parts), default=0)
    shape = (n_nodes, batch.n_curves)
    log_ec50, rss, log_hill = np.full(shape, np.inf), np.full(shape, np.inf), np.zeros(shape)
    for members, nodes, some_rss, some_hill in parts:
        log_ec50[: nodes.size, members] = nodes[:, None]
        rss[: nodes.size, members] = some_rss
        log_hill[: nodes.size, members] = some_hill
    return Grid(log_ec50, rss, log_hill)


def _nodes(log_doses: Array) -> Array:
    """EC50s to try: a few in each gap between doses, and close by each dose, where a steep curve may pass through."""
    gaps = np.diff(log_doses)
    pieces = np.minimum(np.maximum(3, np.ceil(gaps / 0.35)), np.ceil(gaps / 0.1)).astype(np.intp)
    step = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    between = np.repeat(log_doses[:-1], pieces) + step * np.repeat(gaps / pieces, pieces)
    inside = np.concatenate([between, log_doses[-1:], log_doses - _BESIDE, log_doses + _BESIDE])
    inside = inside[np.unique(np.round(inside / (0.6 * _BESIDE)), return_index=True)[1]]
    if inside.size > _MAX_NODES:
        inside = np.interp(np.linspace(0, inside.size - 1, _MAX_NODES), np.arange(inside.size), inside)
    return np.concatenate([log_doses[0] - _OUTSIDE[::-1], inside, log_doses[-1] + _OUTSIDE])


def _coarser(batch: CurveBatch) -> CurveBatch:
    """The same curves with neighbouring doses merged when there are very many: enough for a scan."""
    n_doses = batch.weight.shape[0]
    if n_doses <= _MAX_SCANNED:
        return batch
    # The untreated control, if any, is the first row and stays alone.
    starts = np.unique(np.r_[0, np.linspace(1, n_doses, _MAX_SCANNED, endpoint=False).astype(np.intp)])
    weight = np.add.reduceat(batch.weight, starts, axis=0)
    safe = np.maximum(weight, 1.0)
    return replace(
        batch,
        log_dose=np.add.reduceat(batch.weight * batch.log_dose, starts, axis=0) / safe,
        shift=batch.shift[starts],
        weight=weight,
        mean=np.add.reduceat(batch.weight * batch.mean, starts, axis=0) / safe,
    )


def _scan_design(batch: CurveBatch, nodes: Array) -> tuple[Array, Array]:
    """For curves with the same doses: lowest rss over the Hill grid and its log Hill, both (E, K)."""
    logit = _HILLS[None, :, None] * (batch.log_dose[:, 0] - nodes[:, None, None]) + batch.shift[:, 0]
    # Mirrored where the EC50 is high, so that the small end of the logistic keeps its digits.
    logit *= np.where(nodes > np.median(nodes), 1.0, -1.0)[:, None, None]
    basis = 1.0 / (1.0 + np.exp(-np.clip(logit, -200.0, 200.0)))
    basis = basis.reshape(-1, batch.log_dose.shape[0])
    if batch.plateaus is not None:
        rising = (nodes > np.median(nodes)).repeat(_HILLS.size)[:, None]
        rss = scan_bounded(np.where(rising, basis, 1.0 - basis), batch).reshape(nodes.size, _HILLS.size, batch.n_curves)
        best = rss.argmin(axis=1)
        return np.take_along_axis(rss, best[:, None], axis=1)[:, 0], np.log(_HILLS)[best]
    used = batch.weight[:, 0] > 0
    basis -= basis[:, used].mean(axis=1, keepdims=True)
    basis /= np.maximum(np.abs(basis[:, used]).max(axis=1, keepdims=True), 1e-280)
    same = bool((batch.weight == batch.weight[:, :1]).all())
    weight = batch.weight[:, :1] if same else batch.weight
    sv = basis @ weight
    sxx = basis**2 @ weight - sv**2 / batch.total_weight[: weight.shape[1]]
    per_size = np.where(sxx > 1e-12, 1.0 / np.sqrt(np.maximum(sxx, 1e-12)), 0.0)
    if same:
        basis *= per_size
    weighted = batch.weight * batch.mean
    rss, log_hill = np.empty((nodes.size, batch.n_curves)), np.empty((nodes.size, batch.n_curves))
    for part in chunks(batch.n_curves, _SCANNED_AT_ONCE):
        explained = basis @ weighted[:, part]
        if not same:
            explained *= per_size[:, part]
        np.square(explained, out=explained)
        explained = explained.reshape(nodes.size, _HILLS.size, -1)
        best = explained.argmax(axis=1)
        log_hill[:, part] = np.log(_HILLS)[best]
        rss[:, part] = batch.ss_between[part] - np.take_along_axis(explained, best[:, None], axis=1)[:, 0]
    return np.maximum(rss, 0.0), log_hill


def minimise(batch: CurveBatch, grid: Grid) -> Optimum:
    """The least-squares fit of each curve, from the two lowest separate minima of its grid."""
    columns = np.arange(batch.n_curves)
    padded = np.pad(grid.rss, ((1, 1), (0, 0)), constant_values=np.inf)
    is_minimum = (grid.rss <= padded[:-2]) & (grid.rss <= padded[2:]) & np.isfinite(grid.rss)
    ranked = np.where(is_minimum, grid.rss, np.inf)
    first = ranked.argmin(axis=0)
    ranked[first, columns] = np.inf
    second = ranked.argmin(axis=0)
    has_second = np.isfinite(ranked[second, columns])
    which = np.r_[columns, columns[has_second]]
    rows = np.r_[first, second[has_second]]
    found = _descend(batch.take(which), grid.log_ec50[rows, which], grid.log_hill[rows, which])
    n = batch.n_curves
    best = np.arange(n)
    other = np.arange(n, which.size)
    best[has_second] = np.where(found.rss[other] < found.rss[:n][has_second], other, best[has_second])
    return Optimum(found.log_ec50[best], found.log_hill[best], found.rss[best])


def _descend(batch: CurveBatch, log_ec50: Array, log_hill: Array) -> Optimum:
    """Levenberg-Marquardt on (log EC50, log Hill) within their bounds; curves leave as they converge."""
    at = np.stack([log_ec50, log_hill])
    bounds = box(batch)
    here = project(batch, *at).values
    damping = np.full(batch.n_curves, 1e-2)
    floor = 1e-9 * batch.ss_within
    out, which = np.vstack([at, here[:1]]), np.arange(batch.n_curves)
    for _ in range(_MAX_STEPS):
        step, gain = _step(at, here, damping, bounds)
        target = np.clip(at + step, bounds[0], bounds[1])
        there = project(batch, *target).values
        is_better = there[0] < here[0]
        at = np.where(is_better, target, at)
        here = np.where(is_better, there, here)
        is_done = (gain <= 1e-9 * here[0] + floor) & ((damping <= 1.0) | ~is_better) | (damping > 1e9)
        damping = np.where(is_better, damping * 0.1, damping * 10.0)
        n_done = np.count_nonzero(is_done)
        if n_done < _LEAVE_SHARE * which.size:
            continue
        out[:, which[is_done]] = np.vstack([at, here[:1]])[:, is_done]
        if n_done == which.size:
            return Optimum(*out)
        on = np.flatnonzero(~is_done)
        which, batch, bounds, floor = which[on], batch.take(on), bounds[:, :, on], floor[on]
        at, here, damping = at[:, on], here[:, on], damping[on]
    out[:, which] = np.vstack([at, here[:1]])
    return Optimum(*out)


def box(batch: CurveBatch) -> Array:
    """Lower and upper bounds of log EC50 and log Hill, shape (2, 2, K)."""
    lowest, steepest = np.log(HILL_RANGE)
    same = np.ones(batch.n_curves)
    return np.array(
        [[batch.low - _OUTSIDE[-1], lowest * same], [batch.high + _OUTSIDE[-1], steepest * same]], dtype=np.float64
    )


def _step(at: Array, here: Array, damping: Array, bounds: Array) -> tuple[Array, Array]:
    """The damped step (2, K) and the fall of the rss that it promises (K,): Newton's where convex, else Gauss-Newton's.

    A parameter at a bound that it pushes against stays out of the step, so that the other one converges.
    """
    gradient, exact = here[3:5], here[8:11]
    is_convex = (exact[0] > 0) & (exact[2] > 0) & (exact[0] * exact[2] > _CONVEX * exact[1] ** 2)
    h11, h12, h22 = np.where(is_convex, exact, here[5:8])
    is_stuck = ((at <= bounds[0]) & (gradient > 0)) | ((at >= bounds[1]) & (gradient < 0))
    g1, g2 = np.where(is_stuck, 0.0, gradient)
    h12 = np.where(is_stuck.any(axis=0), 0.0, h12)
    d11, d22 = h11 * (1 + damping) + 1e-300, h22 * (1 + damping) + 1e-300
    determinant = np.maximum(d11 * d22 - h12**2, 1e-14 * d11 * d22) + 1e-300
    step = np.stack([(h12 * g2 - d22 * g1) / determinant, (h12 * g1 - d11 * g2) / determinant])
    # No more than half a decade of EC50 or a factor of three of Hill at once: beyond, the linearisation is void.
    step *= np.minimum(1.0, 1.15 / np.maximum(np.abs(step).max(axis=0), 1.15))
    return step, -(step * np.stack([g1, g2])).sum(axis=0)
