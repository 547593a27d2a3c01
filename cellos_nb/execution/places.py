"""Where calls run: the one seam between the conductor and threads or a cluster, `concurrent.futures.Executor`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

IDLE_S = 5.0
"""How long a thread waits for its next call."""

_Work = tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]
P = ParamSpec("P")
T = TypeVar("T")


class Here(Executor):
    """Calls at once, in the caller's thread: for simulated machines, which take less time than a change of threads."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls and returns when it has ended; a keyboard interrupt goes up."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 — it is the caller's, who asks the future
            future.set_exception(error)
        return future


class Threads(Executor):
    """A thread for each call in progress, none of which keeps the process from ending: a call may never come back.

    A thread whose call has ended waits a while for the next one, since starting one takes longer than many calls.
    """

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[_Work]] = []
        self._turn = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begins a call."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        with self._turn:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            threading.Thread(target=self._serve, args=(inbox,), name="cellos-call", daemon=True).start()
        inbox.put((future, fn, args, kwargs))
        return future

    def _serve(self, inbox: SimpleQueue[_Work]) -> None:
        wait_s = None
        while (work := self._next(inbox, wait_s)) is not None:
            answer = _called(*work)
            with self._turn:
                # Before the caller hears of the end, so that its next call finds this thread.
                self._idle.append(inbox)
            answer()
            del work, answer  # what was called is not kept alive by a thread that waits
            wait_s = IDLE_S

    def _next(self, inbox: SimpleQueue[_Work], wait_s: float | None) -> _Work | None:
        """What to call next; None when nothing came for so long, and nothing will."""
        try:
            return inbox.get(timeout=wait_s)
        except Empty:
            with self._turn:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    return None
        return inbox.get()


def _called(
    future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[], None]:
    """Calls; returns what tells the caller how it ended."""
    try:
        return partial(future.set_result, fn(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 — whatever it is, the conductor must hear of it
        return partial(future.set_exception, error)
