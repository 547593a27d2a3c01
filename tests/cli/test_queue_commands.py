"""Commands that look at the queue and steer it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ctrl_c import heeding_ctrl_c
from typer.testing import CliRunner

from cellos_nb import JobQueue, Lab
from cellos_nb.cli.app import app
from cellos_nb.execution.actions import submit_action
from cellos_nb.execution.ticks import TickStatus, ticks

CAMPAIGN = """
name: Tiny
cell_lines: [SK-LMS-1]
compounds: [Trametinib, Dinaciclib]
dose_range_um: [0.001, 10]
n_doses: 8
objective: minimise
batch_size: 4
max_iterations: 2
plate_format: 24
controls: {vehicle: 2}
machine: replay
planner: random
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CELLOS_NOTIFY_URLS", raising=False)
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    return tmp_path


def cellos(*arguments, code=0):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_a_campaign_that_was_submitted_is_executed_by_a_daemon_that_ends_on_sigterm(folder):
    assert "queued" in cellos("run", "campaign.yaml", "--submit")
    command = [Path(sys.executable).with_name("cellos"), "daemon"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        lines = []
        for line in daemon.stderr:
            lines.append(line)
            if "iteration=2" in line and "results_stored" in line:
                break
        # It goes on to end the campaign; then it is told to end.
        output = cellos("status", "--watch")
        daemon.send_signal(signal.SIGTERM)
        rest, said = daemon.communicate(timeout=30)[::-1]
    assert daemon.returncode == 0, rest
    assert "ended: told to end" in said
    assert "finished (all 2 iterations are done)" in output
    assert any("event=lease_held fencing=1 mode=PROOF" in line for line in lines)


def test_a_tick_for_cron_ends_by_itself_and_reports_in_the_ledger(folder):
    cellos("run", "campaign.yaml", "--submit")
    assert "ended: all ticks are done" in cellos("daemon", "--once")
    with Lab.open() as lab:
        assert [tick.status for tick in ticks(lab.store)] == [TickStatus.SUCCEEDED]


def test_the_queue_is_listed_cancelled_and_held(folder):
    cellos("run", "campaign.yaml", "--submit")
    listed = json.loads(cellos("queue", "--json"))
    assert [(job["kind"], job["status"]) for job in listed["jobs"]] == [("campaign_iteration", "queued")]
    assert (listed["mode"], listed["holder"]) == ("PROOF", None)
    cellos("pause", "--reason", "lunch")
    assert "lunch" in cellos("queue")
    cellos("kill", "--reason", "smoke")
    assert "killed: " in cellos("daemon")
    cellos("resume-queue")
    assert json.loads(cellos("queue", "--json"))["flags"] == []
    cellos("queue", "--cancel", "1")
    assert json.loads(cellos("queue", "--json", "--all"))["jobs"][0]["status"] == "cancelled"


def test_a_dead_letter_is_listed_and_tried_again(folder):
    with Lab.open() as lab:
        payload = {"channel": "lab", "title": "Done"}
        submit_action(lab.store, "post_message", payload, idempotency_key="k", max_attempts=1)
    cellos("daemon", "--once", "--real")
    (letter,) = json.loads(cellos("dead-letters", "--json"))
    assert "CELLOS_CHANNEL_LAB" in letter["error"]
    assert "waits for people" in cellos("run", "campaign.yaml") + cellos("status")
    cellos("dead-letters", "--requeue", str(letter["job"]))
    with Lab.open() as lab:
        assert JobQueue(lab.store).stats()["queued"] == 1


@pytest.mark.parametrize("choice", [(), ("--mark-done", "--discard"), ("--discard", "--continue", "3")])
def test_a_decision_about_a_plate_is_one_of_three(folder, choice):
    Lab.open().close()
    result = CliRunner().invoke(app, ["approve", "demo/i001-p1", *choice])
    assert result.exit_code != 0
    assert "one of --mark-done, --discard and --continue N" in str(result.exception)


def test_a_second_daemon_says_who_works_and_stands_by(folder):
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    command = [Path(sys.executable).with_name("cellos"), "daemon"]
    with heeding_ctrl_c():
        first = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    with first:
        while "lease_held" not in first.stderr.readline():
            assert first.poll() is None
        assert f"another process works: Process {first.pid} on" in cellos("daemon", "--once")
        first.send_signal(signal.SIGINT)
        assert "told to end" in first.communicate(timeout=30)[0]
