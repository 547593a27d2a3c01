"""The daemon: what it does in its ticks, what ends it, and what it leaves alone."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from slow_machine import SlowMachine, allow
from sqlalchemy import select

from cellos_nb import CampaignConfig, JobQueue, Lab
from cellos_nb.errors import InputError, MachineError, StepFailedError
from cellos_nb.execution import conclusions as conclusions_module
from cellos_nb.execution import daemon as daemon_module
from cellos_nb.execution import plate_run
from cellos_nb.execution import queue as queue_module
from cellos_nb.execution.actions import kinds, submit_action
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.lease import holder_of, lease_of
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.recovery import requeue
from cellos_nb.execution.runs import run_of_plate, run_records
from cellos_nb.execution.ticks import TickStatus, begin_tick, ticks
from cellos_nb.store.schema import execution_logs
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

PATIENCE_S = 180.0
"""How long a busy computer may take for what takes a second."""


def config(**changes):
    fixed = {
        "name": "tiny",
        "cell_lines": ["SK-LMS-1"],
        "compounds": ["Trametinib", "Dinaciclib", "Capmatinib"],
        "dose_range_um": [0.001, 10],
        "n_doses": 8,
        "objective": "minimise",
        "batch_size": 4,
        "max_iterations": 2,
        "plate_format": 24,
        "controls": {"vehicle": 2},
        "machine": "replay",
        "planner": "random",
        "seed": 3,
    }
    return CampaignConfig(**(fixed | changes))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(daemon_module, "LOOK_S", 0.02)
    monkeypatch.setattr(conclusions_module, "AWAY_S", 0.05)
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.01)
    monkeypatch.setattr(queue_module, "retry_delay_s", lambda attempt: 0.01)
    for variable in ("CELLOS_NOTIFY_URLS", "CELLOS_CHANNEL_LAB"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def lab(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Lab.open(database) as opened:
        yield opened


@contextmanager
def lab_on(machine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Lab.open(tmp_path / "lab.db", machine) as opened:
        yield opened


@contextmanager
def working(lab, **settings):
    """A daemon at work in a thread of its own, ended with the block; gives a function that waits for a condition."""
    daemon = Daemon(lab.store, lab, **settings)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(daemon.run()))
    thread.start()

    def until(condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "it never came to that"
            threading.Event().wait(0.02)

    try:
        yield until
    finally:
        daemon.stop()
        thread.join(PATIENCE_S)
        assert ended == ["told to end"]


def logged(lab):
    with lab.store.read() as tx:
        return tx.execute(select(execution_logs.c.message, execution_logs.c.artifact_sha256)).all()


def test_until_idle_it_ends_when_nothing_is_left_that_goes_on_by_itself(lab):
    campaign = lab.submit(config())
    assert Daemon(lab.store, lab).run(until_idle=True) == "nothing is left to do"
    assert campaign.summary().n_iterations == 2


def test_until_idle_it_stays_for_what_falls_due_later(lab):
    soon = now_utc() + timedelta(seconds=0.3)
    campaign_id = lab.store.add_campaign(config())
    submit_action(
        lab.store, "campaign_iteration", {"campaign_id": campaign_id}, idempotency_key="later", not_before=soon
    )
    Daemon(lab.store, lab).run(until_idle=True)
    assert now_utc() >= soon
    assert lab.campaign(campaign_id).summary().n_iterations == 2


def test_a_campaign_in_its_hands_comes_to_the_results_that_it_comes_to_anyway(lab):
    undisturbed = lab.run(config(name="undisturbed")).history()
    campaign = lab.submit(config())
    assert campaign.summary().status == "queued"
    with working(lab) as until:
        until(lambda: campaign.status == "finished")
    assert campaign.history().equals(undisturbed)
    assert campaign.summary().stop_reason == "all 2 iterations are done"
    assert {tick.status for tick in ticks(lab.store)} == {TickStatus.SUCCEEDED}


def test_several_campaigns_share_it(lab):
    campaigns = [lab.submit(config(name=name, seed=seed)) for seed, name in enumerate(("a", "b", "c"))]
    with working(lab) as until:
        until(lambda: all(campaign.status == "finished" for campaign in campaigns))
    assert [len(campaign.results) for campaign in campaigns] == [8, 8, 8]


def test_a_campaign_that_its_process_left_is_brought_to_its_end(lab):
    class Crash(Exception):
        pass

    def crash(event):
        if getattr(event, "step_uid", "").endswith("dose"):
            raise Crash

    with pytest.raises(Crash):
        lab.run(config(), crash)
    with working(lab) as until:
        until(lambda: lab.campaign("tiny").status == "finished")
    assert len(lab.campaign("tiny").results) == 8


def test_a_paused_campaign_waits_and_the_others_go_on(lab):
    waiting, other = lab.submit(config(name="waiting")), lab.submit(config(name="other"))
    waiting.pause("no incubator", by="Ada")
    with working(lab) as until:
        until(lambda: other.status == "finished")
        assert len(waiting.results) == 0
        waiting.unpause()
        until(lambda: waiting.status == "finished")


def test_a_tick_begins_no_more_than_it_may(lab):
    for k in range(5):
        submit_action(lab.store, "post_message", {"channel": "lab", "title": f"{k}"}, idempotency_key=f"{k}")
    assert Daemon(lab.store, lab, max_runs=2).run(once=True) == "all ticks are done"
    (tick,) = ticks(lab.store)
    assert (tick.attempted, tick.succeeded, tick.failed) == (2, 2, 0)
    assert JobQueue(lab.store).stats()["queued"] == 3


def test_a_tick_in_which_an_action_failed_does_not_report_success(lab):
    flags_of(lab.store).set_mode(is_real=True)
    submit_action(lab.store, "post_message", {"channel": "lab", "title": "Done"}, idempotency_key="k", max_attempts=1)
    Daemon(lab.store, lab).run(once=True)
    (tick,) = ticks(lab.store)
    assert (tick.status, tick.succeeded, tick.failed) == (TickStatus.FAILED, 0, 1)
    assert "CELLOS_CHANNEL_LAB" in tick.notes
    (letter,) = JobQueue(lab.store).dead_letters()
    assert "CELLOS_CHANNEL_LAB" in letter.last_error
    assert any("CELLOS_CHANNEL_LAB" in message for message, _ in logged(lab))


def test_in_proof_a_message_becomes_an_artifact(lab):
    submit_action(lab.store, "post_message", {"channel": "lab", "title": "Done", "body": "µ"}, idempotency_key="k")
    Daemon(lab.store, lab).run(once=True)
    ((message, sha256),) = logged(lab)
    assert message == "PROOF: 'Done' would go to CELLOS_CHANNEL_LAB"
    content = (lab.store.folder / "artifacts" / sha256 / "message.txt").read_text(encoding="utf-8")
    assert "Done" in content
    assert "µ" in content


def test_the_record_of_a_campaign_is_an_action(lab):
    lab.run(config())
    job = submit_action(lab.store, "record", {"campaign_id": "tiny"}, idempotency_key="k")
    with working(lab) as until:
        until(lambda: JobQueue(lab.store).job(job).status is JobStatus.SUCCEEDED)
    assert (lab.store.folder / "records" / "tiny" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("kind", "payload", "error"),
    [
        pytest.param("fly", {}, "no action 'fly' is installed; possible: campaign_iteration, deliver", id="kind"),
        pytest.param("notify", {}, "payload.title: None is no text", id="missing"),
        pytest.param("notify", {"title": "a", "to": "b"}, "payload.to: no such key; possible: title, body", id="key"),
        pytest.param("notify", {"title": "a", "level": "loud"}, "'loud' is none; possible: info", id="level"),
    ],
)
def test_what_can_never_be_performed_is_not_queued(lab, kind, payload, error):
    with pytest.raises(InputError, match=error):
        submit_action(lab.store, kind, payload, idempotency_key="k")
    assert JobQueue(lab.store).jobs() == ()


def test_a_new_kind_is_one_class_and_an_entry_point(lab, tmp_path, monkeypatch):
    plugin = tmp_path / "plugin"
    (plugin / "watering-1.0.dist-info").mkdir(parents=True)
    (plugin / "watering-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: watering\nVersion: 1.0\n")
    entry = "[cellos_nb.actions]\nwater = watering:Water\n"
    (plugin / "watering-1.0.dist-info" / "entry_points.txt").write_text(entry)
    (plugin / "watering.py").write_text(
        "class Water:\n"
        "    limit_s = 5.0\n"
        "    def check(self, payload): pass\n"
        "    def perform(self, payload, bench):\n"
        "        bench.log('watered ' + payload['what'])\n"
        "        return 'watered'\n"
    )
    monkeypatch.syspath_prepend(plugin)
    assert "water" in kinds()
    submit_action(lab.store, "water", {"what": "the plants"}, idempotency_key="k")
    Daemon(lab.store, lab).run(once=True)
    assert logged(lab) == [("watered the plants", None)]


def test_a_killed_queue_ends_it_and_a_pause_keeps_its_lease_and_begins_nothing(lab):
    flags = flags_of(lab.store)
    flags.set("paused", "lunch", by="Ada")
    campaign = lab.submit(config())
    daemon, ended = Daemon(lab.store, lab), []
    thread = threading.Thread(target=lambda: ended.append(daemon.run()))
    thread.start()
    while holder_of(lab.store) is None:
        threading.Event().wait(0.01)
    threading.Event().wait(0.2)
    assert (run_records(lab.store), ticks(lab.store), ended) == ((), (), [])
    assert holder_of(lab.store) is not None
    flags.set("killed", "smoke", by="Ada")
    thread.join(10)
    assert "Ada stopped all work" in ended[0]
    assert len(campaign.results) == 0


def test_work_for_later_begins_at_its_time_without_a_restart(lab):
    due = now_utc() + timedelta(seconds=0.5)
    with working(lab) as until:
        job = submit_action(lab.store, "notify", {"title": "a"}, idempotency_key="k", not_before=due)
        until(lambda: JobQueue(lab.store).status(job) is JobStatus.SUCCEEDED)
    assert JobQueue(lab.store).job(job).claimed_at >= due


def test_a_dead_letter_that_is_queued_again_is_concluded_anew(tmp_path, monkeypatch):
    machine = LedgerMachine(tmp_path / "ledger")
    machine.trouble["6-read"] = machine.trouble["5-read"] = [StepFailedError("lamp")] * 3
    with lab_on(machine, tmp_path, monkeypatch) as lab:
        campaign = lab.submit(config(max_iterations=1, compounds=["drug"], cell_lines=["U2OS"]))
        with working(lab) as until:
            until(lambda: campaign.status == "failed")
            (letter,) = JobQueue(lab.store).dead_letters()
            requeue(lab.store, letter.job_id)
            until(lambda: any(result.measurement is not None for result in campaign.results))
        assert set(machine.effects().values()) == {1}
        failed = [tick for tick in ticks(lab.store) if tick.failed]
        assert {tick.status for tick in failed} == {TickStatus.FAILED}


def test_in_proof_a_real_machine_is_not_touched_and_in_real_it_moves_under_an_approval(tmp_path, monkeypatch):
    class Untouchable(LedgerMachine):
        def execute(self, step, token):
            assert flags_of(lab.store).is_real
            return super().execute(step, token)

    robot = Untouchable(tmp_path / "ledger", is_simulated=False)
    with lab_on(robot, tmp_path, monkeypatch) as lab:
        campaign = lab.submit(config(max_iterations=1, compounds=["drug"], cell_lines=["U2OS"]))
        with working(lab) as until:
            until(lambda: [run.status for run in run_records(lab.store)] == [JobStatus.PAUSED])
            (workflow,) = campaign.workflows()
            assert "PROOF" in run_of_plate(lab.store, workflow.plate_id).error
            allow(lab.store, robot, workflow)
            threading.Event().wait(0.2)
            assert not robot.effects()
            flags_of(lab.store).set_mode(is_real=True)
            until(lambda: campaign.status == "finished")
        assert set(robot.effects().values()) == {1}


def test_a_machine_that_cannot_be_reached_holds_up_its_own_runs_alone(lab, monkeypatch):
    away = lab.submit(config(name="away", seed=8))
    name, _ = lab.machine_of("away")
    lab.close_machine(name)
    machine_for = lab.machine_for

    def unreachable(settings, seed=0):
        if seed == 8:
            raise MachineError("no route to the robot")
        return machine_for(settings, seed)

    monkeypatch.setattr(lab, "machine_for", unreachable)
    other = lab.submit(config(name="other"))
    with working(lab) as until:
        until(lambda: other.status == "finished" and JobQueue(lab.store).dead_letters())
    (letter,) = JobQueue(lab.store).dead_letters()
    assert (letter.payload, letter.last_error) == ({"campaign_id": "away"}, "no route to the robot")
    assert len(away.results) == 0


def test_a_fault_in_one_run_is_counted_and_ends_no_other(tmp_path, monkeypatch):
    machine = LedgerMachine(tmp_path / "ledger")
    machine.trouble["demo/bad 3-dose"] = [ZeroDivisionError("a bug")] * 3
    with lab_on(machine, tmp_path, monkeypatch) as lab:
        executor = WorkflowExecutor(lab.store, machine)
        bad, good = executor.submit(plate("demo/bad")), executor.submit(plate("demo/good"))
        with working(lab) as until:
            until(lambda: JobQueue(lab.store).status(bad) is JobStatus.DEAD_LETTER)
            until(lambda: JobQueue(lab.store).status(good) is JobStatus.SUCCEEDED)
        assert JobQueue(lab.store).job(bad).last_error == "ZeroDivisionError: a bug"


def test_a_step_in_progress_is_recorded_when_it_is_told_to_end(tmp_path, monkeypatch):
    machine = SlowMachine(tmp_path / "ledger")
    with lab_on(machine, tmp_path, monkeypatch) as lab:
        run = WorkflowExecutor(lab.store, machine).submit(plate("demo/p1"))
        dosing = machine.close("demo/p1 3-dose")
        with working(lab):
            assert dosing.wait(PATIENCE_S)
            threading.Timer(0.2, machine.gates["demo/p1 3-dose"].set).start()
        assert machine.told()[-1] == ("demo/p1", "3-dose")
        assert JobQueue(lab.store).status(run) is JobStatus.QUEUED
        with working(lab) as until:
            until(lambda: JobQueue(lab.store).status(run) is JobStatus.SUCCEEDED)
        assert set(machine.effects().values()) == {1}


def test_one_that_stands_by_does_not_change_the_mode_of_the_one_that_works(lab, database):
    flags_of(lab.store).set_mode(is_real=True)
    with lease_of(lab.store).held(), Store.open(database) as other:
        Daemon(other, lab, is_real=False).run(once=True)
        assert flags_of(lab.store).is_real
    lease_of(lab.store).release()
    with Store.open(database) as other:
        Daemon(other, lab, is_real=False).run(once=True)
    assert not flags_of(lab.store).is_real


def test_a_tick_whose_daemon_died_is_closed_by_the_next(lab, database):
    with Store.open(database) as other, lease_of(other).held():
        begin_tick(other, lease_of(other))
    submit_action(lab.store, "notify", {"title": "a"}, idempotency_key="k")
    Daemon(lab.store, lab).run(max_ticks=1)
    assert [tick.status for tick in ticks(lab.store)] == [TickStatus.INTERRUPTED, TickStatus.SUCCEEDED]


def test_one_tick_is_made_and_the_daemon_ends_also_when_nothing_is_due(lab):
    assert Daemon(lab.store, lab).run(once=True) == "all ticks are done"
    assert ticks(lab.store) == ()


def test_people_are_told_of_a_plate_that_waits_for_them(tmp_path, monkeypatch):
    monkeypatch.setenv("CELLOS_NOTIFY_URLS", "json://127.0.0.1:9/")
    machine = LedgerMachine(tmp_path / "ledger", remembers=False)
    machine.trouble["3-dose"] = [MachineError("connection lost")]
    with lab_on(machine, tmp_path, monkeypatch) as lab:
        WorkflowExecutor(lab.store, machine).submit(plate("demo/p1"))
        with working(lab) as until:
            until(lambda: JobQueue(lab.store).stats()["succeeded"] == 1)
        assert any(
            message == "PROOF: 'demo/p1: plate in doubt' would go to CELLOS_NOTIFY_URLS" for message, _ in logged(lab)
        )


def test_while_one_plate_incubates_the_daemon_begins_others(tmp_path, monkeypatch):
    machine = SlowMachine(tmp_path / "ledger")
    machine._capabilities = replace(machine.describe(), hour_s=0.02)
    with lab_on(machine, tmp_path, monkeypatch) as lab:
        executor = WorkflowExecutor(lab.store, machine)
        jobs = [executor.submit(plate(f"demo/p{k}")) for k in range(6)]
        with working(lab, max_runs=2) as until:
            until(lambda: all(JobQueue(lab.store).status(job) is JobStatus.SUCCEEDED for job in jobs))
        told = machine.told()
        assert told.index(("demo/p5", "1-seed")) < told.index(("demo/p0", "5-read"))
        assert set(machine.effects().values()) == {1}
