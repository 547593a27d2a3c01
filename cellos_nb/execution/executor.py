"""WorkflowExecutor: takes runs from the queue and brings them through, one after another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from cellos_nb.domain.machine import Capabilities
from cellos_nb.errors import LeaseError, StoreError
from cellos_nb.execution.control import GLANCE_S, flags_of
from cellos_nb.execution.events import OnEvent, RunDone, ignore
from cellos_nb.execution.journal import Journal
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.plate_run import Halt, PlateRun
from cellos_nb.execution.queue import Job, JobQueue, JobStatus
from cellos_nb.execution.runs import KIND, RunRecord, add_run, load_workflow, note_run, run_record, write_log
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often a waiting executor looks for flags and for work that another process submitted."""


class WorkflowExecutor:
    """Runs workflows on one machine, through the journal of one store."""

    def __init__(self, store: Store, machine: HardwareInterface) -> None:
        self._store, self._machine = store, machine
        self._queue, self._flags, self._lease = JobQueue(store), flags_of(store), lease_of(store)
        self._at_hand: dict[int, Workflow] = {}

    def submit(
        self,
        workflow: Workflow,
        *,
        batch_id: str | None = None,
        cost_usd: float = 0.0,
        priority: int = 0,
        not_before: datetime | None = None,
    ) -> int:
        """Queues a workflow and returns its run's number; the same plate again returns the same number.

        Raises:
            CampaignError: that plate was submitted before with another workflow.
        """
        run_id = add_run(
            self._store, workflow, batch_id=batch_id, cost_usd=cost_usd, priority=priority, not_before=not_before
        )
        self._at_hand[run_id] = workflow
        return run_id

    def run(self, run_ids: Collection[int] | None = None, on_event: OnEvent = ignore) -> dict[int, RunRecord]:
        """Executes queued runs, all or those named, until none of them waits any more. Returns those it executed.

        A run that fails does not end the others; its record says how it ended.

        Raises:
            LeaseError: another process executes the work of this database.
            StoppedError: the queue was killed; what was done is recorded, the rest stays queued.
        """
        ended: dict[int, RunRecord] = {}
        wanted = None if run_ids is None else list(run_ids)
        with self._lease.held():
            if self._lease.is_new:
                self._queue.recover(KIND)
                self._lease.is_new = False
            capabilities = self._machine.describe()
            while wanted is None or wanted:
                self._flags.wait_until_allowed(max_age_s=GLANCE_S if capabilities.is_simulated else 0.0)
                job = self._take(wanted)
                if job is not None:
                    record = self._run_one(job, capabilities, on_event)
                    if record is not None:
                        ended[job.job_id] = record
                        wanted = None if wanted is None else [run_id for run_id in wanted if run_id != job.job_id]
                    continue
                due = self._queue.next_due(kind=KIND, among=wanted)
                if due is None:
                    break
                # Never woken early: it is a pause that ends by time.
                threading.Event().wait(max(0.0, min((due - now_utc()).total_seconds(), LOOK_S)))
        return ended

    def _take(self, wanted: Collection[int] | None) -> Job | None:
        """Claims and starts the next run that is due."""
        fencing = self._lease.fencing
        with self._store.write() as tx:
            self._lease.check(tx)
            if wanted is None:
                return self._queue.claim(fencing=fencing, kind=KIND, start=True)
            claims = (self._queue.claim(fencing=fencing, job_id=run_id, start=True) for run_id in wanted)
            return next((job for job in claims if job is not None), None)

    def _run_one(self, job: Job, capabilities: Capabilities, on_event: OnEvent) -> RunRecord | None:
        """One run to its end; None when it waits for another attempt."""
        # A machine that is simulated and remembers every token loses nothing when its journal is a moment behind.
        is_strict = not (capabilities.is_simulated and capabilities.can_reconcile)
        journal = Journal(self._store, self._lease, capabilities.machine, is_strict=is_strict)
        started_at = now_utc()
        try:
            workflow = self._at_hand.pop(job.job_id, None) or load_workflow(self._store, job.job_id)
            plate = PlateRun(
                job.job_id,
                workflow,
                store=self._store,
                machine=self._machine,
                journal=journal,
                flags=self._flags,
                on_event=on_event,
            )
            halt = plate.go(is_first=job.claimed_at is None)
            record = self._close(job.job_id, journal, halt, capabilities.machine, started_at)
        except LeaseError:
            raise  # whoever holds the lease now decides about this run
        except BaseException:
            self._put_back(job.job_id, journal)
            raise
        if record.status is JobStatus.QUEUED:
            self._at_hand[job.job_id] = workflow
            return None
        on_event(RunDone(record.plate_id, record.n_wells, record.status, record.error, now_utc()))
        return replace(record, reading=plate.reading)

    def _close(self, run_id: int, journal: Journal, halt: Halt | None, machine: str, started_at: datetime) -> RunRecord:
        """Stores what is left of the journal together with how the run ended."""
        with self._store.write(durable=journal.is_strict) as tx:
            journal.flush()
            note_run(tx, run_id, machine=machine, started_at=started_at, finished_at=now_utc())
            if halt is None:
                self._queue.complete(run_id)
            elif halt.retry_in is not None:
                self._queue.postpone(run_id, halt.retry_in, halt.error)
                write_log(tx, logging.WARNING, halt.error, run_id)
            else:
                self._queue.end(run_id, halt.status, halt.error)
                write_log(tx, logging.ERROR, halt.error, run_id)
            return run_record(self._store, run_id)

    def _put_back(self, run_id: int, journal: Journal) -> None:
        """Stores what was done before an error or a keyboard interrupt, so that the run can go on from there."""
        try:
            with self._store.write(durable=journal.is_strict):
                journal.flush()
                self._queue.postpone(run_id, timedelta(0))
        except (StoreError, LeaseError) as error:
            # The first error is on its way up; whoever executes next settles this run from what is stored.
            self._lease.is_new = True
            log.warning("run %s: the journal could not be stored (%s)", run_id, error)
