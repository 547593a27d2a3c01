"""A record's manifest names each file that is not as it was written."""

from __future__ import annotations

import json
import shutil

import pytest
from recorded_campaigns import TINY, write_plainly

from cellos_nb import Lab
from cellos_nb.errors import InputError
from cellos_nb.records.manifest import verify_record


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verified")
    with Lab.open(folder / "lab.db") as lab:
        campaign = lab.run(TINY)
        return write_plainly(lab, campaign.campaign_id, folder / "record")


@pytest.fixture
def record(written, tmp_path):
    return shutil.copytree(written, tmp_path / "record")


def problems(record):
    return [(each.path, each.problem) for each in verify_record(record).differences]


def test_a_record_is_whole_wherever_it_was_copied_to(record):
    assert problems(record) == []


def test_each_file_that_changed_is_missing_or_was_added_is_named(record):
    with (record / "history.csv").open("ab") as file:
        file.write(b" ")
    (record / "workflows" / "i001-p1.json").unlink()
    (record / "figures").mkdir()
    (record / "figures" / "forged.png").write_bytes(b"")
    assert problems(record) == [
        ("figures/forged.png", "extra"),
        ("history.csv", "changed"),
        ("workflows/i001-p1.json", "missing"),
    ]


def test_a_changed_byte_is_found_even_when_size_and_time_are_kept(record):
    path = record / "results.json"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert problems(record) == [("results.json", "changed")]


def test_a_link_is_no_file_of_the_record_even_when_it_leads_to_the_same_bytes(record, tmp_path):
    (record / "history.csv").rename(tmp_path / "elsewhere.csv")
    (record / "history.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert problems(record) == [("history.csv", "changed")]


def test_the_hash_of_the_manifest_tells_a_record_that_was_replaced_as_a_whole(record):
    before = verify_record(record).manifest_sha256
    manifest = json.loads((record / "manifest.json").read_text(encoding="utf-8"))
    (record / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert verify_record(record).differences == ()
    assert verify_record(record).manifest_sha256 != before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda m: m["files"][0].update(path="../outside"), "leads out of the record", id="outside"),
        pytest.param(lambda m: m["files"][0].update(path="/etc/passwd"), "leads out of the record", id="absolute"),
        pytest.param(lambda m: m["files"][0].update(sha256="abc"), r"files\.0\.sha256", id="no hash"),
        pytest.param(lambda m: m.pop("files"), "files: Field required", id="no files"),
        pytest.param(lambda m: m.update(extra=1), "extra: Extra inputs", id="unknown key"),
    ],
)
def test_a_manifest_that_is_none_is_refused(record, change, said):
    manifest = json.loads((record / "manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (record / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        verify_record(record)


def test_a_folder_that_is_no_record_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"manifest\.json: cannot be read .* Give the folder of a record"):
        verify_record(tmp_path)
