"""Runs whose step is with a person: out of every process's hands until they answer, and due at once when they do."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, case, literal, null, select, update

from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.orders import Halt
from cellos_nb.execution.queue import JobQueue
from cellos_nb.store.schema import actions
from cellos_nb.units import now_utc

_OPEN = (JobStatus.QUEUED.value, JobStatus.CLAIMED.value, JobStatus.RUNNING.value)


def wait_for_person(tx: Connection, queue: JobQueue, job_id: int, halt: Halt) -> None:
    """Puts a run whose step is with a person back into the queue, for later unless they have answered meanwhile.

    A run in hand has no `not_before`; where one stands, `hurry` set it after the machine was asked.
    """
    hurried = select(actions.c.not_before).where(actions.c.action_id == job_id).with_for_update()
    is_answered = tx.scalar(hurried) is not None
    queue.postpone(job_id, timedelta(0) if is_answered else halt.retry_in or timedelta(0), halt.error)


def hurry(tx: Connection, job_id: int) -> None:
    """Makes a waiting run due now; one in hand is noted as to be looked at again at once."""
    now = literal(now_utc(), type_=actions.c.not_before.type)
    due = case((actions.c.status == JobStatus.QUEUED.value, null()), else_=now)
    tx.execute(update(actions).where(actions.c.action_id == job_id, actions.c.status.in_(_OPEN)).values(not_before=due))
