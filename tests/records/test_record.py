"""A record holds everything a person keeps, and its manifest tells if a byte of it changed."""

from __future__ import annotations

import json
import re

import nbformat
import pandas as pd
import pytest

from cellos_nb import Lab
from cellos_nb.domain import codec
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.errors import InputError
from cellos_nb.execution.logbook import log_entries
from cellos_nb.execution.process import person
from cellos_nb.records import templates
from cellos_nb.records.examples import example_config
from cellos_nb.records.exports import csv_text
from cellos_nb.records.folder import read_record
from cellos_nb.records.manifest import sha256_of
from cellos_nb.records.plates import read_plates
from cellos_nb.records.record import write_record
from cellos_nb.records.templates import TemplateError, run_template, template_path

HOSTILE = "<script>alert('x')</script> & <b>bold</b>"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One campaign with a hostile name, and its record."""
    folder = tmp_path_factory.mktemp("lab")
    with Lab.open(folder / "lab.db") as lab:
        campaign = lab.run(example_config(name=HOSTILE, max_iterations=2, planner="random"))
        yield lab, campaign, write_record(lab, campaign.campaign_id, folder / "records")


def test_a_record_holds_notebook_page_data_figures_configuration_and_manifest(recorded):
    _, _, folder = recorded
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    figures = {f"figures/{name}.png" for name in ("trajectory", "dose_response", "overview")}
    workflows = {f"workflows/i00{n}-p1.json" for n in (1, 2)}
    assert names == figures | workflows | {
        "record.ipynb", "record.html", "history.csv", "history.parquet", "campaign.yaml", "run.json", "manifest.json",
        "results.json", "readings.csv", "readings.parquet", "readings.json", "plates.csv", "audit.csv",
        "audit_log.jsonl",
        "approvals.json", "model_states.json", "ro-crate-metadata.json",
    }  # fmt: skip


def test_the_hash_of_a_workflows_file_is_the_one_that_people_approve(recorded):
    _, campaign, folder = recorded
    plates = pd.read_csv(folder / "plates.csv")
    there = [sha256_of(folder / path) for path in plates["workflow"]]
    assert there == list(plates["workflow_sha256"]) == [workflow.sha256 for workflow in campaign.workflows()]


def test_every_signal_that_was_read_stands_in_the_readings_controls_among_them(recorded):
    _, campaign, folder = recorded
    readings = pd.read_csv(folder / "readings.csv")
    used = sum(len(workflow.layout.with_cells) for workflow in campaign.workflows())
    assert len(readings) == used
    assert set(readings["role"]) == {"sample", "vehicle", "positive"}
    own = readings[readings["role"] == "sample"].set_index(["plate", "well"])["signal"]
    history = pd.read_csv(folder / "history.csv").set_index(["plate", "well"])["signal"]
    assert own.sort_index().to_dict() == history.sort_index().to_dict()
    assert len(read_plates(folder)) == 2


def test_the_whole_results_keep_the_times_that_the_history_leaves_out(recorded):
    _, campaign, folder = recorded
    whole = codec.from_json(History, (folder / "results.json").read_bytes())
    assert whole == campaign.results
    assert all(result.finished_at is not None for result in whole)


def test_the_audit_tells_of_every_step(recorded):
    _, campaign, folder = recorded
    audit = pd.read_csv(folder / "audit.csv")
    n_steps = sum(len(workflow.steps) for workflow in campaign.workflows())
    assert (audit["source"] == "step").sum() == n_steps
    assert list(audit["at"]) == sorted(audit["at"])


def test_the_hash_of_the_manifest_is_kept_with_the_database(recorded):
    lab, campaign, folder = recorded
    said = f"{campaign.campaign_id}: recorded by {person()}, SHA-256 of its manifest"
    assert log_entries(lab.store)[0].message == f"{said} {sha256_of(folder / 'manifest.json')}"


def test_the_manifest_has_the_hash_of_every_other_file_and_what_the_run_stood_on(recorded):
    _, campaign, folder = recorded
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    listed = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    there = {path.relative_to(folder).as_posix(): sha256_of(path) for path in folder.rglob("*") if path.is_file()}
    del there["manifest.json"]
    assert listed == there
    assert manifest["seed"] == campaign.config.seed
    assert "10.1038/s44320-023-00004-7" in manifest["data_source"]
    assert {"python", "cellos-nb", "numpy"} <= set(manifest["versions"])


def test_a_record_reads_back_as_the_campaign_that_was_run(recorded):
    _, campaign, folder = recorded
    back = read_record(folder)
    assert back.config == campaign.config == CampaignConfig.from_yaml(folder / "campaign.yaml")
    assert back.summary == campaign.summary()
    assert csv_text(back.history) == csv_text(campaign.results) == (folder / "history.csv").read_text(encoding="utf-8")


def test_the_page_needs_no_network_and_runs_no_script(recorded):
    _, _, folder = recorded
    page = (folder / "record.html").read_text(encoding="utf-8")
    assert "<script" not in page.lower()
    assert HOSTILE not in page
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    assert len(re.findall(r"<img[^>]*src=.data:image/png;base64,", page)) == page.count("<img") == 3
    assert 'alt="Score of each condition by iteration, with the best so far"' in page
    assert "No description" not in page


def test_the_executed_notebook_names_no_place_on_this_machine(recorded, tmp_path_factory):
    _, _, folder = recorded
    assert str(tmp_path_factory.getbasetemp()) not in (folder / "record.ipynb").read_text(encoding="utf-8")


def test_a_template_that_fails_leaves_the_notebook_that_shows_where(tmp_path):
    with pytest.raises(TemplateError, match=r"campaign_record: cell 4 failed: .*figure_format: 'gif' is not possible"):
        run_template("campaign_record", tmp_path / "out.ipynb", {"figure_format": "gif"})
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert any(output.get("ename") == "ConfigError" for cell in notebook.cells for output in cell.get("outputs", ()))


def test_an_unknown_parameter_is_refused_before_the_kernel_starts(tmp_path):
    with pytest.raises(InputError, match="unknown parameter folde; possible: folder, n_conditions, figure_format"):
        run_template("campaign_record", tmp_path / "out.ipynb", {"folde": "."})
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_template_is_answered_with_those_there_are():
    with pytest.raises(InputError, match=r"campaign_recrod: .* possible: campaign_headless, campaign_record"):
        template_path("campaign_recrod")


def test_a_failed_record_leaves_an_earlier_one_as_it_was(recorded, monkeypatch, tmp_path):
    lab, campaign, folder = recorded
    before = {path: sha256_of(path) for path in folder.rglob("*") if path.is_file()}
    broken = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell('folder: str = ""', metadata={"tags": ["parameters"]})]
    )
    broken.cells.append(nbformat.v4.new_code_cell("raise RuntimeError('broken on purpose')"))
    broken.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(broken, tmp_path / "campaign_record.ipynb")
    monkeypatch.setattr(templates, "_FOLDERS", (tmp_path,))
    with pytest.raises(TemplateError, match="broken on purpose"):
        write_record(lab, campaign.campaign_id, folder.parent)
    assert {path: sha256_of(path) for path in folder.rglob("*") if path.is_file()} == before
    assert (folder.parent / f"{campaign.campaign_id}.failed.ipynb").exists()
