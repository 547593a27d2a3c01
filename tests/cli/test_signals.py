"""Signals reach the main thread, whichever thread the system hands them to."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_PROGRAM = """
import signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from cellos_nb.cli.signals import result_heeding_signals

told = threading.Event()

def work():
    told.wait(0.5)  # until the main thread waits, which nothing shows from outside
    for _ in range(3):  # every one to this thread, and never to the main one
        signal.pthread_kill(threading.get_ident(), signal.Signals[sys.argv[1]])
    return told.wait(20)

with ThreadPoolExecutor(1) as thread:
    print(result_heeding_signals(lambda: thread.submit(work), told.set))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_that_another_thread_got_ends_the_work(name):
    command = [sys.executable, "-c", _PROGRAM, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


def test_what_the_work_raised_is_raised_and_handlers_are_as_before():
    from concurrent.futures import Future

    from cellos_nb.cli.signals import ENDING, result_heeding_signals

    def failing():
        future = Future()
        future.set_exception(ValueError("no plate"))
        return future

    before = [signal.getsignal(number) for number in ENDING]
    with pytest.raises(ValueError, match="no plate"):
        result_heeding_signals(failing, lambda: None)
    assert [signal.getsignal(number) for number in ENDING] == before
