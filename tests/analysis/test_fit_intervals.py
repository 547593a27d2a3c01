"""Intervals of the EC50: how often they hold the truth, and what they say about curves that stop too early."""

import math

import numpy as np
import pandas as pd
import pytest

from cellos_nb.analysis import fit_dose_response, fit_dose_responses

DOSES = np.geomspace(1e-3, 10.0, 11)


def _curves(n: int, ec50_range: tuple[float, float], replicates: int, sd: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ec50 = np.exp(rng.uniform(*np.log(ec50_range), n))
    hill = np.exp(rng.uniform(*np.log([0.6, 3.0]), n))
    lower = rng.uniform(0.0, 0.4, n)
    dose = np.repeat(DOSES, replicates)
    mean = lower[:, None] + (1 - lower[:, None]) / (1 + (dose / ec50[:, None]) ** hill[:, None])
    value = mean + sd * rng.standard_normal(mean.shape)
    return pd.DataFrame(
        {
            "curve": np.repeat(np.arange(n), dose.size),
            "truth": np.repeat(ec50, dose.size),
            "dose_um": np.tile(dose, n),
            "value": value.ravel(),
        }
    )


@pytest.mark.parametrize(
    ("ec50_range", "replicates", "sd"),
    [
        pytest.param((0.01, 1.0), 3, 0.05, id="complete-triplicate"),
        pytest.param((0.01, 1.0), 1, 0.05, id="complete-single"),
        pytest.param((1.0, 30.0), 3, 0.05, id="incomplete-triplicate"),
        pytest.param((0.0003, 100.0), 2, 0.08, id="anywhere-noisy"),
    ],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(ec50_range, replicates, sd):
    points = _curves(1500, ec50_range, replicates, sd, seed=11)
    fits = fit_dose_responses(points, "curve")
    truth = points.groupby("curve").truth.first()
    covered = ((fits.ec50_low <= truth) & (truth <= fits.ec50_high)).mean()
    assert 0.92 <= covered <= 0.975


def test_a_curve_that_stops_before_its_plateau_gives_a_one_sided_bound():
    response = 1 / (1 + DOSES / 30.0) + 0.01 * np.random.default_rng(5).standard_normal(DOSES.size)
    fit = fit_dose_response(DOSES, response)
    assert fit.verdict == "incomplete"
    assert 0 < fit.ec50_interval[0] < 30.0
    assert math.isinf(fit.ec50_interval[1])
    assert not fit.is_bounded


def test_a_curve_that_begins_on_its_lower_plateau_is_bounded_from_above_alone():
    response = 1 / (1 + (DOSES / 2e-4) ** 1.2) + 0.01 * np.random.default_rng(9).standard_normal(DOSES.size)
    fit = fit_dose_response(DOSES, response)
    assert fit.verdict == "incomplete"
    assert fit.ec50_interval[0] == 0.0
    assert 2e-4 < fit.ec50_interval[1] < 0.1


def test_an_untreated_control_shows_the_upper_plateau():
    rng = np.random.default_rng(7)
    response = 1 / (1 + (DOSES / 2e-3) ** 1.5) + 0.01 * rng.standard_normal(DOSES.size)
    without = fit_dose_response(DOSES, response)
    dose, with_control = np.r_[np.zeros(6), DOSES], np.r_[1 + 0.01 * rng.standard_normal(6), response]
    fit = fit_dose_response(dose, with_control)
    assert fit.ec50_interval[1] - fit.ec50_interval[0] < without.ec50_interval[1] - without.ec50_interval[0]
    assert fit.ec50_interval[0] < 2e-3 < fit.ec50_interval[1]


def test_the_ends_of_the_interval_are_where_the_best_other_fit_is_just_rejected():
    from scipy.optimize import least_squares
    from scipy.stats import f as f_distribution

    rng = np.random.default_rng(8)
    dose = np.repeat(DOSES, 2)
    response = 0.1 + 0.9 / (1 + (dose / 0.2) ** 1.3) + 0.04 * rng.standard_normal(dose.size)
    fit = fit_dose_response(dose, response)
    limit = fit.rss * (1 + f_distribution.ppf(0.95, 1, fit.n - 4) / (fit.n - 4))
    for end in fit.ec50_interval:

        def residual(p, end=end):
            return p[0] + (p[1] - p[0]) / (1 + (dose / end) ** p[2]) - response

        profile = 2 * least_squares(residual, [fit.lower, fit.upper, fit.hill], xtol=1e-12, ftol=1e-12).cost
        assert profile == pytest.approx(limit, rel=1e-3)
