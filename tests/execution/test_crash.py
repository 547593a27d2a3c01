"""SIGKILL around every commit and after every device call of a small campaign; the machine's own ledger is counted."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import crash_child
import pytest
from crash_child import campaign, machines_of

from cellos_nb.errors import InDoubtError
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.recovery import discard, mark_done
from cellos_nb.execution.runs import run_records
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store

PLATES = {"grouped": 2, "strict": 1, "forgetful": 1, "shipped": 1, "pool": 3, "forgetful pool": 3}


@pytest.fixture(scope="module")
def run_in_a_process():
    """Runs the campaign in a process of its own, killed at the point given; returns its exit code."""
    command = [sys.executable, crash_child.__file__]
    single = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=single) as server:

        def run(folder, mode, kill_at=None, database=None):
            server.stdin.write(json.dumps([str(folder), mode, PLATES[mode], kill_at, database]) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield run
        server.stdin.close()


def results_of(folder, database=None):
    """What the campaign concluded, without the times, which no two runs share."""
    with Store.open(database or folder / "lab.db") as store:
        (record,) = store.campaigns()
        history = store.history(record.campaign_id)
        return record.status, [replace(result, started_at=None, finished_at=None) for result in history]


def effects_of(folder, mode):
    effects = Counter()
    for machine in machines_of(folder, mode):
        machine.stop()
        effects += machine.effects()
    return effects


def uninterrupted(folder, mode):
    folder.mkdir()
    n_points = campaign(folder, mode, PLATES[mode])
    return n_points, results_of(folder), effects_of(folder, mode)


@pytest.mark.parametrize("mode", ["grouped", "strict", "shipped", "pool"])
def test_a_killed_campaign_continues_and_dispenses_everything_once(in_memory, run_in_a_process, mode):
    n_points, expected, effects = uninterrupted(in_memory / "whole", mode)
    assert expected[0] is CampaignStatus.FINISHED
    assert set(effects.values()) == {1}
    assert n_points > 20
    n_killed = 0
    for kill_at in range(n_points):
        folder = in_memory / str(kill_at)
        folder.mkdir()
        died = run_in_a_process(folder, mode, kill_at) == -signal.SIGKILL
        n_killed += died
        # Grouped entries are also committed by the clock, so that a quicker run has fewer points to die at.
        assert died or mode != "strict", kill_at
        assert run_in_a_process(folder, mode) == 0, kill_at
        assert effects_of(folder, mode) == effects, kill_at
        assert results_of(folder) == expected, kill_at
    assert n_killed > 20


def test_on_postgresql_too_a_killed_campaign_continues_and_dispenses_everything_once(
    in_memory, run_in_a_process, postgres
):
    _, expected, effects = uninterrupted(in_memory / "file", "strict")
    (in_memory / "whole").mkdir()
    database = postgres.new()
    n_points = campaign(in_memory / "whole", "strict", 1, database=database)
    # The engine changes nothing about what is done and concluded.
    assert results_of(in_memory, database) == expected
    assert effects_of(in_memory / "whole", "strict") == effects
    assert n_points > 20
    # A step has five points, so every third one meets each kind; a file in the test above is killed at all of them.
    for kill_at in range(0, n_points, 3):
        folder, database = in_memory / str(kill_at), postgres.new()
        folder.mkdir()
        assert run_in_a_process(folder, "strict", kill_at, database) == -signal.SIGKILL, kill_at
        assert run_in_a_process(folder, "strict", database=database) == 0, kill_at
        assert effects_of(folder, "strict") == effects, kill_at
        assert results_of(folder, database) == expected, kill_at


def test_a_campaign_that_is_killed_again_and_again_ends_all_the_same(in_memory, run_in_a_process):
    _, expected, effects = uninterrupted(in_memory / "whole", "strict")
    folder = in_memory / "often"
    folder.mkdir()
    n_kills = 0
    # Each life gets just far enough to do one more step.
    while run_in_a_process(folder, "strict", kill_at=12) == -signal.SIGKILL:
        n_kills += 1
        assert n_kills < 20
    assert n_kills > 3
    assert effects_of(folder, "strict") == effects
    assert results_of(folder) == expected


def test_a_machine_that_cannot_tell_is_never_told_twice_and_a_person_decides(in_memory, run_in_a_process):
    n_points, expected, effects = uninterrupted(in_memory / "whole", "forgetful")
    ends = Counter()
    for kill_at in range(n_points):
        folder = in_memory / str(kill_at)
        folder.mkdir()
        assert run_in_a_process(folder, "forgetful", kill_at) == -signal.SIGKILL, kill_at
        before = effects_of(folder, "forgetful")
        try:
            campaign(folder, "forgetful", 1)
        except InDoubtError as error:
            # A person looks at the plate: what the ledger shows was done, and otherwise the plate is not usable.
            step = str(error).split("step ")[1].split()[0]
            assert effects_of(folder, "forgetful") == before, kill_at
            with Store.open(folder / "lab.db") as store:
                (run,) = run_records(store)
                assert run.status is JobStatus.IN_DOUBT
                was_done = (run.plate_id, step) in before
                decide = mark_done if was_done else discard
                decide(store, run.plate_id, person="Ada")
            campaign(folder, "forgetful", 1)
            ends["marked done" if was_done else "discarded"] += 1
        after = effects_of(folder, "forgetful")
        assert max(after.values(), default=0) <= 1, kill_at
        if after == effects:
            assert results_of(folder) == expected, kill_at
            ends["complete"] += 1
    # Each dispense is in doubt from its intent to its end: one point before it takes effect, two after.
    assert ends == {"discarded": len(effects), "marked done": 2 * len(effects), "complete": n_points - len(effects)}


def test_a_group_killed_between_its_commit_and_its_calls_is_reported_and_nobody_calls_it_again(
    in_memory, run_in_a_process
):
    for kill_at in range(40):
        folder = in_memory / str(kill_at)
        folder.mkdir()
        assert run_in_a_process(folder, "forgetful pool", kill_at) == -signal.SIGKILL
        waiting, before = open_steps(folder), effects_of(folder, "forgetful pool")
        if len(waiting) > 1 and not waiting & before.keys():
            break
    else:
        pytest.fail("no intents of several plates were ever in one commit")
    with pytest.raises(InDoubtError, match="cannot be told whether step"):
        campaign(folder, "forgetful pool", PLATES["forgetful pool"])
    after = effects_of(folder, "forgetful pool")
    assert not waiting & after.keys()
    assert set(after.values()) <= {1}
    with Store.open(folder / "lab.db") as store:
        doubtful = {run.plate_id for run in run_records(store) if run.status is JobStatus.IN_DOUBT}
    # The campaign stops at the first of them; the other plates may have been looked at by then, or not yet.
    assert doubtful
    assert doubtful <= {plate for plate, _ in waiting}


def open_steps(folder):
    """Plate and step of every intent without an end; asked of the file, since nobody is to recover anything yet."""
    connection = sqlite3.connect(folder / "lab.db")
    try:
        query = "SELECT plate_id, step_uid FROM steps JOIN runs USING (run_id) WHERE steps.status = 'started'"
        return set(connection.execute(query))
    except sqlite3.OperationalError as error:
        assert "no such table" in str(error)  # noqa: PT017 — killed before the tables were made
        return set()
    finally:
        connection.close()
