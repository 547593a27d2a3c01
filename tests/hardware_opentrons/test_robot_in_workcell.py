"""A campaign on an OT-2, with a person who carries the plates and reads them: proof, approval, and the loop goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from robot_faults import FaultyServer
from robots import OT2

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.plate import well_names
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.proof import read_proof
from cellos_nb.execution.runs import load_workflow, run_of_plate
from cellos_nb.hardware.bench.desk import Answer, ReaderFile
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
from cellos_nb.store.schema import proofs
from cellos_nb.units import now_utc

ROBOT = """\
kind: opentrons
robot: OT-2
address: {address}
left: p20_single_gen2
right: p300_single_gen2
deck_check: none
poll_s: 0.01
"""
HANDS = "kind: bench\npipettes: [{name: P200, min_ul: 20, max_ul: 200}]\nhour_s: 0\nplate_formats: [24, 96]\n"
CELL = """\
kind: workcell
parts:
  robot: {machine: ot2.yaml, does: [seed, dilute, dose]}
  incubator: {machine: hands.yaml, does: [incubate]}
  reader: {machine: hands.yaml, does: [read]}
  porter: {machine: hands.yaml, does: [transport]}
"""


@pytest.fixture
def lab(opentrons, analyse, tmp_path):
    robot = SimulatedRobot(OT2, analyse)
    folder = tmp_path / "machines"
    folder.mkdir()
    with FaultyServer(robot) as server, Lab.open(tmp_path / "lab.db") as lab:
        for name, text in (("ot2", ROBOT.format(address=server.address)), ("hands", HANDS), ("cell", CELL)):
            (folder / f"{name}.yaml").write_text(text)
        lab.robot, lab.server = robot, server
        yield lab


def campaign(lab):
    return lab.submit(
        CampaignConfig(
            name="together",
            cell_lines=["U2OS"],
            compounds=["staurosporine"],
            dose_range_um=[0.1, 10],
            objective="minimise",
            batch_size=1,
            max_iterations=1,
            plate_format=24,
            controls={"vehicle": 2},
            machine={"kind": "cell", "file": str(lab.store.folder / "machines" / "cell.yaml")},
            planner="random",
            seed=1,
        )
    )


def tick(lab):
    Daemon(lab.store, lab, tick_s=20.0, is_real=True).run(once=True)


def answer_all(lab):
    """Plays the person: carries what is to be carried, and brings the reader's file."""
    done = []
    for desk in lab.handwork.desks().values():
        for task in desk.open_tasks():
            rows = "".join(f"{well},{1000 + n}\n" for n, well in enumerate(well_names(24)))
            file = ReaderFile("reader.csv", f"Well,luminescence\n{rows}".encode()) if task.step.readout else None
            lab.handwork.done(desk, task.number, Answer("ada", file=file))
            done.append(task.step.uid)
    return done


def approve_plate(lab, plate_id):
    run = run_of_plate(lab.store, plate_id)
    workflow = load_workflow(lab.store, run.run_id)
    approve(lab.store, workflow.sha256, machine="cell", person="Ada", expires_at=now_utc() + timedelta(hours=1))


def test_the_robot_doses_a_person_carries_and_reads_and_the_loop_goes_round(lab):
    run = campaign(lab)
    tick(lab)
    first = run_of_plate(lab.store, "together/i001-p1")
    assert first.status is JobStatus.PAUSED
    assert lab.server.log == []
    with lab.store.read() as tx:
        (digest,) = tx.execute(proofs.select().with_only_columns(proofs.c.manifest_sha256)).scalars()
    names = {artifact.name for artifact in read_proof(lab.store, digest).artifacts}
    assert {"robot.1-seed.py", "robot.6-dose.deck.svg", "robot.opentrons.json"} <= names
    approve_plate(lab, "together/i001-p1")
    asked = []
    while run.status != "finished":
        tick(lab)
        asked += answer_all(lab)
        assert len(asked) < 10
    assert asked == ["2-to-incubator", "5-to-robot", "7-to-incubator", "9-to-reader", "10-read"]
    assert set(lab.robot.effects()) == {1}
    assert len(run.results) == 1
