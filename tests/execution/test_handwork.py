"""A campaign with a person in its loop: the daemon asks, a person answers when they can, nothing waits in a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cellos_nb import CampaignConfig, JobQueue, Lab
from cellos_nb.domain.plate import well_names
from cellos_nb.errors import InputError
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.runs import run_of_plate
from cellos_nb.execution.ticks import TickStatus, ticks
from cellos_nb.execution.waiting import hurry
from cellos_nb.hardware.bench.book import Book
from cellos_nb.hardware.bench.changes import read_changes
from cellos_nb.hardware.bench.desk import Answer, ReaderFile
from cellos_nb.hardware.bench.machine import Bench

HANDS = """\
kind: bench
pipettes:
  - {name: P2, min_ul: 0.2, max_ul: 2}
  - {name: P20, min_ul: 2, max_ul: 20}
  - {name: P200, min_ul: 20, max_ul: 200}
hour_s: 0
reader: {saturated_at: 1000000}
"""


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "machines").mkdir()
    (tmp_path / "machines" / "hands.yaml").write_text(HANDS)
    with Lab.open(tmp_path / "lab.db") as lab:
        yield lab


def campaign(lab, **changes):
    fixed = {
        "name": "by hand",
        "cell_lines": ["U2OS"],
        "compounds": ["staurosporine", "doxorubicin"],
        "dose_range_um": [0.01, 10],
        "objective": "minimise",
        "batch_size": 4,
        "max_iterations": 2,
        "replicates": 2,
        "machine": {"kind": "hands", "file": str(lab.store.folder / "machines" / "hands.yaml")},
        "planner": "random",
        "seed": 1,
    }
    return lab.submit(CampaignConfig(**(fixed | changes)))


def one_tick(lab):
    """What a daemon that was started for a moment does."""
    return Daemon(lab.store, lab, tick_s=5.0).run(once=True)


def numbers(plate_id):
    """A reader's file in which every well of a plate differs from every other."""
    seed = sum(plate_id.encode())
    rows = (f"{well},{200_000 + 1000 * ((index * 37 + seed) % 96)}" for index, well in enumerate(well_names(96)))
    return ReaderFile("reader.csv", "\n".join(("Well,luminescence", *rows)).encode())


def answer_all(lab, **answer):
    """Plays the person: everything that is asked is done as asked."""
    work, done = lab.handwork, []
    for desk in work.desks().values():
        for task in desk.open_tasks():
            file = numbers(task.step.plate_id) if task.step.readout else None
            work.done(desk, task.number, Answer("ada", file=file, **answer))
            done.append(task.step.uid)
    return done


def test_a_campaign_runs_to_its_end_with_a_person_in_the_loop(lab):
    run = campaign(lab)
    asked = []
    while run.status != "finished":
        one_tick(lab)
        asked.append(answer_all(lab))
        assert len(asked) < 30
    kinds = [uid.partition("-")[2] for uids in asked for uid in uids]
    assert kinds == ["seed", "dilute", "dose", "read"] * 2
    assert len(run.results) == 8
    first = next(iter(run.results)).wells[0]
    rows = numbers("by-hand/i001-p1").content.decode().splitlines()[1:]
    assert first.signal == float(dict(row.split(",") for row in rows)[first.well])
    assert all(tick.status is TickStatus.SUCCEEDED for tick in ticks(lab.store))


def test_a_run_that_waits_for_a_person_is_in_nobodys_hands_and_due_when_they_answer(lab):
    campaign(lab)
    one_tick(lab)
    run = run_of_plate(lab.store, "by-hand/i001-p1")
    job = JobQueue(lab.store).job(run.run_id)
    assert job.status is JobStatus.QUEUED
    assert job.not_before is not None
    assert "step 1-seed is with a person: task 1 of hands, see `cellos bench`" in job.last_error
    assert job.attempts == 0
    answer_all(lab)
    assert JobQueue(lab.store).job(run.run_id).not_before is None


def test_an_answer_that_comes_while_the_daemon_still_notes_the_question_is_not_lost(lab, monkeypatch):
    run = campaign(lab)
    execute = Bench.execute

    def answered_at_once(bench, step, token):
        try:
            return execute(bench, step, token)
        finally:
            # The person is quicker than the daemon, which has the run in its hands still.
            answer_all(lab)

    monkeypatch.setattr(Bench, "execute", answered_at_once)
    for _ in range(20):
        one_tick(lab)
        if run.status == "finished":
            return
    raise AssertionError(JobQueue(lab.store).jobs())


def test_a_hurry_of_a_run_that_has_ended_changes_nothing(lab):
    campaign(lab)
    one_tick(lab)
    run_id = run_of_plate(lab.store, "by-hand/i001-p1").run_id
    JobQueue(lab.store).cancel(run_id)
    before = JobQueue(lab.store).job(run_id)
    with lab.store.write() as tx:
        hurry(tx, run_id)
    assert JobQueue(lab.store).job(run_id) == before


def test_wells_done_otherwise_are_kept_from_the_planner_and_stand_in_the_log(lab):
    run = campaign(lab, max_iterations=1)
    one_tick(lab)
    work = lab.handwork
    desk = work.desk()
    (task,) = desk.open_tasks()
    lost = task.step.transfers.destination_well[0]
    work.done(desk, task.number, Answer("ada", note="bubble", changes=read_changes(skipped=[lost])))
    while run.status != "finished":
        one_tick(lab)
        answer_all(lab)
    with lab.store.read() as tx:
        said = list(tx.exec_driver_sql("SELECT message FROM execution_logs WHERE message LIKE '%without%'").scalars())
    assert said == [f"by-hand/i001-p1: ada did step 1-seed (without {lost}; bubble)"]
    flags = {well.well: well.qc_flags for result in run.results for well in result.wells}
    assert [str(flag) for flag in flags.get(lost, ("missing",))] == ["missing"]


def test_a_step_that_failed_at_the_bench_waits_for_a_decision_about_the_plate(lab):
    campaign(lab)
    one_tick(lab)
    work = lab.handwork
    work.failed(work.desk(), 1, person="ada", reason="dropped it")
    one_tick(lab)
    run = run_of_plate(lab.store, "by-hand/i001-p1")
    assert run.status is JobStatus.DEAD_LETTER
    assert "ada reported that step 1-seed failed: dropped it" in run.error


def test_a_bench_is_named_where_there_are_several(lab):
    with pytest.raises(InputError, match="no bench has been used yet"):
        lab.handwork.desk()
    campaign(lab)
    one_tick(lab)
    assert lab.handwork.desk().bench.name == "hands"
    folder = lab.store.path.with_name("lab.db.machines")
    settings = lab.handwork.desk().bench
    Bench(settings.model_copy(update={"name": "feet"}), Book(folder / "bench-feet.bench"))
    with pytest.raises(InputError, match=r"several benches; name one with --bench. Possible: feet, hands"):
        lab.handwork.desk()
    with pytest.raises(InputError, match="there is no bench 'nose'"):
        lab.handwork.desk("nose")


def test_a_daemon_that_is_killed_while_a_person_works_asks_for_nothing_twice(lab):
    """Real processes: each daemon asks, is killed without warning, and the next one takes up where it was."""
    run = campaign(lab, max_iterations=1)
    command = [sys.executable, "-c", "from cellos_nb.cli import main; main()", "daemon", "--db", str(lab.store.path)]
    asked = []
    for kind in ("seed", "dilute", "dose", "read"):
        daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in daemon.stderr:
            # It has asked, and has put the run back for as long as the person takes.
            if "event=step_started" in line and f"name={kind} " in line:
                break
        for line in daemon.stderr:
            if "event=tick_done" in line:
                break
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.communicate()
        with lab.store.write() as tx:
            tx.exec_driver_sql("UPDATE lease SET expires_at = '2000-01-01 00:00:00.000000'")  # 30 s have passed
        asked += answer_all(lab)
    while run.status != "finished":
        one_tick(lab)
    assert [uid.partition("-")[2] for uid in asked] == ["seed", "dilute", "dose", "read"]
    book = lab.handwork.desk().book
    tokens = [task.token for task in book.tasks()]
    assert len(tokens) == len(set(tokens)) == 6
