"""The command line beside a robot: look, pause, resume, stop; and the stand-in for one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from robot_faults import FaultyServer, token

from cellos_nb.errors import MachineRefusedError, StepFailedError
from cellos_nb.hardware.opentrons.api import RunAction
from cellos_nb.hardware.opentrons.controls import api_of, current_run, tell

CELLOS = [sys.executable, "-c", "from cellos_nb.cli import main; main()"]


def write_robot(folder, address):
    path = folder / "ot2.yaml"
    path.write_text(
        f"name: ot2-left\nrobot: OT-2\nleft: p20_single_gen2\nright: p300_single_gen2\naddress: {address}\n"
    )
    return path


def test_the_stand_in_answers_as_a_robot_and_the_commands_see_it(opentrons, tmp_path):
    robot = write_robot(tmp_path, "127.0.0.1")
    words = [*CELLOS, "hardware", "simulate-robot", str(robot), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as stand_in:
        try:
            address = stand_in.stdout.readline().rpartition("`address: ")[2].strip("`.\n")
            write_robot(tmp_path, address)
            shown = subprocess.run(
                [*CELLOS, "hardware", "robot", "show", str(robot), "--json"], capture_output=True, text=True, check=True
            )
            words = [*CELLOS, "hardware", "robot", "stop", str(robot)]
            free = subprocess.run(words, capture_output=True, text=True, check=False)
        finally:
            os.kill(stand_in.pid, signal.SIGTERM)
    facts = json.loads(shown.stdout)
    assert facts["answers as"] == "ot2-left (simulated), OT-2 Standard"
    assert (facts["left"], facts["door"], facts["run"]) == ("p20_single_gen2", "closed", "none")
    assert free.returncode == 1
    assert free.stderr == "cellos: ot2-left: no run is under way, so there is nothing to stop.\n"


def test_a_person_pauses_resumes_and_stops_what_is_under_way(bench, tmp_path):
    robot = bench.robot()
    robot.hold_before = 6
    ended = []
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log", patience_s=60.0) as machine:
        here = machine.robot
        thread = threading.Thread(target=lambda: ended.append(_error(machine, bench.step)))
        thread.start()
        assert robot.wait_until_held()
        assert tell(here, RunAction.PAUSE).status == "paused"
        robot.let_go()
        assert tell(here, RunAction.PLAY).status in {"running", "succeeded"}
        thread.join(120)
        assert ended == [None]
        assert set(robot.effects()) == {1}


def test_a_run_that_a_person_stops_has_failed_with_what_was_done(bench, tmp_path):
    robot = bench.robot()
    robot.hold_before = 6
    ended = []
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log", patience_s=60.0) as machine:
        thread = threading.Thread(target=lambda: ended.append(_error(machine, bench.step)))
        thread.start()
        assert robot.wait_until_held()
        assert tell(machine.robot, RunAction.STOP).status == "stopped"
        thread.join(120)
    (error,) = ended
    assert isinstance(error, StepFailedError)
    assert "stopped: no reason is given; 6 commands were seen to begin, the last: " in str(error)
    assert list(robot.effects()) == [1] * 6


def test_resuming_never_begins_a_run_that_was_not_played(bench):
    robot = bench.robot()
    with FaultyServer(robot) as server:
        here = bench.settings.model_copy(update={"address": server.address})
        protocol = robot.upload("a.py", bench.files[f"{bench.step.uid}.py"].decode()).content["data"]["id"]
        robot.create_run({"protocolId": protocol})
        assert current_run(api_of(here)).status == "idle"
        with pytest.raises(MachineRefusedError, match="no run is under way, so there is nothing to play"):
            tell(here, RunAction.PLAY)
    assert not list(robot.effects())


def _error(machine, step):
    try:
        machine.execute(step, token(step))
    except StepFailedError as error:
        return error
    return None
