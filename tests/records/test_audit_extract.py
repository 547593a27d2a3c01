"""A record holds what the audit log has about its campaign, and verifies it by the log's own hashes."""

from __future__ import annotations

import json

import pytest
from recorded_campaigns import TINY, write_plainly

from cellos_nb import Lab
from cellos_nb.execution.control import flags_of
from cellos_nb.records.audit_file import AUDIT_LOG, read_file
from cellos_nb.records.folder import MANIFEST
from cellos_nb.records.manifest import sha256_of, verify_record
from cellos_nb.records.tables import decisions


@pytest.fixture
def record(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        other = lab.store.add_campaign(TINY.model_copy(update={"name": "other"}))
        campaign = lab.run(TINY)
        lab.campaign(other).pause("a matter of another campaign", by="Ben")
        flags_of(lab.store).set("paused", "cleaning", by="Ada")
        flags_of(lab.store).clear("paused")
        campaign.rollback(1, "the wrong plate", by="Ada")
        return write_plainly(lab, campaign.campaign_id, tmp_path / "record")


def test_a_record_has_the_acts_on_its_campaign_and_on_all_work_and_no_other(record):
    kinds = [getattr(each, "kind", None) for each in read_file(record / AUDIT_LOG)]
    assert kinds == ["campaign.begun", "campaign.ended", None, "queue.paused", "queue.allowed", "campaign.rolled_back"]
    assert "another campaign" not in (record / AUDIT_LOG).read_text(encoding="utf-8")
    assert verify_record(record).differences == ()


def test_the_decisions_of_a_record_say_who_paused_all_work(record):
    told = list(decisions(record)["message"])
    assert "queue.paused queue by Ada: cleaning" in told
    assert not any("rolled_back" in each for each in told), "the log has that line already"


def test_an_altered_entry_is_named_even_when_the_manifest_was_made_anew(record):
    path = record / AUDIT_LOG
    path.write_text(
        path.read_text(encoding="utf-8").replace("the wrong plate", "a plate"), encoding="utf-8", newline=""
    )
    manifest = json.loads((record / MANIFEST).read_text(encoding="utf-8"))
    for listed in manifest["files"]:
        if listed["path"] == AUDIT_LOG:
            listed |= {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    (record / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    ((name, problem),) = [(each.path, each.problem) for each in verify_record(record).differences]
    assert name == AUDIT_LOG
    assert problem.startswith("entry 7 was changed: ")


def test_a_damaged_extract_is_a_difference_and_no_crash(record):
    (record / AUDIT_LOG).write_text("no JSON\n", encoding="utf-8")
    problems = [each.problem for each in verify_record(record).differences if each.path == AUDIT_LOG]
    assert problems[0] == "changed"
    assert "line 1: is no entry" in problems[1]
