"""Equal robots that share the queue: how plates are spread, and that each stays on its robot whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pool_child
import pytest
from ledger_machine import LedgerMachine
from plates import WET, plate
from slow_machine import SlowMachine
from sqlalchemy import select, update

from cellos_nb import Lab
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import ConfigError, MachineRefusedError, RobotAwayError
from cellos_nb.execution import plate_run
from cellos_nb.execution import pool as pool_module
from cellos_nb.execution import shift as shift_module
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.lease import dispatcher, lease_of
from cellos_nb.execution.pool import RobotPool, executor_for
from cellos_nb.execution.proof import prove
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.runs import run_of_plate
from cellos_nb.execution.ticks import TickStatus, ticks
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.store.schema import actions, runs, steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store.open(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(shift_module, "LOOK_S", 0.02)
    monkeypatch.setattr(pool_module, "AWAY_S", 0.02)
    monkeypatch.setattr(pool_module, "PATIENCE_S", 0.3)
    monkeypatch.setattr(shift_module, "GRACE_S", 0.0)
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.01)


@pytest.fixture
def machines(tmp_path):
    return {name: LedgerMachine(tmp_path / f"{name}.ledger") for name in ("r1", "r2")}


def submit(pool, n):
    return [pool.submit(plate(f"demo/p{k}")) for k in range(1, n + 1)]


def plates_on(machines):
    return {name: {plate_id for plate_id, _ in machine.effects()} for name, machine in machines.items()}


def journal_of(store):
    with store.read() as tx:
        return {row.plate_id: row.machine for row in tx.execute(select(runs.c.plate_id, runs.c.machine))}


def test_the_load_spreads_and_each_plate_stays_on_one_robot(store, machines):
    pool = RobotPool(store, EqualRobots(machines))
    ended = pool.run(submit(pool, 9))
    assert {run.status for run in ended.values()} == {JobStatus.SUCCEEDED}
    assert all(run.reading is not None for run in ended.values())
    on = plates_on(machines)
    assert not on["r1"] & on["r2"]
    assert sorted(len(plates) for plates in on.values()) == [4, 5]
    assert sum((machine.effects() for machine in machines.values()), Counter()) == {
        (f"demo/p{k}", uid): 1 for k in range(1, 10) for uid in WET
    }
    assert journal_of(store) == {plate_id: name for name, plates in on.items() for plate_id in plates}
    with store.read() as tx:
        assert set(tx.execute(select(steps.c.machine)).scalars()) == {"r1", "r2"}


def test_a_robot_that_is_slow_gets_fewer_plates(store, tmp_path):
    machines = {name: SlowMachine(tmp_path / name) for name in ("r1", "r2")}
    pool = RobotPool(store, EqualRobots(machines))
    ids = submit(pool, 12)
    # The first robot is stuck in its first plate until the other one has done all that is left.
    machines["r1"].close("demo/p1 1-seed")
    seen = []

    def open_at_the_end(event):
        seen.append(event)
        if len(plates_on(machines)["r2"]) == 8:
            machines["r1"].gates["demo/p1 1-seed"].set()

    ended = pool.run(ids, open_at_the_end)
    assert {run.status for run in ended.values()} == {JobStatus.SUCCEEDED}
    assert {name: len(plates) for name, plates in plates_on(machines).items()} == {"r1": 4, "r2": 8}


@pytest.fixture(scope="module")
def run_in_a_process():
    """Runs three plates on two robots in a process of its own; returns its exit code."""
    command = [sys.executable, pool_child.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:

        def run(*arguments):
            server.stdin.write(json.dumps(arguments) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield run
        server.stdin.close()


@pytest.mark.parametrize("declares", ["grouped", "strict"])
def test_a_dispatcher_killed_in_mid_plate_never_moves_a_plate_to_another_robot(tmp_path, run_in_a_process, declares):
    for n_effects in (1, 2, 4, 9):
        folder = tmp_path / str(n_effects)
        folder.mkdir()
        assert run_in_a_process(str(folder), "r1+r2", declares, n_effects) == -signal.SIGKILL
        # The next one has the robots in another order, so that it would choose differently.
        assert run_in_a_process(str(folder), "r2+r1", declares, -1) == 0
        ledgers = {name: LedgerMachine(folder / f"{name}.ledger") for name in ("r1", "r2")}
        on = plates_on(ledgers)
        assert not on["r1"] & on["r2"], n_effects
        effects = sum((ledger.effects() for ledger in ledgers.values()), Counter())
        assert effects == {(f"demo/p{k}", uid): 1 for k in (1, 2, 3) for uid in WET}, n_effects


def test_a_plate_waits_for_its_own_robot_and_the_others_go_on(store, machines):
    away = {"r1"}
    pool = RobotPool(store, EqualRobots(machines, is_there=lambda name: name not in away))
    (pinned, *others) = submit(pool, 3)
    with store.write() as tx:
        tx.execute(update(runs).where(runs.c.run_id == pinned), {"machine": "r1"})
    ended = pool.run()
    assert ended.keys() == set(others)
    waiting = JobQueue(store).job(pinned)
    assert (waiting.status, waiting.last_error) == (JobStatus.QUEUED, "waits for r1, whose worker is away")
    assert plates_on(machines) == {"r1": set(), "r2": {"demo/p2", "demo/p3"}}
    away.clear()
    assert pool.run().keys() == {pinned}
    assert plates_on(machines)["r1"] == {"demo/p1"}


def test_a_plate_that_was_only_assigned_moves_on_when_its_robot_is_away_and_the_journal_is_strict(store, tmp_path):
    machines = {name: LedgerMachine(tmp_path / name, declares=False) for name in ("r1", "r2")}
    pool = RobotPool(store, EqualRobots(machines, is_there=lambda name: name == "r2"))
    ids = submit(pool, 1)
    with store.write() as tx:
        tx.execute(update(runs), {"machine": "r1"})
    assert {run.status for run in pool.run(ids).values()} == {JobStatus.SUCCEEDED}
    assert journal_of(store) == {"demo/p1": "r2"}


def test_when_nobody_is_there_the_run_says_so_and_the_plates_stay_queued(store, machines):
    pool = RobotPool(store, EqualRobots(machines, is_there=lambda name: False))
    ids = submit(pool, 2)
    with pytest.raises(RobotAwayError, match=r"None of the robots r1, r2 was there .* `cellos worker --robot NAME"):
        pool.run(ids)
    assert JobQueue(store).stats()["queued"] == 2


def test_a_plate_of_a_robot_outside_the_pool_waits_for_a_person(store, machines):
    before = RobotPool(store, EqualRobots({"r9": machines["r1"]}))
    before.run(submit(before, 1))
    with store.write() as tx:
        tx.execute(update(steps).where(steps.c.step_uid == "5-read"), {"status": "failed"})
        tx.execute(update(actions), {"status": "queued"})
    queue = JobQueue(store)
    pool = RobotPool(store, EqualRobots(machines))
    assert pool.run() == {}
    (job,) = queue.jobs()
    assert job.status is JobStatus.PAUSED
    assert "begun on r9, which is none of the robots r1, r2" in job.last_error


def test_a_daemon_can_drive_a_pool_as_it_drives_an_executor(store, machines):
    pool = RobotPool(store, EqualRobots(machines))
    ids = submit(pool, 3)
    assert pool.room >= 3
    assert pool.is_idle
    with dispatcher(store):
        fencing = lease_of(store).fencing
        for job in JobQueue(store).claim_many(3, fencing=fencing, start=True):
            pool.take_up(job)
        assert pool.n_in_hand == {"r1": 2, "r2": 1}
        assert pool.has(ids[0])
        pool.leave()
        assert pool.is_idle
        assert JobQueue(store).stats()["queued"] == 3
    assert {run.status for run in pool.run(ids).values()} == {JobStatus.SUCCEEDED}
    assert all(set(machine.effects().values()) <= {1} for machine in machines.values())


def test_what_incubates_when_the_pool_is_left_is_due_when_its_time_is_over(store, tmp_path):
    machines = {name: SlowMachine(tmp_path / name, hour_s=3600.0) for name in ("r1", "r2")}
    pool = RobotPool(store, EqualRobots(machines))
    submit(pool, 2)
    with dispatcher(store):
        fencing = lease_of(store).fencing
        for job in JobQueue(store).claim_many(2, fencing=fencing, start=True):
            pool.take_up(job)
        while sum(task.rests_until is not None for task in pool._conductor.tasks) < 2:
            pool._conductor.turn(0.05)
        pool.leave()
    assert all((job.not_before - now_utc()).total_seconds() > 23 * 3600 for job in JobQueue(store).jobs())


def test_a_real_plate_goes_to_the_robot_that_a_person_approved_it_for(store, tmp_path):
    machines = {name: LedgerMachine(tmp_path / name, is_simulated=False) for name in ("r1", "r2")}
    robots = EqualRobots(machines)
    pool, workflow = RobotPool(store, robots), plate("demo/p1")
    ids = [pool.submit(workflow)]
    prove(store, workflow, robots.machines["r2"].describe())
    until = now_utc().replace(year=now_utc().year + 1)
    approve(store, workflow.sha256, machine="r2", person="Ada", expires_at=until)
    assert {run.status for run in pool.run(ids).values()} == {JobStatus.SUCCEEDED}
    assert plates_on(machines) == {"r1": set(), "r2": {"demo/p1"}}


def test_robots_that_differ_are_no_pool(machines):
    machines["r2"]._capabilities = replace(machines["r2"].describe(), step_kinds=(StepKind.READ,))
    with pytest.raises(ConfigError, match="r1 and r2 are not equal: step_kinds"):
        EqualRobots(machines).describe()
    with pytest.raises(ConfigError, match="name at least one robot"):
        EqualRobots({})


def test_a_group_of_robots_describes_itself_as_one_and_executes_nothing_itself(store, machines):
    robots = EqualRobots(machines)
    assert robots.describe() == replace(machines["r1"].describe(), machine="r1")
    for call in (lambda: robots.execute(plate().steps[0], "t"), lambda: robots.preflight(plate().steps[0])):
        with pytest.raises(MachineRefusedError, match="a plate stays on one of the robots r1, r2"):
            call()
    assert type(executor_for(store, robots)) is RobotPool


def test_a_paused_plate_comes_back_to_its_robot(store, machines):
    pool = RobotPool(store, EqualRobots(machines))
    (run_id,) = submit(pool, 1)
    machines["r1"].trouble["1-seed"] = [MachineRefusedError("lid")] * 3
    assert pool.run([run_id])[run_id].status is JobStatus.DEAD_LETTER
    JobQueue(store).requeue(run_id)
    machines["r1"].trouble.clear()
    ended = RobotPool(store, EqualRobots(dict(reversed(machines.items())))).run([run_id])
    assert ended[run_id].status is JobStatus.SUCCEEDED
    assert run_of_plate(store, "demo/p1").status is JobStatus.SUCCEEDED
    assert plates_on(machines) == {"r1": {"demo/p1"}, "r2": set()}


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "away"])
def test_the_daemon_spreads_plates_over_a_pool_and_counts_what_had_to_wait(tmp_path, monkeypatch, machines, is_there):
    monkeypatch.chdir(tmp_path)
    robots = EqualRobots(machines, is_there=lambda name: is_there)
    with Lab.open(tmp_path / "lab.db", robots) as lab:
        submit(RobotPool(lab.store, robots), 3)
        Daemon(lab.store, lab, max_runs=3).run(once=True)
        (tick,) = ticks(lab.store)
        if is_there:
            assert JobQueue(lab.store).stats()["succeeded"] == 3
            assert sorted(len(plates) for plates in plates_on(machines).values()) == [1, 2]
            assert tick.status is TickStatus.SUCCEEDED
        else:
            assert JobQueue(lab.store).stats()["queued"] == 3
            assert tick.status is TickStatus.FAILED
            assert "waits for a robot, whose worker is away" in tick.notes
