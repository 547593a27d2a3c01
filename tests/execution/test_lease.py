from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from sqlalchemy import select, update

from cellos_nb.errors import LeaseError, StoreError
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.lease import Lease, lease_of
from cellos_nb.execution.process import ProcessIdentity, this_process
from cellos_nb.store.schema import lease, steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


@contextmanager
def holder_of(database):
    command = [sys.executable, str(Path(__file__).with_name("hold_lease.py")), database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.fencing = int(process.stdout.readline())
            yield process
        finally:
            process.kill()


def test_another_live_process_is_refused_and_told_who_holds_it(store, database):
    expected = rf"Process \d+ on {re.escape(this_process().host)} runs this database since .* stop it, or use another"
    with holder_of(database) as process, pytest.raises(LeaseError, match=expected) as caught:  # noqa: SIM117
        with lease_of(store).held(patience_s=0.0):
            pass
    assert str(process.pid) in str(caught.value)


def test_after_a_kill_the_next_one_takes_over_at_once_with_a_higher_token(store, database):
    with holder_of(database) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with lease_of(store).held(patience_s=0.0) as fencing:
            assert fencing == process.fencing + 1


def test_a_stopped_process_keeps_the_lease_until_it_expires(store, database):
    with holder_of(database) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(LeaseError, match=f"Process {process.pid}"), lease_of(store).held(patience_s=0.0):
            pass
        with store.write() as tx:
            tx.execute(update(lease).values(expires_at=now_utc() - timedelta(seconds=1)))
        with lease_of(store).held(patience_s=0.0) as fencing:
            assert fencing == process.fencing + 1
        process.send_signal(signal.SIGCONT)


def test_whoever_lost_the_lease_writes_nothing_more_and_calls_no_device(store, tmp_path, database):
    machine = LedgerMachine(tmp_path / "ledger", declares=False)
    executor = WorkflowExecutor(store, machine)
    executor.submit(plate())
    with Store.open(database) as other:

        def lose_it(event):
            if getattr(event, "step_uid", "") == "2-attach":
                with store.write() as tx:
                    tx.execute(update(lease).values(expires_at=now_utc() - timedelta(seconds=1)))
                with Lease(other).held(patience_s=0.0):
                    pass

        with pytest.raises(LeaseError, match="Another dispatcher took over"):
            executor.run(on_event=lose_it)
    with store.read() as tx:
        assert tx.execute(select(steps.c.step_uid)).scalars().all() == ["1-seed"]
    assert machine.effects() == {("demo/i001-p1", "1-seed"): 1}


def test_two_stores_of_one_process_do_not_hold_it_together(store, database):
    with Store.open(database) as other, lease_of(store).held():  # noqa: SIM117
        with pytest.raises(LeaseError, match=f"Process {os.getpid()} "), lease_of(other).held(patience_s=0.0):
            pass


def test_it_may_be_nested_and_threads_take_turns(store):
    inside, seen = threading.Event(), []

    def second():
        with lease_of(store).held() as fencing:
            seen.append(fencing)
            inside.set()

    with lease_of(store).held() as first, lease_of(store).held() as nested:
        thread = threading.Thread(target=second)
        thread.start()
        assert not inside.wait(0.1)
    thread.join()
    assert [first, nested, *seen] == [first] * 3


def test_an_unused_lease_is_given_back_and_waited_for(store, database):
    brief = Lease(store, linger_s=0.2)
    with brief.held():
        pass
    with Store.open(database) as other, Lease(other).held(patience_s=5.0) as fencing:
        assert fencing == 2
    with pytest.raises(LeaseError, match="is not held"):
        _ = brief.fencing


def test_closing_the_store_gives_the_lease_back(store, tmp_path, database):
    with Store.open(database) as other, lease_of(other).held():
        pass
    with lease_of(store).held(patience_s=0.0):
        pass


def test_a_lease_that_is_released_is_free_at_once(store, database):
    with lease_of(store).held():
        pass
    lease_of(store).release()
    with Store.open(database) as other, Lease(other).held(patience_s=0.0):
        pass


def test_a_heart_beat_keeps_it_beyond_its_time(store, database):
    with Lease(store, ttl_s=0.6, linger_s=0.1).held():
        threading.Event().wait(1.2)
        with Store.open(database) as other:  # noqa: SIM117
            with pytest.raises(LeaseError, match="runs this database"), Lease(other).held(patience_s=0.0):
                pass


@pytest.mark.parametrize(
    ("change", "is_dead"),
    [
        pytest.param({}, False, id="it lives"),
        pytest.param({"pid": 2**22 + 1}, True, id="no such process"),
        pytest.param({"process": f"{this_process().process}0"}, True, id="its number was given to another"),
        pytest.param({"host": "elsewhere", "pid": 2**22 + 1}, False, id="another host cannot be asked"),
        pytest.param({"process": "another boot/1"}, False, id="nor another boot or container"),
    ],
)
def test_a_process_is_dead_only_when_that_is_certain(change, is_dead):
    me = this_process()
    values = {"host": me.host, "pid": me.pid, "process": me.process} | change
    assert ProcessIdentity(**values).is_provably_dead() is is_dead


def test_a_store_is_closed_also_when_its_lease_cannot_be_given_back(tmp_path):
    other = sqlite3.connect(tmp_path / "lab.db", isolation_level=None)
    store = Store.open(tmp_path / "lab.db", busy_timeout_s=0.05)
    with lease_of(store).held():
        pass
    other.execute("BEGIN IMMEDIATE")
    store.close()
    with pytest.raises(StoreError, match="was closed"), store.write():
        pass
    other.close()
