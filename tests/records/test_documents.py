"""A campaign as documents of the event model: their references hold, and they read back into an equal history."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from recorded_campaigns import TINY

from cellos_nb import Lab
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.errors import InputError
from cellos_nb.records.documents import documents, read_documents, write_documents


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    with Lab.open(tmp_path_factory.mktemp("documents") / "lab.db") as lab:
        made = lab.run(TINY)
        return lab.store.campaign(made.campaign_id), made.results


def test_what_was_written_reads_back_into_an_equal_history(campaign, tmp_path):
    record, history = campaign
    path = write_documents(record, history, tmp_path / "new" / "folder")
    assert path.name == "tiny.jsonl"
    assert read_documents(path) == history
    assert len(history) == 8


def test_every_document_refers_to_one_that_came_before(campaign):
    start, descriptor, *events, stop = [document for _, document in documents(*campaign)]
    assert descriptor["run_start"] == stop["run_start"] == start["uid"]
    assert {event["descriptor"] for event in events} == {descriptor["uid"]}
    assert [event["seq_num"] for event in events] == list(range(1, len(events) + 1))
    assert stop["num_events"] == {"primary": len(events)}
    assert stop["exit_status"] == "success"
    everything = [each["uid"] for each in (start, descriptor, *events, stop)]
    assert len(set(everything)) == len(everything)


def test_the_keys_of_every_event_are_those_that_the_descriptor_describes(campaign):
    _, (_, descriptor), *events, _ = documents(*campaign)
    kinds = {"string": str, "number": (int, float), "integer": int, "boolean": bool, "array": list}
    for _, event in events:
        assert event["data"].keys() == event["timestamps"].keys() == descriptor["data_keys"].keys()
        for name, value in event["data"].items():
            described = descriptor["data_keys"][name]
            assert not {".", "/"} & set(name), "the event model allows neither in a key"
            assert value is None or isinstance(value, kinds[described["dtype"]]), name
            assert described["source"]
    assert descriptor["data_keys"]["proposal-dose_um"]["units"] == "µM"
    assert descriptor["data_keys"]["wells-value"] == {
        "source": "cellos_nb:wells-value",
        "dtype": "array",
        "shape": [None],
        "units": "fraction of vehicle",
    }


def test_the_same_campaign_gives_the_same_text(campaign, tmp_path):
    texts = {write_documents(*campaign, tmp_path / name).read_bytes() for name in ("one", "two")}
    assert len(texts) == 1


def failed(name):
    proposal = ExperimentProposal("U2OS", "drug µ", 0.1, "viability", name)
    return ExperimentResult(
        proposal, ResultStatus.FAILED, error="dropped", finished_at=datetime(2026, 1, 2, tzinfo=UTC)
    )


@pytest.mark.parametrize("n", [0, 1, 2])
def test_experiments_without_wells_and_reasons_read_back_as_well(campaign, tmp_path, n):
    record, history = campaign
    mixed = History((*(failed(f"f{k}") for k in range(n)), *history.results[:n]))
    assert read_documents(write_documents(record, mixed, tmp_path)) == mixed


@pytest.mark.parametrize(("status", "said"), [("failed", "fail"), ("paused", "abort"), ("running", "abort")])
def test_the_stop_says_how_the_campaign_ended(campaign, status, said):
    record, history = campaign
    from cellos_nb.store.records import CampaignStatus

    *_, (_, stop) = documents(replace(record, status=CampaignStatus(status)), history)
    assert stop["exit_status"] == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda lines: lines[:-1], "one stop", id="no stop"),
        pytest.param(lambda lines: [*lines[:3], *lines[4:]], "holds 7 events and says 8", id="an event is gone"),
        pytest.param(lambda lines: [*lines[:2], "[]", *lines[2:]], "line 3: is no document", id="no document"),
        pytest.param(lambda lines: [*lines[:2], '["event", {"data": {}}]', *lines[2:]], "line 3: ", id="no result"),
        pytest.param(lambda lines: ["no json"], "line 1: ", id="no json"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_its_line(campaign, tmp_path, change, said):
    path = write_documents(*campaign, tmp_path)
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_documents(path)


def test_a_line_is_the_name_of_a_document_and_the_document(campaign, tmp_path):
    lines = write_documents(*campaign, tmp_path).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)[0] for line in lines] == ["start", "descriptor", *["event"] * 8, "stop"]


def test_the_command_writes_them_and_names_the_file(tmp_path):
    from typer.testing import CliRunner

    from cellos_nb.cli.app import app

    with Lab.open(tmp_path / "lab.db") as lab:
        lab.run(TINY.model_copy(update={"max_iterations": 1}))
    asked = ["export", "tiny", "--documents", str(tmp_path / "out"), "--db", str(tmp_path / "lab.db")]
    ended = CliRunner().invoke(app, asked)
    assert ended.exit_code == 0, ended.output
    assert len(read_documents(tmp_path / "out" / "tiny.jsonl")) == 4
