"""Where calls run: the one seam between the conductor and threads or a cluster, `concurrent.futures.Executor`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

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
    """A thread for each call, which never keeps the process from ending: a device that hangs may never come back."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begins a call."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        threading.Thread(target=_call, args=(future, fn, args, kwargs), name="cellos-call", daemon=True).start()
        return future


def _call(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        future.set_result(fn(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 — whatever it is, the conductor must hear of it
        future.set_exception(error)
