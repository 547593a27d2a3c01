"""What dose-response curves look like before any is measured: a library of logistic curves with a prior over it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEVER = 1e3
"""Decades above the dose range at which a curve without a second, falling arm has it."""

_LEAST_SINGLE = 1e-18
"""Of two numbers whose product is to be a normal one in single precision."""


@dataclass(frozen=True, slots=True)
class CompoundClass:
    """Compounds of one sort, as a screen shows them: where their curves lie, and how far cell lines differ.

    Three numbers describe a curve: log10 EC50 in µM, natural logarithm of the Hill slope, logit of the plateau as a
    share of the prior's amplitude.
    """

    share: float
    """Of all compounds."""
    centre: tuple[float, float, float]
    """Mean over compounds."""
    sd: tuple[float, float, float]
    """Standard deviation between compounds."""
    line_sd: tuple[float, float, float]
    """Standard deviation between the cell lines of one compound."""
    line_inactive_share: float
    """Share of cell lines that such a compound spares."""


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
    classes: tuple[CompoundClass, ...] = ()
    """Sorts of active compounds learnt from measured curves; the fields above describe those of no learnt class."""
    learnt_share: float = 0.0
    """Share of the active compounds that is expected in the learnt classes, before the data decide."""
    line_shift: float = 0.0
    """For differences between two cell lines: decades by which compounds' EC50s lie higher on the first."""

    def without_classes(self) -> CurvePrior:
        """The same question without what a screen taught: the vague prior."""
        return replace(self, inactive_share=CurvePrior().inactive_share, learnt_share=0.0, classes=())


@dataclass(frozen=True, slots=True)
class CurveLibrary:
    """Curves of single cell lines, and how probable each is under every kind of compound."""

    parameters: Array
    """Shape (n_curves, 5): log10 EC50 in µM, slope, signed plateau, log10 dose of the falling arm, its slope."""
    conditional: Array
    """Shape (n_kinds, n_curves), rows sum to 1: probability of a line's curve, given the kind of compound."""
    kind_class: NDArray[np.int64]
    """Shape (n_kinds,): the class of each kind; 0 is inactive, 1 that of no learnt class, then the learnt ones."""
    class_shares: Array
    """Shape (n_classes,), sums to 1: of compounds, before the data; learnt from all compounds together."""
    baseline: float
    minus: CurveLibrary | None = None
    """For differences between two cell lines: the second line's curves, one for one."""
    conditional_32: NDArray[np.float32] = field(init=False, repr=False)
    """`conditional` in single precision, for sums over many curves."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditional_32", single_precision(self.conditional))

    @property
    def is_active(self) -> NDArray[np.bool_]:
        """Shape (n_kinds,)."""
        return np.asarray(self.kind_class > 0)

    def responses(self, log10_doses: Array) -> Array:
        """Shape (n_curves, n_doses): the response of every curve at every dose (log10 µM)."""
        result: Array = self.baseline + self.parameters[:, 2:3] * share_of_plateau(self.parameters, log10_doses)
        return result if self.minus is None else result - self.minus.responses(log10_doses)


def single_precision(weights: Array) -> NDArray[np.float32]:
    """Weights of 1 at most, where the tiniest count for nothing: numbers near underflow are slow to multiply."""
    return np.where(weights < _LEAST_SINGLE, 0.0, weights).astype(np.float32)


def share_of_plateau(parameters: Array, log10_doses: Array) -> Array:
    """How far each curve is on its way from the baseline to its plateau, 0 to 1; shape (n_curves, n_doses).

    Args:
        parameters: rows as in `CurveLibrary.parameters`.
        log10_doses: shape (n_doses,), µM.
    """
    ec50, slope, _, fall, fall_slope = (column[:, None] for column in parameters.T)
    x = log10_doses[None, :]
    share = logistic(slope * (x - ec50))
    if np.any(fall < NEVER):
        share *= logistic(fall_slope * (fall - x))
    return share


def logistic(z: Array, *, base_10: bool = True) -> Array:
    """The logistic function of base 10 or e, without overflow."""
    exponent = -z * np.log(10.0) if base_10 else -z
    result: Array = 1.0 / (1.0 + np.exp(np.clip(exponent, -500.0, 500.0)))
    return result
