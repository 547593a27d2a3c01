"""A campaign stops when its model knows enough, and says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.errors import ConfigError
from cellos_nb.loop import reason_to_stop
from cellos_nb.planner import DoseResponseGP
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import CurvePrior
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.stopping import (
    ec50_interval,
    expected_improvement_left,
    expected_improvement_per_usd,
    probability_out_of_range,
)
from cellos_nb.testing.planner_contract import campaign, measured, run


def whole(config, noise_sd=0.01):
    """Every condition measured once."""
    rng = np.random.default_rng(0)
    asked = [
        ExperimentProposal(line, compound, dose)
        for compound in config.compound_names
        for line in config.cell_lines
        for dose in config.doses_um(compound)
    ]
    rng.shuffle(asked)
    return History(tuple(replace(r, standard_error=noise_sd) for r in measured(asked)))


def test_a_narrow_interval_of_the_best_compound_ends_the_campaign():
    config = campaign({"stop": {"ec50_interval_decades": 0.6}}, compounds=["c1", "c0"], n_doses=10, batch_size=8)
    few = run(config, 1)
    assert reason_to_stop(config, few) is None
    reason = reason_to_stop(config, whole(config))
    assert reason.startswith("known well enough: the EC50 of c1 on U2OS lies between 0.0")
    assert "decades of at most 0.6" in reason


def test_the_interval_holds_the_true_ec50_and_narrows_with_data():
    config = campaign(compounds=["c1", "c0"], n_doses=10)
    every = whole(config)
    models = [fit_results(config, CandidatePool.of(config, History(every.results[:n]))) for n in (12, 60)]
    intervals = [ec50_interval(model, "U2OS", "c1") for model in models]
    for low, high in intervals:
        assert low < -1.5 < high  # the made-up truth of the contract's campaign
    assert np.ptp(intervals[1]) < np.ptp(intervals[0])


def test_compounds_that_do_nothing_in_range_end_the_campaign():
    settings = {"stop": {"out_of_range_probability": 0.9}}
    config = campaign(settings, compounds=["c0", "c2"], dose_range_um=(0.001, 1.0), n_doses=8)
    assert reason_to_stop(config, run(config, 1)) is None
    reason = reason_to_stop(config, whole(config))
    assert reason.startswith("potency out of range: each compound is inactive or has its EC50 above its highest dose")
    active = campaign(settings, compounds=["c0", "c1"], n_doses=8)
    assert reason_to_stop(active, whole(active)) is None


def test_the_probability_to_be_out_of_range_is_that_of_the_model_before_any_data():
    model = DoseResponseGP(CurvePrior(inactive_share=0.4, line_inactive_share=0.0), (0.001, 10.0))
    beyond = probability_out_of_range(model, "A", "x", 10.0)
    everywhere = probability_out_of_range(model, "A", "x", 1e-9)
    nowhere = probability_out_of_range(model, "A", "x", 1e9)
    assert everywhere == 1.0
    assert nowhere == pytest.approx(0.4, abs=0.03)
    assert nowhere < beyond < 0.75


def test_nothing_more_to_gain_ends_the_campaign_and_the_figure_is_the_improvement_that_is_left():
    config = campaign({"stop": {"min_expected_improvement": 0.004}})
    assert reason_to_stop(config, run(config, 1)) is None
    history = run(config, 7)
    reason = reason_to_stop(config, history)
    assert reason.startswith("nothing more to gain: no experiment left")
    pool = CandidatePool.of(config, history)
    model = fit_results(config, pool)
    lines, compounds, doses = pool.conditions()
    drawn = -model.sample(lines, compounds, doses, 20_000, np.random.default_rng(5))
    is_open = pool.is_open.ravel()
    best = drawn[:, pool.is_measured.ravel()].max(axis=1)
    expected = np.maximum(drawn[:, is_open] - best[:, None], 0).mean(axis=0).max()
    assert expected_improvement_left(config, pool, model) == pytest.approx(expected, abs=2e-3)


def test_the_model_is_not_asked_before_its_first_experiments():
    config = campaign({"stop": {"min_expected_improvement": 100.0}, "n_initial": 12})
    assert reason_to_stop(config, run(config, 1)) is None
    assert reason_to_stop(config, run(config, 2)) is not None


def test_the_reason_stands_in_the_summary_and_survives_reopening(tmp_path):
    config = CampaignConfig(
        name="enough",
        cell_lines=["U2OS"],
        compounds=["staurosporine"],
        dose_range_um=(0.001, 10.0),
        batch_size=6,
        max_iterations=9,
        planner={"stop": {"min_expected_improvement": 0.5}},
        seed=1,
    )
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.run(config)
    with Lab.open(tmp_path / "lab.db") as lab:
        summary = lab.campaign("enough").summary()
    assert summary.status == "finished"
    assert summary.n_iterations < 9
    assert summary.stop_reason.startswith("nothing more to gain")
    assert any("nothing more to gain" in value for _, value in summary.rows())


def test_what_is_not_worth_its_price_is_not_measured_any_more():
    cheap = {"stop": {"min_improvement_per_usd": 0.004}, "cost": {"plate_usd": 96.0}}
    dear = {"stop": {"min_improvement_per_usd": 0.004}, "cost": {"plate_usd": 96_000.0}}
    few = run(campaign(cheap), 1)
    assert reason_to_stop(campaign(cheap), few) is None
    reason = reason_to_stop(campaign(dear), few)
    assert reason.startswith("not worth its price: no experiment left is expected to improve the best score by more")
    assert reason_to_stop(campaign({"stop": {"min_expected_improvement": 1e-9}, "cost": dear["cost"]}), few) is None


def test_the_improvement_for_a_dollar_is_that_of_an_experiment_over_its_price():
    config = campaign({"stop": {"min_improvement_per_usd": 0.004}, "cost": {"plate_usd": 192.0}})
    pool = CandidatePool.of(config, run(config, 1))
    model = fit_results(config, pool)
    gain = expected_improvement_left(config, pool, model)
    assert expected_improvement_per_usd(config, pool, model) == pytest.approx(gain / (2.0 * config.replicates))


def test_a_rule_about_dollars_needs_costs():
    with pytest.raises(ConfigError, match=r"planner\.stop\.min_improvement_per_usd: .* state planner\.cost"):
        campaign({"stop": {"min_improvement_per_usd": 0.004}})
