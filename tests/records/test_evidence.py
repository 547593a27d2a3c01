"""What a record keeps of people's part: pauses, approvals, proofs, and what became of lost files."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pandas as pd
import pytest
from recorded_campaigns import TINY, write_plainly

from cellos_nb import Lab
from cellos_nb.execution.approvals import approve
from cellos_nb.records.tables import decisions, plates
from cellos_nb.units import now_utc


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


def test_who_approved_which_workflow_stands_in_the_record_with_the_proof_that_was_read(lab, tmp_path):
    campaign = lab.run(TINY)
    proof = lab.prove_plate("tiny/i001-p1")
    approve(lab.store, proof.workflow_sha256, machine="replay", person="ada",
            expires_at=now_utc() + timedelta(hours=1))  # fmt: skip
    record = write_plainly(lab, campaign.campaign_id, tmp_path / "record")
    (given,) = json.loads((record / "approvals.json").read_text(encoding="utf-8"))
    assert (given["person"], given["plate_id"], given["machine"]) == ("ada", "tiny/i001-p1", "replay")
    copied = record / "proofs" / given["manifest_sha256"]
    assert {path.name for path in copied.iterdir()} == {"manifest.json", *(each.name for each in proof.artifacts)}
    assert list(plates(record)["approvals"]) == ["1", "0"]


def test_a_proof_of_which_a_file_was_lost_is_told_of_and_the_record_is_written(lab, tmp_path):
    lab.run(TINY)
    proof = lab.prove_plate("tiny/i001-p1")
    shutil.rmtree(tmp_path / "artifacts" / proof.artifacts[0].sha256)
    record = write_plainly(lab, "tiny", tmp_path / "record")
    said = (record / "proofs" / proof.manifest.sha256 / "problem.txt").read_text(encoding="utf-8")
    assert "there is no such artifact" in said


def test_what_a_person_did_is_told_and_another_campaign_of_a_like_name_is_not(lab, tmp_path):
    campaign = lab.run(TINY)
    other = lab.run(TINY)
    assert other.campaign_id == "tiny-2"
    other.rollback(1, "of the other", by="eve")
    campaign.rollback(1, "=cmd()", by="ada")
    record = write_plainly(lab, campaign.campaign_id, tmp_path / "record")
    said = "\n".join(decisions(record)["message"])
    assert "rolled back to iteration 1 by ada: =cmd()" in said
    assert "eve" not in said
    assert "step" not in said
    audit = pd.read_csv(record / "audit.csv")
    assert set(audit["plate"].dropna()) == {"tiny/i001-p1", "tiny/i002-p1"}


def test_results_that_no_longer_count_are_kept_whole(lab, tmp_path):
    campaign = lab.run(TINY)
    before = len(campaign.results)
    campaign.rollback(1, by="ada")
    record = write_plainly(lab, campaign.campaign_id, tmp_path / "record")
    kept = json.loads((record / "results.json").read_text(encoding="utf-8"))["results"]
    assert len(kept) == before == 2 * len(pd.read_csv(record / "history.csv"))
