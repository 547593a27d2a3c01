"""The confidence band of a fitted curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.special import stdtrit

from cellos_nb.analysis import fit_dose_response
from cellos_nb.analysis.band import confidence_band
from cellos_nb.errors import AnalysisError

DOSES = np.repeat(np.geomspace(0.001, 10, 10), 3)
AT = np.geomspace(0.001, 10, 25)


def curve(dose, lower, upper, log_ec50, hill):
    return lower + (upper - lower) / (1 + np.exp(hill * (np.log(dose) - log_ec50)))


TRUTH = (0.1, 1.0, np.log(0.2), 1.3)


def noisy(rng, truth=TRUTH, sd=0.05):
    return curve(DOSES, *truth) + rng.normal(0, sd, DOSES.size)


@pytest.mark.parametrize("hill", [1.3, -0.8], ids=["falling", "rising"])
def test_the_band_is_that_of_the_covariance_that_scipy_finds(hill):
    response = noisy(np.random.default_rng(4), (0.1, 1.0, np.log(0.2), hill))
    low, high = confidence_band(fit_dose_response(DOSES, response), DOSES, AT)
    best, covariance = curve_fit(curve, DOSES, response, p0=(0.1, 1.0, np.log(0.2), hill), xtol=1e-12, ftol=1e-12)
    step = 1e-6
    slopes = np.column_stack(
        [(curve(AT, *(best + step * unit)) - curve(AT, *(best - step * unit))) / (2 * step) for unit in np.eye(4)]
    )
    half = stdtrit(DOSES.size - 4, 0.975) * np.sqrt(np.einsum("ij,jk,ik->i", slopes, covariance, slopes))
    np.testing.assert_allclose((high - low) / 2, half, rtol=2e-3)
    np.testing.assert_allclose((high + low) / 2, curve(AT, *best), rtol=1e-3)


def test_the_band_holds_the_true_curve_about_95_times_in_100():
    rng = np.random.default_rng(11)
    truth = curve(AT, 0.1, 1.0, np.log(0.2), 1.3)
    inside = []
    for _ in range(150):
        low, high = confidence_band(fit_dose_response(DOSES, response := noisy(rng)), DOSES, AT)
        inside.append(np.mean((low <= truth) & (truth <= high)))
        assert response.size == DOSES.size
    assert 0.92 <= np.mean(inside) <= 0.98


def test_points_that_do_not_determine_a_curve_have_no_band():
    assert confidence_band(fit_dose_response(DOSES, np.ones(DOSES.size)), DOSES, AT) is None


def test_doses_that_were_not_fitted_are_refused():
    with pytest.raises(AnalysisError, match="30 points"):
        confidence_band(fit_dose_response(DOSES, noisy(np.random.default_rng(1))), DOSES[:-1], AT)
