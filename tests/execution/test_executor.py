from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_machine import LedgerMachine
from plates import WET, plate
from sqlalchemy import select

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import (
    CampaignError,
    InputError,
    MachineError,
    MachineRefusedError,
    StepFailedError,
    StoppedError,
    StoreCorruptError,
)
from cellos_nb.execution import conductor, plate_run
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.control import ControlFlags
from cellos_nb.execution.events import RunDone, RunStarted, StepDone, StepFailed, StepStarted
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.journal import reading_of
from cellos_nb.execution.proof import prove
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.recovery import discard, mark_done
from cellos_nb.execution.runs import load_workflow, run_of_plate
from cellos_nb.store.schema import execution_logs, runs, steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


@pytest.fixture(params=["grouped", "strict"])
def machine(request, tmp_path):
    return LedgerMachine(tmp_path / "ledger", declares=request.param == "grouped")


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch):
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.01 * attempt)


def journal(store):
    query = select(steps.c.step_uid, steps.c.attempt, steps.c.status).order_by(steps.c.step_uid, steps.c.attempt)
    with store.read() as tx:
        return [tuple(row) for row in tx.execute(query)]


def run_one(store, machine, workflow=None, on_event=lambda event: None):
    executor = WorkflowExecutor(store, machine)
    run_id = executor.submit(workflow or plate())
    executor.run([run_id], on_event)
    return run_of_plate(store, (workflow or plate()).plate_id)


def test_a_run_executes_every_step_once_and_keeps_its_reading(store, machine):
    run = run_one(store, machine)
    assert run.status is JobStatus.SUCCEEDED
    assert machine.effects() == {("demo/i001-p1", uid): 1 for uid in WET}
    assert [row[1:] for row in journal(store)] == [(1, "done")] * 5
    assert reading_of(store, run.run_id).wells == ("A1", "A2", "A3", "B1", "B2")


def test_the_machine_is_told_nothing_before_the_intent_is_committed(store, tmp_path, database):
    seen = []

    class Watching(LedgerMachine):
        def execute(self, step, token):
            with Store.open(database) as other, other.read() as tx:
                seen.append(tx.scalar(select(steps.c.status).where(steps.c.token == token)))
            return super().execute(step, token)

    run_one(store, Watching(tmp_path / "ledger", remembers=False))
    assert seen == ["started"] * 5


def test_events_tell_the_story_in_order(store, machine):
    events = []
    run_one(store, machine, on_event=events.append)
    assert isinstance(events[0], RunStarted)
    assert events[0].n_wells == 5
    assert [event.step_uid for event in events if isinstance(event, StepStarted)] == [s.uid for s in plate().steps]
    assert [event.step_uid for event in events if isinstance(event, StepDone)] == [s.uid for s in plate().steps]
    assert isinstance(events[-1], RunDone)
    assert events[-1].status == "succeeded"


def test_submitting_a_plate_twice_makes_one_run(store, machine):
    executor = WorkflowExecutor(store, machine)
    assert executor.submit(plate()) == executor.submit(plate())
    executor.run()
    executor.submit(plate())
    assert executor.run() == {}
    assert max(machine.effects().values()) == 1


def test_a_plate_is_not_prepared_by_two_workflows(store, machine):
    executor = WorkflowExecutor(store, machine)
    executor.submit(plate())
    with pytest.raises(CampaignError, match="submitted before with another workflow"):
        executor.submit(plate(dose_um=2.0))


def test_a_stored_workflow_is_the_one_submitted(store, machine):
    executor = WorkflowExecutor(store, machine)
    run_id = executor.submit(plate())
    assert load_workflow(store, run_id) == plate()
    with store.write() as tx:
        tx.execute(runs.update().values(workflow=plate(dose_um=2.0).canonical_json()))
    with pytest.raises(StoreCorruptError, match="altered after it was submitted"):
        WorkflowExecutor(store, machine).run()
    assert not machine.effects()


@pytest.mark.parametrize(
    ("uid", "error"),
    [
        pytest.param("3-dose", MachineRefusedError("no tips"), id="a refusal proves that nothing was sent"),
        pytest.param("5-read", StepFailedError("lamp"), id="reading again is harmless"),
        pytest.param("5-read", MachineError("not reached"), id="so it is when nothing is known"),
    ],
)
def test_a_step_that_may_be_tried_again_is(store, machine, uid, error):
    machine.trouble[uid] = [error, error]
    events = []
    run = run_one(store, machine, on_event=events.append)
    assert run.status is JobStatus.SUCCEEDED
    assert set(machine.effects().values()) == {1}
    assert sum(isinstance(event, StepFailed) for event in events) == 2
    assert [row[1] for row in journal(store) if row[0] == uid] == [1, 2, 3]


def test_after_three_attempts_a_run_goes_to_the_dead_letters_and_the_others_go_on(store, machine):
    machine.trouble["demo/i001-p1 5-read"] = [StepFailedError("lamp")] * 3
    executor = WorkflowExecutor(store, machine)
    first, second = executor.submit(plate("demo/i001-p1"), priority=1), executor.submit(plate("demo/i001-p2"))
    ended = executor.run()
    assert ended[first].status is JobStatus.DEAD_LETTER
    assert ended[first].error == "demo/i001-p1, step 5-read, attempt 3 of 3: lamp"
    assert ended[second].status is JobStatus.SUCCEEDED
    with store.read() as tx:
        logged = tx.execute(select(execution_logs.c.level)).scalars().all()
    assert logged == ["WARNING", "WARNING", "ERROR"]


def test_a_dead_letter_that_is_queued_again_goes_on_where_it_failed(store, machine):
    machine.trouble["5-read"] = [StepFailedError("lamp")] * 3
    run = run_one(store, machine)
    JobQueue(store).requeue(run.run_id)
    WorkflowExecutor(store, machine).run()
    assert run_of_plate(store, run.plate_id).status is JobStatus.SUCCEEDED
    assert set(machine.effects().values()) == {1}


def test_a_dispense_that_failed_is_never_repeated(store, machine):
    machine.trouble["3-dose"] = [StepFailedError("clogged in mid-row")]
    run = run_one(store, machine)
    assert run.status is JobStatus.DEAD_LETTER
    JobQueue(store).requeue(run.run_id)
    WorkflowExecutor(store, machine).run()
    again = run_of_plate(store, run.plate_id)
    assert again.status is JobStatus.DEAD_LETTER
    assert "is not repeated" in again.error
    assert ("demo/i001-p1", "3-dose") not in machine.effects()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"step_kinds": (StepKind.SEED,)}, "2-attach: ledger cannot incubate; possible: seed", id="kind"),
        pytest.param({"plate_formats": (384,)}, "1-seed: ledger holds no plate of 96 wells; possible: 384", id="plate"),
        pytest.param({"assays": ("imaging",)}, "5-read: ledger does not measure viability", id="assay"),
        pytest.param({"min_volume_ul": 1.0}, "3-dose: transfers of 0.5 µL to 0.5 µL are asked for, but", id="volume"),
    ],
)
def test_nothing_moves_when_a_later_step_is_beyond_the_machine(store, machine, change, error):
    can = replace(machine.describe(), **change)
    machine.describe = lambda: can
    run = run_one(store, machine)
    assert run.status is JobStatus.DEAD_LETTER
    assert run.error.startswith(f"demo/i001-p1, step {error}")
    assert journal(store) == []
    assert not machine.effects()


def test_nothing_is_journaled_when_the_machine_refuses_the_first_step_beforehand(store, machine):
    machine.trouble["preflight 1-seed"] = [MachineRefusedError("the lid is open")]
    run = run_one(store, machine)
    assert run.status is JobStatus.DEAD_LETTER
    assert run.error == "demo/i001-p1, step 1-seed: the lid is open"
    assert journal(store) == []
    assert not machine.effects()


@pytest.mark.parametrize(
    ("outcome", "status", "n_effects"),
    [
        pytest.param(Outcome(OutcomeState.DONE), JobStatus.SUCCEEDED, 0, id="done is taken as done"),
        pytest.param(Outcome(OutcomeState.NEVER_STARTED), JobStatus.SUCCEEDED, 1, id="never started is tried again"),
        pytest.param(Outcome(OutcomeState.FAILED), JobStatus.DEAD_LETTER, 0, id="failed is not repeated"),
        pytest.param(Outcome(OutcomeState.UNKNOWN), JobStatus.IN_DOUBT, 0, id="unknown holds the plate"),
    ],
)
def test_when_the_line_drops_during_a_dispense_the_machine_is_asked(store, machine, outcome, status, n_effects):
    machine.trouble["3-dose"] = [MachineError("connection lost")]
    machine.answers["3-dose"] = outcome
    run = run_one(store, machine)
    assert run.status is status
    assert machine.effects()["demo/i001-p1", "3-dose"] == n_effects


def test_a_machine_that_is_still_busy_is_asked_later(store, machine, monkeypatch):
    monkeypatch.setattr(plate_run, "STILL_RUNNING_S", 0.01)
    machine.trouble["3-dose"] = [MachineError("connection lost")]
    asked = []

    def reconcile(token):
        asked.append(token)
        return Outcome(OutcomeState.RUNNING if len(asked) < 3 else OutcomeState.DONE)

    machine.reconcile = reconcile
    assert run_one(store, machine).status is JobStatus.SUCCEEDED
    assert len(asked) == 3


def held_plate(store, machine):
    machine.trouble["3-dose"] = [MachineError("connection lost")]
    machine.answers["3-dose"] = Outcome(OutcomeState.UNKNOWN, detail="no memory of it")
    executor = WorkflowExecutor(store, machine)
    executor.submit(plate("demo/i001-p1"), priority=1)
    executor.submit(plate("demo/i001-p2"))
    executor.run()
    return run_of_plate(store, "demo/i001-p1")


def test_a_held_plate_is_left_alone_and_the_others_go_on(store, machine):
    held = held_plate(store, machine)
    assert held.status is JobStatus.IN_DOUBT
    assert "no memory of it" in held.error
    assert "mark the step done or discard" in held.error
    assert run_of_plate(store, "demo/i001-p2").status is JobStatus.SUCCEEDED
    assert WorkflowExecutor(store, machine).run() == {}


def test_a_person_may_say_that_the_step_was_done(store, machine):
    held_plate(store, machine)
    assert mark_done(store, "demo/i001-p1", person="Ada") == "3-dose"
    WorkflowExecutor(store, machine).run()
    assert run_of_plate(store, "demo/i001-p1").status is JobStatus.SUCCEEDED
    assert machine.effects()["demo/i001-p1", "3-dose"] == 0
    with pytest.raises(InputError, match="no step is in question; the run is succeeded"):
        mark_done(store, "demo/i001-p1", person="Ada")


def test_a_person_may_discard_a_held_plate(store, machine):
    held_plate(store, machine)
    discard(store, "demo/i001-p1", person="Ada")
    assert WorkflowExecutor(store, machine).run() == {}
    assert run_of_plate(store, "demo/i001-p1").error == "discarded by Ada"
    with pytest.raises(InputError, match="cannot be discarded; its run is succeeded"):
        discard(store, "demo/i001-p2", person="Ada")


def test_a_killed_queue_stops_between_steps_and_continues_after(store, machine, monkeypatch):
    monkeypatch.setattr(plate_run, "GLANCE_S", -1.0)
    monkeypatch.setattr(conductor, "GLANCE_S", -1.0)
    flags = ControlFlags(store)

    def kill_after_seeding(event):
        if isinstance(event, StepDone) and event.step_uid == "1-seed":
            flags.set("killed", reason="smoke in the lab", by="Ada")

    with pytest.raises(StoppedError, match=r"Ada stopped all work .* smoke in the lab"):
        run_one(store, machine, on_event=kill_after_seeding)
    assert journal(store) == [("1-seed", 1, "done")]
    with pytest.raises(StoppedError, match="resume-queue"):
        WorkflowExecutor(store, machine).run()
    flags.clear("killed")
    WorkflowExecutor(store, machine).run()
    assert set(machine.effects().values()) == {1}
    assert len(journal(store)) == 5


def test_a_paused_queue_starts_nothing_until_it_is_resumed(store, machine, monkeypatch):
    monkeypatch.setattr("cellos_nb.execution.control.POLL_S", 0.01)
    flags, cleared = ControlFlags(store), []
    flags.set("paused", by="Ada")

    def clear():
        cleared.append(now_utc())
        flags.clear("paused")

    later = threading.Timer(0.2, clear)
    later.start()
    run = run_one(store, machine)
    later.join()
    assert run.status is JobStatus.SUCCEEDED
    assert run.started_at >= cleared[0]


def test_a_running_run_that_is_cancelled_ends_after_its_step(store, machine, monkeypatch):
    monkeypatch.setattr(plate_run, "GLANCE_S", -1.0)
    monkeypatch.setattr(conductor, "GLANCE_S", -1.0)

    def cancel_after_seeding(event):
        if isinstance(event, StepDone) and event.step_uid == "1-seed":
            JobQueue(store).cancel(1, "wrong plate")

    run = run_one(store, machine, on_event=cancel_after_seeding)
    assert (run.status, run.error) == (JobStatus.CANCELLED, "wrong plate")
    assert machine.effects() == {("demo/i001-p1", "1-seed"): 1}


def test_a_run_waits_for_its_time(store, machine):
    executor = WorkflowExecutor(store, machine)
    begun = now_utc()
    run_id = executor.submit(plate(), not_before=begun + timedelta(seconds=0.2))
    executor.run()
    run = run_of_plate(store, "demo/i001-p1")
    assert run.run_id == run_id
    assert run.started_at >= begun + timedelta(seconds=0.2)


def test_an_interrupted_run_goes_on_in_the_same_process(store, machine):
    def interrupt(event):
        if isinstance(event, StepStarted) and event.step_uid == "4-treat":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_one(store, machine, on_event=interrupt)
    assert [row[0] for row in journal(store)] == ["1-seed", "2-attach", "3-dose"]
    WorkflowExecutor(store, machine).run()
    assert run_of_plate(store, "demo/i001-p1").status is JobStatus.SUCCEEDED
    assert set(machine.effects().values()) == {1}


def test_a_real_machine_moves_only_under_an_approval_of_exactly_this_workflow(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    robot = LedgerMachine(tmp_path / "ledger", is_simulated=False)
    assert "nobody approved this workflow" in run_one(store, robot).error
    tomorrow = now_utc() + timedelta(days=1)
    other = replace(robot.describe(), machine="other")
    for workflow, machine in (
        (plate("b"), other),
        (plate("b", dose_um=2.0), robot.describe()),
        (plate("c"), robot.describe()),
    ):
        prove(store, workflow, machine)
    approve(store, plate("b").sha256, machine="other", person="Ada", expires_at=tomorrow)
    approve(store, plate("b", dose_um=2.0).sha256, machine="ledger", person="Ada", expires_at=tomorrow)
    assert "nobody approved this workflow" in run_one(store, robot, plate("b")).error
    assert not robot.effects()
    approve(store, plate("c").sha256, machine="ledger", person="Ada", expires_at=tomorrow)
    assert run_one(store, robot, plate("c")).status is JobStatus.SUCCEEDED


def test_an_approval_ends(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    robot = LedgerMachine(tmp_path / "ledger", is_simulated=False)
    prove(store, plate(), robot.describe())
    approve(store, plate().sha256, machine="ledger", person="Ada", expires_at=now_utc() + timedelta(milliseconds=1))
    threading.Event().wait(0.01)
    run_one(store, robot)
    assert "the approval for ledger ended" in run_of_plate(store, "demo/i001-p1").error
    with pytest.raises(InputError, match="is past"):
        approve(store, plate().sha256, machine="ledger", person="Ada", expires_at=now_utc())
