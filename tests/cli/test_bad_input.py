"""Whatever is wrong, the command says so in one line that tells what to do, and leaves nothing half written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from command import CAMPAIGN, COMMAND, assert_one_clear_line, cellos_here


def campaign_file(folder: Path, *changes: tuple[str, str]) -> Path:
    """A campaign file with pieces of its text replaced."""
    text = CAMPAIGN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "campaign.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(("batch_size: 4", "batch_sise: 4"), ("line 7", "did you mean 'batch_size'"), id="unknown key"),
        pytest.param(("batch_size: 4", "batch_size: 0"), ("line 7", "batch_size", "at least 1"), id="no experiments"),
        pytest.param(("batch_size: 4", "batch_size: 31"), ("line 7", "30 experiments"), id="batch beyond the question"),
        pytest.param(("[0.001, 10]", "[10, 0.001]"), ("line 4", "reversed"), id="reversed doses"),
        pytest.param(("[0.001, 10]", "[0, 10]"), ("line 4", "above 0"), id="a dose of 0"),
        pytest.param(("[0.001, 10]", "[-1, 10]"), ("line 4", "above 0"), id="a dose of -1"),
        pytest.param(("[0.001, 10]", "[.nan, 10]"), ("line 4", "finite"), id="a dose that is no number"),
        pytest.param(("[0.001, 10]", "[0.001, 100]"), ("line 4", "100 µM", "10 µM"), id="a dose that was not measured"),
        pytest.param(("RD-ES", "RD-EZ"), ("line 2", "RD-EZ", "possible", "KHOS-NP"), id="unknown cell line"),
        pytest.param(("Capmatinib", "Aspirin"), ("line 3", "Aspirin", "possible"), id="unknown compound"),
        pytest.param(("machine: replay", "machine: reply"), ("reply", "possible", "replay"), id="unknown machine"),
        pytest.param(("planner: random", "planner: oracle"), ("oracle", "possible", "random"), id="unknown planner"),
        pytest.param(("seed: 3", "stock_mm: null"), ("line 3", "has no stock", "stock_mm"), id="no stock"),
        pytest.param(("seed: 3", "stock_mm: 0.1"), ("stock", "µM"), id="a stock that is too thin"),
        pytest.param(("seed: 3", "seed: [3"), ("line 1", "not valid YAML"), id="malformed YAML"),
        pytest.param(("seed: 3", "name: again"), ("line 11", "stands twice", "line 1"), id="a key twice"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_wrong_campaign_is_refused_before_anything_is_stored(command, change, expected, tmp_path):
    path = campaign_file(tmp_path, change)
    ended = cellos_here(command, path, cwd=tmp_path)
    assert_one_clear_line(ended, 2, *expected)
    assert [item.name for item in tmp_path.iterdir()] == ["campaign.yaml"]


def test_a_missing_campaign_file_is_named(tmp_path):
    assert_one_clear_line(cellos_here("run", "nowhere.yaml", cwd=tmp_path), 2, "nowhere.yaml", "no such file")


def test_a_screen_with_wrong_columns_is_refused_with_the_columns_it_needs(tmp_path):
    (tmp_path / "mine.csv").write_text("line,drug,conc\nA,B,1\n", encoding="utf-8")
    path = campaign_file(tmp_path, ("machine: replay", "machine: {kind: replay, screen: mine.csv}"))
    assert_one_clear_line(cellos_here("run", path, cwd=tmp_path), 2, "mine.csv", "cell_line", "dose_um", "viability")


def test_a_read_only_folder_is_named(tmp_path):
    # /sys refuses new files even to root, which permission bits do not.
    ended = cellos_here("run", campaign_file(tmp_path), "--db", "/sys/lab.db", cwd=tmp_path)
    assert_one_clear_line(ended, 1, "/sys/lab.db", "write")


def test_a_corrupted_database_is_told_from_a_good_one(tmp_path):
    (tmp_path / "lab.db").write_bytes(b"not a database at all, but long enough to be taken for one" * 100)
    assert_one_clear_line(cellos_here("list", cwd=tmp_path), 1, "lab.db")


def test_a_damaged_page_is_one_clear_line(tmp_path):
    path = campaign_file(tmp_path)
    assert cellos_here("run", path, cwd=tmp_path).code == 0
    size = (tmp_path / "lab.db").stat().st_size
    with (tmp_path / "lab.db").open("r+b") as file:
        file.seek(1024)
        file.write(os.urandom(size - 2048))
    assert_one_clear_line(cellos_here("status", cwd=tmp_path), 1, "lab.db")


def test_a_database_of_a_newer_release_is_left_alone(tmp_path):
    assert cellos_here("run", campaign_file(tmp_path), cwd=tmp_path).code == 0
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    connection.close()
    before = (tmp_path / "lab.db").read_bytes()
    assert_one_clear_line(cellos_here("list", cwd=tmp_path), 1, "newer")
    assert (tmp_path / "lab.db").read_bytes() == before


def test_a_missing_database_is_not_made_by_looking(tmp_path):
    assert_one_clear_line(cellos_here("list", cwd=tmp_path), 1, "lab.db")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_campaign_is_answered_with_those_there_are(tmp_path):
    assert cellos_here("run", campaign_file(tmp_path), cwd=tmp_path).code == 0
    for command in (
        ["status", "tinny"],
        ["resume", "tinny"],
        ["export", "tinny", "--csv", "x.csv"],
        ["record", "tinny"],
    ):
        assert_one_clear_line(cellos_here(*command, cwd=tmp_path), 2, "tinny", "tiny")


def test_an_export_into_a_read_only_folder_leaves_nothing(tmp_path):
    assert cellos_here("run", campaign_file(tmp_path), cwd=tmp_path).code == 0
    ended = cellos_here("export", "tiny", "--csv", "/sys/history.csv", cwd=tmp_path)
    assert_one_clear_line(ended, 1, "/sys/history.csv", "cannot be written")


def run_on_small_disk(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script with a file system of 1 MB mounted at `folder`, in a mount namespace of its own."""
    outer = ["unshare", "--map-root-user", "--user", "--mount", "sh", "-ec"]
    mount = f"mount -t tmpfs -o size=1m none '{folder}'; cd '{folder}'; {script}"
    return subprocess.run([*outer, mount], capture_output=True, text=True, timeout=120, check=False)


def needs_small_disk(folder: Path) -> None:
    if run_on_small_disk(folder, "true").returncode != 0:
        if os.environ.get("CI"):
            pytest.fail("this machine allows no mount in a namespace; the disk-full tests cannot run")
        pytest.skip("this machine allows no mount in a namespace of its own")


@pytest.mark.parametrize("spare_kb", [40, 200, 500], ids=lambda kb: f"{kb} kB left")
def test_a_full_disk_is_one_clear_line_and_what_was_measured_stays(spare_kb, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    needs_small_disk(disk)
    large = (("n_doses: 5", "n_doses: 150"), ("batch_size: 4", "batch_size: 80"), ("iterations: 2", "iterations: 9"))
    path = campaign_file(tmp_path, *large)
    command = " ".join(f"'{part}'" for part in COMMAND)
    script = (
        f"dd if=/dev/zero of=filler bs=1k count={1000 - spare_kb} 2>/dev/null; "
        f"code=0; {command} run '{path}' >'{tmp_path}/out' 2>'{tmp_path}/err' || code=$?; "
        f"echo $code >'{tmp_path}/code'; "
        f"rm filler; {command} list --json >'{tmp_path}/list' 2>&1 || true"
    )
    done = run_on_small_disk(disk, script)
    assert done.returncode == 0, done.stderr
    errors = (tmp_path / "err").read_text(encoding="utf-8")
    assert (tmp_path / "code").read_text().strip() == "1", errors
    assert "Traceback" not in errors
    assert "full" in errors or "No space left" in errors or "disk" in errors
    # With room again, the database opens and knows its campaigns, or was never begun.
    after = (tmp_path / "list").read_text(encoding="utf-8")
    assert after.startswith("[") or "there is no such database" in after, after
