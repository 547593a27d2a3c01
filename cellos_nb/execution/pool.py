"""RobotPool: several equal robots that share the queue, each plate staying on one of them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from cellos_nb.errors import LeaseError, MachineError, RobotAwayError
from cellos_nb.execution.assignments import Assignments
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.control import POLL_S, flags_of
from cellos_nb.execution.devices import devices_of
from cellos_nb.execution.events import OnEvent, RunDone, RunPostponed, ignore
from cellos_nb.execution.executor import GRACE_S, LOOK_S, Hold, WorkflowExecutor
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.places import Threads
from cellos_nb.execution.queue import Job, JobQueue, JobStatus
from cellos_nb.execution.runs import KIND, RunRecord, add_run, run_record
from cellos_nb.execution.station import Station
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

log = logging.getLogger(__name__)

AWAY_S = 5.0
"""When to look again for the robot that has a plate."""
PATIENCE_S = 60.0
"""How long `run` waits for robots that are away before it leaves their plates in the queue."""


class RobotPool:
    """Runs workflows on equal robots, through the journal of one store. It stands where a `WorkflowExecutor` stands.

    A run is given to the robot with the fewest plates in hand. Which one that is stands in the run's row, on the disk,
    before the robot is asked for anything; so the plate goes on there also after a crash, whoever dispatches then.
    """

    def __init__(
        self,
        store: Store,
        robots: EqualRobots,
        *,
        name: str | None = None,
        conductor: Conductor | None = None,
        may_be_real: Callable[[], bool] = lambda: True,
        on_fault: Callable[[Job, Exception], None] | None = None,
    ) -> None:
        """A pool of robots; as `WorkflowExecutor`."""
        self._store, self._robots, self._name = store, robots, name
        self._on_event: OnEvent = ignore
        self._queue, self._flags, self._lease = JobQueue(store), flags_of(store), lease_of(store)
        self._conductor = conductor or Conductor(store)
        # Calls wait for a robot elsewhere, so none of them may hold up the others, however simulated it is.
        self._executors = {
            robot: WorkflowExecutor(
                store,
                machine,
                place=Threads(),
                conductor=self._conductor,
                may_be_real=may_be_real,
                on_fault=on_fault,
            )
            for robot, machine in robots.machines.items()
        }
        self._assignments = Assignments(store, robots)
        self._given: Counter[str] = Counter()
        self._waiting_since: dict[int, float] = {}
        self._nobody_since: float | None = None

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
        """Queues a workflow and returns its run's number; as `WorkflowExecutor.submit`."""
        return add_run(
            self._store,
            workflow,
            batch_id=batch_id,
            cost_usd=cost_usd,
            priority=priority,
            not_before=not_before,
            resources={*resources, *([self._name] if self._name else ())},
        )

    def run(
        self, run_ids: Collection[int] | None = None, on_event: OnEvent = ignore, *, hold: Hold | None = None
    ) -> dict[int, RunRecord]:
        """Executes queued runs, all or those named; as `WorkflowExecutor.run`.

        A plate whose robot stays away is left in the queue.

        Raises:
            LeaseError: another process executes the work of this database.
            RobotAwayError: for a minute none of the robots was there.
            StoppedError: the queue was killed; what was done is recorded, the rest stays queued.
        """
        self._on_event = on_event
        for executor in self._executors.values():
            executor.begin(on_event, hold)
        self._waiting_since, self._nobody_since = {}, None
        may_begin = hold or (lambda: None)
        with self._lease.held():
            if self._lease.is_new:
                self._queue.recover(KIND)
                self._lease.is_new = False
            devices_of(self._store).look()
            try:
                self._run(None if run_ids is None else list(run_ids), may_begin)
            except LeaseError:
                self._conductor.leave()  # whoever holds the lease now decides about these runs
                raise
            except BaseException:
                self.leave()
                raise
        return self._ended

    @property
    def on_event(self) -> OnEvent:
        """Called with what happens."""
        return self._on_event

    @on_event.setter
    def on_event(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        for executor in self._executors.values():
            executor.on_event = on_event

    @property
    def station(self) -> Station:
        """One of the robots, as it described itself; they are equal."""
        name = next(iter(self._robots.there or self._executors))
        return self._executors[name].station

    @property
    def room(self) -> int:
        """How many more runs can be taken up now, by the robots that are there."""
        return sum(self._room_of(name) for name in self._robots.there)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, nor in memory alone."""
        return all(executor.is_idle for executor in self._executors.values())

    @property
    def n_in_hand(self) -> dict[str, int]:
        """By robot: plates that were taken up and have not ended."""
        return {name: executor.n_in_hand for name, executor in self._executors.items()}

    def has(self, job_id: int) -> bool:
        """Whether a run is in hand here."""
        return any(executor.has(job_id) for executor in self._executors.values())

    def take_up(self, job: Job, hold: Hold | None = None) -> None:
        """Gives a run that was claimed and started to its robot, or to one when it has none yet.

        A plate whose robot is away goes back into the queue for a moment; one of a robot that is not of this pool waits
        for a person.
        """
        name = self._assignments.robot_of(job)
        if name is not None and name not in self._executors:
            why = (
                f"this plate was begun on {name}, which is none of the robots {', '.join(self._executors)}. "
                f"Execute it with {name}, or discard it."
            )
            self._queue.end(job.job_id, JobStatus.PAUSED, why)
            run = run_record(self._store, job.job_id)
            self._on_event(RunDone(run.plate_id, run.n_wells, run.status, run.error, now_utc()))
            return
        try:
            name = name or self._choose(job)
            if name is None or not self._robots.is_there(name):
                raise RobotAwayError(f"waits for {name or 'a robot'}, whose worker is away")
            self._assignments.note(job, name)
            self._executors[name].take_up(job, hold)
        except MachineError as error:
            self._wait_for(job, str(error))
            return
        self._waiting_since.pop(job.job_id, None)
        self._given[name] += 1

    def flush(self, *, only_if_due: bool = False) -> None:
        """Stores what is in memory; as `WorkflowExecutor.flush`.

        Raises:
            LeaseError: another dispatcher took over; nothing was stored.
        """
        for executor in self._executors.values():
            executor.flush(only_if_due=only_if_due)

    def leave(self, dropped: Sequence[Task] | None = None) -> None:
        """Gives steps in progress a moment to end, and puts the runs in hand back; as `WorkflowExecutor.leave`."""
        if dropped is None:
            self._conductor.settle(GRACE_S)
            dropped = self._conductor.leave()
        for executor in self._executors.values():
            executor.leave(dropped)

    def _room_of(self, name: str) -> int:
        try:
            return max(0, self._executors[name].room)
        except MachineError as error:
            log.warning("%s: %s", name, error)
            return 0

    def _choose(self, job: Job) -> str | None:
        """Of the robots that are there and may: one with room, the fewest plates in hand, and the least used so far."""
        there = [name for name in self._robots.there if self._assignments.may(job, name)] or list(self._robots.there)
        in_hand = self.n_in_hand
        return min(there, key=lambda name: (self._room_of(name) == 0, in_hand[name], self._given[name]), default=None)

    def _wait_for(self, job: Job, why: str) -> None:
        self._waiting_since.setdefault(job.job_id, time.monotonic())
        if job.last_error != why:
            log.warning("job %d: %s", job.job_id, why)
        self._queue.postpone(job.job_id, timedelta(seconds=AWAY_S), why)
        self._on_event(RunPostponed(job.payload["plate_id"], why, now_utc() + timedelta(seconds=AWAY_S), now_utc()))

    @property
    def _ended(self) -> dict[int, RunRecord]:
        return {run_id: record for executor in self._executors.values() for run_id, record in executor.ended.items()}

    @property
    def _left(self) -> set[int]:
        """Runs that are left in the queue: what they wait for has not come for too long, or needs a person."""
        late = time.monotonic() - PATIENCE_S
        waited = {job_id for job_id, since in self._waiting_since.items() if since < late}
        return waited.union(*(executor.held for executor in self._executors.values()))

    def _run(self, wanted: list[int] | None, hold: Hold) -> None:
        self._conductor.is_closing = False
        while True:
            if self._flags.is_allowed() and hold() is None:
                self._claim(wanted)
            if not self.is_idle:
                self._conductor.turn(LOOK_S)
                self._look_for_cancelled()
                self.flush(only_if_due=self._conductor.tasks != ())
            elif hold() is not None or not self._wait_for_work(wanted):
                return

    def _claim(self, wanted: list[int] | None) -> None:
        room = self.room
        left, ended = self._left, self._ended
        among = None if wanted is None else [one for one in wanted if one not in ended and not self.has(one)]
        among = among if among is None else [one for one in among if one not in left]
        if room <= 0 or among == []:
            return
        fencing = self._lease.fencing
        with self._store.write() as tx:
            self._lease.check(tx)
            jobs = self._queue.claim_many(room, fencing=fencing, kind=KIND, among=among, start=True)
        for job in jobs:
            self.take_up(job)

    def _wait_for_work(self, wanted: list[int] | None) -> bool:
        """Waits for what is queued for later or for robots to come, for a moment at most; False when nothing is."""
        among = None if wanted is None else [one for one in wanted if one not in self._ended]
        due = None if among == [] else self._queue.next_due(kind=KIND, among=among, without=self._left)
        if due is None:
            return False
        self._look_for_robots()
        seconds = (due - now_utc()).total_seconds()
        is_idle = self._flags.is_allowed() and self._nobody_since is None
        self._conductor.turn(min(max(seconds, 0.0 if is_idle else POLL_S), LOOK_S))
        return True

    def _look_for_robots(self) -> None:
        if self._robots.there:
            self._nobody_since = None
            return
        now = time.monotonic()
        self._nobody_since = self._nobody_since or now
        if now - self._nobody_since > PATIENCE_S:
            raise RobotAwayError(
                f"None of the robots {', '.join(self._executors)} was there for {PATIENCE_S:g} s; the plates stay "
                "queued. Start one by `cellos worker --robot NAME …`, then resume."
            )

    def _look_for_cancelled(self) -> None:
        if any(task.rests_until is not None for task in self._conductor.tasks):
            self._conductor.withdraw(self._queue.cancelling())


def executor_for(store: Store, machine: HardwareInterface, **options: Any) -> WorkflowExecutor | RobotPool:
    """What runs workflows on a machine: a pool when it stands for several equal robots. `options` as theirs."""
    if isinstance(machine, EqualRobots):
        return RobotPool(store, machine, **options)
    return WorkflowExecutor(store, machine, **options)
