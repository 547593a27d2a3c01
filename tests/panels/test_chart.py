"""The chart that is updated often: what reaches the page, in how many messages, and when a panel reads at all."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from plain_panel import PlainPanel

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import ConditionScores
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.panels import LiveCampaignPanel, frame
from cellos_nb.panels.chart.marks import Axis, Dots, Line, Strokes, fitted
from cellos_nb.panels.chart.widget import Chart
from cellos_nb.panels.grid.cell import Cell
from cellos_nb.panels.grid.widget import GridPicture
from cellos_nb.panels.live import model as live_model
from cellos_nb.panels.live import trajectory as trajectory_module
from cellos_nb.panels.live.trajectory import Trail, trajectory
from cellos_nb.panels.pace import LONGEST_BURST_S, SETTLE_S, Burst
from cellos_nb.panels.worker import Worker

WAIT_S = 60.0
X, Y = np.array([1.0, 2.0, 3.0]), np.array([0.5, np.nan, 0.25])
SIDES = Axis("x", 0.0, 4.0, (1.0, 2.0)), Axis("y", 0.0, 1.0, (0.5,))


@pytest.fixture
def chart():
    made = Chart()
    yield made
    made.close()


@pytest.fixture
def sent(monkeypatch):
    """The states that widgets send, as (class, fields)."""
    from ipywidgets import Widget

    found = []
    monkeypatch.setattr(
        Widget, "_send", lambda self, msg, buffers=None: found.append((type(self).__name__, {*msg["state"]}))
    )
    return found


def config() -> CampaignConfig:
    return CampaignConfig(
        name="chart",
        cell_lines=["U2OS"],
        compounds=["staurosporine"],
        dose_range_um=[0.001, 10],
        n_doses=100,
        objective="minimise",
        batch_size=4,
        max_iterations=3,
        plate_format=24,
        controls={"vehicle": 3},
        machine="biology",
        planner="random",
        seed=3,
    )


def measured(n: int) -> History:
    reason = ProposalReason("random", intent="explore")
    doses = [0.001 + 0.01 * i for i in range(n)]
    asked = [ExperimentProposal("U2OS", "staurosporine", dose, proposal_id=f"{dose}", reason=reason) for dose in doses]
    values = [0.9 - 0.3 * ((i * 7) % 11) / 11 for i in range(n)]
    return History(
        tuple(
            ExperimentResult(each, ResultStatus.OK, value, 0.01, 3, iteration=1 + i // 4)
            for i, (each, value) in enumerate(zip(asked, values, strict=True))
        )
    )


def test_all_marks_reach_the_page_in_one_message_as_they_are_and_gaps_stay_gaps(chart, sent):
    marks = [Line(X, Y, "#111111"), Strokes(X, Y, Y + 1, "#222222"), Dots(X, Y, "#333333", names=["a", "<b>", "ü"])]
    chart.show(marks, *SIDES, caption="three marks")
    assert [name for name, _ in sent] == ["Chart"]
    expected = [X, Y, X, Y, Y + 1, X, Y]
    np.testing.assert_array_equal(np.frombuffer(chart.numbers, "<f8"), np.concatenate(expected))
    assert [(look["kind"], look["n"]) for look in chart.marks] == [("line", 3), ("strokes", 3), ("dots", 3)]
    assert (chart.marks[2]["n_names"], json.loads(chart.names)) == (3, ["a", "<b>", "ü"])


def test_what_did_not_change_is_not_sent_again(chart, sent):
    def show(y):
        chart.show([Dots(X, y, "#333333", names=["a", "b", "c"])], *SIDES, caption="dots")

    show(Y)
    sent.clear()
    show(Y.copy())
    assert sent == []
    show(Y + 0.1)
    # Numbers travel as bytes beside the state.
    assert sent == [("Chart", set())]


def test_a_grid_that_is_painted_anew_sends_its_paint_alone(sent):
    grid = GridPicture()

    def show(colour):
        grid.show(
            ["A"], ["1", "2"], [Cell("A1", 0, 0, colour, "", "one"), Cell("A2", 0, 1, "", "", "two")], caption="a"
        )

    show("#111111")
    sent.clear()
    show("#222222")
    grid.close()
    assert sent[0] == ("GridPicture", {"paint"})


def test_an_axis_holds_all_that_is_finite_and_has_ticks_even_without_anything():
    side = fitted("score", np.array([0.2, np.nan, 1.4]), np.array([np.inf]))
    assert side.low < 0.2
    assert side.high > 1.4
    assert all(side.low <= tick <= side.high for tick in side.ticks)
    assert fitted("score", np.array([])).ticks
    assert [text for _, text in Axis("x", -1.0, 1.0, (-0.0, 0.6000000000000001)).look()["ticks"]] == ["0", "0.6"]


def test_the_live_panel_sends_a_further_iteration_in_one_message_for_each_part_that_it_changed(lab, sent):
    campaign = lab.campaign(lab.store.add_campaign(config()))
    with LiveCampaignPanel(lab, campaign.campaign_id) as panel:
        assert panel.widget
        drawn = []

        def look(_):
            sent.clear()
            panel._refresh()
            names = [name for name, _ in sent]
            drawn.append(names.count("Chart"))
            assert names.count("Chart") <= 1
            assert len(names) <= 8

        lab.resume(campaign.campaign_id, look)
    assert sum(drawn) >= 3


def test_a_further_condition_leaves_the_dots_that_are_drawn_where_they_are(monkeypatch):
    monkeypatch.setattr(trajectory_module, "MAX_DOTS", 20)
    before, after = (trajectory(config(), measured(n)) for n in (60, 61))
    assert before.n_drawn < before.n_conditions
    assert {*before.names} - {*after.names} <= {before.names[-1]}


def test_a_condition_that_is_measured_again_is_drawn_anew(monkeypatch):
    history, trail, scores = measured(30), Trail(config()), ConditionScores(config())
    scores.add(history)
    trail.follow(history, scores.conditions())
    again = ExperimentResult(history.results[4].proposal, ResultStatus.OK, 0.1, 0.01, 3, iteration=9)
    scores.add([again])
    longer = History((*history.results, again))
    grown, anew = trail.follow(longer, scores.conditions()), trajectory(config(), longer)
    for name in ("x", "value", "low", "high", "intents", "names", "best_x", "best"):
        np.testing.assert_array_equal(getattr(grown, name), getattr(anew, name))


def test_how_far_a_plate_came_that_is_through_is_not_read_again(lab, monkeypatch):
    asked, read = [], live_model.progress_of
    monkeypatch.setattr(live_model, "progress_of", lambda store, ids: asked.append([*ids]) or read(store, ids))
    reader = live_model.Reader(lab, lab.campaigns()[0])
    first = reader.read()
    assert len(asked[0]) == len(first.plates) > 0
    assert reader.read() == first
    assert len(asked) == 1


def test_a_burst_is_over_when_nothing_follows_or_when_it_lasts_too_long():
    burst, now = Burst(), 10.0
    assert not burst.is_over("a", now)
    assert not burst.is_over("b", now + 0.5 * SETTLE_S)
    assert burst.is_over("b", now + 1.5 * SETTLE_S)
    answers = [burst.is_over(f"c{i}", now + 1 + i * 0.5 * SETTLE_S) for i in range(100)]
    first = answers.index(True)
    assert first * 0.5 * SETTLE_S == pytest.approx(LONGEST_BURST_S, abs=SETTLE_S)


def test_what_is_stored_in_several_commits_is_read_once(lab_url, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(frame.time, "monotonic", lambda: clock[0])
    with Lab.open(lab_url) as other, PlainPanel(lab_url) as panel:
        assert panel.widget
        panel._follow_up(is_forced=False)
        before = panel.n_read
        for _ in range(3):
            clock[0] += 0.2 * SETTLE_S
            other.store.add_campaign(config())
            panel.news += 1
            assert panel._follow_up(is_forced=False) == SETTLE_S
        assert panel.n_read == before
        clock[0] += 1.1 * SETTLE_S
        assert panel._follow_up(is_forced=False) is None
        assert panel.n_read == before + 1


def test_the_thread_looks_again_as_early_as_it_is_asked_to():
    again = threading.Event()

    class Asking:
        n = 0

        def refresh(self, is_forced):
            self.n += 1
            if self.n > 1:
                again.set()
                return None
            return 0.001

    asking = Asking()
    worker = Worker(asking.refresh, interval_s=10 * WAIT_S)
    worker.start()
    try:
        assert again.wait(WAIT_S)
    finally:
        worker.stop()
