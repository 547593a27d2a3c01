"""The defects that systems of this kind have had, each by its name."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_machine import LedgerMachine
from plates import WET, plate
from slow_machine import SlowMachine
from sqlalchemy import update
from sqlalchemy.engine.default import DefaultDialect

from cellos_nb import Lab
from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.errors import LeaseError, MachineRefusedError, StepFailedError, StoppedError
from cellos_nb.execution import lease as lease_module
from cellos_nb.execution import plate_run
from cellos_nb.execution import shift as shift_module
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.events import RunStarted, StepDone, StepFailed
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.lease import Lease
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.runs import run_of_plate
from cellos_nb.execution.ticks import TickStatus, ticks
from cellos_nb.store.schema import lease
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def store(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store.open(database) as opened:
        yield opened


@pytest.fixture
def elsewhere(store, database):
    """The same database as another process has it open."""
    with Store.open(database) as opened:
        yield opened


@pytest.fixture(params=["grouped", "strict"])
def machine(request, tmp_path):
    return LedgerMachine(tmp_path / "ledger", declares=request.param == "grouped")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(shift_module, "LOOK_S", 0.02)
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.05)


def test_kill_flag_ignored_not_when_another_process_sets_it_between_two_steps(store, elsewhere, tmp_path):
    machine = SlowMachine(tmp_path / "ledger", hour_s=1e-6)
    executor = WorkflowExecutor(store, machine)
    ids = [executor.submit(plate(f"demo/p{k}")) for k in (1, 2)]

    def kill(event):
        if isinstance(event, StepDone) and event.step_uid == "1-seed":
            flags_of(elsewhere).set("killed", by="Ada")

    with pytest.raises(StoppedError, match="Ada stopped all work"):
        executor.run(ids, kill)
    assert max(machine.effects().values()) == 1
    assert "3-dose" not in {uid for _, uid in machine.effects()}
    # Nor is it forgotten when work is asked for again.
    with pytest.raises(StoppedError, match="Ada stopped all work"):
        executor.run(ids)
    assert "3-dose" not in {uid for _, uid in machine.effects()}


def test_retry_never_dequeued_neither_in_the_same_process_nor_after_a_restart(store, elsewhere, machine):
    executor = WorkflowExecutor(store, machine)
    ids = [executor.submit(plate(f"demo/p{k}")) for k in (1, 2)]
    machine.trouble["demo/p1 3-dose"] = [MachineRefusedError("no tips left")]
    assert executor.run(ids[:1])[ids[0]].status is JobStatus.SUCCEEDED
    machine.trouble["demo/p2 3-dose"] = [MachineRefusedError("no tips left")]

    def kill(event):
        if isinstance(event, StepFailed):
            flags_of(store).set("killed", by="Ada")

    with pytest.raises(StoppedError):
        executor.run(ids[1:], kill)
    store.close()
    flags_of(elsewhere).clear("killed")
    assert WorkflowExecutor(elsewhere, machine).run()[ids[1]].status is JobStatus.SUCCEEDED
    assert machine.effects() == {(f"demo/p{k}", uid): 1 for k in (1, 2) for uid in WET}


def test_a_repeat_after_a_crash_between_effect_and_record(store, elsewhere, tmp_path):
    machine = LedgerMachine(tmp_path / "ledger", remembers=False)
    executor, execute = WorkflowExecutor(store, machine), machine.execute
    run_id = executor.submit(plate())

    def dispense_and_die(step, token):
        execute(step, token)
        if step.uid == "3-dose":
            raise SystemExit

    machine.execute = dispense_and_die
    with pytest.raises(SystemExit):
        executor.run()
    store.close()
    machine.execute = execute
    assert WorkflowExecutor(elsewhere, machine).run()[run_id].status is JobStatus.IN_DOUBT
    assert machine.effects() == {("demo/i001-p1", uid): 1 for uid in WET}


def test_a_cancelled_job_that_runs_not_even_when_it_was_claimed_before(store, elsewhere, machine):
    executor = WorkflowExecutor(store, machine)
    ids = [executor.submit(plate(f"demo/p{k}")) for k in (1, 2)]
    states = []

    def cancel_the_second(event):
        if isinstance(event, RunStarted) and event.plate_id == "demo/p1":
            states.append(JobQueue(elsewhere).job(ids[1]).status)
            JobQueue(elsewhere).cancel(ids[1], "wrong plate")

    ended = executor.run(ids, cancel_the_second)
    assert states == [JobStatus.RUNNING]
    assert (ended[ids[1]].status, ended[ids[1]].error) == (JobStatus.CANCELLED, "wrong plate")
    assert {plate_id for plate_id, _ in machine.effects()} == {"demo/p1"}


def test_a_scheduled_job_that_waits_for_a_restart_also_when_nothing_else_is_to_be_done(store, machine):
    executor = WorkflowExecutor(store, machine)
    at_once = executor.submit(plate("demo/p1"))
    due_at = now_utc() + timedelta(seconds=0.4)
    later = executor.submit(plate("demo/p2"), not_before=due_at)
    ended = executor.run()
    assert list(ended) == [at_once, later]
    assert {run.status for run in ended.values()} == {JobStatus.SUCCEEDED}
    assert ended[later].started_at >= due_at


def test_a_failed_workflow_recorded_as_completed(store, elsewhere, machine):
    executor = WorkflowExecutor(store, machine)
    ids = [executor.submit(plate(f"demo/p{k}")) for k in (1, 2)]
    machine.trouble["demo/p1 3-dose"] = [StepFailedError("clot in tip 3")]
    ended = executor.run()
    assert [ended[one].status for one in ids] == [JobStatus.DEAD_LETTER, JobStatus.SUCCEEDED]
    there = run_of_plate(elsewhere, "demo/p1")
    assert there.status is JobStatus.DEAD_LETTER
    assert "clot in tip 3" in there.error
    assert JobQueue(elsewhere).stats()["succeeded"] == 1


def test_a_tick_reporting_success_when_its_action_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    machine = LedgerMachine(tmp_path / "ledger", declares=False)
    machine.trouble["demo/p1 3-dose"] = [StepFailedError("clot in tip 3")]
    with Lab.open(tmp_path / "lab.db", machine) as lab:
        executor = WorkflowExecutor(lab.store, machine)
        for k in (1, 2):
            executor.submit(plate(f"demo/p{k}"))
        Daemon(lab.store, lab).run(once=True)
        (tick,) = ticks(lab.store)
    assert (tick.status, tick.succeeded, tick.failed) == (TickStatus.FAILED, 1, 1)
    assert "clot in tip 3" in tick.notes


def test_a_stuck_device_starving_others(store, tmp_path):
    stuck = SlowMachine(tmp_path / "ledger", time_limit_s=0.2, remembers=False)
    stuck.close("demo/p1 3-dose")
    stuck.answers["3-dose"] = Outcome(OutcomeState.UNKNOWN, detail="no answer")
    executor = WorkflowExecutor(store, stuck)
    ids = [executor.submit(plate(f"demo/p{k}"), resources=["ledger"]) for k in (1, 2)]
    # Those that need the device wait in the queue; the executor does not wait with them.
    executor.run(ids)
    assert [JobQueue(store).job(one).status for one in ids] == [JobStatus.IN_DOUBT, JobStatus.QUEUED]
    free = LedgerMachine(tmp_path / "free", declares=False)
    free._capabilities = replace(free.describe(), machine="free")
    other = WorkflowExecutor(store, free, name="free")
    third = other.submit(plate("demo/p3"))
    assert JobQueue(store).claim(busy=["ledger"]).job_id == third
    JobQueue(store).postpone(third, timedelta(0))
    assert other.run([third])[third].status is JobStatus.SUCCEEDED
    stuck.gates["demo/p1 3-dose"].set()


def test_two_leases_at_once_also_not_beside_a_holder_that_is_busy_writing(store, database):
    mine = Lease(store, ttl_s=0.6, linger_s=0.1)
    with mine.held(), Store.open(database) as other:
        for _ in range(20):
            with store.write() as tx:
                mine.check(tx)
            with pytest.raises(LeaseError, match="runs this database"), Lease(other).held(patience_s=0.0):
                pass
            threading.Event().wait(0.06)


class Clock:
    """Stands still until it is moved."""

    now_s = 0.0

    def monotonic(self):
        return self.now_s


def test_two_leases_at_once_not_for_one_who_was_stopped_just_after_renewing_it(store, database, monkeypatch):
    clock, commit = Clock(), DefaultDialect.do_commit
    monkeypatch.setattr(lease_module, "time", clock)
    mine = Lease(store)

    def commit_and_be_stopped(dialect, connection):
        commit(dialect, connection)
        clock.now_s += 60.0

    with mine.held(), Store.open(database) as other:
        clock.now_s = 20.0
        with monkeypatch.context() as stopping:
            stopping.setattr(DefaultDialect, "do_commit", commit_and_be_stopped)
            mine._renew(mine.fencing)
        with store.write() as tx:
            tx.execute(update(lease).values(expires_at=now_utc() - timedelta(seconds=30)))
        with Lease(other).held(patience_s=0.0), pytest.raises(LeaseError, match="Another dispatcher took over"):
            mine.confirm()
