"""The live campaign: what it shows of a campaign that any process runs, and what its buttons do to the store."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from daemon_process import daemon_on, until
from hostile_names import EVIL
from hypothesis import given, settings
from hypothesis import strategies as st
from troubled_machine import TroubledMachine

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.errors import InDoubtError
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.under_way import mark_of
from cellos_nb.panels import LiveCampaignPanel
from cellos_nb.panels.live import trajectory as trajectory_module
from cellos_nb.panels.live.model import MAX_PLATES, Reader
from cellos_nb.panels.live.trajectory import trajectory


def config(**changes) -> CampaignConfig:
    small = {
        "name": "live",
        "cell_lines": ["U2OS"],
        "compounds": ["staurosporine", "paclitaxel"],
        "dose_range_um": [0.001, 10],
        "n_doses": 100,
        "objective": "minimise",
        "batch_size": 4,
        "max_iterations": 50,
        "plate_format": 24,
        "controls": {"vehicle": 3},
        "machine": "biology",
        "planner": "random",
        "seed": 3,
    }
    return CampaignConfig(**(small | changes))


def foot_of(panel) -> str:
    return panel.widget.children[-1].value


def measured(iteration, dose, value, intent="explore") -> ExperimentResult:
    reason = ProposalReason("random", intent=intent)
    proposal = ExperimentProposal("U2OS", "staurosporine", dose, proposal_id=f"{iteration}-{dose}", reason=reason)
    return ExperimentResult(proposal, ResultStatus.OK, value, 0.01, 3, iteration=iteration)


def test_numbers_best_and_plates_are_those_of_the_store(lab):
    campaign = lab.campaigns()[0]
    with LiveCampaignPanel(lab) as panel:
        assert panel.widget
        assert "<b>2 of 2</b>" in panel._numbers.value
        assert f"{campaign.best().measurement}" in panel._best.value
        assert [plate.status for plate in panel.shown.plates] == [JobStatus.SUCCEEDED] * 2
        assert all(plate.n_done == plate.n_steps > 0 for plate in panel.shown.plates)
        assert 'aria-label="steps of' in panel._plates.value


def test_a_budget_is_shown_with_what_is_spent_of_it(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.run(config(max_iterations=1, budget_usd=1000))
        with LiveCampaignPanel(lab) as panel:
            assert panel.widget
            assert "of 1,000 USD" in panel._numbers.value


def test_the_same_campaign_is_drawn_once_and_its_mark_changes_with_each_step(lab):
    campaign_id = lab.store.add_campaign(lab.campaigns()[0].config)
    marks = {mark_of(lab.store, campaign_id)}
    lab.resume(campaign_id, lambda _: marks.add(mark_of(lab.store, campaign_id)))
    assert mark_of(lab.store, campaign_id) == mark_of(lab.store, campaign_id)
    assert len(marks) > 4


def test_what_is_read_bit_by_bit_is_what_is_read_at_once_also_after_a_rollback(lab):
    campaign = lab.campaign(lab.store.add_campaign(lab.campaigns()[0].config))
    reader, n_compared = Reader(lab, campaign), 0

    def compare():
        nonlocal n_compared
        one, anew = reader.read(), Reader(lab, campaign).read()
        assert replace(one, found=anew.found) == anew
        assert one.summary.best == campaign.best()
        for name in ("x", "value", "low", "high", "names", "intents", "best_x", "best"):
            assert np.array_equal(
                getattr(one.found, name), getattr(anew.found, name), equal_nan=name in {"low", "high"}
            )
        n_compared += 1

    lab.resume(campaign.campaign_id, lambda _: compare())
    n_before = reader.read().summary.n_experiments
    campaign.rollback(1, "to see")
    compare()
    assert reader.read().summary.n_experiments < n_before
    lab.resume(campaign.campaign_id, lambda _: compare())
    assert n_compared > 4


def test_the_best_so_far_goes_down_when_low_is_good_and_ends_at_the_last_condition():
    history = History((measured(1, 1.0, 0.9), measured(1, 2.0, 0.4, "exploit"), measured(2, 3.0, 0.6)))
    found = trajectory(config(), history)
    assert found.best.tolist() == [0.9, 0.4, 0.4]
    assert found.best_x[-1] == found.x[-1]
    assert found.x[0] < 1 < found.x[1] < 1.5 < found.x[2] == 2.0
    assert found.of("exploit").tolist() == [1]
    assert found.low[0] < 0.9 < found.high[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.integers(2, 20))
def test_however_few_are_drawn_every_best_is_among_them(values, most):
    history = History(tuple(measured(1 + i // 7, 0.01 + i, value) for i, value in enumerate(values)))
    before, trajectory_module.MAX_DOTS = trajectory_module.MAX_DOTS, most
    try:
        found = trajectory(config(), history)
    finally:
        trajectory_module.MAX_DOTS = before
    assert set(found.best.tolist()) <= set(found.value.tolist())
    assert np.all(np.diff(found.best) <= 0)
    assert found.best[-1] == min(values)
    assert found.n_conditions == len(values) >= found.n_drawn


def test_what_is_not_drawn_is_said(lab, monkeypatch):
    monkeypatch.setattr(trajectory_module, "MAX_DOTS", 10)
    with LiveCampaignPanel(lab) as panel:
        assert panel.widget
        assert "conditions are not drawn; none that was the best" in panel._key.value


def test_a_panel_pauses_resumes_stops_and_kills_a_daemon_in_another_process(tmp_path):
    url = str(tmp_path / "lab.db")
    with Lab.open(url) as lab:
        campaign = lab.submit(config())
    with daemon_on(url) as process, LiveCampaignPanel(url, campaign.campaign_id) as panel:

        def shows(condition):
            panel._refresh()
            return condition(panel.shown)

        assert panel.widget
        until(lambda: shows(lambda shown: shown.summary.n_iterations >= 1))
        assert f"process {process.pid} on" in panel.summary(panel.shown)
        panel.reason.value = f"lunch {EVIL}"
        panel.pause_button.click()
        assert "&lt;img" in panel.widget.children[1].value
        assert (panel.pause_button.disabled, panel.resume_button.disabled) == (True, False)
        until(
            lambda: shows(lambda shown: all(p.status in {JobStatus.SUCCEEDED, JobStatus.QUEUED} for p in shown.plates))
        )
        # A plate that was proposed meanwhile may stand in the queue, but no step of it is made.
        before = [(p.plate_id, p.n_done) for p in panel.shown.plates if p.n_done]
        other = panel.lab.submit(config(name="other", max_iterations=1))
        until(lambda: other.status == "finished")
        assert shows(lambda shown: [(p.plate_id, p.n_done) for p in shown.plates if p.n_done] == before)
        n_before = panel.shown.summary.n_iterations
        panel.resume_button.click()
        until(lambda: shows(lambda shown: shown.summary.n_iterations > n_before + 1))
        panel.stop_button.click()
        until(lambda: shows(lambda shown: shown.summary.status == "finished"))
        assert "stopped by" in panel.shown.summary.stop_reason
        panel.resume_button.click()
        n_before = panel.shown.summary.n_iterations
        until(lambda: shows(lambda shown: shown.summary.n_iterations > n_before))
        panel.kill_button.click()
        assert "stopped all work" in process.communicate(timeout=60)[0]
        assert panel.errors.lines == ()


def test_resume_says_what_holds_up_everything_and_does_not_take_it_back(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        campaign = lab.submit(config())
        campaign.pause()
        flags_of(lab.store).set("killed", "smoke", by="Ada")
        with LiveCampaignPanel(lab) as panel:
            assert panel.widget
            panel.resume_button.click()
            assert "is killed, by Ada: smoke. Allow it again in the Autonomy panel" in foot_of(panel)
            assert panel.kill_button.disabled
        assert campaign.status == "paused"
        assert "killed" in flags_of(lab.store).read()


def test_a_campaign_that_waits_for_a_daemon_says_so(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.submit(config())
        with LiveCampaignPanel(lab) as panel:
            assert panel.widget
            assert "waits for the daemon; start `cellos daemon`" in panel.summary(panel.shown)
            assert "No plate was submitted yet" in panel._plates.value


def test_a_step_in_doubt_is_shown_with_its_step(tmp_path):
    with Lab.open(tmp_path / "lab.db", TroubledMachine(n_lost=1)) as lab:
        with pytest.raises(InDoubtError):
            lab.run(config())
        with LiveCampaignPanel(lab) as panel:
            assert panel.widget
            (plate,) = panel.shown.plates
            assert (plate.status, plate.current.split("-")[-1]) == (JobStatus.IN_DOUBT, "dose")
            assert plate.n_done < plate.n_steps
            assert "decide in the Autonomy panel" in panel._plates.value


def test_of_many_plates_the_newest_are_shown_and_the_others_counted(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.run(config(max_iterations=MAX_PLATES + 2))
        with LiveCampaignPanel(lab) as panel:
            assert panel.widget
            assert [plate.iteration for plate in panel.shown.plates] == list(range(MAX_PLATES + 2, 2, -1))
            assert "2 more plates are not shown" in panel._plates.value


def test_the_standing_that_is_read_often_is_that_of_the_summary(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        campaign = lab.submit(config())
        for change in (lambda: None, lambda: campaign.stop_after_iteration("enough"), lambda: campaign.pause("lunch")):
            change()
            summary = campaign.summary()
            assert campaign.standing() == (summary.status, summary.stop_reason)
        assert "lunch; to be stopped by" in summary.stop_reason
