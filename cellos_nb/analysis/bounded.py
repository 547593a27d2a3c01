"""Plateaus held within bounds: the same search, where the free regression would leave them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array, CurveBatch

_MAX_LOGIT = 300.0
_TINY = 1e-290


def bounded_plateaus(moments: Sequence[Array], limits: Array, *, with_free: bool) -> tuple[Array, Array, Array]:
    """The best plateaus within bounds, for a given logistic: (at zero, at infinity, how much they explain).

    The sum of squares is convex in the two plateaus, so its minimum within a rectangle is the free one or lies on an
    edge; there are two rectangles, for a falling and a rising curve.

    Args:
        moments: sums of w u², w u v, w v², w u y and w v y over the doses, v the logistic and u = 1 - v; any one shape.
        limits: as `CurveBatch.plateaus`, to broadcast against the moments.
        with_free: whether the free minimum is a candidate.
    """
    uu, uv, vv, uy, vy = moments
    uu_safe, vv_safe = np.maximum(uu, _TINY), np.maximum(vv, _TINY)
    best = [np.zeros(uu.shape), np.zeros(uu.shape), np.full(uu.shape, -np.inf)]

    def offer(zero: Array, infinity: Array, allowed: NDArray[np.bool_]) -> None:
        gain = 2 * (zero * uy + infinity * vy) - zero**2 * uu - 2 * zero * infinity * uv - infinity**2 * vv
        is_better = allowed & (gain > best[2])
        for slot, value in zip(best, (zero, infinity, gain), strict=True):
            np.copyto(slot, value, where=is_better)

    lower, upper = limits[:2], limits[2:]
    if with_free:
        determinant = uu * vv - uv**2
        safe = np.where(determinant > 1e-12 * uu * vv, determinant, np.inf)
        zero, infinity = (uy * vv - vy * uv) / safe, (vy * uu - uy * uv) / safe
        small, large = np.minimum(zero, infinity), np.maximum(zero, infinity)
        inside = (small >= lower[0]) & (small <= lower[1]) & (large >= upper[0]) & (large <= upper[1])
        offer(zero, infinity, inside & np.isfinite(safe))
    for at_zero, at_infinity in ((upper, lower), (lower, upper)):
        for limit in at_zero:
            zero = np.where(np.isfinite(limit), limit, 0.0) + 0.0 * uu
            infinity = np.clip((vy - zero * uv) / vv_safe, at_infinity[0], at_infinity[1])
            offer(zero, infinity, np.isfinite(limit) & np.isfinite(infinity))
        for limit in at_infinity:
            infinity = np.where(np.isfinite(limit), limit, 0.0) + 0.0 * uu
            zero = np.clip((uy - infinity * uv) / uu_safe, at_zero[0], at_zero[1])
            offer(zero, infinity, np.isfinite(limit) & np.isfinite(zero))
    return best[0], best[1], best[2]


def project_bounded(batch: CurveBatch, log_ec50: Array, log_hill: Array) -> Array:
    """The values of a `Projection` for curves whose free plateaus leave their bounds, shape (11, K)."""
    weight, y = batch.weight, batch.mean
    slope = np.exp(log_hill)
    logit = np.clip(slope * (batch.log_dose - log_ec50) + batch.shift, -_MAX_LOGIT, _MAX_LOGIT)
    v, u = 1.0 / (1.0 + np.exp(-logit)), 1.0 / (1.0 + np.exp(logit))
    moments = [(weight * a * b).sum(axis=0) for a, b in ((u, u), (u, v), (v, v), (u, y), (v, y))]
    zero, infinity, _ = bounded_plateaus(moments, _limits(batch), with_free=False)
    span = infinity - zero
    residual = y - zero * u - infinity * v
    w_residual = weight * residual
    q, bend = u * v, u * v * (u - v)
    by_ec50, by_hill = -slope * q, logit * q
    held = held_plateaus(batch, zero, infinity)
    # At most one plateau follows; its logistic and how the residuals pull it.
    basis = np.where(held[0], v, u)
    sign = np.where(held[0], 1.0, -1.0)
    size = np.where(held.all(axis=0), np.inf, np.maximum((weight * basis**2).sum(axis=0), _TINY))
    pull = [(w_residual * column).sum(axis=0) for column in (by_ec50, by_hill)]
    along = [(weight * column * basis).sum(axis=0) for column in (by_ec50, by_hill)]
    second = (
        (w_residual * slope**2 * bend).sum(axis=0),
        (w_residual * -slope * (q + logit * bend)).sum(axis=0),
        (w_residual * logit * (q + logit * bend)).sum(axis=0),
    )
    values = np.empty((11, batch.n_curves))
    values[0], values[1], values[2] = (w_residual * residual).sum(axis=0), zero, infinity
    values[3], values[4] = -span * pull[0], -span * pull[1]
    columns = (by_ec50, by_hill)
    for row, (i, j) in enumerate(((0, 0), (0, 1), (1, 1))):
        square = span**2 * (weight * columns[i] * columns[j]).sum(axis=0)
        values[5 + row] = square - span**2 * along[i] * along[j] / size
        cross = (span * along[i] - sign * pull[i]) * (span * along[j] - sign * pull[j])
        values[8 + row] = square - span * second[row] - cross / size
    return values


def scan_bounded(basis: Array, batch: CurveBatch) -> Array:
    """What the best bounded plateaus leave unexplained, for logistics (N, M) and curves of one design, shape (N, K)."""
    weight, y = batch.weight, batch.mean
    u = 1.0 - basis
    moments = [u**2 @ weight, (u * basis) @ weight, basis**2 @ weight, u @ (weight * y), basis @ (weight * y)]
    explained = bounded_plateaus(moments, _limits(batch)[:, None, :], with_free=True)[2]
    rss: Array = np.maximum(batch.ss_between - explained, 0.0)
    return rss


def held_plateaus(batch: CurveBatch, at_zero: Array, at_infinity: Array) -> NDArray[np.bool_]:
    """Which plateaus lie on a bound: at zero, at infinity; shape (2, K)."""
    if batch.plateaus is None:
        return np.zeros((2, batch.n_curves), dtype=np.bool_)
    falls = at_zero > at_infinity
    limits = batch.plateaus
    of_zero = np.where(falls, limits[2:], limits[:2])
    of_infinity = np.where(falls, limits[:2], limits[2:])
    return np.stack([(at_zero == of_zero).any(axis=0), (at_infinity == of_infinity).any(axis=0)])


def _limits(batch: CurveBatch) -> Array:
    if batch.plateaus is None:
        return np.array([-np.inf, np.inf, -np.inf, np.inf])[:, None] * np.ones(batch.n_curves)
    return batch.plateaus
