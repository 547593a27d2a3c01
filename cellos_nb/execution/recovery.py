"""What a person decides about a plate that is held."""

from __future__ import annotations

import logging

from sqlalchemy import select, update

from cellos_nb.errors import InputError
from cellos_nb.execution.journal import StepStatus
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.runs import run_of_plate, write_log
from cellos_nb.store.schema import actions, steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

_UNSETTLED = (StepStatus.IN_DOUBT.value, StepStatus.FAILED.value)


def mark_done(store: Store, plate_id: str, *, person: str) -> str:
    """A person saw that the step in question took effect: the run goes on after it. Returns the step.

    Raises:
        InputError: no such plate, or nothing about it is in question.
    """
    run = run_of_plate(store, plate_id)
    query = select(steps.c.token, steps.c.step_uid).where(steps.c.run_id == run.run_id, steps.c.status.in_(_UNSETTLED))
    with store.write(durable=True) as tx:
        row = tx.execute(query.order_by(steps.c.started_at.desc()).limit(1)).first()
        if row is None or run.status not in {JobStatus.IN_DOUBT, JobStatus.DEAD_LETTER}:
            raise InputError(f"{plate_id}: no step is in question; the run is {run.status}.")
        done = {"status": StepStatus.DONE.value, "error": f"marked done by {person}", "finished_at": now_utc()}
        tx.execute(update(steps).where(steps.c.token == row.token), done)
        JobQueue(store).requeue(run.run_id)
        write_log(tx, logging.WARNING, f"{plate_id}: {person} marked step {row.step_uid} as done", run.run_id)
    return str(row.step_uid)


def discard(store: Store, plate_id: str, *, person: str) -> None:
    """The plate goes into the waste: its run is cancelled, its experiments count as failed.

    Raises:
        InputError: no such plate, or its run has ended otherwise.
    """
    run = run_of_plate(store, plate_id)
    held = (JobStatus.IN_DOUBT.value, JobStatus.DEAD_LETTER.value, JobStatus.QUEUED.value)
    end = {"status": JobStatus.CANCELLED.value, "last_error": f"discarded by {person}", "finished_at": now_utc()}
    with store.write(durable=True) as tx:
        change = update(actions).where(actions.c.action_id == run.run_id, actions.c.status.in_(held))
        if tx.execute(change, end).rowcount == 0:
            raise InputError(f"{plate_id}: cannot be discarded; its run is {run.status}.")
        write_log(tx, logging.WARNING, f"{plate_id}: discarded by {person}", run.run_id)
