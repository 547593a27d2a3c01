"""What a person decides about a plate that is held, or was given up."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from cellos_nb.domain.audit import Act
from cellos_nb.domain.result import ResultStatus
from cellos_nb.errors import InputError
from cellos_nb.execution.journal import StepStatus
from cellos_nb.execution.process import person as who_is_here
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.remainder import remainder
from cellos_nb.execution.runs import RunRecord, load_workflow, run_of_plate, run_records, write_log
from cellos_nb.store.audit import note
from cellos_nb.store.schema import actions, iterations, results, runs, steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

_UNSETTLED = (StepStatus.IN_DOUBT.value, StepStatus.FAILED.value)
_OPEN = (StepStatus.IN_DOUBT.value, StepStatus.STARTED.value)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A step of which nobody can tell what became of it."""

    plate_id: str
    step_uid: str
    n_transfers: int
    """Of the whole step; those that were done before it was continued are among them."""
    n_done: int
    """Transfers that are known to be done, from an earlier decision."""
    error: str


@dataclass(frozen=True, slots=True)
class _Question:
    token: str
    step_uid: str


def doubts(store: Store) -> tuple[Doubt, ...]:
    """The steps that wait for a decision, in the order of their runs."""
    held = [run for run in run_records(store) if run.status is JobStatus.IN_DOUBT]
    found = []
    with store.read() as tx:
        for run in held:
            row = _in_question(tx, run)
            if row is not None:
                step = next(step for step in load_workflow(store, run.run_id).steps if step.uid == row.step_uid)
                n_moves = len(step.transfers) if step.transfers else 0
                n_done = _transfers_done(tx, run, row.step_uid)
                found.append(Doubt(run.plate_id, row.step_uid, n_moves, n_done, run.error or ""))
    return tuple(found)


def mark_done(store: Store, plate_id: str, *, person: str, reason: str = "") -> str:
    """A person saw that the step in question took effect: the run goes on after it. Returns the step.

    Raises:
        InputError: no such plate, or nothing about it is in question.
    """
    run = run_of_plate(store, plate_id)
    with store.write(durable=True) as tx:
        row = _need_question(tx, run)
        done = {"status": StepStatus.DONE.value, "error": f"marked done by {person}", "finished_at": now_utc()}
        tx.execute(update(steps).where(steps.c.token == row.token), done)
        _put_back(store, tx, run.run_id)
        write_log(tx, logging.WARNING, f"{plate_id}: {person} marked step {row.step_uid} as done", run.run_id)
        facts = {"step": row.step_uid, "token": row.token}
        note(tx, Act.STEP_MARKED_DONE, plate_id, who=person, why=reason, facts=facts)
    return row.step_uid


def continue_after(store: Store, plate_id: str, n_done: int, *, person: str, reason: str = "") -> str:
    """A person saw how many transfers took effect; the others are made as a new step. Returns the step in question.

    Args:
        store: where the plate is held.
        plate_id: the plate.
        n_done: transfers of the whole step, counted from its first; 0 when nothing happened.
        person: who saw it.
        reason: how they know, for the audit log.

    Raises:
        InputError: no such plate, nothing about it is in question, or the step has not so many transfers left.
    """
    run = run_of_plate(store, plate_id)
    workflow = load_workflow(store, run.run_id)
    with store.write(durable=True) as tx:
        row = _need_question(tx, run)
        before = _transfers_done(tx, run, row.step_uid)
        if 0 <= n_done < before:
            raise InputError(
                f"{plate_id}, step {row.step_uid}: {before} transfers were known to be done already, {n_done} is less."
            )
        remainder(next(step for step in workflow.steps if step.uid == row.step_uid), n_done)
        change = {
            "status": StepStatus.CONTINUED.value,
            "transfers_done": n_done,
            "error": f"{n_done} transfers done, says {person}",
            "finished_at": now_utc(),
        }
        tx.execute(update(steps).where(steps.c.token == row.token), change)
        _put_back(store, tx, run.run_id)
        message = f"{plate_id}: {person} had step {row.step_uid} continued after {n_done} transfers"
        write_log(tx, logging.WARNING, message, run.run_id)
        facts = {"step": row.step_uid, "token": row.token, "transfers_done": n_done}
        note(tx, Act.STEP_CONTINUED, plate_id, who=person, why=reason, facts=facts)
    return row.step_uid


def requeue(store: Store, job_id: int, *, reason: str = "", by: str | None = None) -> None:
    """Gives a job from the dead letters, or one that is held, another chance.

    Its experiments may have been stored as failed, and their batch as concluded: then these results are taken back, and
    the batch is concluded anew when the plate has ended. A campaign that has gone on learns of them in its next lap.

    Raises:
        InputError: there is no such job, or it is in another state.
    """
    with store.write(durable=True) as tx:
        before = JobQueue(store).job(job_id)
        _put_back(store, tx, job_id)
        facts = {"job": job_id, "was": before.status, "error": before.last_error}
        note(tx, Act.JOB_REQUEUED, before.what, who=by or who_is_here(), why=reason, facts=facts)


def _put_back(store: Store, tx: Connection, job_id: int) -> None:
    """The same without an entry in the audit log, as part of an act that has one."""
    JobQueue(store).put_back(job_id)
    batch_id = tx.scalar(select(runs.c.batch_id).where(runs.c.run_id == job_id))
    if batch_id is None:
        return
    failed = select(results.c.proposal_id).where(
        results.c.batch_id == batch_id, results.c.status == ResultStatus.FAILED.value
    )
    names = list(tx.execute(failed).scalars())
    if not names:
        return
    there = {well.proposal_id for well in load_workflow(store, job_id).layout.wells}
    for name in there.intersection(names):
        tx.execute(delete(results).where(results.c.batch_id == batch_id, results.c.proposal_id == name))
    tx.execute(update(iterations).where(iterations.c.batch_id == batch_id), {"concluded_at": None})


def discard(store: Store, plate_id: str, *, person: str, reason: str = "") -> None:
    """The plate goes into the waste: its run is cancelled, its experiments count as failed, its devices are free.

    Raises:
        InputError: no such plate, or its run has ended otherwise.
    """
    run = run_of_plate(store, plate_id)
    held = (JobStatus.IN_DOUBT, JobStatus.DEAD_LETTER, JobStatus.PAUSED, JobStatus.QUEUED)
    why = f"discarded by {person}"
    end = {"status": JobStatus.CANCELLED.value, "last_error": why, "finished_at": now_utc()}
    with store.write(durable=True) as tx:
        change = update(actions).where(actions.c.action_id == run.run_id, actions.c.status.in_(held))
        if tx.execute(change, end).rowcount == 0:
            raise InputError(f"{plate_id}: cannot be discarded; its run is {run.status}.")
        gone = {"status": StepStatus.DISCARDED.value, "error": why, "finished_at": now_utc()}
        tx.execute(update(steps).where(steps.c.run_id == run.run_id, steps.c.status.in_(_OPEN)), gone)
        write_log(tx, logging.WARNING, f"{plate_id}: {why}", run.run_id)
        note(tx, Act.PLATE_DISCARDED, plate_id, who=person, why=reason, facts={"was": run.status, "error": run.error})


def _in_question(tx: Connection, run: RunRecord) -> _Question | None:
    query = select(steps.c.token, steps.c.step_uid).where(steps.c.run_id == run.run_id, steps.c.status.in_(_UNSETTLED))
    row = tx.execute(query.order_by(steps.c.started_at.desc(), steps.c.attempt.desc()).limit(1)).first()
    return None if row is None else _Question(row.token, row.step_uid)


def _need_question(tx: Connection, run: RunRecord) -> _Question:
    row = _in_question(tx, run)
    if row is None or run.status not in {JobStatus.IN_DOUBT, JobStatus.DEAD_LETTER}:
        raise InputError(f"{run.plate_id}: no step is in question; the run is {run.status}.")
    return row


def _transfers_done(tx: Connection, run: RunRecord, step_uid: str) -> int:
    query = select(steps.c.transfers_done).where(steps.c.run_id == run.run_id, steps.c.step_uid == step_uid)
    return max((n or 0 for n in tx.execute(query).scalars()), default=0)
