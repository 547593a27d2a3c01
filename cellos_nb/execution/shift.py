"""A shift: one call that takes runs from the queue and brings them through, on one machine or on several."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cellos_nb.errors import LeaseError, StoreError
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.control import JUST_NOW_S, POLL_S, flags_of
from cellos_nb.execution.devices import devices_of
from cellos_nb.execution.jobs import Job
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import KIND, RunRecord
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

log = logging.getLogger(__name__)

GRACE_S = 20.0
"""How long a step in progress may take to end when work is stopped; after that it is asked about the next time."""
LOOK_S = 0.5
"""How often a waiting executor looks for flags and for work that another process submitted or cancelled."""

Hold = Callable[[], str | None]
"""Says why no further run may begin, or None when it may."""


class Hands(Protocol):
    """Who executes runs: the executor of one machine, or a pool of robots."""

    @property
    def room(self) -> int:
        """How many more runs can be taken up now."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether runs are in hand."""
        ...

    @property
    def glance_s(self) -> float:
        """How old the flags may be that let a run begin."""
        ...

    @property
    def ended(self) -> dict[int, RunRecord]:
        """The runs that have ended in this shift."""
        ...

    @property
    def left(self) -> Collection[int]:
        """Runs that stay in the queue: what they wait for has not come for too long, or needs a person."""
        ...

    def has(self, job_id: int) -> bool:
        """Whether a run is in hand, or has ended in memory alone."""
        ...

    def take_up(self, job: Job) -> None:
        """Begins or continues a run that was claimed and started."""
        ...

    def flush(self, *, only_if_due: bool = False) -> None:
        """Stores what is in memory."""
        ...

    def leave(self, dropped: Sequence[Task] | None = None) -> None:
        """Stores what was done, and puts the runs in hand back."""
        ...

    def forget(self) -> None:
        """Drops the runs in hand and all that is noted of them: another dispatcher decides about them."""
        ...

    def is_there(self) -> bool:
        """Whether anything can execute now; one that is not may come back.

        Raises:
            MachineError: it has not for too long.
        """
        ...


@dataclass(frozen=True, slots=True)
class Shift:
    """Executes queued runs, all or those wanted, until none of them waits any more."""

    store: Store
    conductor: Conductor
    hands: Hands
    wanted: Collection[int] | None
    hold: Hold

    def work(self) -> None:
        """Works under the lease, and leaves everything in order however it ends.

        Raises:
            LeaseError: another process executes the work of this database.
            StoppedError: the queue was killed; what was done is recorded, the rest stays queued.
        """
        lease = lease_of(self.store)
        with lease.held():
            if lease.is_new:
                JobQueue(self.store).recover(KIND)
                lease.is_new = False
            devices_of(self.store).look()
            self.conductor.is_closing = False
            try:
                self._work()
            except LeaseError:
                # Whoever holds the lease now decides about these runs.
                self.conductor.leave()
                self.hands.forget()
                raise
            except BaseException:
                self.hands.leave()
                raise

    def _work(self) -> None:
        flags = flags_of(self.store)
        while True:
            if flags.is_allowed(max_age_s=self.hands.glance_s) and self.hold() is None:
                self._claim()
            if self.hands.is_busy:
                self.conductor.turn(LOOK_S)
                self._look_for_cancelled()
                self.hands.flush(only_if_due=True)
                continue
            self.hands.flush()
            if self.hold() is not None or not self._wait_for_work():
                return

    def _claim(self) -> None:
        """Takes up the next runs that are due, as many as there is room for."""
        among = self._open_ones()
        room = self.hands.room
        if room <= 0 or among == []:
            return
        lease = lease_of(self.store)
        with self.store.write() as tx:
            lease.check(tx)
            queue = JobQueue(self.store)
            jobs = queue.claim_many(room, fencing=lease.fencing, kind=KIND, among=among, start=True)
        for job in jobs:
            self.hands.take_up(job)

    def _open_ones(self) -> list[int] | None:
        """Those wanted that are neither in hand nor ended; None when all of the queue are wanted."""
        if self.wanted is None:
            return None
        ended = self.hands.ended
        return [run_id for run_id in self.wanted if run_id not in ended and not self.hands.has(run_id)]

    def _wait_for_work(self) -> bool:
        """Waits for what is queued for later, for a moment at most; False when nothing is."""
        among = self._open_ones()
        queue = JobQueue(self.store)
        due = None if among == [] else queue.next_due(kind=KIND, among=among, without=self.hands.left)
        if due is None:
            return False
        seconds = (due - now_utc()).total_seconds()
        can_begin = self.hands.is_there() and flags_of(self.store).is_allowed()
        self.conductor.turn(min(max(seconds, 0.0 if can_begin else POLL_S), LOOK_S))
        return True

    def _look_for_cancelled(self) -> None:
        """Ends the waiting of runs that were cancelled while they incubate or wait for a device."""
        if any(task.rests_until is not None for task in self.conductor.tasks):
            self.conductor.withdraw(flags_of(self.store).cancelling(max_age_s=JUST_NOW_S))


def put_down(conductor: Conductor) -> list[Task]:
    """Gives steps in progress a moment to end, then drops all work and returns it."""
    try:
        conductor.settle(GRACE_S)
    except (StoreError, LeaseError) as error:
        # The first error is on its way up; the next dispatcher asks the machine what became of these steps.
        log.warning("steps in progress could not be waited for (%s)", error)
    return conductor.leave()
