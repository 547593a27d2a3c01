"""The states that the documentation draws are those that the queue and the journal go through."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from sqlalchemy import text

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.errors import MachineError, MachineRefusedError, StepFailedError
from cellos_nb.execution import plate_run
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.journal import StepStatus
from cellos_nb.execution.lifecycle import JOB_BEGINS, JOB_MOVES, STEP_BEGINS, STEP_MOVES
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.recovery import continue_after, discard, mark_done
from cellos_nb.store.store import Store

UNKNOWN = Outcome(OutcomeState.UNKNOWN, detail="no memory of it")


@pytest.fixture
def store(tmp_path):
    """A store that keeps every change of a state, by triggers of its own."""
    with Store.open(tmp_path / "lab.db") as opened:
        with opened.write() as tx:
            tx.execute(text("CREATE TABLE moved (what TEXT, before TEXT, after TEXT)"))
            for table in ("actions", "steps"):
                tx.execute(text(
                    f"CREATE TRIGGER {table}_moved AFTER UPDATE OF status ON {table} WHEN OLD.status <> NEW.status "
                    f"BEGIN INSERT INTO moved VALUES ('{table}', OLD.status, NEW.status); END"
                ))  # fmt: skip
                tx.execute(text(
                    f"CREATE TRIGGER {table}_begun AFTER INSERT ON {table} "
                    f"BEGIN INSERT INTO moved VALUES ('{table}', '', NEW.status); END"
                ))  # fmt: skip
        yield opened


def moved(store, what):
    with store.read() as tx:
        rows = set(tx.execute(text("SELECT before, after FROM moved WHERE what = :what"), {"what": what}).fetchall())
    begun = {after for before, after in rows if not before}
    return begun, {(before, after) for before, after in rows if before}


def declared(moves):
    return {(move.before.value, move.after.value) for move in moves}


def began(queue, key, *, cancelled=False):
    queue.submit("x", {}, idempotency_key=key)
    job_id = queue.claim(start=True).job_id
    if cancelled:
        queue.cancel(job_id)
    return job_id


def test_a_job_goes_through_every_state_that_is_drawn_and_through_no_other(store):
    queue = JobQueue(store)
    for status in (JobStatus.DEAD_LETTER, JobStatus.IN_DOUBT, JobStatus.PAUSED):
        job_id = began(queue, f"held {status}")
        queue.end(job_id, status, "why")
        queue.requeue(job_id)
        queue.cancel(job_id)
        queue.end(began(queue, f"ending {status}", cancelled=True), status, "why")
    paused = began(queue, "no approval")
    queue.end(paused, JobStatus.PAUSED, "why")
    queue.cancel(paused)
    queue.complete(began(queue, "done"))
    queue.complete(began(queue, "done all the same", cancelled=True))
    queue.fail(began(queue, "ended", cancelled=True), "why")
    queue.end(began(queue, "withdrawn"), JobStatus.CANCELLED, "why")
    queue.postpone(began(queue, "later"), timedelta(hours=1))
    for key in ("begins", "is cancelled", "is put back"):
        queue.submit("x", {}, idempotency_key=key)
    first, second, third = (queue.claim().job_id for _ in range(3))
    queue.start(first)
    queue.cancel(second)
    queue.postpone(third, timedelta(hours=1))
    throw_away(store)
    begun, seen = moved(store, "actions")
    assert begun == {JOB_BEGINS}
    assert seen == declared(JOB_MOVES)


def throw_away(store):
    """Discards a plate in doubt, and one whose dosing failed."""
    for plate_id, error in (("d/i001-p1", MachineError("lost")), ("d/i001-p2", StepFailedError("jammed"))):
        machine = LedgerMachine(store.folder / f"ledger of {plate_id[2:]}", declares=False)
        machine.trouble["3-dose"], machine.answers["3-dose"] = [error], UNKNOWN
        executor = WorkflowExecutor(store, machine)
        executor.run([executor.submit(plate(plate_id))])
        discard(store, plate_id, person="Ada")


def test_a_step_goes_only_through_states_that_are_drawn_and_into_each_of_them(store, monkeypatch):
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.0)
    throw_away(store)

    def run(number, error, answer=UNKNOWN, step="3-dose"):
        machine = LedgerMachine(store.folder / f"ledger {number}", declares=False)
        machine.trouble[step], machine.answers[step] = [error], answer
        executor, made = WorkflowExecutor(store, machine), plate(f"s/i001-p{number}")
        executor.run([executor.submit(made)])
        return made.plate_id

    run(1, MachineRefusedError("the lid is open"))
    mark_done(store, run(2, MachineError("lost")), person="Ada")
    continue_after(store, run(3, MachineError("lost")), 2, person="Ada")
    mark_done(store, run(4, StepFailedError("jammed")), person="Ada")
    continue_after(store, run(5, StepFailedError("jammed")), 2, person="Ada")
    run(6, StepFailedError("dark"), step="5-read")
    begun, seen = moved(store, "steps")
    assert begun == {STEP_BEGINS}
    assert seen <= declared(STEP_MOVES)
    # A crash alone interrupts a step: see test_crash.
    assert {after for _, after in seen} == set(StepStatus) - {StepStatus.STARTED, StepStatus.INTERRUPTED}


@pytest.mark.parametrize(("moves", "states", "begins"), [
    pytest.param(JOB_MOVES, JobStatus, JOB_BEGINS, id="jobs"),
    pytest.param(STEP_MOVES, StepStatus, STEP_BEGINS, id="steps"),
])  # fmt: skip
def test_every_state_is_reached_from_the_first_one_and_no_way_is_told_twice(moves, states, begins):
    reached, before = {begins}, set()
    while reached != before:
        before = set(reached)
        reached |= {move.after for move in moves if move.before in before}
    assert reached == set(states)
    assert len(declared(moves)) == len(moves)
