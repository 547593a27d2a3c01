"""A scoreboard as tables, a figure and warnings."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from cellos_nb.errors import ConfigError
from cellos_nb.planner.calibration import calibration
from cellos_nb.planner.scoreboard import CAMPAIGN, Line, Scoreboard
from cellos_nb.records import scores

MEASURED = np.random.default_rng(0).normal(size=60)


def board(model_sd: float) -> Scoreboard:
    lines = (Line("mechanistic", 3, 0.1, 0.0, 0.05, 7.0), Line(CAMPAIGN, 1, 0.2, 0.1, 0.125, 12.0))
    zero, one = np.zeros(60), np.ones(60)
    return Scoreboard(40, lines, calibration(MEASURED, zero, model_sd * one), calibration(MEASURED, zero, one))


def test_the_table_keeps_the_order_and_says_of_how_many_experiments():
    table = scores.score_table(board(1.0))
    assert table["planner"].tolist() == ["mechanistic", CAMPAIGN]
    assert table["mean regret"].tolist() == ["0.050", "0.125"]
    assert table["experiments until the best (of 40)"].tolist() == ["7", "12"]


def test_the_figure_has_the_best_on_top_and_one_colour_for_the_campaign():
    figure = scores.regret_figure(board(1.0))
    bars = figure.axes[0].patches
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [CAMPAIGN, "mechanistic"]
    assert [bar.get_width() for bar in bars] == [0.125, 0.05]
    assert bars[0].get_facecolor() != bars[1].get_facecolor()
    plt.close(figure)


def test_an_overconfident_model_is_flagged_and_an_honest_one_is_not():
    assert scores.warnings(board(1.0)) == []
    first, second = scores.warnings(board(0.3))
    assert "overconfident" in first
    assert "less well than mean and spread" in second
    assert scores.calibration_table(board(0.3))["verdict"].tolist() == ["overconfident", "calibrated"]


def test_a_model_that_foretold_nothing_has_no_shares_and_no_warnings():
    nothing = calibration([], [], [])
    empty = Scoreboard(8, board(1.0).lines, nothing, nothing)
    assert scores.calibration_table(empty)["inside the 95 % intervals"].tolist() == ["–", "–"]
    assert scores.warnings(empty) == []


@pytest.mark.parametrize(
    ("planners", "n_seeds", "match"),
    [
        pytest.param([], 3, "planners: .*give names such as random", id="none"),
        pytest.param([1], 3, "give names such as random", id="number"),
        pytest.param(["grid", "grid"], 3, "give each of them once", id="twice"),
        pytest.param(["grid"], 0, "n_seeds: 0; give 1 or more", id="no-replays"),
    ],
)
def test_a_contest_without_contestants_or_replays_is_refused(planners, n_seeds, match):
    with pytest.raises(ConfigError, match=match):
        scores.check_contest(planners, n_seeds)
