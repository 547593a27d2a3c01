from __future__ import annotations

import gc
import threading
import weakref

import pytest

from cellos_nb.execution import places
from cellos_nb.execution.places import Threads


def test_a_thread_whose_call_has_ended_takes_the_next():
    threads = Threads()
    names = {threads.submit(threading.get_ident).result(10) for _ in range(20)}
    # Its answer is heard of a moment before it waits again, so that a second one may be begun.
    assert len(names) <= 2


def test_a_call_that_hangs_holds_up_no_other():
    threads, gate = Threads(), threading.Event()
    hanging = threads.submit(gate.wait, 30)
    assert [threads.submit(int, str(k)).result(10) for k in range(3)] == [0, 1, 2]
    assert not hanging.done()
    gate.set()
    assert hanging.result(10)


def test_what_a_call_raises_is_the_callers():
    threads = Threads()
    with pytest.raises(ValueError, match="invalid literal"):
        threads.submit(int, "x").result(10)
    assert threads.submit(int, "1").result(10) == 1


def test_a_thread_that_nobody_needs_ends_and_the_next_call_is_made_all_the_same(monkeypatch):
    monkeypatch.setattr(places, "IDLE_S", 0.01)
    threads = Threads()
    thread = threads.submit(threading.current_thread).result(10)
    thread.join(10)
    assert not thread.is_alive()
    assert threads.submit(int, "1").result(10) == 1


def test_a_thread_that_waits_keeps_nothing_alive_that_was_called():
    class Device:
        def work(self):
            return 1

    threads, device = Threads(), Device()
    seen = weakref.ref(device)
    assert threads.submit(device.work).result(10) == 1
    assert threads.submit(int, "1").result(10) == 1
    del device
    gc.collect()
    assert seen() is None
