"""Robots as workers of a Dask cluster: real processes, really killed; the robots' own ledgers are counted."""

from __future__ import annotations

import signal
import threading
from collections import Counter

import pytest
from cluster_processes import Cluster, Nursery
from plates import WET, plate

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain import codec
from cellos_nb.domain.machine import OutcomeState
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.errors import MachineError, MachineRefusedError, RobotAwayError
from cellos_nb.execution.pool import RobotPool
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.recovery import mark_done
from cellos_nb.hardware.cluster import connection as connection_module
from cellos_nb.hardware.cluster import service
from cellos_nb.hardware.cluster.connection import Connection, motion_of
from cellos_nb.hardware.cluster.machine import ClusterMachine
from cellos_nb.hardware.ledger import read_ledger
from cellos_nb.hardware.registry import open_machine
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.store.store import Store


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(connection_module, "LOOK_S", 0.3)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    made = Nursery(tmp_path_factory.mktemp("plug-in"))
    yield made
    made.end()


@pytest.fixture
def cluster(nursery, tmp_path):
    made = Cluster(nursery, tmp_path)
    yield made
    made.stop()


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "lab.db") as opened:
        yield opened


def connect(cluster, *names, return_s=20.0):
    """The robots, with a limit on how long to wait for one that is away."""
    connection = Connection(cluster.address, return_s=return_s)
    machines = {name: ClusterMachine(name, connection) for name in names}
    return EqualRobots(machines, is_there=connection.has_worker_of, on_stop=connection.close)


def effects_of(cluster, *names):
    return {name: cluster.ledger(name).effects() for name in names}


def in_a_thread(call):
    box = []
    thread = threading.Thread(target=lambda: box.append(call()))
    thread.start()

    def result():
        thread.join(60)
        assert box
        return box[0]

    return result


def test_two_robots_share_one_campaign_and_every_dispense_happens_once(cluster, tmp_path):
    address = cluster.start_scheduler()
    cluster.start_robots("r1", "r2", machine="biology")
    values = {
        "name": "shared",
        "cell_lines": ["U2OS"],
        "compounds": ["staurosporine", "doxorubicin"],
        "dose_range_um": [0.001, 10],
        "objective": "minimise",
        "batch_size": 14,
        "plate_format": 12,
        "outer_wells": "use",
        "controls": {"vehicle": 3},
        "max_iterations": 2,
        "planner": "random",
    }
    shared = CampaignConfig(**values, machine={"kind": "cluster", "address": address, "robots": ["r1", "r2"]})
    with Lab.open(tmp_path / "shared.db") as lab:
        campaign = lab.run(shared)
        assert campaign.summary().status == "finished"
        measured = [[well.signal for well in result.wells] for result in campaign.results]
    alone = CampaignConfig(**values, machine="biology")
    with Lab.open(tmp_path / "alone.db") as lab:
        # Where the steps ran changes nothing about what was measured.
        assert measured == [[well.signal for well in result.wells] for result in lab.run(alone).results]
    for name in ("r1", "r2"):
        assert cluster.kill(name, signal.SIGTERM) == 0
    assert cluster.kill("scheduler", signal.SIGTERM) == 0
    ledgers = {name: read_ledger(tmp_path / f"{name}.ledger") for name in ("r1", "r2")}
    on = {name: {entry.plate_id for entry in entries} for name, entries in ledgers.items()}
    assert not on["r1"] & on["r2"]
    assert len(on["r1"] | on["r2"]) >= 4
    assert 0 < max(map(len, on.values())) <= 2 * min(map(len, on.values()))
    done = Counter((entry.plate_id, entry.step_uid) for entries in ledgers.values() for entry in entries)
    assert set(done.values()) == {1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("remembers", [True, False], ids=["with memory", "forgetful"])
def test_a_host_killed_in_mid_step_is_asked_when_it_is_back_and_nothing_is_dispensed_twice(
    cluster, store, remembers, when
):
    cluster.start_scheduler()
    machine = cluster.paced(remembers=remembers)
    cluster.start_robots("r1", "r2", machine=machine)
    robots = connect(cluster, "r1", "r2")
    pool = RobotPool(store, robots)
    ids = [pool.submit(plate(f"demo/p{k}")) for k in range(1, 4)]
    cluster.hold(f"{when} 3-dose")
    ended = in_a_thread(lambda: pool.run(ids))
    dead = cluster.wait_until_in(f"{when} 3-dose")
    cluster.kill(dead)
    cluster.let_go(f"{when} 3-dose")
    cluster.start_robots(dead, machine=machine)
    statuses = Counter(run.status for run in ended().values())
    if remembers:
        assert statuses == {JobStatus.SUCCEEDED: 3}
    else:
        assert statuses == {JobStatus.SUCCEEDED: 2, JobStatus.IN_DOUBT: 1}
        (held,) = JobQueue(store).jobs(JobStatus.IN_DOUBT)
        assert "it cannot be told whether step 3-dose took effect (no memory)" in held.last_error
        mark_done(store, held.idempotency_key, person="Ada")
        assert pool.run(ids)[held.job_id].status is JobStatus.SUCCEEDED
    robots.stop()
    on = effects_of(cluster, "r1", "r2")
    total = on["r1"] + on["r2"]
    assert set(total.values()) == {1}
    n_done = 5 if (when == "before" and not remembers) else 6
    assert len(total) == n_done
    assert not {plate_id for plate_id, _ in on["r1"]} & {plate_id for plate_id, _ in on["r2"]}


def test_a_host_that_stays_away_leaves_its_plate_held_and_the_others_go_on(cluster, store):
    cluster.start_scheduler()
    machine = cluster.paced(remembers=True)
    cluster.start_robots("r1", "r2", machine=machine)
    robots = connect(cluster, "r1", "r2", return_s=1.0)
    pool = RobotPool(store, robots)
    ids = [pool.submit(plate(f"demo/p{k}")) for k in range(1, 3)]
    cluster.hold("after 1-seed")
    ended = in_a_thread(lambda: pool.run(ids))
    dead = cluster.wait_until_in("after 1-seed")
    cluster.kill(dead)
    cluster.let_go("after 1-seed")
    statuses = Counter(run.status for run in ended().values())
    assert statuses == {JobStatus.SUCCEEDED: 1, JobStatus.IN_DOUBT: 1}
    (held,) = JobQueue(store).jobs(JobStatus.IN_DOUBT)
    assert f"{dead}: no worker of {cluster.address} has owned this robot for 1 s" in held.last_error
    # Asked again once it is back, the robot knows what it did.
    cluster.start_robots(dead, machine=machine)
    JobQueue(store).requeue(held.job_id)
    assert pool.run(ids)[held.job_id].status is JobStatus.SUCCEEDED
    robots.stop()
    assert sum(effects_of(cluster, "r1", "r2").values(), Counter()) == {
        (f"demo/p{k}", uid): 1 for k in (1, 2) for uid in WET
    }


def test_a_task_that_dask_itself_runs_again_is_not_executed_again(cluster):
    cluster.start_scheduler(is_foreign=True)
    machine = cluster.paced(remembers=False)
    cluster.start_robots("r1", machine=machine)
    connection = Connection(cluster.address)
    step = plate().steps[0]
    cluster.hold("after 1-seed")
    # Past the product's own call, which would cancel the task: what remains is the robot's log.
    future = connection._client().submit(
        service.execute, "r1", codec.to_json(step), "p:1-seed:1", "", resources={motion_of("r1"): 1}, pure=False
    )
    cluster.wait_until_in("after 1-seed")
    cluster.kill("r1")
    cluster.let_go("after 1-seed")
    cluster.start_robots("r1", machine=machine)
    with pytest.raises(MachineError, match="it was begun before, and its end was not recorded"):
        future.result(timeout=30)
    connection.close()
    assert cluster.ledger("r1").effects() == {("demo/i001-p1", "1-seed"): 1}


def test_a_robot_answers_over_the_cluster_as_it_does_beside_you(cluster):
    address = cluster.start_scheduler()
    machine = cluster.paced(remembers=True)
    cluster.start_robots("r1", machine=machine)
    robots = open_machine(MachineSettings(kind="cluster", address=address, robots=("r1",)))
    robot = robots.machines["r1"]
    seed, *_, read = plate().steps
    assert robot.describe().machine == "r1"
    robot.preflight(seed)
    assert robot.reconcile("p:1-seed:1").state is OutcomeState.NEVER_STARTED
    # Questions are answered while the robot moves.
    cluster.hold("before 1-seed")
    moving = in_a_thread(lambda: robot.execute(seed, "p:1-seed:1"))
    cluster.wait_until_in("before 1-seed")
    assert robot.reconcile("p:1-seed:1").state is OutcomeState.RUNNING
    cluster.let_go("before 1-seed")
    assert moving() is None
    assert robot.reconcile("p:1-seed:1").state is OutcomeState.DONE
    assert robot.execute(read, "p:5-read:1") == cluster.ledger("r1")._reading(read)
    with pytest.raises(MachineRefusedError, match="the token p:5-read:1 was used for another step"):
        robot.execute(seed, "p:5-read:1")
    # A second host of the same robot is turned away.
    cluster.pids["first"] = cluster.pids.pop("r1")
    cluster.begin_robot("r1", machine)
    assert cluster.ended("r1") == 1
    assert "r1.steps: another machine holds this step log" in cluster.said("r1")
    # One with another log is turned away by the scheduler.
    cluster.begin_robot("r1", machine, log="other.steps")
    assert cluster.ended("r1") == 1
    assert "If another worker owns the robot, stop that one first" in cluster.said("r1")
    robots.stop()
    assert cluster.ledger("r1").effects() == {("demo/i001-p1", "1-seed"): 1}


def test_a_host_joins_a_new_scheduler_and_keeps_what_it_knows(cluster):
    address = cluster.start_scheduler()
    cluster.start_robots("r1", machine=cluster.paced(remembers=False))
    robot = ClusterMachine("r1", Connection(address, return_s=20.0))
    cluster.hold("after 1-seed")
    caught = []

    def execute():
        try:
            robot.execute(plate().steps[0], "p:1-seed:1")
        except MachineError as error:
            caught.append(error)
        return True

    moving = in_a_thread(execute)
    cluster.wait_until_in("after 1-seed")
    cluster.kill("scheduler")
    cluster.start_scheduler_again()
    assert moving()
    assert "lost" in str(caught[0])
    assert robot.reconcile("p:1-seed:1").state is OutcomeState.RUNNING
    cluster.let_go("after 1-seed")
    while robot.reconcile("p:1-seed:1").state is OutcomeState.RUNNING:
        threading.Event().wait(0.05)
    # A bare pump: it is the host that remembers.
    assert robot.reconcile("p:1-seed:1").state is OutcomeState.DONE
    robot._connection.close()


def test_a_robot_that_nobody_owns_is_refused_before_anything_is_sent(cluster):
    cluster.start_scheduler()
    robots = connect(cluster, "r1", return_s=0.2)
    with pytest.raises(RobotAwayError, match=r"r1: no worker of .* Start it by `cellos worker"):
        robots.describe()
    with pytest.raises(MachineRefusedError, match="Nothing was sent"):
        robots.machines["r1"].execute(plate().steps[0], "p:1-seed:1")
    robots.stop()
    robots.stop()
    nowhere = Connection("tcp://127.0.0.1:9", return_s=0.2)
    with pytest.raises(RobotAwayError, match="no scheduler answers there"):
        nowhere.worker_of("r1")
    assert not nowhere.has_worker_of("r1")
    nowhere.close()
