"""`cellos record`, its `verify` and `rerun`, `record: true`, and `cellos templates`."""

from __future__ import annotations

import json

import nbformat
import pytest
from command import CAMPAIGN, assert_one_clear_line, cellos, cellos_here

from cellos_nb import CampaignConfig, Lab
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.queue import JobQueue


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder in which a campaign was run that records itself."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "campaign.yaml").write_text(CAMPAIGN + "record: true\n", encoding="utf-8")
    done = cellos("run", "campaign.yaml", cwd=folder)
    assert done.code == 0, done.err
    assert "wrote records/tiny" in done.err
    return folder


def test_a_campaign_that_asks_for_it_is_recorded_when_it_has_ended(ran):
    done = cellos_here("record", "verify", "records/tiny", cwd=ran)
    assert (done.code, done.out) == (0, "records/tiny: all 21 files are as they were written.\n")


def test_a_changed_file_fails_the_verification_and_is_named(ran, tmp_path):
    copy = cellos_here("record", "tiny", "--records", tmp_path, cwd=ran)
    assert copy.code == 0, copy.err
    digest = copy.out.split()[-1]
    assert len(digest) == 64
    assert cellos_here("record", "verify", tmp_path / "tiny", "--sha256", digest.upper(), cwd=ran).code == 0
    replaced = cellos_here("record", "verify", tmp_path / "tiny", "--sha256", "0" * 64, cwd=ran)
    assert (replaced.code, "is another one" in replaced.out) == (1, True)
    (tmp_path / "tiny" / "history.csv").write_text("", encoding="utf-8")
    done = cellos_here("record", "verify", tmp_path / "tiny", "--json", cwd=ran)
    assert done.code == 1
    assert json.loads(done.out) == [{"file": "history.csv", "problem": "changed"}]


def test_a_rerun_says_that_everything_came_out_as_recorded(ran, tmp_path):
    done = cellos_here("record", "rerun", ran / "records" / "tiny", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out.endswith("tiny: 2 iterations run again, as recorded\n")
    assert done.out.count("equal") == 4
    assert list(tmp_path.iterdir()) == []
    as_json = json.loads(cellos_here("record", "rerun", ran / "records" / "tiny", "--json", cwd=tmp_path).out)
    assert as_json["is_equal"]
    assert len(as_json["compared"]) == 4


def test_a_campaign_called_like_a_command_can_be_recorded_too(ran):
    assert_one_clear_line(cellos_here("record", "write", "verify", cwd=ran), 2, "verify: no such campaign")
    assert_one_clear_line(cellos_here("record", "--db", "lab.db", "tinny", cwd=ran), 2, "Did you mean tiny?")


def test_the_daemon_queues_the_record_of_a_campaign_that_asks_for_it_once(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        config = CampaignConfig.from_yaml(_written(tmp_path, CAMPAIGN + "record: true\n"))
        campaign = lab.submit(config)
        daemon = Daemon(lab.store, lab)
        while campaign.status == "running":
            daemon.run(once=True)
        lab.advance(campaign.campaign_id)
        jobs = [job for job in JobQueue(lab.store).jobs() if job.kind == "record"]
        assert [job.payload for job in jobs] == [{"campaign_id": "tiny"}]


def _written(folder, text):
    (folder / "campaign.yaml").write_text(text, encoding="utf-8")
    return folder / "campaign.yaml"


def test_templates_are_listed_with_what_they_take(tmp_path):
    done = cellos_here("templates", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "dose_response_report: How potent" in done.out
    assert "n_shown" in done.out
    listed = json.loads(cellos_here("templates", "--json", cwd=tmp_path).out)
    assert "campaign_headless" in {each["name"] for each in listed}


def test_a_template_that_fails_leaves_its_notebook_and_an_exit_code(tmp_path):
    _written(tmp_path, CAMPAIGN.replace("Capmatinib", "Aspirin"))
    done = cellos("templates", "run", "campaign_headless", "out.ipynb", "-p", "config=campaign.yaml", cwd=tmp_path)
    assert_one_clear_line(done, 1, "campaign_headless: cell", "'Aspirin' is unknown to the machine replay")
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert any("Aspirin" in output.get("evalue", "") for cell in notebook.cells for output in cell.get("outputs", ()))


def test_a_wrong_parameter_starts_nothing(tmp_path):
    done = cellos_here("templates", "run", "plate_qc", "-p", "n_maps=many", "-p", "folders=x", cwd=tmp_path)
    assert done.code == 2
    assert "n_maps: 'many' is no int; give one." in done.err
    assert "folders: unknown parameter" in done.err
    assert list(tmp_path.iterdir()) == []
