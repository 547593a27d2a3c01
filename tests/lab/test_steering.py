"""A campaign is paused, stopped, rolled back and forked from anywhere, and loses and repeats nothing by it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from cellos_nb import CampaignConfig, JobQueue, Lab
from cellos_nb.domain.history import History
from cellos_nb.errors import CampaignError, ConfigError
from cellos_nb.execution.events import RunStarted, StepStarted
from cellos_nb.execution.runs import run_records


def config(**changes) -> CampaignConfig:
    return CampaignConfig(
        **{
            "name": "tiny",
            "cell_lines": ["SK-LMS-1"],
            "compounds": ["Trametinib", "Dinaciclib", "Capmatinib"],
            "dose_range_um": [0.001, 10],
            "n_doses": 8,
            "objective": "minimise",
            "batch_size": 4,
            "max_iterations": 3,
            "plate_format": 24,
            "controls": {"vehicle": 2},
            "machine": "replay",
            "planner": "random",
            "seed": 3,
        }
        | changes
    )


THREE_PLATES = {"batch_size": 24, "replicates": 2, "max_iterations": 1}


@pytest.fixture
def lab(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Lab.open(database) as opened:
        yield opened


@pytest.fixture
def quick_lab(tmp_path):
    """A lab on SQLite alone, for what the engine has no part in."""
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


def once(condition, action):
    """An `on_event` that acts at the first event that fits, and keeps all events."""
    seen = []

    def on_event(event):
        is_first = condition(event) and not any(condition(e) for e in seen)
        seen.append(event)
        if is_first:
            action()

    on_event.seen = seen
    return on_event


def in_iteration(n, kind=StepStarted):
    return lambda event: isinstance(event, kind) and f"/i{n:03d}-" in event.plate_id


def labels(frame) -> list[str]:
    return sorted(set(frame["plate"].dropna()))


class TestPause:
    def test_a_paused_campaign_ends_the_plate_under_way_and_begins_no_other(self, lab):
        undisturbed = lab.run(config(name="undisturbed", **THREE_PLATES)).history()
        on_event = once(in_iteration(1), lambda: lab.campaign("tiny").pause("the incubator is full", by="ada"))
        campaign = lab.run(config(**THREE_PLATES), on_event)
        assert [event.plate_id for event in on_event.seen if isinstance(event, RunStarted)] == ["tiny/i001-p1"]
        assert [run.status for run in run_records(lab.store)[3:]] == ["succeeded", "queued", "queued"]
        summary = campaign.summary()
        assert (summary.status, summary.stop_reason) == ("paused", "paused by ada: the incubator is full")
        assert lab.resume("tiny").history().equals(undisturbed)

    def test_a_paused_campaign_begins_no_further_iteration(self, quick_lab):
        on_event = once(in_iteration(2), lambda: quick_lab.campaign("tiny").pause())
        campaign = quick_lab.run(config(), on_event)
        assert (campaign.status, campaign.summary().n_iterations) == ("paused", 2)
        assert quick_lab.resume("tiny").summary().n_iterations == 3

    def test_a_pause_that_is_taken_back_in_time_changes_nothing(self, quick_lab):
        def pause_and_go_on():
            quick_lab.campaign("tiny").pause()
            quick_lab.campaign("tiny").unpause()

        assert quick_lab.run(config(), once(in_iteration(1), pause_and_go_on)).status == "finished"

    def test_the_first_reason_for_a_pause_stays(self, quick_lab):
        def pause_twice():
            quick_lab.campaign("tiny").pause("fire alarm", by="ada")
            quick_lab.campaign("tiny").pause("lunch", by="bob")

        campaign = quick_lab.run(config(), once(in_iteration(1), pause_twice))
        assert campaign.summary().stop_reason == "paused by ada: fire alarm"

    @pytest.mark.parametrize("what", ["pause", "stop_after_iteration"])
    def test_what_has_ended_is_neither_paused_nor_stopped(self, quick_lab, what):
        campaign = quick_lab.run(config(max_iterations=1))
        with pytest.raises(CampaignError, match=r"tiny: is finished and cannot be .* Roll it back or fork it"):
            getattr(campaign, what)()
        with pytest.raises(CampaignError, match="is finished, not paused"):
            campaign.unpause()


class TestStop:
    def test_a_stop_waits_for_the_iteration_under_way_and_holds_after_a_crash(self, lab):
        class Crash(Exception):
            pass

        def stop_and_crash():
            lab.campaign("tiny").stop_after_iteration("out of medium", by="ada")
            raise Crash

        with pytest.raises(Crash):
            lab.run(config(), once(in_iteration(2), stop_and_crash))
        assert "to be stopped by ada: out of medium" in lab.campaign("tiny").summary().stop_reason
        summary = lab.resume("tiny").summary()
        assert (summary.status, summary.n_iterations) == ("finished", 2)
        assert summary.stop_reason == "after iteration 2, stopped by ada: out of medium"

    def test_a_campaign_that_was_stopped_goes_on_when_it_is_resumed(self, quick_lab):
        undisturbed = quick_lab.run(config(name="undisturbed")).history()
        quick_lab.run(config(), once(in_iteration(1), lambda: quick_lab.campaign("tiny").stop_after_iteration()))
        assert len(quick_lab.campaign("tiny").results) == 4
        campaign = quick_lab.resume("tiny")
        assert campaign.history().equals(undisturbed)
        assert campaign.summary().stop_reason == "all 3 iterations are done"


class TestRollback:
    def test_later_iterations_are_kept_and_shown_and_no_longer_count(self, lab):
        campaign = lab.run(config())
        before = campaign.results
        assert campaign.rollback(1, "wrong medium", by="ada") == (2, 3)
        assert campaign.status == "paused"
        assert campaign.results == History(before.results[:4])
        everything = campaign.history(superseded=True)
        assert everything.loc[~everything["superseded"]].drop(columns="superseded").equals(campaign.history())
        assert everything.drop(columns="superseded").equals(before.frame())
        marks = [lap.superseded for lap in campaign.iterations()]
        assert marks[0] is None
        assert [(mark.by, mark.reason) for mark in marks[1:]] == [("ada", "wrong medium")] * 2
        assert campaign.best() == max(campaign.scores(), key=lambda condition: condition.score.value)
        assert {condition.iteration for condition in campaign.scores()} == {1}

    def test_numbering_goes_on_and_superseded_iterations_count_for_no_limit(self, lab):
        campaign = lab.run(config())
        spent = campaign.summary().cost_usd
        campaign.rollback(1)
        assert campaign.summary().cost_usd == pytest.approx(spent)
        lab.resume("tiny")
        summary = campaign.summary()
        assert (summary.status, summary.stop_reason) == ("finished", "all 3 iterations are done")
        assert campaign.results.iterations == (1, 4, 5)
        assert labels(campaign.history()) == ["i001-p1", "i004-p1", "i005-p1"]
        assert labels(campaign.history(superseded=True)) == [f"i{k:03d}-p1" for k in range(1, 6)]
        assert summary.cost_usd > 1.5 * spent
        assert [line.partition(" superseded")[0] for line in summary.superseded] == ["iteration 2", "iteration 3"]

    def test_a_campaign_may_go_back_again_and_again_and_to_its_beginning(self, quick_lab):
        campaign = quick_lab.run(config())
        assert campaign.rollback(2) == (3,)
        quick_lab.resume("tiny")
        assert campaign.rollback(0) == (1, 2, 4)
        assert campaign.results == History()
        quick_lab.resume("tiny")
        assert campaign.results.iterations == (5, 6, 7)

    def test_what_is_spent_stays_spent(self, quick_lab):
        cost = quick_lab.check(config()).cost_per_iteration_usd
        campaign = quick_lab.run(config(budget_usd=3.5 * cost))
        campaign.rollback(0)
        summary = quick_lab.resume("tiny").summary()
        assert summary.n_iterations == 0
        assert "budget" in summary.stop_reason

    def test_plates_that_wait_are_cancelled_and_never_made(self, lab):
        on_event = once(in_iteration(1), lambda: lab.campaign("tiny").pause())
        campaign = lab.run(config(**THREE_PLATES), on_event)
        campaign.rollback(0)
        assert [run.status for run in run_records(lab.store)] == ["succeeded", "cancelled", "cancelled"]
        assert campaign.summary().cost_usd == pytest.approx(run_records(lab.store)[0].cost_usd)
        lab.resume("tiny")
        assert {event.status for event in JobQueue(lab.store).jobs()} == {"succeeded", "cancelled"}
        assert labels(campaign.history()) == ["i002-p1", "i002-p2", "i002-p3"]

    def test_a_campaign_that_failed_goes_on_after_a_rollback(self, quick_lab):
        campaign = quick_lab.run(config())
        with quick_lab.store.write() as tx:
            tx.execute(text("UPDATE results SET status = 'failed', error = 'x' WHERE batch_id = 'tiny/i003'"))
            tx.execute(text("UPDATE campaigns SET status = 'failed'"))
        assert quick_lab.resume("tiny").status == "failed"
        campaign.rollback(2)
        assert quick_lab.resume("tiny").status == "finished"

    @pytest.mark.parametrize(
        ("to", "match"),
        [
            pytest.param(7, r"cannot go back to iteration 7; possible: 0, 1, 4, 5\.$", id="never was"),
            pytest.param(2, "cannot go back to iteration 2; possible: 0, 1, 4, 5", id="superseded"),
            pytest.param(5, "nothing came after iteration 5", id="the last"),
        ],
    )
    def test_what_cannot_be_gone_back_to_is_refused_with_what_can(self, quick_lab, to, match):
        campaign = quick_lab.run(config())
        campaign.rollback(1)
        quick_lab.resume("tiny")
        with pytest.raises(CampaignError, match=match):
            campaign.rollback(to)
        assert campaign.status == "finished"

    def test_a_campaign_that_is_executed_is_not_rolled_back(self, lab):
        refused = []

        def roll_back():
            for prepare in (lambda: None, lab.campaign("tiny").pause):
                prepare()
                with pytest.raises(CampaignError) as error:
                    lab.campaign("tiny").rollback(1)
                refused.append(str(error.value))

        campaign = lab.run(config(), once(in_iteration(2), roll_back))
        assert "Pause it first (`cellos stop tiny --now`)" in refused[0]
        assert "tiny/i002-p1 is still under way" in refused[1]
        assert campaign.rollback(1) == (2,)


class TestFork:
    def test_a_fork_without_changes_does_what_its_parent_did(self, lab):
        parent = lab.run(config())
        fork = lab.fork("tiny", at=1)
        assert (fork.campaign_id, fork.status) == ("tiny-2", "paused")
        assert fork.results == History(parent.results.results[:4])
        assert lab.resume("tiny-2").history().equals(parent.history())
        assert [lap.iteration for lap in fork.iterations()] == [2, 3]
        summary = fork.summary()
        assert summary.parent == "tiny at iteration 1"
        assert summary.n_experiments == 12
        assert summary.cost_usd == pytest.approx(sum(r.cost_usd for r in parent.results if r.iteration > 1))

    def test_what_becomes_of_the_parent_changes_nothing_for_a_fork(self, lab):
        parent = lab.run(config())
        fork = lab.fork("tiny", at=2, name="other branch", seed=9)
        inherited = fork.results
        parent.rollback(0)
        assert parent.results == History()
        assert fork.results == inherited
        lab.resume(fork.campaign_id)
        assert fork.results.iterations == (1, 2, 3)
        again = lab.fork(fork.campaign_id, at=1, max_iterations=2)
        lab.resume(again.campaign_id)
        assert again.results.iterations == (1, 2)
        assert all(state.is_consistent for state in (*fork.model_states(), *again.model_states()))

    def test_a_fork_goes_back_no_further_than_it_began(self, quick_lab):
        quick_lab.run(config())
        fork = quick_lab.fork("tiny", at=2)
        quick_lab.resume(fork.campaign_id)
        with pytest.raises(CampaignError, match=r"possible: 2, 3\. Iterations up to 2 are the parent's: fork that one"):
            fork.rollback(1)
        assert fork.rollback(2) == (3,)

    def test_settings_that_leave_the_results_their_meaning_may_change(self, quick_lab):
        quick_lab.run(config(planner={"kind": "mechanistic"}))
        changes = {"planner.acquisition": "ei", "max_iterations": 4, "dose_range_um": [0.1, 1.0], "n_doses": 5}
        fork = quick_lab.fork("tiny", at=2, **changes)
        assert (fork.config.planner.kind, fork.config.planner.acquisition) == ("mechanistic", "ei")
        assert quick_lab.resume(fork.campaign_id).summary().n_iterations == 4
        assert {r.proposal.dose_um for r in fork.results if r.iteration > 2} <= set(fork.config.doses_um("Trametinib"))

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            pytest.param({"assay": "imaging"}, "assay: cannot change in a fork, because another assay", id="assay"),
            pytest.param({"assay.treatment_h": 24}, "assay: cannot change in a fork", id="treatment"),
            pytest.param({"machine": "biology"}, "machine: cannot change in a fork", id="machine"),
            pytest.param({"compounds": ["Trametinib"]}, "compounds: Dinaciclib, Capmatinib cannot be left", id="fewer"),
            pytest.param({"cell_lines": ["RD-ES"]}, "cell_lines: SK-LMS-1 cannot be left out", id="other line"),
            pytest.param({"batch_sise": 3}, "batch_sise", id="unknown"),
            pytest.param({"planner.kindd": "random"}, "kindd", id="unknown inside"),
            pytest.param({"seed.x": 1}, "seed.x: seed holds no settings of its own", id="no mapping"),
            pytest.param(
                {"dose_range_um": [1e-6, 10]}, "dose_range_um: .* outside what the machine", id="machine limit"
            ),
        ],
    )
    def test_settings_that_cannot_change_are_refused_with_the_reason_and_nothing_is_stored(
        self, quick_lab, changes, match
    ):
        quick_lab.run(config(max_iterations=1))
        with pytest.raises(ConfigError, match=match):
            quick_lab.fork("tiny", at=1, **changes)
        assert len(quick_lab.campaigns()) == 1

    def test_a_fork_begins_at_an_iteration_that_was_concluded_and_counts(self, quick_lab):
        campaign = quick_lab.run(config())
        campaign.rollback(2)
        with pytest.raises(CampaignError, match="cannot be forked at iteration 3; concluded and counting: 1, 2"):
            quick_lab.fork("tiny", at=3)
        with pytest.raises(CampaignError, match=r"no such campaign; there are tiny\."):
            quick_lab.fork("tyni", at=1)
