"""The daemon: one process that holds the lease and brings queued work through, tick by tick."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cellos_nb.errors import CellosError, LeaseError, StoppedError, StoreError
from cellos_nb.execution.conclusions import Conclusions, ends_the_daemon, in_words
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.desk import Desk
from cellos_nb.execution.devices import devices_of
from cellos_nb.execution.due import approved_runs
from cellos_nb.execution.event_log import line, line_of
from cellos_nb.execution.events import Event, LeaseLost
from cellos_nb.execution.floor import Crew, Floor
from cellos_nb.execution.jobs import Job
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.process import this_process
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import KIND, write_log
from cellos_nb.execution.shift import put_down
from cellos_nb.execution.ticks import TickBook, close_left_ticks
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

log = logging.getLogger(__name__)

MAX_RUNS = 3
"""Pieces of work that one tick begins."""
TICK_S = 20.0
"""How long a tick is; work that takes longer goes on in the next."""
DAEMON = "cellos daemon"
"""Who acts where nobody was asked."""
LOOK_S = 0.5
"""How often an idle daemon looks for work and flags of other processes, which cannot wake it; likewise a standby."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A look at the database that found nothing to do."""

    stamp: str
    """Of the database before it."""
    until: datetime | None
    """When a waiting job falls due; None when none waits."""


class Daemon:
    """Executes what is queued in one database for as long as it holds the lease.

    standby ──► holds the lease ──► tick, tick, … ──► ends: told to, killed, or all ticks done
       ▲            │   ▲  └─ paused: keeps the lease, begins nothing
       └── lost it ─┘   └──── idle: waits for the next job's time
    """

    def __init__(
        self, store: Store, crew: Crew, *, max_runs: int = MAX_RUNS, tick_s: float = TICK_S, is_real: bool | None = None
    ) -> None:
        """A daemon for one database.

        Args:
            store: the database.
            crew: opens machines and plans campaigns.
            max_runs: pieces of work that one tick begins.
            tick_s: how long a tick is.
            is_real: the mode that it sets when it takes the lease; what is set already when left out.
        """
        self._store, self._crew = store, crew
        self._max_runs, self._tick_s, self._is_real = max_runs, tick_s, is_real
        self._lease, self._flags, self._queue = lease_of(store), flags_of(store), JobQueue(store)
        self._conductor = Conductor(store)
        self._floor = Floor(store, crew, self._conductor, on_event=self._follow, on_fault=self._fault)
        self._ticks = TickBook(store, self._lease, self._say)
        self._desk = Desk(store, crew, self._conductor, self._ticks, on_fault=self._fault)
        self._is_leaving = threading.Event()
        self._conclusions = Conclusions(store, crew, self._ticks, on_event=self._follow)
        self._nothing: Nothing | None = None
        self._last_said = ""

    def stop(self) -> None:
        """Ends the daemon; a step in progress is given a moment to end and be recorded. Any thread may call."""
        self._is_leaving.set()
        self._conductor.wake()

    def run(self, *, max_ticks: int | None = None, once: bool = False, until_idle: bool = False) -> str:
        """Works until told to end, and returns why it ended, in words.

        Args:
            max_ticks: end after so many ticks; a tick is made when something is due.
            once: make one tick, whether something is due or not, and end; also when another process holds the lease.
            until_idle: end when nothing is left that goes on by itself, now or later; what waits for a person stays.

        Raises:
            StoreError: the database cannot be written; what was done is recorded up to there.
        """
        self._say("daemon_started", database=self._store.where, max_runs=self._max_runs, tick_s=self._tick_s)
        n_left = 1 if once else max_ticks
        why = None
        fencing: int | None = None  # of the lease, as long as it is held
        while why is None:
            try:
                with self._lease.held(patience_s=0.0):
                    # Not before: one that stands by does not decide for the one that works.
                    if self._is_real is not None:
                        self._flags.set_mode(is_real=self._is_real)
                    mode = "REAL" if self._flags.is_real else "PROOF"
                    fencing = self._lease.fencing
                    self._say("lease_held", fencing=fencing, mode=mode)
                    try:
                        why = self._serve(n_left, once=once, until_idle=until_idle)
                    finally:
                        self._lay_down()
            except LeaseError as error:
                if fencing is not None:
                    me = this_process()
                    self._follow(LeaseLost(f"daemon {me.pid} on {me.host}", fencing, str(error), now_utc()))
                    fencing = None
                self._say("standby", reason=str(error))
                if once:
                    why = f"another process works: {error}"
                else:
                    self._is_leaving.wait(LOOK_S)
            why = why or self._reason_to_end()
        self._lease.release()
        self._say("daemon_ended", reason=why)
        return why

    def _serve(self, n_left: int | None, *, once: bool, until_idle: bool) -> str:
        self._nothing = None
        while n_left is None or n_left > 0:
            self._lease.confirm()
            stamp = self._store.stamp()
            if self._nothing is not None and self._is_still(self._nothing, stamp):
                self._conductor.turn(_wait_s(self._nothing.until))
                continue
            why = self._reason_to_end()
            if why is not None:
                return why
            if self._lease.is_new:
                self._take_over()
            paused = self._flags.read().get("paused")
            if paused is not None:
                self._say("paused", by=paused.set_by, reason=paused.reason or None)
                if once:
                    return f"paused by {paused.set_by}"
            if once or (paused is None and (self._ticks.tally.notes or self._has_work())):
                self._tick()
                n_left = None if n_left is None else n_left - 1
                self._nothing = None
            else:
                self._rest(stamp, is_paused=paused is not None)
                if until_idle and paused is None and self._nothing is not None and self._nothing.until is None:
                    return "nothing is left to do"
        return self._reason_to_end() or "all ticks are done"

    def _is_still(self, nothing: Nothing, stamp: str) -> bool:
        """Whether a look that found nothing to do would find nothing again."""
        is_later = nothing.until is None or now_utc() < nothing.until
        return stamp == nothing.stamp and is_later and not self._is_leaving.is_set()

    def _reason_to_end(self) -> str | None:
        if self._is_leaving.is_set():
            return "told to end"
        try:
            self._flags.is_allowed()
        except StoppedError as error:
            return f"killed: {error}"
        return None

    def _has_work(self) -> bool:
        """Whether a tick has something to see to now."""
        if self._flags.is_real:
            for run_id in approved_runs(self._store):
                self._queue.requeue(run_id, "it was approved", by=DAEMON)
        if self._conductor.has_moved or self._conclusions.waiting():
            return True
        due = self._queue.next_due(busy=self._floor.busy())
        return due is not None and due <= now_utc()

    def _rest(self, stamp: str, *, is_paused: bool) -> None:
        """Waits until something may be due, and lets what is in hand come back.

        Args:
            stamp: of the database, before it was looked at.
            is_paused: whether nothing may begin, so that no time is waited for.
        """
        due = None if is_paused else self._queue.next_due(busy=self._floor.busy())
        is_idle = not self._conductor.tasks
        if is_idle:
            self._floor.close_idle()
            self._say("idle")
        # A batch that was set aside is tried again by the clock, which no stamp shows.
        self._nothing = Nothing(stamp, due) if is_idle and not self._conclusions.aside() else None
        self._conductor.turn(_wait_s(due))
        self._conductor.withdraw(self._queue.cancelling())
        self._floor.flush(only_if_due=True)

    def _tick(self) -> None:
        """Begins a few pieces of work and brings all in hand forward, for a bounded time; a row tells how it went."""
        end, n_begun = time.monotonic() + self._tick_s, 0
        try:
            while True:
                self._conclusions.draw()
                n_begun += self._begin(self._max_runs - n_begun)
                wait_s = min(LOOK_S, max(0.0, end - time.monotonic())) if self._conductor.tasks else 0.0
                self._conductor.turn(wait_s)
                self._conductor.withdraw(self._queue.cancelling())
                is_over = time.monotonic() >= end or self._reason_to_end() is not None or "paused" in self._flags.read()
                is_quiet = all(task.rests_until is not None for task in self._conductor.tasks)
                is_done = is_quiet and (n_begun >= self._max_runs or not self._has_work())
                self._floor.flush(only_if_due=bool(self._conductor.tasks) and not is_over)
                if is_over or is_done:
                    break
                self._lease.confirm()
            self._conclusions.draw()
        except LeaseError:
            raise  # whoever holds the lease now closes the row
        except Exception as error:
            self._ticks.fail(f"{type(error).__name__}: {error}")
            self._ticks.close()
            raise
        self._ticks.close()

    def _begin(self, n: int) -> int:
        """Takes up to so many pieces of work that are due; returns how many there were."""
        if n <= 0 or self._flags.read():
            return 0
        with self._store.write() as tx:
            self._lease.check(tx)
            jobs = self._queue.claim_many(n, fencing=self._lease.fencing, start=True, busy=self._floor.busy())
            if jobs:
                self._ticks.open()
        for job in jobs:
            self._ticks.tally.attempted += 1
            if job.kind == KIND:
                self._begin_run(job)
            else:
                self._desk.take_up(job, is_real=self._flags.is_real)
        return len(jobs)

    def _begin_run(self, job: Job) -> None:
        try:
            self._floor.take_up(job)
        except CellosError as error:
            if ends_the_daemon(error):
                raise
            self._give_up_attempt(job, f"{job.payload['plate_id']}: {error}")

    def _fault(self, job: Job, error: Exception) -> None:
        """Counts an attempt that ended by a fault of software or stored data, so that it cannot go on for ever."""
        if ends_the_daemon(error):
            raise error
        if not isinstance(error, CellosError):
            log.error("%s", line("fault", job=job.job_id, error=in_words(error)), exc_info=error)
        self._give_up_attempt(job, in_words(error))

    def _give_up_attempt(self, job: Job, error: str) -> None:
        with self._store.write() as tx:
            self._lease.check(tx)
            self._queue.fail(job.job_id, error)
            write_log(tx, logging.ERROR, error, job.job_id if job.kind == KIND else None)
        self._ticks.fail(error)

    def _take_over(self) -> None:
        """Puts back what an earlier holder left behind."""
        n_left = self._queue.recover()
        close_left_ticks(self._store, self._lease)
        devices_of(self._store).look()
        self._conductor.is_closing = False
        self._lease.is_new = False
        if n_left:
            self._say("recovered", jobs=n_left)

    def _lay_down(self) -> None:
        """Puts back what is in hand; steps in progress are given a moment to end and be recorded."""
        dropped = put_down(self._conductor)
        for task in dropped:
            if not self._floor.has(task.job_id):
                self._put_back(task)
        self._floor.leave(dropped)

    def _put_back(self, task: Task) -> None:
        try:
            with self._store.write() as tx:
                self._lease.check(tx)
                self._queue.postpone(task.job_id, timedelta(0))
        except (LeaseError, StoreError) as error:
            self._lease.is_new = True  # whoever works next puts it back
            self._say("not_put_back", job=task.job_id, error=str(error))

    def _follow(self, event: Event) -> None:
        self._last_said = ""
        log.info("%s", line_of(event))
        self._ticks.count(event)
        self._crew.hear(event)

    def _say(self, event: str, level: int = logging.INFO, **facts: Any) -> None:
        """Logs an event; one that repeats itself, as waiting does, once."""
        text = line(event, **facts)
        if text != self._last_said:
            log.log(level, "%s", text)
        self._last_said = text


def _wait_s(due: datetime | None) -> float:
    return LOOK_S if due is None else min(LOOK_S, max(0.01, (due - now_utc()).total_seconds()))
