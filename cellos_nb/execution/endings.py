"""Endings: how the runs of one machine ended, stored together with its journal, so that neither is there alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from cellos_nb.domain.occasions import Occasion
from cellos_nb.execution.bookings import book
from cellos_nb.execution.jobs import Job, JobStatus
from cellos_nb.execution.journal import Journal
from cellos_nb.execution.orders import Halt
from cellos_nb.execution.plate_run import PlateRun
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import RunRecord, note_runs, run_record, run_records, write_log
from cellos_nb.execution.waiting import wait_for_person
from cellos_nb.store.messages import tell
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

_FOR_PEOPLE = {
    JobStatus.IN_DOUBT: Occasion.PLATE_IN_DOUBT,
    JobStatus.PAUSED: Occasion.PLATE_WAITS,
    JobStatus.DEAD_LETTER: Occasion.PLATE_GIVEN_UP,
}
"""How a run ends when a person has to see to it."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A run that is being executed."""

    job: Job
    workflow: Workflow
    plate: PlateRun
    started_at: datetime


Ending = tuple[InHand, Halt | None]
"""A run, and why it does not go on; None when it is through."""


class Endings:
    """What is noted of one machine; as `Notes`."""

    def __init__(
        self, store: Store, journal: Journal, machine: str, tell: Callable[[InHand, Halt | None, RunRecord], None]
    ) -> None:
        """The notes of a machine; `tell` is called with each run whose end is stored, and with its record."""
        self._store, self._queue, self._tell = store, JobQueue(store), tell
        self.journal, self._machine = journal, machine
        self._ending: dict[int, Ending] = {}
        self._records: dict[int, RunRecord] = {}

    def add(self, run: InHand, halt: Halt | None) -> None:
        """Notes how a run ended."""
        self._ending[run.job.job_id] = run, halt

    @property
    def n_runs(self) -> int:
        """Runs that have ended in memory alone."""
        return len(self._ending)

    def has(self, job_id: int) -> bool:
        """Whether a run has ended in memory alone."""
        return job_id in self._ending

    @property
    def is_strict(self) -> bool:
        """Whether it has to be on the disk before work goes on."""
        return self.journal.is_strict

    @property
    def is_due(self) -> bool:
        """Whether there is something that should wait no longer."""
        return not self.is_empty and (self.journal.is_strict or self.journal.is_ripe)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in memory that is not stored."""
        return self.journal.is_empty and not self._ending

    def write(self, tx: Connection) -> None:
        """Stores the journal and how runs ended; as `Notes`."""
        self.journal.write(tx)
        if not self._ending:
            return
        ending, now = list(self._ending.values()), now_utc()
        note_runs(tx, [(run.job.job_id, run.started_at, now) for run, _ in ending], machine=self._machine)
        self._queue.complete_all([run.job.job_id for run, halt in ending if halt is None])
        for run, halt in ending:
            if halt is not None:
                self._write_halt(tx, run.job, halt)
        book(self._store, tx, list(self._ending))
        self._records = self._read(list(self._ending))

    def stored(self) -> Callable[[], None]:
        """Forgets what was written; as `Notes`."""
        ended, records = list(self._ending.values()), self._records
        self.forget()

        def tell() -> None:
            for run, halt in ended:
                self._tell(run, halt, records[run.job.job_id])

        return tell

    def forget(self) -> None:
        """Forgets everything: it is stored, or it is another dispatcher's to find out."""
        self.journal.forget()
        self._ending, self._records = {}, {}

    def _write_halt(self, tx: Connection, job: Job, halt: Halt) -> None:
        level = logging.ERROR
        if halt.is_attempt:
            after = self._queue.fail(job.job_id, halt.error)
            level = logging.WARNING if after.status is JobStatus.QUEUED else level
        elif halt.is_waiting:
            wait_for_person(tx, self._queue, job.job_id, halt)
            level = logging.INFO
        elif halt.retry_in is not None:
            self._queue.postpone(job.job_id, halt.retry_in, halt.error or None)
            level = logging.WARNING
        else:
            self._queue.end(job.job_id, halt.status, halt.error)
            level = logging.WARNING if halt.status is JobStatus.PAUSED else level
        self._tell_people(tx, job, halt)
        if halt.error and (halt.retry_in is None or job.last_error != halt.error):
            write_log(tx, level, halt.error, job.job_id)

    def _tell_people(self, tx: Connection, job: Job, halt: Halt) -> None:
        """Has people told when the run is theirs to see to now: in the transaction that says so."""
        occasion = _FOR_PEOPLE.get(self._queue.status(job.job_id))
        if occasion is not None:
            tell(tx, occasion, job.what, halt.error or "", once=f"{job.job_id} {now_utc().isoformat()}")

    def _read(self, job_ids: list[int]) -> dict[int, RunRecord]:
        if len(job_ids) == 1:
            return {job_ids[0]: run_record(self._store, job_ids[0])}
        return {record.run_id: record for record in run_records(self._store, run_ids=job_ids)}
