"""`cellos stop`, `rollback` and `fork` steer a campaign that another process runs, or that has ended."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from command import CAMPAIGN, COMMAND, assert_one_clear_line, cellos_here


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a campaign that would run for minutes."""
    text = CAMPAIGN.replace("max_iterations: 2", "max_iterations: 10000").replace("batch_size: 4", "batch_size: 1")
    text = text.replace("n_doses: 5", "n_doses: 200")
    (tmp_path / "campaign.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("option", "status", "reason"),
    [
        pytest.param((), "finished", "stopped by", id="after the iteration"),
        pytest.param(("--now",), "paused", "paused by", id="now"),
    ],
)
def test_a_campaign_in_another_process_is_stopped_and_then_rolled_back(folder, option, status, reason):
    with subprocess.Popen([*COMMAND, "run", "campaign.yaml", "--json"], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        seen = ""
        while "iteration 3" not in seen:
            seen += process.stderr.read(1)
            assert process.poll() is None, seen
        refused = cellos_here("rollback", "tiny", "--to", "1", cwd=folder)
        stopped = cellos_here("stop", "tiny", *option, "--reason", "out of tips", cwd=folder)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert_one_clear_line(refused, 2, "is being executed", "cellos stop tiny --now")
    assert "cellos resume tiny" in stopped.out
    ended = json.loads(out)
    assert ended["status"] == status
    assert reason in ended["stop_reason"]
    assert "out of tips" in ended["stop_reason"]
    back = json.loads(cellos_here("rollback", "tiny", "--to", "1", "--json", cwd=folder).out)
    # An iteration that was begun and not concluded is superseded with those that count as done.
    last = max(back["superseded"])
    assert back["superseded"] == list(range(2, last + 1))
    assert ended["n_iterations"] <= last <= ended["n_iterations"] + 1
    assert "rolled back to iteration 1" in cellos_here("status", "tiny", cwd=folder).out


def test_a_fork_is_made_and_resumed(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    assert cellos_here("run", "campaign.yaml", cwd=tmp_path).code == 0
    done = cellos_here("fork", "tiny", "--at", "1", "--set", "max_iterations=3", "--set", "controls.vehicle=3",
                       "--set", "dose_range_um=[0.01, 1]", cwd=tmp_path)  # fmt: skip
    assert done.code == 0, done.err
    assert "cellos resume tiny-2" in done.out
    assert "tiny at iteration 1" in done.out
    resumed = cellos_here("resume", "tiny-2", "--json", cwd=tmp_path)
    assert json.loads(resumed.out)["n_iterations"] == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("fork", "tiny", "--at", "1", "--set", "seed"), "as KEY=VALUE", id="no value"),
        pytest.param(("fork", "tiny", "--at", "1", "--set", "compounds=[a"), "the value cannot be read", id="no YAML"),
        pytest.param(("fork", "tiny", "--at", "9"), "concluded and counting: 1", id="no such iteration"),
        pytest.param(("rollback", "tiny", "--to", "9"), "possible: 0, 1", id="rollback too far"),
        pytest.param(("stop", "tiny"), "is finished and cannot be stopped", id="stopped too late"),
        pytest.param(("stop", "tinny"), "Did you mean tiny?", id="unknown"),
    ],
)
def test_what_is_impossible_is_refused_in_one_line(ran_once, arguments, expected):
    assert_one_clear_line(cellos_here(*arguments, cwd=ran_once), 2, expected)


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ran_once")
    text = CAMPAIGN.replace("max_iterations: 2", "max_iterations: 1")
    (folder / "campaign.yaml").write_text(text, encoding="utf-8")
    assert cellos_here("run", "campaign.yaml", cwd=folder).code == 0
    return folder
