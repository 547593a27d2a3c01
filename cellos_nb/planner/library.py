"""The prior over dose-response curves as a finite set: kinds of compounds, and curves that all kinds share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import NEVER, Array, CurveLibrary, CurvePrior, KindTable, logistic, share_of_plateau

_OTHERWISE = 0.03
"""Probability that an inactive compound does something to a cell line after all."""
_LEAST_KINDS = 24
"""Kinds that a class gets, however rare it is."""


@dataclass(frozen=True, slots=True)
class _Sort:
    """One class of compounds, drawn."""

    kinds: Array
    """Shape (n_kinds, 5): log10 EC50, ln slope, logit efficacy, ln width of the window, ln slope of its far side."""
    curves: Array
    """Shape (n_curves, 5): cell lines' curves of other compounds of the same class."""
    line_sd: Array
    """Shape (5,)."""
    line_inactive_share: float


def draw_library(
    prior: CurvePrior, log10_range: tuple[float, float], n_kinds: int = 256, n_curves: int = 1400
) -> CurveLibrary:
    """The prior as a finite set.

    Quasi-random, so equal arguments give an equal library. Kind 0 and curve 0 are inactive; those that follow stand in
    the order of their mean effect over the doses.
    """
    # Curves are drawn once for all scales of the response.
    unit = _unit_library(replace(prior, baseline=0.0, amplitude=1.0), log10_range, n_kinds, n_curves)
    scale = np.array([1.0, 1.0, prior.amplitude, 1.0, 1.0])
    return replace(unit, parameters=unit.parameters * scale, baseline=prior.baseline)


@lru_cache(maxsize=16)
def _unit_library(prior: CurvePrior, log10_range: tuple[float, float], n_kinds: int, n_curves: int) -> CurveLibrary:
    sorts = list(_sorts(prior, log10_range, n_kinds, n_curves))
    n_columns = 5 if prior.has_window else 3
    curves = np.concatenate([sort.curves for sort in sorts])
    curves = curves[np.argsort(_mean_effect(_parameters(curves, prior), log10_range)[1:], kind="stable")]
    sizes = [len(sort.kinds) for sort in sorts]
    density = np.concatenate([_density(curves[:, :n_columns], sort) for sort in sorts])
    # The curves came from the mixture of all kinds, so its density is their importance weight.
    density /= density.mean(axis=0)
    density /= density.sum(axis=1, keepdims=True)
    spared = np.repeat([sort.line_inactive_share for sort in sorts], sizes)[:, None]
    conditional = np.zeros((len(density) + 1, len(curves) + 1))
    conditional[1:] = np.hstack([spared, (1 - spared) * density])
    conditional[0, 0], conditional[0, 1:] = 1 - _OTHERWISE, _OTHERWISE / len(curves)
    kind_class = np.concatenate([[0], np.repeat(np.arange(1, len(sorts) + 1), sizes)]).astype(np.int64)
    parameters = _parameters(curves, prior)
    order = np.r_[0, 1 + np.argsort(conditional[1:] @ _mean_effect(parameters, log10_range), kind="stable")]
    return CurveLibrary(parameters, KindTable(conditional[order], kind_class[order], _class_shares(prior)), 0.0)


@lru_cache(maxsize=16)
def draw_difference_library(prior: CurvePrior, log10_range: tuple[float, float], n_curves: int = 3000) -> CurveLibrary:
    """The prior of one cell line's response minus another's to the same compound; neither is seen alone.

    Its kinds are the classes of compounds.
    """
    rng = np.random.default_rng(n_curves)
    single = draw_library(replace(prior, line_shift=0.0), log10_range)
    shares = single.class_shares[1:] / single.class_shares[1:].sum()
    classes = 1 + np.minimum(np.cumsum(shares).searchsorted((np.arange(n_curves) + 0.5) / n_curves), len(shares) - 1)
    stacked, width = stack_rows(single.conditional), single.conditional.shape[1]
    kinds = np.zeros(n_curves, dtype=np.int64)
    for number in range(1, len(shares) + 1):
        own = np.flatnonzero(single.kind_class == number)
        kinds[classes == number] = rng.choice(own, int((classes == number).sum()))
    first, second = (draw_columns(stacked, width, kinds, rng.random(n_curves)) for _ in range(2))
    first[0] = second[0] = 0
    conditional = np.zeros((len(shares) + 1, n_curves))
    conditional[0] = _OTHERWISE / n_curves
    conditional[0, 0] += 1 - _OTHERWISE
    for number in range(1, len(shares) + 1):
        conditional[number] = (classes == number) / max((classes == number).sum(), 1)
    kind_class = np.arange(len(shares) + 1)
    shift = np.array([prior.line_shift / 2, 0, 0, 0, 0])
    parameters = single.parameters[first] + shift, single.parameters[second] - shift
    table = KindTable(conditional, kind_class, single.class_shares)
    minus = CurveLibrary(parameters[1], table, prior.baseline)
    return CurveLibrary(parameters[0], table, prior.baseline, minus)


def stack_rows(weights: Array) -> Array:
    """Rows of weights as one ascending sequence that `draw_columns` searches; row i takes the interval [i, i + 1]."""
    cumulative = np.cumsum(weights, axis=1)
    stacked: Array = (cumulative / cumulative[:, -1:] + np.arange(len(cumulative))[:, None]).ravel()
    return stacked


def draw_columns(stacked: Array, n_columns: int, rows: NDArray[np.int64], uniform: Array) -> NDArray[np.int64]:
    """For every row number a column, drawn by that row's weights; `uniform` in [0, 1), of equal shape."""
    found = np.searchsorted(stacked, rows + uniform, side="right") - rows * n_columns
    columns: NDArray[np.int64] = np.clip(found, 0, n_columns - 1).astype(np.int64)
    return columns


def _class_shares(prior: CurvePrior) -> Array:
    """Inactive compounds first, then those of no learnt class, then the learnt classes."""
    learnt = np.array([one.share for one in prior.classes])
    known = prior.learnt_share if len(learnt) else 0.0
    active = np.concatenate([[1 - known], known * learnt / max(float(learnt.sum()), 1e-12)])
    return np.concatenate([[prior.inactive_share], (1 - prior.inactive_share) * active])


def _sorts(prior: CurvePrior, log10_range: tuple[float, float], n_kinds: int, n_curves: int) -> Iterator[_Sort]:
    """Every class of active compounds; kinds and curves in proportion to the classes' shares."""
    shares = _class_shares(prior)[1:]
    shares = np.maximum(shares / shares.sum(), _LEAST_KINDS / n_kinds)
    shares /= shares.sum()
    lattice, noise = _lattice(n_kinds, 6, 0.5), _lattice(n_curves, 11, 0.31)
    kinds_end, curves_end = (np.round(np.cumsum(shares) * n).astype(int).tolist() for n in (n_kinds, n_curves))
    for i in range(len(shares)):
        own = lattice[kinds_end[i - 1] if i else 0 : kinds_end[i]]
        lines = noise[curves_end[i - 1] if i else 0 : curves_end[i]]
        if i == 0:
            line_sd = np.array([prior.ec50_line_sd, prior.slope_line_sd, prior.efficacy_line_sd, 0.3, 0.25])
            kinds, around = (_draw_kinds(prior, log10_range, uniform) for uniform in (own, lines[:, :6]))
            spared = prior.line_inactive_share
        else:
            learnt = prior.classes[i - 1]
            centre, sd = np.r_[learnt.centre, np.log(1.2), np.log(1.5)], np.r_[learnt.sd, 0.6, 0.4]
            line_sd = np.r_[learnt.line_sd, 0.3, 0.25]
            kinds, around = (centre + sd * _normal(uniform[:, :5]) for uniform in (own, lines))
            spared = learnt.line_inactive_share
        yield _Sort(kinds, around + line_sd * _normal(lines[:, 6:]), line_sd, spared)


def _density(curves: Array, sort: _Sort) -> Array:
    """Shape (n_kinds, n_curves): of every curve about every kind, with a floor: denormal numbers are slow."""
    n = curves.shape[1]
    z = (curves[None] - sort.kinds[:, None, :n]) / sort.line_sd[:n]
    density: Array = np.exp(-0.5 * (z**2).sum(-1)) / np.prod(sort.line_sd[:n]) + 1e-30
    return density


def _parameters(curves: Array, prior: CurvePrior) -> Array:
    parameters = np.zeros((len(curves) + 1, 5))
    parameters[0] = (0.0, 1.0, 0.0, NEVER, 1.0)
    parameters[1:, 0] = curves[:, 0]
    parameters[1:, 1] = np.exp(np.clip(curves[:, 1], -3.0, 3.0))
    parameters[1:, 2] = logistic(curves[:, 2], base_10=False)
    parameters[1:, 3] = curves[:, 0] + np.exp(curves[:, 3]) if prior.has_window else NEVER
    parameters[1:, 4] = np.exp(curves[:, 4]) if prior.has_window else 1.0
    return parameters


def _mean_effect(parameters: Array, log10_range: tuple[float, float]) -> Array:
    """Shape (n_curves,): change of the response, averaged over the range of log dose."""
    effect: Array = parameters[:, 2] * share_of_plateau(parameters, np.linspace(*log10_range, 16)).mean(axis=1)
    return effect


def _draw_kinds(prior: CurvePrior, log10_range: tuple[float, float], uniform: Array) -> Array:
    """Shape (n, 5), of compounds of no learnt class."""
    low, high = log10_range
    z = _normal(uniform)
    mean, sd = prior.ec50_log10_um
    rising = low - 0.5 + (high - low + 1.5) * np.cbrt(uniform[:, 0])
    ec50 = np.where(uniform[:, 5] < 0.5, mean + sd * z[:, 0], rising)
    ln_slope = np.log(prior.slope[0]) + prior.slope[1] * z[:, 1]
    efficacy = prior.efficacy[0] + prior.efficacy[1] * z[:, 2]
    return np.column_stack([ec50, ln_slope, efficacy, np.log(1.2) + 0.6 * z[:, 3], np.log(1.5) + 0.4 * z[:, 4]])


def _lattice(n: int, n_dims: int, start: float) -> Array:
    """Shape (n, n_dims) of evenly spread points in the unit cube.

    Source: the additive recurrence of Roberts 2018, "The unreasonable effectiveness of quasirandom sequences".
    """
    root = 2.0
    for _ in range(40):
        root = (1 + root) ** (1 / (n_dims + 1))
    steps = root ** -np.arange(1.0, n_dims + 1)
    return (start + np.outer(np.arange(1, n + 1), steps)) % 1.0


def _normal(uniform: Array) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(uniform, 1e-6, 1 - 1e-6)), dtype=float)
