"""Profile-likelihood interval of GR50: the doses at which division may be slowed by half."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cellos_nb.analysis.curves import Array
from cellos_nb.analysis.profile import CONFIDENCE
from cellos_nb.analysis.search import DECADES_OUTSIDE, HILL_RANGE

_N_NODES = 65
_N_STEPS = 30
_SPAN = (math.log(1e-6), math.log(1e6))
"""Of the natural logarithm of 0.5 - GR∞: from a plateau that hardly crosses one half to one far below death."""
_STARTS = ((1.5, 0.6), (0.5, 1.5), (1.0, 0.02), (12.0, 0.6))
"""Hill slope and 0.5 - GR∞ from where each profile is descended; the lowest of all counts."""
_N_BETWEEN = 9
"""Nodes between the last one inside the interval and the first one outside."""
_DEPTH = 4
"""How often the search for an interval between two nodes divides the step."""


@dataclass(frozen=True, slots=True)
class BestSigmoid:
    """The least-squares fit that GR50 is read from."""

    rss: float
    hill: float
    lower: float
    gr50: float
    """inf where the sigmoid does not come down to one half."""
    rss_above: float
    """What the best sigmoid leaves that never comes down so far."""


@dataclass(frozen=True, slots=True)
class _Points:
    log_dose: Array
    """Natural logarithm, shape (n, 1)."""
    gr: Array
    at_zero: float
    """Residual sum of squares of untreated points about 1, which no parameter changes."""
    best: BestSigmoid


def gr50_interval(dose: Array, gr: Array, best: BestSigmoid) -> tuple[float, float]:
    """The doses at which GR may be one half, by 95 % profile likelihood.

    A dose is rejected when the best falling sigmoid from 1 that crosses one half there leaves more residuals than
    F(1, n - 3) allows above the best sigmoid of all. The upper end is infinite where a curve that never comes down to
    one half is not rejected, or doses `DECADES_OUTSIDE` beyond the highest are not; the lower end is 0 likewise. Both
    are infinite where no curve that crosses one half fits.

    Args:
        dose: not negative, shape (n,).
        gr: GR values, shape (n,), without NaN.
        best: the least-squares sigmoid from 1.

    Source: Bates & Watts 1988, doi:10.1002/9780470316757, chapter 6.1 (profile t); Hafner et al. 2016,
    doi:10.1038/nmeth.3853 (the curve).
    """
    from scipy.special import stdtrit

    treated = dose > 0
    points = _Points(
        np.log(dose[treated])[:, None], gr[treated][:, None], float(((gr[~treated] - 1.0) ** 2).sum()), best
    )
    freedom = max(dose.size - 3, 1)
    total = float(((gr - gr.mean()) ** 2).sum())
    limit = (
        best.rss + max(float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) ** 2 * best.rss / freedom, 1e-12 * total) + 1e-300
    )
    reach = DECADES_OUTSIDE * math.log(10.0)
    nodes = np.linspace(points.log_dose.min() - reach, points.log_dose.max() + reach, _N_NODES)
    if math.isfinite(best.gr50) and nodes[0] < math.log(best.gr50) < nodes[-1]:
        nodes = np.sort(np.append(nodes, math.log(best.gr50)))
    inside = _profile(points, nodes) <= limit
    if not inside.any():
        return _narrow(points, nodes, limit)
    first, last = int(inside.argmax()), int(nodes.size - 1 - inside[::-1].argmax())
    low = 0.0 if first == 0 else math.exp(_edge(points, nodes[first - 1], nodes[first], limit))
    may_stay_above = last == nodes.size - 1 or best.rss_above <= limit
    high = math.inf if may_stay_above else math.exp(_edge(points, nodes[last + 1], nodes[last], limit))
    return low, high


def _narrow(points: _Points, nodes: Array, limit: float) -> tuple[float, float]:
    """An interval that lies between two nodes, or none."""
    profile = _profile(points, nodes)
    for _ in range(_DEPTH):
        best = int(profile.argmin())
        nodes = np.linspace(nodes[max(best - 1, 0)], nodes[min(best + 1, nodes.size - 1)], _N_NODES)
        profile = _profile(points, nodes)
        inside = np.flatnonzero(profile <= limit)
        if inside.size:
            return math.exp(nodes[inside[0]]), math.exp(nodes[inside[-1]])
    return math.inf, math.inf


def _edge(points: _Points, outside: float, inside: float, limit: float) -> float:
    """Where the profile crosses the limit between a node that is rejected and one that is not."""
    nodes = np.linspace(outside, inside, _N_BETWEEN)
    profile = _profile(points, nodes)
    is_in = profile <= limit
    is_in[-1] = True
    place = max(int(is_in.argmax()), 1)
    beyond, within = profile[place - 1] - limit, min(profile[place] - limit, 0.0)
    share = beyond / (beyond - within) if beyond > 0 else 0.0
    return float(nodes[place - 1] + share * (nodes[place] - nodes[place - 1]))


def _profile(points: _Points, log_gr50: Array) -> Array:
    """Lowest residual sum of squares of a falling sigmoid that crosses one half at each of these doses."""
    starts = list(_STARTS)
    if math.isfinite(points.best.gr50):
        starts.append((points.best.hill, 0.5 - points.best.lower))
    rss = _descend(points, np.tile(log_gr50, len(starts)), np.log(starts).T.repeat(log_gr50.size, axis=1))
    lowest: Array = rss.reshape(len(starts), -1).min(axis=0) + points.at_zero
    return lowest


def _descend(points: _Points, log_gr50: Array, at: Array) -> Array:
    """Levenberg-Marquardt on (log Hill, log(0.5 - GR∞)), shape (2, G), for all values of GR50 at once.

    With w = 0.5 - GR∞ and r = (x / GR50)^h · 0.5 / w the curve is 0.5 - w + (0.5 + w) / (1 + r).
    """
    u = points.log_dose - log_gr50
    lowest = np.array([[math.log(HILL_RANGE[0])], [_SPAN[0]]])
    highest = np.array([[math.log(HILL_RANGE[1])], [_SPAN[1]]])
    damping = np.full(log_gr50.size, 1e-2)
    rss, gradient, curvature = _derivatives(points, u, at)
    for _ in range(_N_STEPS):
        h11, h12, h22 = curvature
        d11, d22 = h11 * (1 + damping) + 1e-300, h22 * (1 + damping) + 1e-300
        determinant = np.maximum(d11 * d22 - h12**2, 1e-12 * d11 * d22) + 1e-300
        step = np.stack([h12 * gradient[1] - d22 * gradient[0], h12 * gradient[0] - d11 * gradient[1]]) / determinant
        target = np.clip(at + np.clip(step, -1.0, 1.0), lowest, highest)
        there = _derivatives(points, u, target)
        is_better = there[0] < rss
        fall = np.where(is_better, rss - there[0], 0.0)
        at, rss = np.where(is_better, target, at), np.where(is_better, there[0], rss)
        gradient = np.where(is_better, there[1], gradient)
        curvature = np.where(is_better, there[2], curvature)
        if np.all((fall <= 1e-7 * rss) & (is_better | (damping > 1e3))):
            return rss
        damping = np.where(is_better, damping * 0.2, np.minimum(damping * 8.0, 1e12))
    return rss


def _derivatives(points: _Points, u: Array, at: Array) -> tuple[Array, Array, Array]:
    """Residual sum of squares (G,), half its gradient (2, G) and Gauss-Newton curvature (3, G)."""
    hill, w = np.exp(at)
    r = np.exp(np.clip(hill * u + math.log(0.5) - at[1], -300.0, 300.0))
    share = 1.0 / (1.0 + r)
    residual = points.gr - (0.5 - w + (0.5 + w) * share)
    bend = r * share**2 * (0.5 + w)
    by_hill = -bend * hill * u
    by_span = -w * r * share + bend
    gradient = -np.stack([(residual * by_hill).sum(axis=0), (residual * by_span).sum(axis=0)])
    curvature = np.stack([(a * b).sum(axis=0) for a, b in ((by_hill,) * 2, (by_hill, by_span), (by_span,) * 2)])
    return (residual**2).sum(axis=0), gradient, curvature
