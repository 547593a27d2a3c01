"""RobotPool: several equal robots that share the queue, each plate staying on one of them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Unpack

from cellos_nb.errors import MachineError, RobotAwayError
from cellos_nb.execution.assignments import Assignments
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.events import OnEvent, RunDone, RunPostponed, ignore
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.jobs import Job, JobStatus
from cellos_nb.execution.notes import store_together
from cellos_nb.execution.places import Threads
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import RunOptions, RunRecord, add_run, needing, run_record
from cellos_nb.execution.shift import Hold, Shift, put_down
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


def _nobody(_: Job) -> str | None:
    return None


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
        place: Callable[[], Executor] = Threads,
        prefers: Callable[[Job], str | None] = _nobody,
    ) -> None:
        """A pool of robots; as `WorkflowExecutor`.

        Args:
            store: queue and journal.
            robots: the robots.
            name: the pool as a resource of the queue.
            conductor: shared with other executors.
            may_be_real: asked for each run, whether a real machine moves.
            on_fault: told of what a run raised that is no failure of a step.
            place: where the calls of one robot run.
            prefers: the robot that a run goes to which has none yet, as a calendar has it; when None, or when that one
                is away, the one with the fewest plates in hand.
        """
        self._store, self._robots, self._name, self._prefers = store, robots, name, prefers
        self._on_event: OnEvent = ignore
        self._queue = JobQueue(store)
        self._conductor = conductor or Conductor(store)
        # Calls wait for a robot elsewhere, so none of them may hold up the others, however simulated it is.
        self._executors = {
            robot: WorkflowExecutor(
                store,
                machine,
                place=place(),
                conductor=self._conductor,
                may_be_real=may_be_real,
                on_fault=on_fault,
            )
            for robot, machine in robots.machines.items()
        }
        self._assignments = Assignments(store, robots)
        self._conductor.store_with(self._assignments)
        self._at_hand: dict[int, Workflow] = {}
        self._given: Counter[str] = Counter()
        self._waiting_since: dict[int, float] = {}
        self._nobody_since: float | None = None

    def submit(self, workflow: Workflow, **options: Unpack[RunOptions]) -> int:
        """Queues a workflow and returns its run's number; as `WorkflowExecutor.submit`."""
        run_id = add_run(self._store, workflow, **needing(self._name, options))
        self._at_hand[run_id] = workflow
        return run_id

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
        wanted = None if run_ids is None else tuple(dict.fromkeys(run_ids))
        Shift(self._store, self._conductor, self, wanted, hold or _never).work()
        return self.ended

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
    def glance_s(self) -> float:
        """How old the flags may be that let a run begin: robots are asked about it anew."""
        return 0.0

    @property
    def is_busy(self) -> bool:
        """Whether runs are in hand."""
        return any(executor.is_busy for executor in self._executors.values())

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, nor in memory alone."""
        return all(executor.is_idle for executor in self._executors.values())

    @property
    def n_in_hand(self) -> dict[str, int]:
        """By robot: plates that were taken up and have not ended."""
        return {name: executor.n_in_hand for name, executor in self._executors.items()}

    @property
    def ended(self) -> dict[int, RunRecord]:
        """The runs that have ended since `run` was called, with their readings."""
        return {run_id: record for executor in self._executors.values() for run_id, record in executor.ended.items()}

    @property
    def left(self) -> set[int]:
        """Runs that are left in the queue: what they wait for has not come for too long, or needs a person."""
        late = time.monotonic() - PATIENCE_S
        waited = {job_id for job_id, since in self._waiting_since.items() if since < late}
        return waited.union(*(executor.left for executor in self._executors.values()))

    def has(self, job_id: int) -> bool:
        """Whether a run is in hand here, or has ended in memory alone."""
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
            self._executors[name].take_up(job, hold, self._at_hand.pop(job.job_id, None))
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
        noted = (self._assignments, *(executor.notes for executor in self._executors.values()))
        store_together(self._store, [each for each in noted if each is not None and (each.is_due or not only_if_due)])

    def leave(self, dropped: Sequence[Task] | None = None) -> None:
        """Gives steps in progress a moment to end, and puts the runs in hand back; as `WorkflowExecutor.leave`."""
        if dropped is None:
            dropped = put_down(self._conductor)
        # A plate whose robot is not noted was not sent to it.
        self._assignments.forget()
        for executor in self._executors.values():
            executor.leave(dropped)

    def forget(self) -> None:
        """Drops the runs in hand and all that is noted of them; as `WorkflowExecutor.forget`."""
        self._assignments.forget()
        for executor in self._executors.values():
            executor.forget()

    def is_there(self) -> bool:
        """Whether any of the robots is there now.

        Raises:
            RobotAwayError: for a minute none of them was.
        """
        if self._robots.there:
            self._nobody_since = None
            return True
        now = time.monotonic()
        self._nobody_since = self._nobody_since or now
        if now - self._nobody_since > PATIENCE_S:
            raise RobotAwayError(
                f"None of the robots {', '.join(self._executors)} was there for {PATIENCE_S:g} s; the plates stay "
                "queued. Start one by `cellos worker --robot NAME …`, then resume."
            )
        return False

    def _room_of(self, name: str) -> int:
        try:
            return max(0, self._executors[name].room)
        except MachineError as error:
            log.warning("%s: %s", name, error)
            return 0

    def _choose(self, job: Job) -> str | None:
        """Of the robots that are there and may: one with room, the fewest plates in hand, and the least used so far."""
        there = self._robots.there
        allowed = self._assignments.allowed(job, there)
        there = tuple(name for name in there if name in allowed) or there
        preferred = self._prefers(job)
        if preferred in there:
            return preferred
        in_hand = self.n_in_hand
        return min(there, key=lambda name: (self._room_of(name) == 0, in_hand[name], self._given[name]), default=None)

    def _wait_for(self, job: Job, why: str) -> None:
        self._waiting_since.setdefault(job.job_id, time.monotonic())
        if job.last_error != why:
            log.warning("job %d: %s", job.job_id, why)
        self._queue.postpone(job.job_id, timedelta(seconds=AWAY_S), why)
        self._on_event(RunPostponed(job.payload["plate_id"], why, now_utc() + timedelta(seconds=AWAY_S), now_utc()))


def executor_for(store: Store, machine: HardwareInterface, **options: Any) -> WorkflowExecutor | RobotPool:
    """What runs workflows on a machine: a pool when it stands for several equal robots. `options` as theirs."""
    if isinstance(machine, EqualRobots):
        return RobotPool(store, machine, **options)
    return WorkflowExecutor(store, machine, **options)


def _never() -> str | None:
    return None
