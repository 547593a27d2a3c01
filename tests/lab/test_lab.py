"""A lab runs campaigns to their end, and tells the same story however often it is asked."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cellos_nb import AutonomousExecutor, CampaignConfig, ExperimentProposal, Lab
from cellos_nb.domain.history import COLUMNS
from cellos_nb.errors import CampaignError, ConfigError, LeaseError


def config(**changes) -> CampaignConfig:
    return CampaignConfig(
        **{
            "name": "tiny",
            "cell_lines": ["SK-LMS-1", "RD-ES"],
            "compounds": ["Trametinib", "Dinaciclib", "Capmatinib"],
            "dose_range_um": [0.001, 10],
            "n_doses": 5,
            "objective": "minimise",
            "batch_size": 4,
            "max_iterations": 3,
            "replicates": 2,
            "machine": "replay",
            "planner": "random",
            "seed": 3,
        }
        | changes
    )


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


def test_a_campaign_runs_to_its_end_and_says_why_it_ended(lab):
    campaign = lab.run(config())
    summary = campaign.summary()
    assert (summary.status, summary.n_iterations, summary.n_experiments, summary.n_wells) == ("finished", 3, 12, 24)
    assert "3 iterations" in summary.stop_reason


def test_history_has_one_row_per_well_in_the_order_asked(lab):
    frame = lab.run(config()).history()
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 24
    assert frame["iteration"].is_monotonic_increasing
    assert not frame.duplicated(["plate", "well"]).any()


@pytest.mark.parametrize("goal", ["minimise", "maximise", "selectivity"])
def test_the_best_condition_is_the_best_of_those_measured(goal, lab):
    campaign = lab.run(config(objective=goal))
    scores = [condition.score.value for condition in campaign.scores()]
    assert scores
    assert campaign.best().score.value == max(scores)
    assert campaign.best().measurement.interval is not None


def test_the_same_seed_gives_the_same_history_in_another_lab_and_under_another_name(lab, tmp_path):
    first = lab.run(config()).history()
    with Lab.open(tmp_path / "other.db") as other:
        second = other.run(config(name="something else")).history()
    third = lab.run(config()).history()
    assert first.equals(second)
    assert first.equals(third)
    assert not first.equals(lab.run(config(seed=4)).history())


def test_a_name_used_again_is_numbered(lab):
    assert [lab.run(config(max_iterations=1)).campaign_id for _ in range(2)] == ["tiny", "tiny-2"]


def test_a_campaign_stopped_by_an_error_goes_on_as_if_nothing_had_happened(lab, tmp_path):
    with Lab.open(tmp_path / "other.db") as other:
        undisturbed = other.run(config()).history()

    class Interrupted(Exception):
        pass

    seen = []

    def interrupt(event):
        seen.append(event)
        if len(seen) == 17:
            raise Interrupted

    with pytest.raises(Interrupted):
        lab.run(config(), on_event=interrupt)
    assert lab.campaign("tiny").status == "running"
    assert lab.resume("tiny").history().equals(undisturbed)


def test_a_finished_campaign_is_not_run_again(lab):
    before = lab.run(config()).history()
    events = []
    assert lab.resume("tiny", on_event=events.append).history().equals(before)
    assert events == []


def test_an_unknown_campaign_is_refused_with_those_there_are(lab):
    lab.run(config(max_iterations=1))
    with pytest.raises(CampaignError, match="tiny"):
        lab.resume("tinny")


def test_a_campaign_that_the_machine_cannot_run_is_refused_and_not_stored(lab):
    with pytest.raises(ConfigError, match=r"cell_lines\.1: 'HeLa' is unknown to the machine"):
        lab.run(config(cell_lines=["SK-LMS-1", "HeLa"]))
    assert lab.campaigns() == ()


def test_a_campaign_stops_before_it_exceeds_its_budget(lab):
    one_iteration = lab.check(config()).cost_per_iteration_usd
    campaign = lab.run(config(budget_usd=2.5 * one_iteration, max_iterations=10))
    summary = campaign.summary()
    assert summary.n_iterations == 2
    assert summary.cost_usd <= 2.5 * one_iteration
    assert "budget" in summary.stop_reason


def test_a_campaign_that_no_longer_improves_stops(lab):
    rule = {"patience": 2, "min_improvement": 10.0}
    summary = lab.run(config(convergence=rule, max_iterations=10, batch_size=3)).summary()
    assert summary.n_iterations == 3
    assert "converged" in summary.stop_reason


def test_a_question_that_is_answered_in_full_ends_the_campaign(lab):
    summary = lab.run(config(batch_size=20, max_iterations=50, planner="space_filling")).summary()
    assert summary.stop_reason in {"every experiment of the question has been made", "all 50 iterations are done"}
    assert summary.n_experiments >= 30


def test_proposals_of_ones_own_are_answered_in_order(lab):
    proposals = [
        ExperimentProposal(cell_line="U2OS", compound="staurosporine", dose_um=dose, assay="viability")
        for dose in (10.0, 0.001, 0.3)
    ]
    results = AutonomousExecutor(lab).execute_batch(proposals, wait=True)
    assert [result.proposal.dose_um for result in results] == [10.0, 0.001, 0.3]
    high, low, middle = (result.measurement for result in results)
    assert high < middle < low


def test_a_lab_that_is_open_and_idle_keeps_no_other_process_from_running(lab, tmp_path):
    lab.run(config(max_iterations=1))
    code = (
        "import sys; from cellos_nb import Lab\n"
        "with Lab.open(sys.argv[1]) as lab: print(lab.run(lab.campaigns()[0].config))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "lab.db")], capture_output=True, text=True, check=False
    )
    assert done.stdout == "Campaign('tiny-2', finished)\n", done.stderr


def test_a_campaign_that_cannot_begin_because_another_process_runs_is_not_stored(lab, tmp_path):
    code = (
        "import sys; from cellos_nb import Lab; from cellos_nb.execution.lease import dispatcher\n"
        "with Lab.open(sys.argv[1]) as lab, dispatcher(lab.store):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lab.db")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LeaseError, match=str(other.pid)):
            lab.run(config())
        other.kill()
    assert lab.campaigns() == ()
    assert lab.run(config()).status == "finished"
