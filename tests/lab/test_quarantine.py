"""A plate that fails quality control teaches nothing, until a person lets it count."""

from __future__ import annotations

import pytest

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.history import History
from cellos_nb.domain.result import QCFlag, ResultStatus
from cellos_nb.errors import CampaignError
from cellos_nb.execution.events import ignore
from cellos_nb.loop import Loop, next_batch
from cellos_nb.panels.plates.drawn import quality_html
from cellos_nb.panels.plates.model import load_plate
from cellos_nb.planner import RandomPlanner
from cellos_nb.records.folder import read_record, write_sources
from cellos_nb.records.record import recorded_campaign
from cellos_nb.store import steering

PLATE = "gated/i001-p1"


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture
def config(tmp_path) -> CampaignConfig:
    """A campaign on a machine that exchanges two rows of every plate."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("faults:\n  swapped_rows: {share_of_plates: 1.0}\n", encoding="utf-8")
    return CampaignConfig(
        name="gated", cell_lines=["U2OS", "HeLa"], compounds=["staurosporine", "bortezomib", "paclitaxel"],
        dose_range_um=(0.001, 10.0), n_doses=8, batch_size=24, replicates=3, controls={"vehicle": 6},
        max_iterations=1, machine={"kind": "biology", "parameters": str(faults)}, seed=5,
    )  # fmt: skip


def test_a_quarantined_plate_teaches_nothing_and_every_account_says_so(lab, config):
    campaign = lab.run(config)
    assert {result.status for result in campaign.results} == {ResultStatus.QUARANTINED}
    assert all(QCFlag.SWAPPED_ROWS in result.qc_flags for result in campaign.results)
    assert campaign.results.learnable == ()
    assert campaign.best() is None
    rows = dict(campaign.summary().rows())
    assert rows["quarantined"].startswith(f"{PLATE}: 24 experiments (")
    assert "two rows look exchanged" in rows["quarantined"]
    assert set(campaign.history().status) == {"quarantined"}
    assert "two rows look exchanged" in dict(recorded_campaign(lab, "gated").summary.rows())["quarantined"]


def test_a_person_overrules_with_a_reason_and_the_next_iteration_learns_until_it_is_withdrawn(lab, config, tmp_path):
    campaign = lab.run(config)
    campaign.overrule(PLATE, "rows were put right by hand", by="ada")
    assert {result.status for result in campaign.results} == {ResultStatus.OK}
    assert all(QCFlag.OVERRULED in result.qc_flags for result in campaign.results)
    assert [state.is_consistent for state in campaign.model_states()] == [True]
    (decision,) = campaign.overrulings()
    assert (decision.person, decision.reason, decision.from_iteration) == ("ada", "rows were put right by hand", 2)
    write_sources(recorded_campaign(lab, "gated"), tmp_path)
    assert "by ada" in dict(read_record(tmp_path).summary.rows())["overruled"]

    child = lab.fork("gated", at=1, max_iterations=2)
    lab.resume(child.campaign_id)
    learnt = child.model_states()[0].state
    assert learnt.n_observations == 24

    campaign.withdraw_overruling(PLATE, "they were not", by="bob")
    assert campaign.results.learnable == ()
    assert "withdrawn by bob" in str(campaign.overrulings()[0])
    # What the fork learnt from stays as it was, and can be told.
    assert [state.is_consistent for state in child.model_states()] == [True]
    assert len(child.results.learnable) >= 24
    with pytest.raises(CampaignError, match="nobody has overruled"):
        campaign.withdraw_overruling(PLATE)


def test_the_history_that_an_iteration_saw_is_told_again_after_an_overruling(lab, config):
    campaign = lab.run(config)
    store = lab.store
    before = store.history("gated", seen_by=2)
    campaign.overrule(PLATE, "seen by eye")
    assert store.history("gated", seen_by=2).digest() != before.digest()  # the second iteration is still to come
    store.add_iteration("gated", 2, [])
    campaign.withdraw_overruling(PLATE)
    assert len(store.history("gated", seen_by=2).learnable) == 24
    assert store.history("gated", seen_by=3).learnable == ()


@pytest.mark.parametrize(
    ("plate", "reason", "message"),
    [
        pytest.param(PLATE, " ", "say why it counts", id="no-reason"),
        pytest.param("gated/i009-p1", "x", f"no quarantined plate of gated; quarantined: {PLATE}", id="no-such-plate"),
    ],
)
def test_an_overruling_without_cause_is_refused(lab, config, plate, reason, message):
    campaign = lab.run(config)
    with pytest.raises(CampaignError, match=message):
        campaign.overrule(plate, reason)
    assert campaign.overrulings() == ()


def test_a_plate_is_overruled_once(lab, config):
    campaign = lab.run(config)
    campaign.overrule(PLATE, "seen by eye")
    with pytest.raises(CampaignError, match="quarantined: none"):
        campaign.overrule(PLATE, "again")


def test_the_plates_panel_says_whether_a_plate_counts(lab, config):
    from cellos_nb.execution.story import plate_records

    campaign = lab.run(config)
    (record,) = plate_records(lab.store, "gated")
    plate = load_plate(lab.store, record)
    assert plate.verdict.startswith("Quarantined, 24 of 24 experiments: ")
    assert "two rows look exchanged" in plate.verdict
    assert plate.verdict in quality_html(plate)
    campaign.overrule(PLATE, "seen by eye")
    assert "Counts by a person's decision" in load_plate(lab.store, record).verdict


def test_a_history_file_keeps_what_was_overruled(lab, config):
    campaign = lab.run(config)
    campaign.overrule(PLATE, "seen by eye")
    again = History.from_frame(campaign.history())
    assert len(again.learnable) == 24
    assert all(QCFlag.OVERRULED in result.qc_flags for result in again)


def test_a_plate_that_is_overruled_while_the_planner_thinks_is_learnt_from_at_once(lab, config):
    lab.run(config)
    child = lab.fork("gated", at=1, max_iterations=2)

    class Interrupted:
        name, seen = "interrupted", []

        def propose(self, config, history, iteration, n):
            if not self.seen:
                child.overrule(PLATE, "seen by eye")
            self.seen.append(len(history.learnable))
            return RandomPlanner().propose(config, history, iteration, n)

    with lab.store.write() as tx:
        steering.begin(tx, child.campaign_id)
    batch = next_batch(Loop(lab.store, lab.machine_for(config.machine), Interrupted(), ignore), child.campaign_id)
    assert Interrupted.seen == [0, 24]
    assert batch.iteration == 2
    (kept,) = child.model_states()
    assert (kept.state.n_observations, kept.is_consistent) == (24, True)
