"""Areas under dose-response curves, over the doses given or a stated range of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.analysis.curves import Array
from cellos_nb.errors import AnalysisError


def area_under_curve(dose: ArrayLike, response: ArrayLike, dose_range: tuple[float, float] | None = None) -> float:
    """Mean response over the range of log dose (trapezoids); 1.0 for an inert compound when 1.0 is untreated.

    Replicates are averaged first; doses of 0 and missing responses are left out.

    Args:
        dose: doses in any unit.
        response: one for each dose.
        dose_range: lowest and highest dose of the area, within the doses measured, so that areas of curves with
            different doses compare; None: all doses.

    Raises:
        AnalysisError: the lengths differ, fewer than 2 distinct doses above 0 have a response, or the range is not
            within them.

    Source: Fallahi-Sichani et al. 2013, doi:10.1038/nchembio.1337 (as 1 - activity area).
    """
    doses, responses = np.asarray(dose, dtype=np.float64), np.asarray(response, dtype=np.float64)
    if doses.shape != responses.shape or doses.ndim != 1:
        raise AnalysisError(f"dose and response: {doses.size} doses, {responses.size} responses; give one for each.")
    used = np.isfinite(doses) & (doses > 0) & ~np.isnan(responses)
    distinct, inverse = np.unique(doses[used], return_inverse=True)
    if distinct.size < 2:
        raise AnalysisError(f"dose: {distinct.size} distinct doses above 0 span no area; give at least 2.")
    means: Array = np.bincount(inverse, weights=responses[used]) / np.bincount(inverse)
    log_dose = np.log10(distinct)
    if dose_range is not None:
        low, high = _log_range(dose_range)
        slack = 1e-9
        if low < log_dose[0] - slack or high > log_dose[-1] + slack:
            raise AnalysisError(
                f"dose_range: {dose_range[0]:g} to {dose_range[1]:g} goes beyond the doses measured, "
                f"{distinct[0]:g} to {distinct[-1]:g}; give a range within them, or take `fitted_area`."
            )
        inside = (log_dose > low) & (log_dose < high)
        at = np.r_[low, log_dose[inside], high]
        log_dose, means = at, np.asarray(np.interp(at, log_dose, means))
    return float(np.trapezoid(means, log_dose) / (log_dose[-1] - log_dose[0]))


def fitted_area(
    ec50: ArrayLike, hill: ArrayLike, lower: ArrayLike, upper: ArrayLike, dose_range: tuple[float, float]
) -> Array:
    """Mean of fitted sigmoids over a range of log dose: one number for each curve, in the broadcast shape.

    Columns of `fit_dose_responses` do as arguments. The range may go beyond the doses measured: that is trust in the
    fit.

    Raises:
        AnalysisError: the range has no length, or an EC50 is not above 0.
    """
    low, high = _log_range(dose_range)
    half, slope, bottom, top = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (ec50, hill, lower, upper))
    )
    if np.any(half <= 0):
        raise AnalysisError(f"ec50: {np.nanmin(half):g} is no dose; give numbers above 0.")
    # The mean of a logistic over log dose is a difference of softplus functions.
    rate = slope * np.log(10.0)
    steep = np.where(np.abs(rate) < 1e-9, 1e-9, rate)
    centre = np.log10(half)
    share = 1.0 - (np.logaddexp(0.0, steep * (high - centre)) - np.logaddexp(0.0, steep * (low - centre))) / (
        steep * (high - low)
    )
    return np.asarray(bottom + (top - bottom) * share)


def _log_range(dose_range: tuple[float, float]) -> tuple[float, float]:
    low, high = dose_range
    if not (0 < low < high < np.inf):
        raise AnalysisError(
            f"dose_range: {low:g} to {high:g} is no range; give a lower dose above 0, then a higher one."
        )
    return float(np.log10(low)), float(np.log10(high))
