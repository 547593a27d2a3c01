"""`cellos proof` writes and lists artifacts; `cellos approve-workflow` takes the approval of what it shows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from command import CAMPAIGN, assert_one_clear_line, cellos_here


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return tmp_path


def proofs_of(folder, what="campaign.yaml"):
    done = cellos_here("proof", what, "--json", cwd=folder)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_proof_lists_the_artifacts_of_the_first_batch_with_their_hashes(folder):
    (proof,) = proofs_of(folder)
    assert [item["name"] for item in proof["artifacts"]][-1] == "manifest.json"
    for item in proof["artifacts"]:
        assert hashlib.sha256((folder / item["path"]).read_bytes()).hexdigest() == item["sha256"]
    shown = cellos_here("proof", "campaign.yaml", cwd=folder).out
    for item in proof["artifacts"]:
        assert item["name"] in shown
        assert item["sha256"] in shown
    assert cellos_here("list", "--json", cwd=folder).out.strip() == "[]"


def test_a_submitted_plate_has_the_proof_that_its_campaign_had_before(folder):
    before = proofs_of(folder)
    assert cellos_here("run", "campaign.yaml", cwd=folder).code == 0
    assert proofs_of(folder, "tiny/i001-p1") == before
    assert proofs_of(folder, "tiny/i002-p1") != before


def test_what_was_proved_can_be_approved(folder):
    (proof,) = proofs_of(folder)
    asked = ("approve-workflow", "--workflow", proof["workflow_sha256"], "--machine", "replay")
    done = cellos_here(*asked, "--person", "Ada", "--expires-h", "2", cwd=folder)
    assert done.code == 0, done.err
    for fact in ("Ada", "replay", proof["workflow_sha256"], proof["manifest_sha256"], "UTC"):
        assert fact in done.out
    Path(folder / proof["artifacts"][0]["path"]).unlink()
    assert_one_clear_line(cellos_here(*asked, cwd=folder), 1, "there is no such artifact")


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (("proof", "missing.yaml"), 2, "missing.yaml"),
        (("proof", "tiny/i009-p1"), 2, "no such plate was submitted"),
        (("approve-workflow", "--workflow", "abc", "--machine", "replay"), 2, "there is no proof of this workflow"),
        (("approve-workflow", "--workflow", "a", "--machine", "b", "--expires-h", "0"), 2, "--expires-h: 0 h"),
        (("approve-workflow", "--workflow", "a", "--machine", "b", "--expires-h", "nan"), 2, "--expires-h: nan h"),
    ],
    ids=["no file", "no plate", "no proof", "no time", "nan"],
)
def test_what_cannot_be_is_refused_in_one_line(folder, args, code, expected):
    proofs_of(folder)
    assert_one_clear_line(cellos_here(*args, cwd=folder), code, expected)


@pytest.mark.parametrize("command", ["proof", "approve-workflow"])
def test_the_commands_have_help(command, tmp_path):
    done = cellos_here(command, "--help", cwd=tmp_path)
    assert done.code == 0
    assert "--db" in done.out
