"""A history replayed: the lines are the planners' own regrets, and a model that promises too much is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.errors import AnalysisError, ConfigError
from cellos_nb.planner.calibration import calibration
from cellos_nb.planner.scoreboard import CAMPAIGN, GRID, GridPlanner, foretold, scoreboard
from cellos_nb.testing.planner_contract import campaign, measured, run


def chance(n_iterations=8, **changes):
    config = campaign({"kind": "random"}, **changes)
    return config, run(config, n_iterations)


def test_the_campaign_itself_is_scored_by_its_own_order():
    config, history = chance()
    board = scoreboard(config, history, ("random",), n_seeds=2)
    own = next(line for line in board.lines if line.planner == CAMPAIGN)
    scores = np.array([-r.measurement for r in history])
    regret = (scores.max() - np.maximum.accumulate(scores)) / (scores.max() - np.median(scores))
    assert own.mean_regret == pytest.approx(regret.mean())
    assert own.regret_25 == pytest.approx(regret[len(regret) // 4 - 1])
    assert own.n_to_best == np.argmax(scores) + 1
    assert board.n_experiments == len(history)


def test_a_planner_that_learns_is_ahead_of_chance_and_of_the_grid():
    config, history = chance(12, compounds=[f"c{i}" for i in range(8)])
    board = scoreboard(config, history, ("random", GRID, "mechanistic"), n_seeds=4)
    by_name = {line.planner: line for line in board.lines}
    assert by_name["mechanistic"].regret_50 <= by_name["random"].regret_50
    assert by_name["mechanistic"].mean_regret < by_name["random"].mean_regret
    assert [line.mean_regret for line in board.lines] == sorted(line.mean_regret for line in board.lines)
    assert by_name[GRID].n_seeds == 1


def test_a_replay_asks_for_nothing_that_was_not_measured_and_ends_with_all_of_it():
    config, history = chance(4, goal="selectivity")
    board = scoreboard(config, history, ("random", "space_filling", "mechanistic/hypervolume"), n_seeds=1)
    assert {line.planner for line in board.lines} == {CAMPAIGN, "random", "space_filling", "mechanistic/hypervolume"}
    assert all(np.isfinite(line.mean_regret) for line in board.lines)
    assert len(score_conditions(config, history)) >= 2


def test_the_grid_begins_with_the_ends_and_the_middle():
    config = campaign(compounds=["c0", "c1"], n_doses=5)
    asked = GridPlanner().propose(config, History(), 1, 18)
    doses = config.doses_um("c0")
    assert [p.dose_um for p in asked] == [doses[4]] * 6 + [doses[0]] * 6 + [doses[2]] * 6


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda config, history: (config, History(history.results[:4]), ("random",)), AnalysisError, "too few"),
        (lambda config, history: (config, history, ("oracle",)), ConfigError, "no planner 'oracle'"),
        (lambda config, history: (config, history, ("mechanistic/luck",)), ConfigError, "planner.acquisition: 'luck'"),
        (
            lambda config, history: (config, History(measured([r.proposal for r in history], measurement=1.0)), ()),
            AnalysisError,
            "score the same",
        ),
    ],
    ids=["few", "planner", "acquisition", "equal"],
)
def test_what_cannot_be_replayed_is_refused(change, error, match):
    with pytest.raises(error, match=match):
        scoreboard(*change(*chance(2)), n_seeds=1)


def test_a_calibrated_model_is_said_to_be_and_its_figures_are_those_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.5, 2, 400)
    known = calibration(sd * rng.standard_normal(400), np.zeros(400), sd)
    assert known.verdict == "calibrated"
    assert known.coverage_50 == pytest.approx(0.5, abs=0.06)
    assert known.coverage_95 == pytest.approx(0.95, abs=0.03)
    assert known.log_score == pytest.approx(float(np.mean(-0.5 - np.log(sd) - 0.5 * np.log(2 * np.pi))), abs=0.1)


@pytest.mark.parametrize(
    ("factor", "n", "verdict"),
    [(2.5, 60, "overconfident"), (0.3, 60, "underconfident"), (2.5, 6, "too few to tell"), (1.0, 0, "too few to tell")],
)
def test_a_model_that_promises_too_much_or_too_little_is_named(factor, n, verdict):
    z = factor * np.random.default_rng(1).standard_normal(n)
    known = calibration(z, np.zeros(n), np.ones(n))
    assert known.verdict == verdict
    assert known.is_overconfident == (verdict == "overconfident")


def test_calibrated_models_are_seldom_called_otherwise():
    rng = np.random.default_rng(2)
    verdicts = [calibration(rng.standard_normal(30), np.zeros(30), np.ones(30)).verdict for _ in range(400)]
    assert np.mean([verdict != "calibrated" for verdict in verdicts]) < 0.03


def test_deviations_of_nothing_are_refused():
    with pytest.raises(AnalysisError, match="not above 0; add the noise"):
        calibration([1.0], [1.0], [0.0])
    with pytest.raises(AnalysisError, match="2 values, 1 means"):
        calibration([1.0, 2.0], [1.0], [1.0])


def test_each_iteration_is_foretold_from_those_before_it_alone():
    config, history = chance(6)
    model, constant = foretold(config, history)
    assert model.n == constant.n == len(history) - 6
    assert model.log_score > constant.log_score
    spoiled = [replace(r, measurement=5.0) if r.iteration == 6 else r for r in history]
    assert foretold(config, History(tuple(spoiled)))[0].log_score < model.log_score
    assert foretold(config, History(history.results[:6]))[0].n == 0
