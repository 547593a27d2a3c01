"""Several plates at once: what overlaps, what does not, and what a device that hangs holds up."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from plates import WET, plate
from slow_machine import SlowMachine, allow
from sqlalchemy import select, update

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.errors import InputError, MachineError, StoppedError
from cellos_nb.execution import plate_run
from cellos_nb.execution import shift as shift_module
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.devices import devices_of
from cellos_nb.execution.events import StepDone
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.recovery import continue_after, discard, doubts, mark_done
from cellos_nb.execution.remainder import remainder
from cellos_nb.execution.runs import run_of_plate
from cellos_nb.store.schema import actions, execution_logs, steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def store(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store.open(database) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(shift_module, "LOOK_S", 0.02)
    monkeypatch.setattr(plate_run, "HELD_S", 0.05)
    monkeypatch.setattr(plate_run, "STILL_RUNNING_S", 0.02)
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.01)


def submit(store, machine, n):
    executor = WorkflowExecutor(store, machine)
    return executor, [executor.submit(plate(f"demo/p{k}")) for k in range(1, n + 1)]


def in_a_thread(call):
    """Runs a call in a thread; returns a function that waits for its end and gives its value."""
    box = []
    thread = threading.Thread(target=lambda: box.append(call()))
    thread.start()

    def result():
        thread.join(120)
        assert box
        return box[0]

    return result


def is_stopped(executor, ids):
    with pytest.raises(StoppedError):
        executor.run(ids)
    return True


def test_while_one_plate_incubates_the_next_is_dosed(store, tmp_path):
    machine = SlowMachine(tmp_path / "ledger")
    executor, ids = submit(store, machine, 3)
    ended = executor.run(ids)
    assert {run.status for run in ended.values()} == {JobStatus.SUCCEEDED}
    told = machine.told()
    assert told.index(("demo/p3", "1-seed")) < told.index(("demo/p1", "3-dose"))
    assert machine.effects() == {(f"demo/p{k}", uid): 1 for k in (1, 2, 3) for uid in WET}


def test_a_device_serves_one_plate_at_a_time_and_different_devices_overlap(store, tmp_path):
    machine = SlowMachine(tmp_path / "ledger", hour_s=0.0)
    machine._capabilities = replace(machine.describe(), is_simulated=True, hour_s=1e-6)
    executor, ids = submit(store, machine, 2)
    reading = machine.close("demo/p1 5-read")
    result = in_a_thread(lambda: executor.run(ids))
    assert reading.wait(120)
    while run_of_plate(store, "demo/p2").status is JobStatus.RUNNING and ("demo/p2", "4-treat") not in machine.told():
        threading.Event().wait(0.01)
    # The second plate is through with the liquid handler, and waits for the reader that the first one has.
    assert ("demo/p2", "5-read") not in machine.told()
    machine.gates["demo/p1 5-read"].set()
    assert {run.status for run in result().values()} == {JobStatus.SUCCEEDED}
    assert not any(pair <= {"1-seed", "3-dose"} for pair in machine.overlaps)
    assert frozenset({"5-read"}) not in machine.overlaps


def test_an_incubation_counts_from_its_beginning_also_after_a_crash(store, tmp_path, monkeypatch):
    monkeypatch.setattr(shift_module, "GRACE_S", 0.0)
    machine = SlowMachine(tmp_path / "ledger", hour_s=3600.0)
    executor, ids = submit(store, machine, 1)

    def stop_in_the_incubator(event):
        if isinstance(event, StepDone) and event.step_uid == "1-seed":
            threading.Timer(0.1, lambda: flags_of(store).set("killed", by="Ada")).start()

    with pytest.raises(StoppedError):
        executor.run(ids, stop_in_the_incubator)
    waiting = JobQueue(store).job(ids[0])
    assert waiting.status is JobStatus.QUEUED
    assert timedelta(hours=23) < waiting.not_before - now_utc() <= timedelta(hours=24)
    flags_of(store).clear("killed")
    with store.write() as tx:
        tx.execute(update(steps).where(steps.c.step_uid == "2-attach"), {"started_at": now_utc() - timedelta(days=1)})
        tx.execute(update(actions), {"not_before": None})
    executor = WorkflowExecutor(store, machine)
    result = in_a_thread(lambda: is_stopped(executor, ids))
    while ("demo/p1", "3-dose") not in machine.told():
        threading.Event().wait(0.01)
    flags_of(store).set("killed", by="Ada")
    assert result()
    with store.read() as tx:
        attempts = tx.execute(select(steps.c.attempt).where(steps.c.step_uid == "2-attach")).scalars().all()
    assert attempts == [1]


def test_a_plate_that_is_cancelled_while_it_incubates_ends_at_once(store, tmp_path):
    machine = SlowMachine(tmp_path / "ledger", hour_s=3600.0)
    executor, ids = submit(store, machine, 1)

    def cancel_in_the_incubator(event):
        if isinstance(event, StepDone) and event.step_uid == "1-seed":
            threading.Timer(0.1, lambda: JobQueue(store).cancel(ids[0], "wrong plate")).start()

    ended = executor.run(ids, cancel_in_the_incubator)
    assert (ended[ids[0]].status, ended[ids[0]].error) == (JobStatus.CANCELLED, "wrong plate")


def test_a_device_that_hangs_holds_up_those_that_need_it_and_no_other(store, tmp_path):
    machine = SlowMachine(tmp_path / "ledger", time_limit_s=0.2, remembers=False)
    executor, ids = submit(store, machine, 2)
    other = SlowMachine(tmp_path / "other")
    other._capabilities = replace(other.describe(), machine="other")
    machine.close("demo/p1 3-dose")
    machine.answers["3-dose"] = Outcome(OutcomeState.UNKNOWN, detail="no answer")
    ended = executor.run(ids)
    assert ended[ids[0]].status is JobStatus.IN_DOUBT
    assert "(no answer)" in ended[ids[0]].error
    waiting = JobQueue(store).job(ids[1])
    assert waiting.status is JobStatus.QUEUED
    assert "which demo/p1 holds" in waiting.last_error
    # Another machine goes on meanwhile, and this one when its call has come back.
    elsewhere = WorkflowExecutor(store, other)
    assert elsewhere.run([elsewhere.submit(plate("demo/q1"))]).popitem()[1].status is JobStatus.SUCCEEDED
    machine.gates["demo/p1 3-dose"].set()
    while devices_of(store).in_use():
        threading.Event().wait(0.01)
    assert WorkflowExecutor(store, machine).run(ids[1:])[ids[1]].status is JobStatus.SUCCEEDED
    assert max(machine.effects().values()) == 1


def test_a_step_that_runs_longer_than_the_executor_waits_is_asked_about_and_done_once(store, tmp_path):
    machine = SlowMachine(tmp_path / "ledger", time_limit_s=0.1)
    executor, ids = submit(store, machine, 1)
    machine.close("demo/p1 3-dose")
    result = in_a_thread(lambda: executor.run(ids))
    while "still running" not in (JobQueue(store).job(ids[0]).last_error or ""):
        threading.Event().wait(0.01)
    machine.gates["demo/p1 3-dose"].set()
    assert result()[ids[0]].status is JobStatus.SUCCEEDED
    assert machine.effects()["demo/p1", "3-dose"] == 1


def doubtful(store, tmp_path, n=2):
    """A real machine on which nobody can tell what became of the first plate's dose."""
    machine = SlowMachine(tmp_path / "ledger", is_simulated=False, hour_s=0.0, remembers=False)
    allow(store, machine, *(plate(f"demo/p{k}") for k in range(1, n + 1)))
    machine.trouble["demo/p1 3-dose"] = [MachineError("connection lost")]
    ids = []
    for k in range(1, n + 1):  # one after the other: together, a later plate could be through before the trouble
        executor = WorkflowExecutor(store, machine)
        ids.append(executor.submit(plate(f"demo/p{k}")))
        executor.run(ids[-1:])
    return machine, ids


def test_a_real_device_stays_with_its_plate_until_a_person_decides(store, tmp_path):
    machine, ids = doubtful(store, tmp_path)
    assert run_of_plate(store, "demo/p1").status is JobStatus.IN_DOUBT
    assert JobQueue(store).job(ids[1]).status is JobStatus.QUEUED
    # Also in a new process, which knows only the journal.
    devices_of(store).look()
    assert devices_of(store).in_use() == {"ledger/liquid_handler": "demo/p1"}
    assert [(doubt.plate_id, doubt.step_uid, doubt.n_transfers) for doubt in doubts(store)] == [
        ("demo/p1", "3-dose", 5)
    ]
    discard(store, "demo/p1", person="Ada")
    assert doubts(store) == ()
    assert WorkflowExecutor(store, machine).run().keys() == {ids[1]}
    assert max(machine.effects().values()) == 1


def test_marking_a_step_as_done_gives_its_devices_back(store, tmp_path):
    machine, ids = doubtful(store, tmp_path)
    mark_done(store, "demo/p1", person="Ada")
    ended = WorkflowExecutor(store, machine).run()
    assert {ended[job].status for job in ids} == {JobStatus.SUCCEEDED}
    assert machine.effects()["demo/p1", "3-dose"] == 0


def test_a_person_may_have_the_remaining_transfers_made(store, tmp_path):
    machine, ids = doubtful(store, tmp_path, n=1)
    told = []
    execute = machine.execute
    machine.execute = lambda step, token: (told.append((step, token)), execute(step, token))[1]
    assert continue_after(store, "demo/p1", 3, person="Ada") == "3-dose"
    assert WorkflowExecutor(store, machine).run()[ids[0]].status is JobStatus.SUCCEEDED
    step, token = told[0]
    assert (step.uid, token) == ("3-dose-from-4", "demo/p1:3-dose:2")
    assert step.transfers.destination_well == ("B1", "B2")
    with store.read() as tx:
        logged = tx.execute(select(execution_logs.c.message)).scalars().all()
    assert "demo/p1: Ada had step 3-dose continued after 3 transfers" in logged


@pytest.mark.parametrize("n_done", [-1, 5, 6])
def test_only_transfers_that_there_are_can_be_continued_after(store, tmp_path, n_done):
    doubtful(store, tmp_path, n=1)
    with pytest.raises(InputError, match="Give a number from 0 to 4, or mark the step done"):
        continue_after(store, "demo/p1", n_done, person="Ada")
    assert run_of_plate(store, "demo/p1").status is JobStatus.IN_DOUBT


def test_a_step_that_was_continued_and_is_in_doubt_again_goes_on_from_there(store, tmp_path):
    machine, _ = doubtful(store, tmp_path, n=1)
    continue_after(store, "demo/p1", 2, person="Ada")
    machine.trouble["3-dose-from-3"] = [MachineError("connection lost")]
    WorkflowExecutor(store, machine).run()
    (doubt,) = doubts(store)
    assert doubt.n_done == 2
    with pytest.raises(InputError, match="2 transfers were known to be done already, 1 is less"):
        continue_after(store, "demo/p1", 1, person="Ada")
    continue_after(store, "demo/p1", 4, person="Ada")
    WorkflowExecutor(store, machine).run()
    assert run_of_plate(store, "demo/p1").status is JobStatus.SUCCEEDED
    assert machine.told()[-3:] == [("demo/p1", "3-dose-from-5"), ("demo/p1", "4-treat"), ("demo/p1", "5-read")]


def test_what_a_step_left_in_its_sources_is_what_the_rest_of_it_finds():
    seed = plate().steps[0]
    rest = remainder(seed, 2)
    assert seed.fills[0].volume_ul - rest.fills[0].volume_ul == pytest.approx(2 * 50.0)
    assert list(seed.transfers)[2:] == list(rest.transfers)


def test_a_step_in_progress_is_recorded_when_work_is_stopped(store, tmp_path):
    machine = SlowMachine(tmp_path / "ledger")
    executor, ids = submit(store, machine, 1)
    dosing = machine.close("demo/p1 3-dose")
    result = in_a_thread(lambda: is_stopped(executor, ids))
    assert dosing.wait(120)
    flags_of(store).set("killed", by="Ada")
    threading.Timer(0.1, machine.gates["demo/p1 3-dose"].set).start()
    assert result()
    with store.read() as tx:
        assert tx.scalar(select(steps.c.status).where(steps.c.step_uid == "3-dose")) == "done"
    assert machine.told()[-1] == ("demo/p1", "3-dose")
