"""Earlier results become a finished campaign: whole, once, with where they are from, and closed to further work."""

from __future__ import annotations

import json
import math

import pytest
from earlier_results import DRUGS, mapping, rows, write_table

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.errors import CampaignError, ConfigError
from cellos_nb.lab import Lab
from cellos_nb.operations.history import import_history, read_history
from cellos_nb.operations.history.importing import foretold_id
from cellos_nb.planner import Prior
from cellos_nb.planner.scoreboard import scoreboard
from cellos_nb.store import audit


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        yield lab


@pytest.fixture
def read(tmp_path):
    return read_history(write_table(tmp_path / "screen.csv"), mapping())


def test_an_import_is_a_finished_campaign_with_an_ordinary_history(lab, read):
    done = import_history(lab.store, read, by="ada")
    campaign = lab.campaign(done.campaign_id)
    assert (done.is_new, done.n_experiments, done.n_wells) == (True, 50, 100)
    assert (campaign.campaign_id, campaign.status) == ("screen-of-2023", "finished")
    assert campaign.results.iterations == (1, 2)
    assert all(result.is_learnable for result in campaign.results)
    assert campaign.results == read.history(done.campaign_id)
    assert History.from_frame(campaign.history()).digest() == campaign.results.digest()


def test_each_day_is_an_iteration_and_stands_in_its_results(lab, read):
    done = import_history(lab.store, read, by="ada")
    days = {result.iteration: f"{result.started_at:%Y-%m-%d}" for result in lab.campaign(done.campaign_id).results}
    assert days == {1: "2023-05-02", 2: "2023-05-09"}


def test_replicates_give_the_mean_and_a_standard_error_from_all_of_them(read):
    result = read.history("x").results[0]
    first, second = (row[3] / 100 for row in rows()[:2])
    assert result.measurement == pytest.approx((first + second) / 2)
    assert [well.replicate for well in result.wells] == [1, 2]
    # Duplicates 0.04 apart scatter by 0.04/√2 about their mean, over the value or a tenth of vehicle.
    scales = [max((a[3] + b[3]) / 200, 0.1) for a, b in zip(rows()[::2], rows()[1::2], strict=True)]
    relative_sd = math.sqrt(sum((0.04 / math.sqrt(2) / scale) ** 2 for scale in scales) / len(scales))
    assert result.standard_error == pytest.approx(relative_sd * scales[0] / math.sqrt(2), rel=1e-6)
    assert result.degrees_of_freedom == 50


def test_without_replicates_there_is_no_standard_error(tmp_path):
    read = read_history(write_table(tmp_path / "t.csv", rows()[::2]), mapping())
    assert {result.standard_error for result in read.history("x")} == {None}


def test_the_same_file_with_the_same_mapping_is_stored_once(lab, read, tmp_path):
    first = import_history(lab.store, read, by="ada")
    renamed = read_history(tmp_path / "screen.csv", mapping(name="another name"))
    again = import_history(lab.store, renamed, by="bob")
    assert (again.campaign_id, again.is_new) == (first.campaign_id, False)
    assert foretold_id(lab.store, renamed) == (first.campaign_id, False)
    assert len(lab.campaigns()) == 1
    other = read_history(write_table(tmp_path / "other.csv", rows()[:50]), mapping())
    assert foretold_id(lab.store, other) == ("screen-of-2023-2", True)
    assert import_history(lab.store, other, by="ada").is_new
    maximised = read_history(tmp_path / "screen.csv", mapping(goal="maximise"))
    assert import_history(lab.store, maximised, by="ada").is_new


def test_where_the_results_are_from_stands_in_the_summary_and_in_the_audit_log(lab, read):
    done = import_history(lab.store, read, by="ada")
    summary = lab.campaign(done.campaign_id).summary()
    assert f"imported from screen.csv (SHA-256 {read.table.sha256})" in summary.stop_reason
    assert summary.duration_s == 0
    with lab.store.read() as tx:
        (entry,) = audit.entries(tx, audit.Wanted(kind="history.imported"))
        assert audit.verify(tx).is_whole
    facts = json.loads(entry.payload)
    assert (entry.who, entry.subject, facts["file"]) == ("ada", done.campaign_id, "screen.csv")
    assert facts["file_sha256"] == read.table.sha256
    assert facts["mapping"]["dose_unit"] == "nM"


def test_an_import_that_breaks_off_leaves_nothing(lab, read, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("cellos_nb.operations.history.importing.note", fail)
    with pytest.raises(OSError, match="disk full"):
        import_history(lab.store, read, by="ada")
    assert lab.campaigns() == ()


@pytest.mark.parametrize(
    ("verb", "act"),
    [
        ("resumed", lambda lab, name: lab.resume(name)),
        ("resumed", lambda lab, name: lab.hand_over(name)),
        ("forked", lambda lab, name: lab.fork(name, at=1)),
        ("rolled back", lambda lab, name: lab.campaign(name).rollback(1)),
        ("paused", lambda lab, name: lab.campaign(name).pause()),
        ("stopped", lambda lab, name: lab.campaign(name).stop_after_iteration()),
    ],
)
def test_an_imported_campaign_cannot_be_worked_on(lab, read, verb, act):
    done = import_history(lab.store, read, by="ada")
    with pytest.raises(CampaignError, match=f"was imported from a file and cannot be {verb}"):
        act(lab, done.campaign_id)
    assert lab.campaign(done.campaign_id).status == "finished"


def test_no_campaign_can_be_run_on_the_machine_that_is_none(lab, read):
    with pytest.raises(ConfigError, match="marks results that were measured elsewhere and is no machine"):
        lab.run(CampaignConfig.from_dict(read.config.to_dict()))


def test_a_prior_is_learnt_from_an_import(lab, read):
    done = import_history(lab.store, read, by="ada")
    prior = Prior.learn([lab.campaign(done.campaign_id).results], "the screen")
    assert prior != Prior.shipped()
    assert len(DRUGS) == 5


def test_a_scoreboard_replays_an_import(lab, read):
    done = import_history(lab.store, read, by="ada")
    campaign = lab.campaign(done.campaign_id)
    board = scoreboard(campaign.config, campaign.results, ("random", "grid"), n_seeds=1)
    assert board.n_experiments == 50
    assert {line.planner for line in board.lines} == {"random", "grid", "the campaign itself"}


def test_a_table_without_wells_plates_and_days_is_one_iteration(tmp_path, lab):
    path = write_table(tmp_path / "t.csv", [["A", "x", 1, 0.5], ["A", "x", 2, 0.4]], ("line", "drug", "dose", "y"))
    columns = {"cell_line": "line", "compound": "drug", "dose": "dose", "response": "y"}
    read = read_history(path, mapping(columns=columns, response={"kind": "fraction"}))
    done = import_history(lab.store, read, by="ada")
    results = lab.campaign(done.campaign_id).results
    assert [(r.iteration, r.wells[0].well, r.wells[0].replicate) for r in results] == [
        (1, "line 2", 1),
        (1, "line 3", 1),
    ]
