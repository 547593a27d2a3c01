"""What dose-response curves look like before any is measured: a library of logistic curves with a prior over it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_NEVER = 1e3
"""Decades above the dose range at which a curve without a second, falling arm has it."""


@dataclass(frozen=True, slots=True)
class CurvePrior:
    """Beliefs about the compounds of a campaign; doses in log10 µM, responses in the assay's own unit.

    The defaults are round numbers for drugs on cells in general, not fits. One choice has seen data: the spread between
    cell lines is the best of three settings compared on a sarcoma screen and on synthetic curves.
    """

    baseline: float = 1.0
    """Response without compound."""
    amplitude: float = -1.0
    """Largest change of the response a compound can cause; negative when responses fall with dose."""
    inactive_share: float = 1 / 3
    """Share of compounds that do nothing to any cell line."""
    line_inactive_share: float = 0.2
    """Share of cell lines that an active compound spares."""
    ec50_log10_um: tuple[float, float] = (0.0, 1.2)
    """Mean and standard deviation of log10 EC50, for half of the compounds; the other half lies evenly over the range
    of doses and one decade beyond it, whatever that range is."""
    ec50_line_sd: float = 0.6
    """Standard deviation of log10 EC50 among the cell lines of one compound."""
    slope: tuple[float, float] = (1.2, 0.45)
    """Median Hill slope and the standard deviation of its natural logarithm."""
    slope_line_sd: float = 0.25
    efficacy: tuple[float, float] = (0.8, 1.3)
    """Mean and standard deviation of the logit of the plateau, as a share of `amplitude`."""
    efficacy_line_sd: float = 1.0
    has_window: bool = False
    """Whether responses return to the baseline above a second, higher dose, as induction under toxicity does."""
    residual_sd: float = 0.05
    """Standard deviation of smooth departures from a logistic curve, as a share of `amplitude`."""
    residual_length: float = 0.8
    """Length scale of those departures in decades of dose."""


@dataclass(frozen=True, slots=True)
class CurveLibrary:
    """Curves of single cell lines, and how probable each is under every kind of compound."""

    parameters: Array
    """Shape (n_curves, 5): log10 EC50 in µM, slope, signed plateau, log10 dose of the falling arm, its slope."""
    conditional: Array
    """Shape (n_kinds, n_curves), rows sum to 1: probability of a line's curve, given the kind of compound."""
    is_active: NDArray[np.bool_]
    """Shape (n_kinds,); the share of active compounds is learnt from all compounds together."""
    inactive_share: float
    baseline: float
    minus: CurveLibrary | None = None
    """For differences between two cell lines: the second line's curves, one for one."""

    def responses(self, log10_doses: Array) -> Array:
        """Shape (n_curves, n_doses): the response of every curve at every dose (log10 µM)."""
        ec50, slope, plateau, fall, fall_slope = (column[:, None] for column in self.parameters.T)
        x = log10_doses[None, :]
        share = _logistic(slope * (x - ec50))
        if np.any(fall < _NEVER):
            share *= _logistic(fall_slope * (fall - x))
        result: Array = self.baseline + plateau * share
        return result if self.minus is None else result - self.minus.responses(log10_doses)


@lru_cache(maxsize=16)
def draw_library(
    prior: CurvePrior, log10_range: tuple[float, float], n_kinds: int = 256, n_curves: int = 1400
) -> CurveLibrary:
    """The prior as a finite set: kinds of compounds, and curves that all kinds share.

    Quasi-random, so equal arguments give an equal library. Kind 0 and curve 0 are inactive.
    """
    sd = np.array([prior.ec50_line_sd, prior.slope_line_sd, prior.efficacy_line_sd, 0.3, 0.25])
    kinds = _draw_kinds(prior, log10_range, _lattice(n_kinds, 6, 0.5))
    noise = _lattice(n_curves, 11, 0.31)
    around = _draw_kinds(prior, log10_range, noise[:, :6])
    curves = around + sd * _normal(noise[:, 6:])
    if not prior.has_window:
        kinds, curves, sd = kinds[:, :3], curves[:, :3], sd[:3]
    # The curves came from the mixture of all kinds, so its density is their importance weight.
    density = np.exp(-0.5 * (((curves[None] - kinds[:, None]) / sd) ** 2).sum(-1)) + 1e-300
    density /= density.mean(axis=0)
    density /= density.sum(axis=1, keepdims=True)
    conditional = np.zeros((n_kinds + 1, n_curves + 1))
    conditional[1:, 1:] = (1 - prior.line_inactive_share) * density
    conditional[1:, 0] = prior.line_inactive_share
    conditional[0, 0], conditional[0, 1:] = 0.97, 0.03 / n_curves
    parameters = np.zeros((n_curves + 1, 5))
    parameters[0] = (0.0, 1.0, 0.0, _NEVER, 1.0)
    parameters[1:, 0] = curves[:, 0]
    parameters[1:, 1] = np.exp(curves[:, 1])
    parameters[1:, 2] = prior.amplitude * _logistic(curves[:, 2], base_10=False)
    parameters[1:, 3] = curves[:, 0] + np.exp(curves[:, 3]) if prior.has_window else _NEVER
    parameters[1:, 4] = np.exp(curves[:, 4]) if prior.has_window else 1.0
    is_active = np.arange(n_kinds + 1) > 0
    return CurveLibrary(parameters, conditional, is_active, prior.inactive_share, prior.baseline)


@lru_cache(maxsize=16)
def draw_difference_library(prior: CurvePrior, log10_range: tuple[float, float], n_curves: int = 3000) -> CurveLibrary:
    """The prior of one cell line's response minus another's to the same compound; neither is seen alone."""
    rng = np.random.default_rng(n_curves)
    single = draw_library(prior, log10_range)
    kinds = rng.integers(1, single.conditional.shape[0], n_curves)
    stacked, width = stack_rows(single.conditional), single.conditional.shape[1]
    first, second = (draw_columns(stacked, width, kinds, rng.random(n_curves)) for _ in range(2))
    first[0] = second[0] = 0
    conditional = np.full((2, n_curves), 1 / n_curves)
    conditional[0] = 0.03 / n_curves
    conditional[0, 0] += 0.97
    a, b = (
        CurveLibrary(single.parameters[which], conditional, single.is_active, prior.inactive_share, prior.baseline)
        for which in (first, second)
    )
    return CurveLibrary(a.parameters, conditional, np.array([False, True]), prior.inactive_share, prior.baseline, b)


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


def _draw_kinds(prior: CurvePrior, log10_range: tuple[float, float], uniform: Array) -> Array:
    """Shape (n, 5) of log10 EC50, ln slope, logit efficacy, ln width of the window, ln slope of its far side."""
    low, high = log10_range
    z = _normal(uniform)
    mean, sd = prior.ec50_log10_um
    even = low - 0.5 + (high - low + 1.5) * uniform[:, 0]
    ec50 = np.where(uniform[:, 5] < 0.5, mean + sd * z[:, 0], even)
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


def _logistic(z: Array, *, base_10: bool = True) -> Array:
    exponent = -z * np.log(10.0) if base_10 else -z
    result: Array = 1.0 / (1.0 + np.exp(np.clip(exponent, -500.0, 500.0)))
    return result
