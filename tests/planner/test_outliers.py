"""A single measurement that is far off does not bend the curve where noise is said to be heavy-tailed."""

from __future__ import annotations

import numpy as np

from cellos_nb.planner import DoseResponseGP, make_planner
from cellos_nb.planner.curves import CurvePrior
from cellos_nb.planner.outliers import fit_with_outliers
from cellos_nb.testing.planner_contract import campaign, run

DOSES = np.repeat(np.geomspace(0.001, 10, 9), 2)


def truth(dose):
    return 1 / (1 + dose / 0.1)


def spoiled():
    values = truth(DOSES) + 0.02 * np.random.default_rng(0).standard_normal(len(DOSES))
    values[15] = 1.1  # a well that was missed at 3 µM
    return (["A"] * len(DOSES), ["x"] * len(DOSES), DOSES), values


def test_an_outlier_is_named_by_its_weight_and_the_curve_stays():
    conditions, values = spoiled()
    plain = DoseResponseGP(CurvePrior(), (0.001, 10)).fit(*conditions, values)
    robust, weights = fit_with_outliers(DoseResponseGP(CurvePrior(), (0.001, 10)), conditions, values)
    assert int(np.argmin(weights)) == 15
    assert weights[15] < 0.05
    assert np.median(weights) > 0.7
    grid = np.geomspace(0.001, 10, 30)
    errors = [np.abs(m.predict(["A"] * 30, ["x"] * 30, grid)[0] - truth(grid)).max() for m in (plain, robust)]
    assert errors[1] < 0.5 * errors[0]
    assert robust.noise_sd < plain.noise_sd


def test_without_outliers_the_curve_is_nearly_that_of_normal_noise():
    conditions, values = spoiled()
    values[15] = truth(DOSES[15])
    plain = DoseResponseGP(CurvePrior(), (0.001, 10)).fit(*conditions, values)
    robust, _ = fit_with_outliers(DoseResponseGP(CurvePrior(), (0.001, 10)), conditions, values)
    grid = np.geomspace(0.001, 10, 30)
    means = [m.predict(["A"] * 30, ["x"] * 30, grid)[0] for m in (plain, robust)]
    np.testing.assert_allclose(*means, atol=0.03)


def test_a_campaign_may_ask_for_it_and_predicts_otherwise_then():
    history = run(campaign(), 3)
    asked = [
        make_planner(config.planner).propose(config, history, 4, 6)
        for config in (campaign(), campaign({"noise": "heavy_tailed"}))
    ]
    assert [p.reason.predicted_sd for p in asked[0]] != [p.reason.predicted_sd for p in asked[1]]
