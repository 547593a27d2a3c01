"""WorkflowExecutor: takes runs from the queue and brings them through, several plates at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import timedelta
from typing import Unpack

from cellos_nb.errors import LeaseError, StoreError
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.control import GLANCE_S, JUST_NOW_S
from cellos_nb.execution.devices import devices_of
from cellos_nb.execution.endings import Endings, InHand
from cellos_nb.execution.events import Event, OnEvent, RunDone, RunPostponed, ignore
from cellos_nb.execution.jobs import Job, JobStatus
from cellos_nb.execution.journal import Journal
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.notes import store_together
from cellos_nb.execution.orders import Halt
from cellos_nb.execution.plate_run import PlateRun
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import RunOptions, RunRecord, add_run, load_workflow, needing
from cellos_nb.execution.shift import Hold, Shift, put_down
from cellos_nb.execution.station import Station
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Plates that are dosed and read on one machine at a time; those that incubate do not count."""
AT_ONCE_INSTANT = 128
"""The same where steps take no time: runs that are claimed in one transaction."""


class WorkflowExecutor:
    """Runs workflows on one machine, through the journal of one store."""

    def __init__(
        self,
        store: Store,
        machine: HardwareInterface,
        *,
        name: str | None = None,
        place: Executor | None = None,
        conductor: Conductor | None = None,
        may_be_real: Callable[[], bool] = lambda: True,
        on_fault: Callable[[Job, Exception], None] | None = None,
    ) -> None:
        """An executor for one machine.

        Args:
            store: queue and journal.
            machine: what executes the steps.
            name: the machine as a resource of the queue, so that runs for it wait for it alone; none when left out.
            place: where its calls run; threads, or the caller's own for simulated machines, when left out.
            conductor: shared with the executors of other machines; one of its own when left out.
            may_be_real: asked for each run, whether a real machine moves under an approval or only a proof is written.
            on_fault: told of what a run raised that is no failure of a step, and settles it; raised when left out.
        """
        self._store, self._machine = store, machine
        self._name, self._place, self._may_be_real = name, place, may_be_real
        self._on_fault = on_fault or _raise
        self._queue, self._lease = JobQueue(store), lease_of(store)
        self._conductor = conductor or Conductor(store)
        self._at_hand: dict[int, Workflow] = {}
        self._in_hand: dict[int, InHand] = {}
        self._ended: dict[int, RunRecord] = {}
        self._held: set[int] = set()
        self._hold: Hold = _never
        self._keeps_records = False
        self._opened: tuple[Station, Endings] | None = None
        self.on_event: OnEvent = ignore

    def submit(self, workflow: Workflow, **options: Unpack[RunOptions]) -> int:
        """Queues a workflow and returns its run's number; the same plate again returns the same number.

        It needs the machine, if that has a name here, and the `resources` in `options` besides.

        Raises:
            CampaignError: that plate was submitted before with another workflow.
        """
        run_id = add_run(self._store, workflow, **needing(self._name, options))
        self._at_hand[run_id] = workflow
        return run_id

    def run(
        self, run_ids: Collection[int] | None = None, on_event: OnEvent = ignore, *, hold: Hold | None = None
    ) -> dict[int, RunRecord]:
        """Executes queued runs, all or those named, until none of them waits any more. Returns those it executed.

        A run that fails does not end the others; its record says how it ended. A run that waits for a device which
        only a person can release is left in the queue.

        Args:
            run_ids: those to execute; all that are queued when left out.
            on_event: called with what happens.
            hold: asked before each run begins; once it answers why, no other is begun and those under way are ended.

        Raises:
            LeaseError: another process executes the work of this database.
            StoppedError: the queue was killed; what was done is recorded, the rest stays queued.
        """
        self.begin(on_event, hold)
        wanted = None if run_ids is None else tuple(dict.fromkeys(run_ids))
        Shift(self._store, self._conductor, self, wanted, self._hold).work()
        return self._ended

    def begin(self, on_event: OnEvent = ignore, hold: Hold | None = None) -> None:
        """Forgets how earlier runs ended, and keeps how those to come do. As `run`, which calls it."""
        self.on_event, self._ended, self._held = on_event, {}, set()
        self._hold, self._keeps_records = hold or _never, True

    @property
    def station(self) -> Station:
        """The machine, as it described itself when it was first asked."""
        return self._open()[0]

    @property
    def notes(self) -> Endings | None:
        """What is in memory alone; None when the machine was not asked for anything yet."""
        return self._opened[1] if self._opened else None

    @property
    def room(self) -> int:
        """How many more runs can be taken up now."""
        most = AT_ONCE_INSTANT if self.station.capabilities.is_instant else AT_ONCE
        resting = {task.job_id for task in self._conductor.tasks if task.rests_until is not None}
        return most - sum(job_id not in resting for job_id in self._in_hand)

    @property
    def glance_s(self) -> float:
        """How old the flags may be that let a run begin."""
        return GLANCE_S if self.station.capabilities.is_instant else JUST_NOW_S

    @property
    def is_busy(self) -> bool:
        """Whether runs are in hand."""
        return bool(self._in_hand)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, nor in memory alone."""
        return not self._in_hand and not (self._opened and self._opened[1].n_runs)

    @property
    def n_in_hand(self) -> int:
        """Plates that were taken up and have not ended, those that incubate among them."""
        return len(self._in_hand)

    @property
    def ended(self) -> dict[int, RunRecord]:
        """The runs that have ended since `begin`, with their readings."""
        return self._ended

    @property
    def left(self) -> set[int]:
        """The runs that were found waiting for a device that only a person can release, since `begin`."""
        return self._held

    def has(self, job_id: int) -> bool:
        """Whether a run is in hand here, or has ended in memory alone."""
        return job_id in self._in_hand or (self._opened is not None and self._opened[1].has(job_id))

    def is_there(self) -> bool:
        """A machine of this process is there."""
        return True

    def take_up(self, job: Job, hold: Hold | None = None, workflow: Workflow | None = None) -> None:
        """Begins or continues a run that was claimed and started; the conductor brings it forward.

        Args:
            job: the run.
            hold: says why it may not begin, for this run alone.
            workflow: as it was submitted, when it is at hand.
        """
        station, endings = self._open()
        try:
            workflow = workflow or self._at_hand.pop(job.job_id, None) or load_workflow(self._store, job.job_id)
        except BaseException:
            self._queue.postpone(job.job_id, timedelta(0))
            raise
        plate = PlateRun(
            job.job_id,
            workflow,
            store=self._store,
            station=station,
            journal=endings.journal,
            on_event=self._tell,
            may_be_real=self._may_be_real(),
            hold=hold or self._hold,
        )
        self._in_hand[job.job_id] = InHand(job, workflow, plate, now_utc())
        task = Task(
            job.job_id,
            workflow.plate_id,
            plate.go(is_first=job.claimed_at is None),
            station.place,
            on_end=lambda halt: self._end(job.job_id, halt),
            on_fault=lambda error: self._fault(job, error),
            priority=job.priority,
        )
        self._conductor.begin(task)

    def flush(self, *, only_if_due: bool = False) -> None:
        """Stores what is in memory: journal entries, and how runs ended; all in one transaction.

        Raises:
            LeaseError: another dispatcher took over; nothing was stored.
        """
        notes = self.notes
        if notes is not None and (notes.is_due or not only_if_due):
            store_together(self._store, [notes])

    def _tell_end(self, run: InHand, halt: Halt | None, record: RunRecord) -> None:
        if record.status is JobStatus.QUEUED:
            if halt is not None and halt.error and not halt.is_waiting:
                until = self._queue.job(run.job.job_id).not_before
                self.on_event(RunPostponed(record.plate_id, halt.error, until, now_utc()))
            return
        if self._keeps_records:
            self._ended[run.job.job_id] = replace(record, reading=run.plate.reading)
        self.on_event(RunDone(record.plate_id, record.n_wells, record.status, record.error, now_utc()))

    def leave(self, dropped: Sequence[Task] | None = None) -> None:
        """Gives steps in progress a moment to end, stores what was done, and puts the runs in hand back.

        `dropped`: the work of a shared conductor that was settled and left already.
        """
        if dropped is None:
            dropped = put_down(self._conductor)
        resting = {task.job_id: task.rests_until for task in dropped}
        runs, self._in_hand = list(self._in_hand.values()), {}
        if self._opened is None:
            return
        try:
            self.flush()
            with self._store.write(durable=self._opened[1].is_strict):
                for run in runs:
                    until = resting.get(run.job.job_id)
                    delay = until - now_utc() if until is not None else timedelta(0)
                    self._queue.postpone(run.job.job_id, max(delay, timedelta(0)))
        except (StoreError, LeaseError) as error:
            # The first error is on its way up; whoever executes next settles these runs from what is stored.
            self._opened[1].forget()
            self._lease.is_new = True
            log.warning("%d runs: the journal could not be stored (%s)", len(runs), error)

    def forget(self) -> None:
        """Drops the runs in hand and all that is noted of them: another dispatcher decides about them."""
        self._in_hand = {}
        if self._opened is not None:
            self._opened[1].forget()

    def _tell(self, event: Event) -> None:
        self.on_event(event)

    def _end(self, job_id: int, halt: Halt | None) -> None:
        self._open()[1].add(self._in_hand.pop(job_id), halt)
        if halt is not None:
            self.flush(only_if_due=True)
            # It may have left a step open; nobody else gets its devices.
            devices_of(self._store).look()
            if halt.is_held:
                self._held.add(job_id)

    def _fault(self, job: Job, error: Exception) -> None:
        self._on_fault(job, error)
        del self._in_hand[job.job_id]

    def _open(self) -> tuple[Station, Endings]:
        if self._opened is None:
            station = Station.of(self._machine, self._place)
            journal = Journal(self._store, self._lease, station.name, is_strict=station.is_strict)
            self._opened = station, Endings(self._store, journal, station.name, self._tell_end)
            self._conductor.store_with(self._opened[1])
        return self._opened


def _never() -> str | None:
    return None


def _raise(_: Job, error: Exception) -> None:
    raise error
