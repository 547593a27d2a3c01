"""The daemon: one process that holds the lease and brings queued work through, tick by tick."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from cellos_nb.errors import CellosError, LeaseError, StoppedError, StoreCorruptError, StoreError
from cellos_nb.execution.actions import Bench, action_work
from cellos_nb.execution.batch import conclude_batch
from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.devices import devices_of
from cellos_nb.execution.due import EndedBatch, approved_runs, campaign_of, ended_batches, paused_campaigns
from cellos_nb.execution.event_log import line, line_of
from cellos_nb.execution.events import Event, RunDone, RunPostponed
from cellos_nb.execution.executor import GRACE_S, WorkflowExecutor
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.orders import Halt
from cellos_nb.execution.places import Threads
from cellos_nb.execution.pool import RobotPool, executor_for
from cellos_nb.execution.queue import Job, JobQueue, JobStatus
from cellos_nb.execution.runs import KIND, campaign_resource, write_log
from cellos_nb.execution.ticks import Tally, begin_tick, close_left_ticks, end_tick
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

log = logging.getLogger(__name__)

MAX_RUNS = 3
"""Pieces of work that one tick begins."""
TICK_S = 20.0
"""How long a tick is; work that takes longer goes on in the next."""
LOOK_S = 0.5
"""How often an idle daemon looks for work and flags of other processes, which cannot wake it; likewise a standby."""
AWAY_S = 30.0
"""When to try again after a batch could not be concluded."""

_WELL = {JobStatus.SUCCEEDED.value, JobStatus.CANCELLED.value, JobStatus.PAUSED.value}


class Crew(Protocol):
    """What the daemon needs from above; `Lab` is one."""

    def machine_of(self, campaign_id: str | None) -> tuple[str, HardwareInterface]:
        """The machine of a campaign with its name in the queue; that for experiments outside any campaign when None.

        Raises:
            CellosError: it cannot be opened now; its runs are tried again later, those of other machines go on.
        """
        ...

    def close_machine(self, name: str) -> None:
        """Stops a machine that `machine_of` opened, when nothing needs it any more."""
        ...

    def hear(self, event: Event) -> None:
        """Told of everything that happens, to pass on what people should know."""
        ...

    def go_on(self, campaign_id: str, iteration: int) -> None:
        """Queues the planning of what follows an iteration that was concluded."""
        ...


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
        self._executors: dict[str, WorkflowExecutor | RobotPool] = {}
        self._is_leaving = threading.Event()
        self._away: dict[str, float] = {}
        self._tally, self._tick_id = Tally(), 0
        self._last_said = ""

    def stop(self) -> None:
        """Ends the daemon; a step in progress is given a moment to end and be recorded. Any thread may call."""
        self._is_leaving.set()
        self._conductor.wake()

    def run(self, *, max_ticks: int | None = None, once: bool = False) -> str:
        """Works until told to end, and returns why it ended, in words.

        Args:
            max_ticks: end after so many ticks; a tick is made when something is due.
            once: make one tick, whether something is due or not, and end; also when another process holds the lease.

        Raises:
            StoreError: the database cannot be written; what was done is recorded up to there.
        """
        self._say("daemon_started", database=self._store.where, max_runs=self._max_runs, tick_s=self._tick_s)
        n_left = 1 if once else max_ticks
        why = None
        while why is None:
            try:
                with self._lease.held(patience_s=0.0):
                    # Not before: one that stands by does not decide for the one that works.
                    if self._is_real is not None:
                        self._flags.set_mode(is_real=self._is_real)
                    mode = "REAL" if self._flags.is_real else "PROOF"
                    self._say("lease_held", fencing=self._lease.fencing, mode=mode)
                    try:
                        why = self._serve(n_left, once=once)
                    finally:
                        self._lay_down()
            except LeaseError as error:
                self._say("standby", reason=str(error))
                if once:
                    why = f"another process works: {error}"
                else:
                    self._is_leaving.wait(LOOK_S)
            why = why or self._reason_to_end()
        self._lease.release()
        self._say("daemon_ended", reason=why)
        return why

    def _serve(self, n_left: int | None, *, once: bool) -> str:
        while n_left is None or n_left > 0:
            why = self._reason_to_end()
            if why is not None:
                return why
            self._lease.confirm()
            if self._lease.is_new:
                self._take_over()
            paused = self._flags.read().get("paused")
            if paused is not None:
                self._say("paused", by=paused.set_by, reason=paused.reason or None)
                if once:
                    return f"paused by {paused.set_by}"
            if once or (paused is None and (self._tally.notes or self._has_work())):
                self._tick()
                n_left = None if n_left is None else n_left - 1
            else:
                self._rest()
        return self._reason_to_end() or "all ticks are done"

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
                self._queue.requeue(run_id)
        if self._conductor.has_moved or ended_batches(self._store, self._set_aside()):
            return True
        due = self._queue.next_due(busy=self._busy())
        return due is not None and due <= now_utc()

    def _rest(self) -> None:
        """Waits until something may be due, and lets what is in hand come back."""
        due = self._queue.next_due()
        wait_s = LOOK_S if due is None else min(LOOK_S, max(0.01, (due - now_utc()).total_seconds()))
        if not self._conductor.tasks:
            self._close_machines()
            self._say("idle")
        self._conductor.turn(wait_s)
        self._conductor.withdraw(self._queue.cancelling())
        self._flush(only_if_due=True)

    def _tick(self) -> None:
        """Begins a few pieces of work and brings all in hand forward, for a bounded time; a row tells how it went."""
        end, n_begun = time.monotonic() + self._tick_s, 0
        try:
            while True:
                self._conclude()
                n_begun += self._begin(self._max_runs - n_begun)
                wait_s = min(LOOK_S, max(0.0, end - time.monotonic())) if self._conductor.tasks else 0.0
                self._conductor.turn(wait_s)
                self._conductor.withdraw(self._queue.cancelling())
                is_over = time.monotonic() >= end or self._reason_to_end() is not None or "paused" in self._flags.read()
                is_quiet = all(task.rests_until is not None for task in self._conductor.tasks)
                is_done = is_quiet and (n_begun >= self._max_runs or not self._has_work())
                self._flush(only_if_due=bool(self._conductor.tasks) and not is_over)
                if is_over or is_done:
                    break
                self._lease.confirm()
            self._conclude()
        except LeaseError:
            raise  # whoever holds the lease now closes the row
        except Exception as error:
            self._failed(f"{type(error).__name__}: {error}")
            self._end_tick()
            raise
        self._end_tick()

    def _begin(self, n: int) -> int:
        """Takes up to so many pieces of work that are due; returns how many there were."""
        if n <= 0 or self._flags.read():
            return 0
        with self._store.write() as tx:
            self._lease.check(tx)
            jobs = self._queue.claim_many(n, fencing=self._lease.fencing, start=True, busy=self._busy())
            if jobs:
                self._open_tick()
        for job in jobs:
            self._tally.attempted += 1
            if job.kind == KIND:
                self._begin_run(job)
            else:
                self._begin_action(job)
        return len(jobs)

    def _begin_run(self, job: Job) -> None:
        plate_id = job.payload["plate_id"]
        try:
            campaign_id = campaign_of(self._store, job.job_id)
            name, machine = self._crew.machine_of(campaign_id)
            if name not in self._executors:
                self._executors[name] = executor_for(
                    self._store,
                    machine,
                    name=name,
                    conductor=self._conductor,
                    may_be_real=lambda: self._flags.is_real,
                    on_fault=self._fault,
                )
                self._executors[name].on_event = self._follow
            self._executors[name].take_up(job, hold=lambda: self._why_paused(campaign_id))
        except CellosError as error:
            if isinstance(error, LeaseError) or (isinstance(error, StoreError) and not _is_damage(error)):
                raise
            self._give_up_attempt(job, f"{plate_id}: {error}")

    def _begin_action(self, job: Job) -> None:
        notes: list[str] = []
        bench = Bench(self._store, self._crew, self._flags.is_real)
        work = action_work(job, bench, notes.append)
        task = Task(
            job.job_id,
            f"{job.kind} {job.job_id}",
            work,
            Threads(),
            on_end=lambda halt: self._action_ended(job, halt, notes),
            on_fault=lambda error: self._fault(job, error),
            priority=job.priority,
        )
        self._conductor.begin(task)

    def _action_ended(self, job: Job, halt: Halt | None, notes: list[str]) -> None:
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
            self._failed(f"{job.kind}: {halt.error}")
        else:
            self._succeeded(f"{job.kind}: {'; '.join(notes) or 'cancelled'}")

    def _fault(self, job: Job, error: Exception) -> None:
        """Counts an attempt that ended by a fault of software or stored data, so that it cannot go on for ever."""
        if isinstance(error, LeaseError) or (isinstance(error, StoreError) and not _is_damage(error)):
            raise error
        if not isinstance(error, CellosError):
            log.error("%s", line("fault", job=job.job_id, error=_in_words(error)), exc_info=error)
        self._give_up_attempt(job, _in_words(error))

    def _give_up_attempt(self, job: Job, error: str) -> None:
        with self._store.write() as tx:
            self._lease.check(tx)
            self._queue.fail(job.job_id, error)
            write_log(tx, logging.ERROR, error, job.job_id if job.kind == KIND else None)
        self._failed(error)

    def _conclude(self) -> None:
        for batch in ended_batches(self._store, self._set_aside()):
            self._lease.confirm()
            self._open_tick()
            try:
                concluded = conclude_batch(self._store, batch.batch_id, self._follow, then=partial(self._go_on, batch))
            except Exception as error:
                if isinstance(error, LeaseError) or (isinstance(error, StoreError) and not _is_damage(error)):
                    raise
                log.error("%s", line("fault", batch=batch.batch_id, error=_in_words(error)), exc_info=error)
                self._away[batch.batch_id] = time.monotonic() + AWAY_S
                self._failed(f"{batch.batch_id}: {_in_words(error)}")
            else:
                self._succeeded(f"{batch.batch_id}: {len(concluded)} results")

    def _go_on(self, batch: EndedBatch) -> None:
        if batch.campaign_id is not None:
            self._crew.go_on(batch.campaign_id, batch.iteration)

    def _busy(self) -> frozenset[str]:
        """The resources that cannot be used now: machines without room, and campaigns that are paused."""
        full = (name for name, executor in self._executors.items() if executor.room <= 0)
        return paused_campaigns(self._store).union(full)

    def _why_paused(self, campaign_id: str | None) -> str | None:
        if campaign_id is not None and campaign_resource(campaign_id) in paused_campaigns(self._store):
            return f"{campaign_id} is paused"
        return None

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
        self._conductor.settle(GRACE_S)
        dropped = self._conductor.leave()
        for task in dropped:
            if not any(executor.has(task.job_id) for executor in self._executors.values()):
                self._put_back(task)
        for executor in self._executors.values():
            executor.leave(dropped)
        self._close_machines()

    def _put_back(self, task: Task) -> None:
        try:
            with self._store.write() as tx:
                self._lease.check(tx)
                self._queue.postpone(task.job_id, timedelta(0))
        except (LeaseError, StoreError) as error:
            self._lease.is_new = True  # whoever works next puts it back
            self._say("not_put_back", job=task.job_id, error=str(error))

    def _close_machines(self) -> None:
        for name in [name for name, executor in self._executors.items() if executor.is_idle]:
            del self._executors[name]
            self._crew.close_machine(name)

    def _flush(self, *, only_if_due: bool) -> None:
        for executor in self._executors.values():
            executor.flush(only_if_due=only_if_due)

    def _open_tick(self) -> None:
        if not self._tick_id:
            self._tick_id = begin_tick(self._store, self._lease)
            self._say("tick_started", tick=self._tick_id)

    def _end_tick(self) -> None:
        """Closes the row; a tick that neither began nor ended anything has none."""
        if not (self._tick_id or self._tally.notes):
            return
        self._open_tick()
        tick, tally = self._tick_id, self._tally
        self._tally, self._tick_id = Tally(), 0
        end_tick(self._store, self._lease, tick, tally)
        self._say("tick_done", tick=tick, status=tally.status, succeeded=tally.succeeded, failed=tally.failed)

    def _succeeded(self, note: str) -> None:
        self._tally.succeed(note)

    def _failed(self, note: str) -> None:
        self._tally.fail(note)
        log.warning("%s", line("action_failed", what=note))

    def _set_aside(self) -> list[str]:
        now = time.monotonic()
        self._away = {name: until for name, until in self._away.items() if until > now}
        return list(self._away)

    def _follow(self, event: Event) -> None:
        self._last_said = ""
        log.info("%s", line_of(event))
        if isinstance(event, RunDone):
            if event.status in _WELL:
                self._succeeded(f"{event.plate_id}: {event.status}")
            else:
                self._failed(f"{event.plate_id}: {event.status}: {event.error}")
        elif isinstance(event, RunPostponed):
            self._failed(f"{event.plate_id}: {event.error}")
        self._crew.hear(event)

    def _say(self, event: str, **facts: Any) -> None:
        """Logs an event; one that repeats itself, as waiting does, once."""
        text = line(event, **facts)
        if text != self._last_said:
            log.info("%s", text)
        self._last_said = text


def _is_damage(error: CellosError) -> bool:
    """Whether an error concerns one stored value, not the whole database."""
    return isinstance(error, StoreCorruptError)


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, CellosError) else f"{type(error).__name__}: {error}"
