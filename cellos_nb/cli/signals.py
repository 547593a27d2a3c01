"""Signals for a command whose work goes on in another thread."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")

ENDING = (signal.SIGTERM, signal.SIGINT)


def result_heeding_signals(work: Callable[[], Future[Result]], stop: Callable[[], None]) -> Result:
    """Begins work in another thread and returns what comes of it; Ctrl-C and SIGTERM call `stop`, and it is waited on.

    The system may hand a signal to any thread, and Python's handlers run in the main one alone, which a wait for a lock
    does not leave for a signal that another thread got. So the main thread waits on a socket that every signal writes
    to, whichever thread it came to: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    """
    with _wake_up() as (woken, wake), _stopping(stop):
        future = work()
        future.add_done_callback(lambda _: wake())
        while not future.done():
            select.select([woken], [], [])
            woken.recv(4096)
        return future.result()


@contextmanager
def _wake_up() -> Iterator[tuple[socket.socket, Callable[[], None]]]:
    """A socket that has something to read after every signal and every call of the function beside it."""
    woken, waking = socket.socketpair()
    with woken, waking:
        waking.setblocking(False)
        before = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        try:
            yield woken, lambda: _write(waking)
        finally:
            signal.set_wakeup_fd(before)


def _write(waking: socket.socket) -> None:
    try:
        waking.send(b"\0")
    except BlockingIOError:
        return  # full, so that it is awake anyway


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: stop()) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
