"""Conductor: brings many pieces of work forward at once, from one thread, so that their order is plain."""

from __future__ import annotations

import time
import weakref
from bisect import insort
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

from cellos_nb.errors import StuckError
from cellos_nb.execution.control import GLANCE_S, JUST_NOW_S, ControlFlags, flags_of
from cellos_nb.execution.devices import Devices, devices_of
from cellos_nb.execution.notes import Notes, store_together
from cellos_nb.execution.orders import Call, Halt, NotSentError, Order, Rest, Take, WithdrawnError, Work
from cellos_nb.execution.places import Here
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

Answer = Callable[[], Order]
"""Gives a piece of work what it waited for; returns what it waits for next."""


@dataclass(slots=True, eq=False)
class Task:
    """One piece of work in hand."""

    job_id: int
    name: str
    """Of the plate; devices are taken in its name."""
    work: Work
    place: Executor
    """Where its calls run."""
    on_end: Callable[[Halt | None], None]
    on_fault: Callable[[Exception], None]
    """Called with what the work raised; may raise it on."""
    priority: int = 0
    order: Order | None = None
    call: Future[Any] | None = None
    deadline: float = 0.0
    is_begun: bool = False
    is_sent: bool = False
    """Whether the call that was ordered last may have begun."""
    is_withdrawn: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """Which of two goes first."""
        return -self.priority, self.job_id

    @property
    def rests_until(self) -> datetime | None:
        """Until when it needs nothing; None when it does."""
        return self.order.until if isinstance(self.order, Rest) else None


@dataclass(slots=True)
class Conductor:
    """Gives each piece of work in hand what it asked for, as soon as that is there; highest priority first.

    A call runs where its machine is; meanwhile the others go on. Nothing here is durable: work can be dropped at any
    time and begun anew from the journal.
    """

    store: Store
    is_time: Callable[[str, str], bool] | None = None
    """Asked by plate and step, once its devices are free, whether the calendar lets it begin; always when None."""
    is_closing: bool = False
    """Whether nothing new is begun: no piece of work goes beyond its next `Take`."""
    has_moved: bool = False
    """Whether the last turn brought anything forward."""
    _devices: Devices = field(init=False)
    _flags: ControlFlags = field(init=False)
    _notes: list[weakref.ref[Notes]] = field(default_factory=list)
    _tasks: list[Task] = field(default_factory=list)
    _returned: SimpleQueue[None] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        self._devices, self._flags = devices_of(self.store), flags_of(self.store)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The work in hand, in the order of its rank."""
        return tuple(self._tasks)

    def begin(self, task: Task) -> None:
        """Takes a piece of work in hand; it goes on in the next turn."""
        insort(self._tasks, task, key=lambda one: one.rank)

    def store_with(self, notes: Notes) -> None:
        """Has notes stored in every turn in which they are due, before the calls that come after a commit.

        Notes of several machines share that commit. They may go before the conductor does.
        """
        self._notes.append(weakref.ref(notes))

    def withdraw(self, job_ids: Collection[int]) -> None:
        """Ends the waiting of work that was cancelled; a call in progress is left to its end."""
        for task in self._tasks:
            task.is_withdrawn |= task.job_id in job_ids

    def wake(self) -> None:
        """Ends the wait of a turn; any thread may call."""
        self._returned.put(None)

    def turn(self, wait_s: float) -> None:
        """Everything that can go on does; when nothing can, waits at most so long for something that may change that.

        Raises:
            Exception: what `on_end` and `on_fault` of a task raised, or what could not be stored; no call was made for
                tasks that wait for that, and the task stays in hand.
        """
        self.has_moved = False
        for task in tuple(self._tasks):
            self.has_moved |= self._go_on(task)
        self._store_notes()
        for task in self._tasks if not self.is_closing else ():
            if isinstance(task.order, Call) and task.call is None:
                self._send(task, task.order)
                self.has_moved = True
        if not self.has_moved:
            self._wait(wait_s)

    def settle(self, grace_s: float) -> None:
        """Begins nothing more, and gives calls in progress so long to come back and be recorded."""
        self.is_closing = True
        end = time.monotonic() + grace_s
        while any(task.call is not None for task in self._tasks) and time.monotonic() < end:
            self.turn(end - time.monotonic())

    def leave(self) -> list[Task]:
        """Drops all work and returns it; calls that have not come back keep their devices until they do."""
        left, self._tasks = self._tasks, []
        for task in left:
            if task.call is not None:
                self._devices.stick(task.name, task.call)
            elif isinstance(task.order, Call) and not task.is_sent:
                with suppress(StopIteration):
                    task.work.throw(NotSentError())
            task.work.close()
            self._devices.release(task.name)
        return left

    def _go_on(self, task: Task) -> bool:
        """Brings one piece of work as far as it gets; returns whether it got anywhere."""
        has_moved = False
        while (answer := self._answer(task)) is not None:
            has_moved = True
            try:
                task.order = answer()
            except StopIteration as end:
                task.order = None
                task.on_end(end.value)
                self._drop(task)
                return True
            except Exception as error:  # noqa: BLE001 — whoever gave the work decides what its faults mean
                task.order = None
                task.on_fault(error)
                self._drop(task)
                return True
        return has_moved

    def _answer(self, task: Task) -> Answer | None:
        """What the work gets now; None when it has to wait."""
        work, order = task.work, task.order
        if isinstance(order, Call):
            return self._answer_of_call(task, order)
        if task.is_withdrawn and order is not None:
            return lambda: work.throw(WithdrawnError())
        if isinstance(order, Take):
            return self._granted(task, order)
        if order is None:
            if task.is_begun:
                return None
            task.is_begun = True
        elif order.until > now_utc():
            return None
        return lambda: work.send(None)

    def _granted(self, task: Task, order: Take) -> Answer | None:
        if self.is_closing or self._flags.read(max_age_s=GLANCE_S if _is_here(task) else JUST_NOW_S):
            return None
        work, devices = task.work, self._devices
        if devices.take(task.name, order.devices):
            if self.is_time is None or self.is_time(task.name, order.step_uid):
                return lambda: work.send(None)
            devices.release(task.name)
            return None
        blocker = devices.blocker(task.name, order.devices)
        if blocker is not None:
            return lambda: work.send(blocker)
        # It may have become free by a person's decision, which was seen only now.
        return (lambda: work.send(None)) if devices.take(task.name, order.devices) else None

    def _answer_of_call(self, task: Task, order: Call) -> Answer | None:
        if task.call is None and not order.is_after_commit:
            self._send(task, order)
        work, call = task.work, task.call
        if call is None:
            return None
        if call.done():
            task.call, task.is_sent = None, False
            error = call.exception()
            if error is not None:
                return lambda: work.throw(error)
            return lambda: work.send(call.result())
        if time.monotonic() < task.deadline:
            return None
        task.call, task.is_sent = None, False
        self._devices.stick(task.name, call)
        stuck = StuckError(f"{order.what} has not come back after {order.limit_s:.0f} s")
        return lambda: work.throw(stuck)

    def _store_notes(self) -> None:
        kept = [(each, notes) for each in self._notes if (notes := each()) is not None]
        self._notes = [each for each, _ in kept]
        store_together(self.store, [notes for _, notes in kept if notes.is_due])

    def _send(self, task: Task, order: Call) -> None:
        task.deadline = time.monotonic() + order.limit_s
        # Before the call: what interrupts it here and now may have left its effect.
        task.is_sent = True
        task.call = task.place.submit(order.function, *order.arguments)
        if not task.call.done():
            task.call.add_done_callback(lambda _: self.wake())

    def _drop(self, task: Task) -> None:
        self._devices.release(task.name)
        self._tasks.remove(task)

    def _wait(self, wait_s: float) -> None:
        now, clock = now_utc(), time.monotonic()
        ends = [task.deadline - clock for task in self._tasks if task.call is not None]
        ends += [(until - now).total_seconds() for task in self._tasks if (until := task.rests_until) is not None]
        try:
            self._returned.get(timeout=max(0.0, min([wait_s, *ends])))
        except Empty:
            return
        while not self._returned.empty():
            self._returned.get()


def _is_here(task: Task) -> bool:
    return isinstance(task.place, Here)
