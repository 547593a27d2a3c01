"""Plateaus held within bounds: the same optimum as a general optimiser finds, and what that does to intervals."""

import math

import numpy as np
import pandas as pd
import pytest

from cellos_nb.analysis import fit_dose_response, fit_dose_responses
from cellos_nb.errors import AnalysisError

DOSES = np.geomspace(1e-3, 10.0, 9)


def _curve(seed, ec50=0.2, hill=1.3, lower=0.1, sd=0.05):
    noise = sd * np.random.default_rng(seed).standard_normal(DOSES.size)
    return lower + (1 - lower) / (1 + (DOSES / ec50) ** hill) + noise


def _general_optimum(response, lower, upper):
    """The lowest residual sum of squares over many starts of scipy's bounded solver."""
    from scipy.optimize import least_squares

    def residual(p):
        return p[0] + (p[1] - p[0]) / (1 + np.exp(np.clip(p[2] * (np.log(DOSES) - p[3]), -300, 300))) - response

    wide = 1e-9
    low = [lower[0] - wide, upper[0] - wide, -60.0, np.log(1e-6)]
    high = [lower[1] + wide, upper[1] + wide, 60.0, np.log(1e4)]
    starts = [(h, np.log(e)) for h in (-1.5, 1.0, 3.0) for e in (0.01, 0.1, 1.0, 10.0)]
    fits = [
        least_squares(residual, [np.clip(0.2, *lower), np.clip(1.0, *upper), *start], bounds=(low, high))
        for start in starts
    ]
    return min(2 * fit.cost for fit in fits)


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        pytest.param((0.2, 0.4), (0.8, 0.95), id="both-inside"),
        pytest.param((0.0, 0.05), (0.9, 1.2), id="lower"),
        pytest.param((0.0, 0.5), (1.0, 1.0), id="upper-fixed"),
        pytest.param((0.0, 0.0), (1.0, 1.0), id="both-fixed"),
        pytest.param(None, (1.0, 1.0), id="upper-fixed-lower-free"),
        pytest.param((0.1, 0.1), None, id="lower-fixed-upper-free"),
        pytest.param(None, (0.8, 0.95), id="upper-bounded-lower-free"),
    ],
)
@pytest.mark.parametrize("ec50", [0.2, 8.0], ids=["complete", "incomplete"])
def test_the_bounded_fit_is_the_best_within_the_bounds(lower, upper, ec50):
    for seed in range(4):
        response = _curve(seed, ec50=ec50)
        fit = fit_dose_response(DOSES, response, lower=lower, upper=upper)
        # A plateau left free lies below, or above, the other one all the same.
        low = (-1e25, upper[1]) if lower is None else lower
        high = (lower[0], 1e25) if upper is None else upper
        assert low[0] - 1e-9 <= fit.lower <= low[1] + 1e-9
        assert high[0] - 1e-9 <= fit.upper <= high[1] + 1e-9
        assert fit.rss == pytest.approx(((response - fit.predict(DOSES)) ** 2).sum(), rel=1e-6)
        assert fit.rss <= _general_optimum(response, low, high) * (1 + 1e-4)


def test_bounds_that_the_free_fit_keeps_change_nothing():
    response = _curve(3)
    free = fit_dose_response(DOSES, response)
    bounded = fit_dose_response(DOSES, response, lower=(-1, 0.6), upper=(0.7, 2))
    assert bounded.ec50 == pytest.approx(free.ec50, rel=1e-5)
    assert bounded.ec50_se == pytest.approx(free.ec50_se, rel=1e-3)


def test_a_known_lower_plateau_bounds_an_incomplete_curve_that_was_open():
    response = 1 / (1 + DOSES / 6.0) + 0.02 * np.random.default_rng(6).standard_normal(DOSES.size)
    free = fit_dose_response(DOSES, response)
    held = fit_dose_response(DOSES, response, lower=(0.0, 0.0))
    assert math.isinf(free.ec50_interval[1])
    assert held.ec50_interval[0] < 6.0 < held.ec50_interval[1] < 12.0
    assert math.isnan(held.lower_se)
    assert held.upper_se > 0


def test_a_rising_curve_keeps_its_direction_within_bounds():
    response = 2.0 - _curve(4)
    fit = fit_dose_response(DOSES, response, lower=(1.0, 1.0), upper=(1.5, 1.95))
    assert fit.hill < 0
    assert fit.lower == pytest.approx(1.0)


def test_the_interval_of_a_bounded_fit_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(21)
    n = 1200
    ec50 = np.exp(rng.uniform(np.log(0.02), np.log(20.0), n))
    mean = 1 / (1 + (DOSES / ec50[:, None]) ** 1.2)
    points = pd.DataFrame(
        {
            "curve": np.repeat(np.arange(n), 18),
            "dose_um": np.tile(np.tile(DOSES, 2), n),
            "value": (np.tile(mean, 2) + 0.05 * rng.standard_normal((n, 18))).ravel(),
        }
    )
    fits = fit_dose_responses(points, "curve", lower=(0.0, 0.0), upper=(1.0, 1.0))
    covered = ((fits.ec50_low <= ec50) & (ec50 <= fits.ec50_high)).mean()
    assert 0.92 <= covered <= 0.97


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        pytest.param({"lower": (1.0, 0.0)}, "lower: 1 to 0 is no range; give the lowest", id="reversed"),
        pytest.param({"upper": (math.nan, 1.0)}, "upper: nan to 1 is no range", id="nan"),
        pytest.param({"lower": (0.5, 0.6), "upper": (0.1, 1.0)}, "0.5 to 0.6, exceed the upper", id="crossed"),
    ],
)
def test_bounds_that_contradict_one_another_are_refused(bounds, message):
    with pytest.raises(AnalysisError, match=message):
        fit_dose_response(DOSES, _curve(1), **bounds)
