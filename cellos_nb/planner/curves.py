"""What dose-response curves look like before any is measured: a library of logistic curves with a prior over it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEVER = 1e3
"""Decades above the dose range at which a curve without a second, falling arm has it."""

LOG_DENSITY_UNIT = 1 / 256
"""Of natural logarithms of probabilities as whole numbers: two bytes hold the sum of two."""

_LEAST_SINGLE = 1e-18
"""Of two numbers whose product is to be a normal one in single precision."""
_REMEMBERED = 4
"""Sets of doses whose responses a library keeps."""
_QUANTILES = 2**19
"""Curves held in all for drawing one at a time; between 2,048 and 16,384 of every kind."""


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
    """Mean and standard deviation of log10 EC50, for half of the compounds; the other half lies between half a decade
    below the doses and one decade above them, wherever they are, with a density that grows as the square of the
    distance from that lower end: doses are chosen so that few compounds act at the lowest."""
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


@dataclass(frozen=True, eq=False)
class KindTable:
    """How probable every curve of a library is under every kind of compound; libraries of other scales share it."""

    conditional: Array
    """Shape (n_kinds, n_curves), rows sum to 1: probability of a line's curve, given the kind of compound."""
    kind_class: NDArray[np.int64]
    """Shape (n_kinds,): the class of each kind; 0 is inactive, 1 that of no learnt class, then the learnt ones."""
    class_shares: Array
    """Shape (n_classes,), sums to 1: of compounds, before the data; learnt from all compounds together."""

    @cached_property
    def conditional_32(self) -> NDArray[np.float32]:
        """`conditional` in single precision, for sums over many curves."""
        return single_precision(self.conditional)

    @cached_property
    def log_density(self) -> NDArray[np.int16]:
        """Logarithm of `conditional` in `LOG_DENSITY_UNIT`; the least that counts is `_LEAST_SINGLE`."""
        logs = np.log(np.maximum(self.conditional, _LEAST_SINGLE)) / LOG_DENSITY_UNIT
        return np.asarray(np.round(logs), dtype=np.int16)

    @cached_property
    def quantiles(self) -> NDArray[np.int16]:
        """Shape (n_kinds, n): curves at n even quantiles of every kind's distribution; a look-up draws one."""
        n = int(np.clip(_QUANTILES // len(self.conditional), 2048, 16384))
        return spread_evenly(self.conditional, n, 0.5).astype(np.int16)


@dataclass(frozen=True, slots=True)
class CurveLibrary:
    """Curves of single cell lines, and how probable each is under every kind of compound."""

    parameters: Array
    """Shape (n_curves, 5): log10 EC50 in µM, slope, signed plateau, log10 dose of the falling arm, its slope."""
    kinds: KindTable
    baseline: float
    minus: CurveLibrary | None = None
    """For differences between two cell lines: the second line's curves, one for one."""
    _known: dict[bytes, Array] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Responses by doses; a campaign asks for the same ones again and again."""

    @property
    def conditional(self) -> Array:
        """As `KindTable.conditional`."""
        return self.kinds.conditional

    @property
    def kind_class(self) -> NDArray[np.int64]:
        """As `KindTable.kind_class`."""
        return self.kinds.kind_class

    @property
    def class_shares(self) -> Array:
        """As `KindTable.class_shares`."""
        return self.kinds.class_shares

    @property
    def is_active(self) -> NDArray[np.bool_]:
        """Shape (n_kinds,)."""
        return np.asarray(self.kind_class > 0)

    def responses(self, log10_doses: Array) -> Array:
        """Shape (n_curves, n_doses): the response of every curve at every dose (log10 µM); not to be written to."""
        key = log10_doses.tobytes()
        if key not in self._known:
            result = self.baseline + self.parameters[:, 2:3] * share_of_plateau(self.parameters, log10_doses)
            if self.minus is not None:
                result -= self.minus.responses(log10_doses)
            result.flags.writeable = False
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = result
        return self._known[key]


def spread_evenly(weights: Array, n: int, start: Array | float) -> NDArray[np.int64]:
    """Shape (n_rows, n): places, ascending, at n evenly spaced quantiles of each row of weights.

    Args:
        weights: shape (n_rows, n_places), none negative, no row zero.
        n: places wanted of every row.
        start: where in the first of n equal steps the first quantile lies, 0 to below 1; one, or shape (n_rows, 1).
    """
    cumulative = np.cumsum(weights, axis=1, dtype=float)
    cumulative *= n / cumulative[:, -1:]
    cumulative[:, -1] = n
    until = np.ceil(np.minimum(cumulative, n) - start).astype(np.int64)
    until[:, 1:] -= until[:, :-1].copy()
    places = np.tile(np.arange(weights.shape[1]), len(weights))
    return np.repeat(places, until.ravel()).reshape(len(weights), n)


def single_precision(weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weights of 1 at most, where the tiniest count for nothing: numbers near underflow are slow to multiply."""
    return np.where(weights < _LEAST_SINGLE, 0.0, weights).astype(np.float32, copy=False)


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
