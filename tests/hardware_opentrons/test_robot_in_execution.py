"""A robot under the journal: first a proof, then a person's approval, then it moves; in doubt its plate is held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from robot_faults import FaultyServer
from robots import OT2, compiled

from cellos_nb.domain.settings import MachineSettings
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.proof import newest_proof
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.recovery import continue_after, doubts, requeue
from cellos_nb.hardware.opentrons.machine import OpentronsMachine
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
from cellos_nb.hardware.registry import open_machine
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def lab(worker, analyse, tmp_path):
    """A robot, a store, and a workflow of the steps that an OT-2 can do."""
    settings = OT2.model_copy(update={"deck_check": "none", "poll_s": 0.01})
    robot = SimulatedRobot(settings, analyse)
    whole = compiled(settings, n=1)
    workflow = replace(whole, steps=tuple(step for step in whole.steps if step.kind.moves_liquid))
    with FaultyServer(robot) as server, Store.open(tmp_path / "lab.db") as store:
        settings = settings.model_copy(update={"address": server.address})
        machine = OpentronsMachine(settings, tmp_path / "robot.log", worker=worker)
        yield Lab(store, machine, robot, server, workflow, tmp_path)
        machine.stop()


class Lab:
    def __init__(self, store, machine, robot, server, workflow, folder):
        self.store, self.machine, self.robot, self.server = store, machine, robot, server
        self.workflow, self.folder = workflow, folder
        self.executor = WorkflowExecutor(store, machine)
        self.run_id = self.executor.submit(workflow)

    def run(self):
        return self.executor.run([self.run_id])[self.run_id]

    def approve(self):
        until = now_utc() + timedelta(hours=1)
        return approve(self.store, self.workflow.sha256, machine="ot2", person="Ada", expires_at=until)


def test_a_plate_is_proved_then_approved_then_made(lab):
    assert lab.run().status is JobStatus.PAUSED
    assert lab.server.log == [], "a proof asks the robot nothing"
    names = {artifact.name for artifact in newest_proof(lab.store, lab.workflow.sha256, "ot2").artifacts}
    assert {"1-seed.py", "4-dose.analysis.json", "4-dose.deck.svg", "opentrons.json", "protocol.html"} <= names
    lab.approve()
    requeue(lab.store, lab.run_id)
    assert lab.run().status is JobStatus.SUCCEEDED
    assert set(lab.robot.effects()) == {1}
    played = [place for place in lab.server.log if place[1].endswith("/actions")]
    assert len(played) == len(lab.workflow.steps)


def test_what_was_approved_for_another_deck_is_not_made(lab):
    lab.run()
    lab.approve()
    requeue(lab.store, lab.run_id)
    moved = lab.machine.robot.model_copy(update={"closed_slots": ("2",)})
    lab.machine.robot = moved
    ended = lab.run()
    assert ended.status is JobStatus.DEAD_LETTER
    assert "the protocol that was approved is not what would be written now" in ended.error
    assert lab.server.log == []


def test_a_robot_that_restarts_leaves_its_plate_held_and_a_person_has_the_rest_made(lab):
    lab.run()
    lab.approve()
    requeue(lab.store, lab.run_id)
    seed = lab.workflow.steps[0]
    lab.server.answer = _restart_after_first_dispense(lab, lab.server.answer)
    ended = lab.run()
    assert ended.status is JobStatus.IN_DOUBT
    (doubt,) = doubts(lab.store)
    assert doubt.step_uid == seed.uid
    assert f"the first 1 of {len(seed.transfers)} transfers were seen to be complete" in doubt.error
    continue_after(lab.store, seed.plate_id, 1, person="Ada")
    assert lab.run().status is JobStatus.SUCCEEDED
    assert max(lab.robot.effects()) == 1


def _restart_after_first_dispense(lab, answer):
    restarted = []

    def answer_then_restart(request):
        if request.path.endswith("/actions"):
            commands = lab.machine._plates[lab.workflow.plate_id].planned["1-seed"].analysis["commands"]
            kinds = [command["commandType"] for command in commands]
            lab.robot.hold_before = None if restarted else kinds.index("blowout") + 1
        reply = answer(request)
        is_copy = request.path.endswith("/commands")
        if is_copy and not restarted and lab.robot.wait_until_held(10) and _has_blown_out(reply):
            restarted.append(True)
            lab.robot.restart()
        return reply

    return answer_then_restart


def _has_blown_out(reply):
    return any(command["commandType"] == "blowout" for command in reply.content["data"])


def test_a_campaign_on_the_robot_alone_is_told_what_it_cannot_do(tmp_path):
    from cellos_nb.checks import check_config
    from cellos_nb.domain.campaign import CampaignConfig
    from cellos_nb.errors import CompileError

    (tmp_path / "ot2.yaml").write_text("name: ot2\nrobot: OT-2\nleft: p20_single_gen2\nright: p300_single_gen2\n")
    campaign = {
        "name": "c",
        "cell_lines": ["U2OS"],
        "compounds": ["drug"],
        "dose_range_um": [0.1, 10.0],
        "stock_mm": 10,
    }
    machine = {"kind": "opentrons", "parameters": str(tmp_path / "ot2.yaml")}
    with pytest.raises(CompileError, match="needs the step 'incubate', but ot2 does only seed, dilute, dose, stain"):
        check_config(CampaignConfig.from_dict(campaign | {"machine": machine}))
    assert open_machine(MachineSettings(**machine)).describe().machine == "ot2"
