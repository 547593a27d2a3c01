"""The commands do what their help says, on the shipped screen."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from command import CAMPAIGN, COMMAND, cellos, cellos_here
from ctrl_c import heeding_ctrl_c


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """A folder in which a campaign was run."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    done = cellos("run", "campaign.yaml", cwd=folder)
    assert done.code == 0, done.err
    assert "iteration 2" in done.err
    for fact in ("campaign", "iterations", "experiments", "duration", "experiments per second", "best: cell line",
                 "best: compound", "best: dose", "µM", "best: measurement"):  # fmt: skip
        assert fact in done.out
    return folder


def test_plan_shows_plates_time_and_cost_and_stores_nothing(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    done = cellos_here("plan", "campaign.yaml", cwd=tmp_path)
    assert done.code == 0, done.err
    for fact in ("plates", "time", "cost", "USD"):
        assert fact in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["campaign.yaml"]


def test_status_and_list_tell_of_the_campaign(ran):
    assert "finished" in cellos_here("status", cwd=ran).out
    (row,) = json.loads(cellos_here("list", "--json", cwd=ran).out)
    assert (row["campaign"], row["status"], row["iterations"], row["experiments"]) == ("tiny", "finished", 2, 8)
    assert json.loads(cellos_here("status", "tiny", "--json", cwd=ran).out)["n_experiments"] == 8


def test_exports_agree_with_one_another(ran):
    done = cellos_here("export", "tiny", "--csv", "h.csv", "--parquet", "h.parquet", "--json", "h.json", cwd=ran)
    assert done.code == 0, done.err
    from_csv = pd.read_csv(ran / "h.csv")
    from_parquet = pd.read_parquet(ran / "h.parquet")
    assert from_csv["measurement"].tolist() == from_parquet["measurement"].tolist()
    results = json.loads((ran / "h.json").read_text(encoding="utf-8"))["results"]
    assert [result["measurement"] for result in results] == from_csv["measurement"].tolist()
    shown = cellos_here("export", "tiny", "--csv", "-", cwd=ran).out
    assert shown == (ran / "h.csv").read_text(encoding="utf-8")


def test_resuming_a_finished_campaign_changes_nothing(ran):
    before = cellos_here("export", "tiny", "--csv", "-", cwd=ran).out
    assert cellos_here("resume", "tiny", cwd=ran).code == 0
    assert cellos_here("export", "tiny", "--csv", "-", cwd=ran).out == before


def test_an_interrupted_campaign_says_how_to_go_on_and_does(tmp_path):
    text = CAMPAIGN.replace("max_iterations: 2", "max_iterations: 200")
    (tmp_path / "campaign.yaml").write_text(text, encoding="utf-8")
    with heeding_ctrl_c():
        process = subprocess.Popen([*COMMAND, "run", "campaign.yaml"], cwd=tmp_path, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
    with process:
        seen = ""
        while "iteration 3" not in seen:
            seen += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cellos resume" in errors
    assert "Traceback" not in errors
    done = cellos("resume", "tiny", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["status"] == "finished"


def test_doctor_finds_this_installation_well(ran):
    done = cellos("doctor", "--json", cwd=ran)
    assert done.code == 0, done.out
    assert {row["ok"] for row in json.loads(done.out)} == {"yes"}


@pytest.mark.parametrize(
    "command", ["demo", "plan", "run", "resume", "status", "list", "export", "record write", "doctor"]
)
def test_every_command_has_help(command, tmp_path):
    done = cellos_here(*command.split(), "--help", cwd=tmp_path)
    assert done.code == 0
    assert "Usage: " in done.out
    if command != "plan":
        assert "--db" in done.out


def test_the_demo_gives_the_same_history_byte_for_byte(tmp_path):
    histories = []
    for place in ("first", "second"):
        (tmp_path / place).mkdir()
        done = cellos("demo", "--question", "potency", "--seed", "1", cwd=tmp_path / place)
        assert done.code == 0, done.err
        assert "iteration 10/10" in done.err
        histories.append((tmp_path / place / "records" / "demo-potency" / "history.csv").read_bytes())
    assert histories[0] == histories[1]
    assert len(histories[0].splitlines()) > 100
