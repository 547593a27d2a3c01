"""Desk: where a daemon has its actions performed, each in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cellos_nb.execution.actions import Bench, action_work
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.jobs import Job
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.orders import Halt
from cellos_nb.execution.places import Threads
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import write_log
from cellos_nb.execution.ticks import TickBook
from cellos_nb.store.store import Store


class Desk:
    """Begins actions that were claimed, and settles them in the queue and in the tick under way."""

    def __init__(
        self,
        store: Store,
        lab: Any,
        conductor: Conductor,
        ticks: TickBook,
        *,
        on_fault: Callable[[Job, Exception], None],
    ) -> None:
        """The actions of a `Lab`, whose work a conductor brings forward; `on_fault` as for `WorkflowExecutor`."""
        self._store, self._lab, self._conductor, self._ticks = store, lab, conductor, ticks
        self._queue, self._lease, self._on_fault = JobQueue(store), lease_of(store), on_fault

    def take_up(self, job: Job, *, is_real: bool) -> None:
        """Begins an action that was claimed and started."""
        notes: list[str] = []
        task = Task(
            job.job_id,
            f"{job.kind} {job.job_id}",
            action_work(job, Bench(self._store, self._lab, is_real), notes.append),
            Threads(),
            on_end=lambda halt: self._ended(job, halt, notes),
            on_fault=lambda error: self._on_fault(job, error),
            priority=job.priority,
        )
        self._conductor.begin(task)

    def _ended(self, job: Job, halt: Halt | None, notes: list[str]) -> None:
        with self._store.write() as tx:
            self._lease.check(tx)
            if halt is None:
                self._queue.complete(job.job_id)
            elif halt.is_attempt:
                self._queue.fail(job.job_id, halt.error)
                write_log(tx, logging.ERROR, f"{job.kind} {job.job_id}: {halt.error}")
            else:
                self._queue.end(job.job_id, halt.status, halt.error)
        if halt is not None and halt.is_attempt:
            self._ticks.fail(f"{job.kind}: {halt.error}")
        else:
            self._ticks.tally.succeed(f"{job.kind}: {'; '.join(notes) or 'cancelled'}")
