"""Whether predictions come as true as they say: coverage of their intervals, log score, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.errors import AnalysisError

Verdict = Literal["calibrated", "overconfident", "underconfident", "too few to tell"]

_SURE = 0.01
"""A verdict against a model is given when a calibrated one would look so bad less often than this."""
_FEW = 10
_HALF = 0.6744897501960817
"""Standard deviations on either side that hold half of a normal distribution."""
_MOST = 1.959963984540054
"""And those that hold 95 %."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a model's predictions compare with what was measured then."""

    n: int
    """Measurements that were predicted before they were made."""
    coverage_50: float
    """Share of them inside the central 50 % intervals."""
    coverage_95: float
    log_score: float
    """Mean log density of the measurements; larger is better."""
    rms_z: float
    """Root mean square of error / predicted standard deviation; 1 when calibrated."""
    verdict: Verdict

    @property
    def is_overconfident(self) -> bool:
        """Whether intervals hold less than they say, beyond chance."""
        return self.verdict == "overconfident"


def calibration(measured: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> Calibration:
    """Compares normal predictions, the noise of a measurement included in `sd`, with what came.

    Overconfident: by the binomial distribution, fewer measurements inside the 50 % or the 95 % intervals than chance
    allows a calibrated model; underconfident: more.

    Raises:
        AnalysisError: the arguments differ in length, or a standard deviation is not above 0.

    Source: Gneiting, Balabdaoui & Raftery 2007, doi:10.1111/j.1467-9868.2007.00587.x, sections 3.1 and 4.1.
    """
    y, m, s = (np.asarray(each, dtype=float) for each in (measured, mean, sd))
    if not len(y) == len(m) == len(s):
        raise AnalysisError(f"calibration: {len(y)} values, {len(m)} means, {len(s)} deviations; give one of each.")
    if not np.all(s > 0):
        raise AnalysisError("calibration: a standard deviation is not above 0; add the noise of a measurement.")
    if not len(y):
        return Calibration(0, np.nan, np.nan, np.nan, np.nan, "too few to tell")
    z = (y - m) / s
    inside_50, inside_95 = int((np.abs(z) <= _HALF).sum()), int((np.abs(z) <= _MOST).sum())
    density = -0.5 * z**2 - np.log(s) - 0.5 * np.log(2 * np.pi)
    return Calibration(
        n=len(y),
        coverage_50=inside_50 / len(y),
        coverage_95=inside_95 / len(y),
        log_score=float(density.mean()),
        rms_z=float(np.sqrt(np.mean(z**2))),
        verdict=_verdict(len(y), inside_50, inside_95),
    )


def _verdict(n: int, inside_50: int, inside_95: int) -> Verdict:
    from scipy.stats import binom

    if n < _FEW:
        return "too few to tell"
    # Two intervals are looked at, so each may err half as often.
    too_few = min(binom.cdf(inside_50, n, 0.5), binom.cdf(inside_95, n, 0.95))
    too_many = min(binom.sf(inside_50 - 1, n, 0.5), binom.sf(inside_95 - 1, n, 0.95))
    if too_few < _SURE / 2:
        return "overconfident"
    return "underconfident" if too_many < _SURE / 2 else "calibrated"
