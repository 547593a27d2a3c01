"""WorkflowExecutor: takes runs from the queue and brings them through, several plates at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cellos_nb.errors import LeaseError, StoreError
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.control import GLANCE_S, JUST_NOW_S, POLL_S, flags_of
from cellos_nb.execution.devices import devices_of
from cellos_nb.execution.events import Event, OnEvent, RunDone, RunPostponed, ignore
from cellos_nb.execution.journal import Journal
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.orders import Halt
from cellos_nb.execution.plate_run import PlateRun
from cellos_nb.execution.queue import Job, JobQueue, JobStatus
from cellos_nb.execution.runs import (
    KIND,
    RunRecord,
    add_run,
    load_workflow,
    note_runs,
    run_record,
    run_records,
    write_log,
)
from cellos_nb.execution.station import Station
from cellos_nb.execution.waiting import wait_for_person
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often a waiting executor looks for flags and for work that another process submitted or cancelled."""
AT_ONCE = 4
"""Plates that are dosed and read on one machine at a time; those that incubate do not count."""
AT_ONCE_INSTANT = 128
"""The same where steps take no time: runs that are claimed in one transaction."""
GRACE_S = 20.0
"""How long a step in progress may take to end when work is stopped; after that it is asked about the next time."""


Hold = Callable[[], str | None]
"""Says why no further run may begin, or None when it may."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A run that is being executed."""

    job: Job
    workflow: Workflow
    plate: PlateRun
    started_at: datetime


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
        self._queue, self._flags, self._lease = JobQueue(store), flags_of(store), lease_of(store)
        self._conductor = conductor or Conductor(store)
        self._at_hand: dict[int, Workflow] = {}
        self._in_hand: dict[int, InHand] = {}
        self._ending: list[tuple[InHand, Halt | None]] = []
        self._ended: dict[int, RunRecord] = {}
        self._held: set[int] = set()
        self._hold: Hold = _never
        self._keeps_records = False
        self._opened: tuple[Station, Journal] | None = None
        self.on_event: OnEvent = ignore

    def submit(
        self,
        workflow: Workflow,
        *,
        batch_id: str | None = None,
        cost_usd: float = 0.0,
        priority: int = 0,
        not_before: datetime | None = None,
        resources: Collection[str] = (),
    ) -> int:
        """Queues a workflow and returns its run's number; the same plate again returns the same number.

        It needs the machine, if that has a name here, and `resources` besides.

        Raises:
            CampaignError: that plate was submitted before with another workflow.
        """
        run_id = add_run(
            self._store,
            workflow,
            batch_id=batch_id,
            cost_usd=cost_usd,
            priority=priority,
            not_before=not_before,
            resources={*resources, *([self._name] if self._name else ())},
        )
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
        wanted = None if run_ids is None else dict.fromkeys(run_ids)
        with self._lease.held():
            if self._lease.is_new:
                self._queue.recover(KIND)
                self._lease.is_new = False
            devices_of(self._store).look()
            try:
                self._run(wanted)
            except LeaseError:
                self._conductor.leave()  # whoever holds the lease now decides about these runs
                raise
            except BaseException:
                self.leave()
                raise
        return self._ended

    def begin(self, on_event: OnEvent = ignore, hold: Hold | None = None) -> None:
        """Forgets how earlier runs ended, and keeps how those to come do. As `run`, which calls it."""
        self.on_event, self._ended, self._held = on_event, {}, set()
        self._hold, self._keeps_records = hold or _never, True

    def _run(self, wanted: dict[int, None] | None) -> None:
        max_age_s = GLANCE_S if self.station.capabilities.is_instant else JUST_NOW_S
        self._conductor.is_closing = False
        while True:
            if self._flags.is_allowed(max_age_s=max_age_s) and self._hold() is None:
                self._claim(wanted)
            if self._in_hand:
                self._conductor.turn(LOOK_S)
                self._look_for_cancelled()
                self.flush(only_if_due=True)
            else:
                self.flush()
                if self._hold() is not None or not self._wait_for_work(wanted):
                    return

    def _claim(self, wanted: dict[int, None] | None) -> None:
        """Takes up the next runs that are due, as many as there is room for."""
        among = None
        if wanted is not None:
            done = self._ended.keys() | {run.job.job_id for run, _ in self._ending}
            among = [run_id for run_id in wanted if run_id not in done and run_id not in self._in_hand]
        room = self.room
        if room <= 0 or among == []:
            return
        fencing = self._lease.fencing
        with self._store.write() as tx:
            self._lease.check(tx)
            jobs = self._queue.claim_many(room, fencing=fencing, kind=KIND, among=among, start=True)
        for job in jobs:
            self.take_up(job)

    def _wait_for_work(self, wanted: dict[int, None] | None) -> bool:
        """Waits for what is queued for later, for a moment at most; False when nothing is."""
        among = None if wanted is None else [one for one in wanted if one not in self._ended]
        due = None if among == [] else self._queue.next_due(kind=KIND, among=among, without=self._held)
        if due is None:
            return False
        seconds = (due - now_utc()).total_seconds()
        paused_s = 0.0 if self._flags.is_allowed() else POLL_S
        self._conductor.turn(min(max(seconds, paused_s), LOOK_S))
        return True

    @property
    def station(self) -> Station:
        """The machine, as it described itself when it was first asked."""
        return self._open()[0]

    @property
    def room(self) -> int:
        """How many more runs can be taken up now."""
        most = AT_ONCE_INSTANT if self.station.capabilities.is_instant else AT_ONCE
        resting = {task.job_id for task in self._conductor.tasks if task.rests_until is not None}
        return most - sum(job_id not in resting for job_id in self._in_hand)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, nor in memory alone."""
        return not self._in_hand and not self._ending

    @property
    def n_in_hand(self) -> int:
        """Plates that were taken up and have not ended, those that incubate among them."""
        return len(self._in_hand)

    @property
    def ended(self) -> dict[int, RunRecord]:
        """The runs that have ended since `begin`, with their readings."""
        return self._ended

    @property
    def held(self) -> set[int]:
        """The runs that were found waiting for a device that only a person can release, since `begin`."""
        return self._held

    def has(self, job_id: int) -> bool:
        """Whether a run is in hand here."""
        return job_id in self._in_hand

    def take_up(self, job: Job, hold: Hold | None = None) -> None:
        """Begins or continues a run that was claimed and started; the conductor brings it forward.

        `hold` says why it may not begin, for this run alone.
        """
        station, journal = self._open()
        try:
            workflow = self._at_hand.pop(job.job_id, None) or load_workflow(self._store, job.job_id)
        except BaseException:
            self._queue.postpone(job.job_id, timedelta(0))
            raise
        plate = PlateRun(
            job.job_id,
            workflow,
            store=self._store,
            station=station,
            journal=journal,
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
        if self._opened is None:
            return
        station, journal = self._opened
        if only_if_due and not (journal.is_due and (self._ending or not journal.is_empty)):
            return
        ending, self._ending = self._ending, []
        if not ending:
            journal.flush()
            return
        with self._store.write(durable=journal.is_strict) as tx:
            journal.flush()
            now = now_utc()
            note_runs(tx, [(run.job.job_id, run.started_at, now) for run, _ in ending], machine=station.name)
            self._queue.complete_all([run.job.job_id for run, halt in ending if halt is None])
            for run, halt in ending:
                if halt is not None:
                    self._note_halt(tx, run.job, halt)
            records = self._records([run.job.job_id for run, _ in ending])
        for run, halt in ending:
            self._tell_end(run, halt, records[run.job.job_id])

    def _tell_end(self, run: InHand, halt: Halt | None, record: RunRecord) -> None:
        if record.status is JobStatus.QUEUED:
            self._at_hand[run.job.job_id] = run.workflow
            if halt is not None and halt.error and not halt.is_waiting:
                until = self._queue.job(run.job.job_id).not_before
                self.on_event(RunPostponed(record.plate_id, halt.error, until, now_utc()))
            return
        if self._keeps_records:
            self._ended[run.job.job_id] = replace(record, reading=run.plate.reading)
        self.on_event(RunDone(record.plate_id, record.n_wells, record.status, record.error, now_utc()))

    def _store_notes(self) -> None:
        """Stores everything before a device is called; what may be stored later waits until it is due."""
        self.flush(only_if_due=True)

    def leave(self, dropped: Sequence[Task] | None = None) -> None:
        """Gives steps in progress a moment to end, stores what was done, and puts the runs in hand back.

        `dropped`: the work of a shared conductor that was settled and left already.
        """
        if dropped is None:
            self._conductor.settle(GRACE_S)
            dropped = self._conductor.leave()
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
            self._lease.is_new = True
            log.warning("%d runs: the journal could not be stored (%s)", len(runs), error)

    def _tell(self, event: Event) -> None:
        self.on_event(event)

    def _end(self, job_id: int, halt: Halt | None) -> None:
        self._ending.append((self._in_hand.pop(job_id), halt))
        if halt is not None:
            self.flush(only_if_due=True)
            # It may have left a step open; nobody else gets its devices.
            devices_of(self._store).look()
            if halt.is_held:
                self._held.add(job_id)

    def _fault(self, job: Job, error: Exception) -> None:
        self._on_fault(job, error)
        del self._in_hand[job.job_id]

    def _note_halt(self, tx: Any, job: Job, halt: Halt) -> None:
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
        if halt.error and (halt.retry_in is None or job.last_error != halt.error):
            write_log(tx, level, halt.error, job.job_id)

    def _records(self, job_ids: list[int]) -> dict[int, RunRecord]:
        if len(job_ids) == 1:
            return {job_ids[0]: run_record(self._store, job_ids[0])}
        return {record.run_id: record for record in run_records(self._store, run_ids=job_ids)}

    def _look_for_cancelled(self) -> None:
        """Ends the waiting of runs that were cancelled while they incubate or wait for a device."""
        if any(task.rests_until is not None for task in self._conductor.tasks):
            self._conductor.withdraw(self._flags.cancelling(max_age_s=JUST_NOW_S))

    def _open(self) -> tuple[Station, Journal]:
        if self._opened is None:
            station = Station.of(self._machine, self._place)
            self._opened = station, Journal(self._store, self._lease, station.name, is_strict=station.is_strict)
            self._conductor.store_with(self._store_notes)
        return self._opened


def _never() -> str | None:
    return None


def _raise(_: Job, error: Exception) -> None:
    raise error
