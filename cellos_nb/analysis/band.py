"""How far a fitted dose-response curve may lie from the true one, dose by dose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.analysis.curves import Array
from cellos_nb.errors import AnalysisError

if TYPE_CHECKING:
    from cellos_nb.analysis.fit import DoseResponseFit

_WORST_CONDITION = 1e12
"""Of the normal matrix; beyond it the points do not determine all four parameters."""


def confidence_band(fit: DoseResponseFit, dose: ArrayLike, at: ArrayLike) -> tuple[Array, Array] | None:
    """The pointwise 95 % confidence band of a fitted curve, by the delta method with Student's t.

    It says how well the points determine the curve, not where the next point will lie.

    Args:
        fit: the fit of these points.
        dose: the doses that were fitted, one for each point, 1-D; as many as the fit used.
        at: doses above zero at which to give the band, shape (n,).

    Returns:
        Lower and upper end, each of shape (n,); None where the points do not determine the curve, as on a flat one.

    Raises:
        AnalysisError: the doses are not as many as the fit used.

    Source: Ritz et al. 2015, doi:10.1371/journal.pone.0146021 (delta method); Seber & Wild 1989, section 5.1.
    """
    from scipy.special import stdtrit

    points = np.asarray(dose, dtype=np.float64)
    if points.size != fit.n:
        raise AnalysisError(f"dose: {points.size} doses, but the fit used {fit.n} points; give those that were fitted.")
    if fit.degrees_of_freedom < 1 or not math.isfinite(fit.hill) or fit.hill == 0:
        return None
    slopes = _gradient(fit, points)
    scale = np.sqrt((slopes**2).sum(axis=0))
    if not np.all(scale > 0):
        return None
    slopes = slopes / scale
    normal = slopes.T @ slopes
    if not np.all(np.isfinite(normal)) or np.linalg.cond(normal) > _WORST_CONDITION:
        return None
    doses = np.asarray(at, dtype=np.float64)
    here = _gradient(fit, doses) / scale
    variance = fit.rss / fit.degrees_of_freedom * np.einsum("ij,jk,ik->i", here, np.linalg.inv(normal), here)
    half = float(stdtrit(fit.degrees_of_freedom, 0.975)) * np.sqrt(np.maximum(variance, 0.0))
    middle = fit.predict(doses)
    return middle - half, middle + half


def _gradient(fit: DoseResponseFit, dose: Array) -> Array:
    """Shape (n, 4): the curve's derivatives by lower and upper plateau, ln EC50 and Hill slope."""
    positive = dose > 0
    log_ratio = np.log(np.where(positive, dose, 1.0) / fit.ec50)
    # At dose zero the response is that plateau alone which the Hill slope's sign says.
    exponent = np.where(positive, fit.hill * log_ratio, -math.copysign(np.inf, fit.hill))
    share = 1.0 / (1.0 + np.exp(np.clip(exponent, -500.0, 500.0)))
    slope = (fit.upper - fit.lower) * share * (1.0 - share)
    by_hill = np.where(positive, -slope * log_ratio, 0.0)
    return np.column_stack([1.0 - share, share, slope * fit.hill, by_hill])
