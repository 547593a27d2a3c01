"""Simulated time: a clock that jumps from one thing that happens to the next, and calls that take time on it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_MINUTE = timedelta(minutes=1)


class Clock:
    """The time of a simulation, with what is to happen at later times; everything happens at whole minutes."""

    def __init__(self, begins: datetime) -> None:
        self._now, self._number = begins, count()
        self._coming: list[tuple[datetime, int, Callable[[], None]]] = []
        self._spent = timedelta(0)

    def __call__(self) -> datetime:
        """The present moment, in UTC."""
        return self._now

    def at(self, moment: datetime, happens: Callable[[], None]) -> None:
        """Has something happen at a moment; at once, in the next turn, when that is past."""
        heapq.heappush(self._coming, (max(_whole(moment), self._now), next(self._number), happens))

    def wake_at(self, moment: datetime) -> None:
        """Has the clock stop at a moment, for whoever waits for it."""
        self.at(moment, _nothing)

    @property
    def next_at(self) -> datetime | None:
        """When something happens next; None when nothing does any more."""
        return self._coming[0][0] if self._coming else None

    def go_on(self) -> bool:
        """Moves to the next thing that happens and lets everything of that moment happen; False when nothing will."""
        if not self._coming:
            return False
        self._now = max(self._now, self._coming[0][0])
        while self._coming and self._coming[0][0] <= self._now:
            heapq.heappop(self._coming)[2]()
        return True

    def spend(self, seconds: float) -> None:
        """Says, from inside a call, how long it takes."""
        self._spent += timedelta(seconds=seconds)

    def timed(self, call: Callable[[], T]) -> tuple[Future[T], timedelta]:
        """Makes a call: how it ended, and how long it said that it takes."""
        self._spent = timedelta(0)
        future: Future[T] = Future()
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 — it is the caller's, who asks the future
            future.set_exception(error)
        return future, self._spent


class Place(Executor):
    """Where calls of a simulated machine run: at once, with their answers when their time is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Makes a call; the future has its answer once the clock has gone on by what the call took."""
        done, took = self._clock.timed(lambda: fn(*args, **kwargs))
        if not took:
            return done
        later: Future[T] = Future()
        self._clock.at(self._clock() + took, lambda: _pass_on(done, later))
        return later


def _pass_on(done: Future[Any], later: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        later.set_exception(error)
    else:
        later.set_result(done.result())


def _whole(moment: datetime) -> datetime:
    """The next whole minute."""
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor + _MINUTE


def _nothing() -> None:
    """What happens when the clock only stops."""
