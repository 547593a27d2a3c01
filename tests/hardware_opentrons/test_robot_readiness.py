"""What keeps a robot from beginning: refused with what to do about it, before anything is sent that could move it."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import replace

import pytest
from pydantic import ValidationError
from robot_faults import CREATE, PLAY, FaultyServer, token
from robots import FLEX, OT2, WORKFLOW_SHA256, dose_step

from cellos_nb.domain.settings import MachineSettings
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import ConfigError, MachineError, MachineRefusedError
from cellos_nb.hardware.opentrons.machine import OpentronsMachine
from cellos_nb.hardware.opentrons.plates import load_plate
from cellos_nb.hardware.opentrons.proof import write_steps
from cellos_nb.hardware.opentrons.requests import Address
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, capabilities
from cellos_nb.hardware.opentrons.simulated.replies import Reply, declined, one
from cellos_nb.hardware.registry import open_machine


class Answers(FaultyServer):
    """A server that gives other answers to some questions."""

    def __init__(self, robot, **answers):
        super().__init__(robot)
        self.answers = answers

    def answer(self, request):
        found = self.answers.get(request.path.strip("/").replace("/", "_"))
        said = super().answer(request)
        return said if found is None or request.method != "GET" else found


def health(**changes):
    said = {"name": "Otto", "robot_model": "OT-2 Standard", "api_version": "8", "maximum_protocol_api_version": [2, 21]}
    return Reply(200, said | changes)


def pipettes(name, **more):
    return Reply(200, {"data": [{"mount": "left", "instrumentName": name, "ok": True} | more]})


NOT_READY = {
    "another robot": ({"health": health(robot_model="OT-3 Standard")}, r"there is an OT-3 Standard \('Otto'\), but"),
    "old software": (
        {"health": health(maximum_protocol_api_version=[2, 14])},
        r"reads protocols up to API 2\.14, but 2\.19 is needed\. Update the robot",
    ),
    "no robot": ({"health": Reply(200, {"status": "ok"})}, r"what answers is no Opentrons robot .* Correct `address`"),
    "booting": ({"health": declined(503, "DatabaseNotYetInitialized", "not ready")}, r"the robot is starting .*Wait"),
    "no pipette": ({"instruments": Reply(200, {"data": []})}, r"left mount: p20_single_gen2 is needed, .* is none"),
    "another pipette": (
        {"instruments": pipettes("p300_single")},
        r"p20_single_gen2 is needed, but there is p300_single",
    ),
    "broken pipette": ({"instruments": pipettes("p20_single_gen2", ok=False)}, r"the p20_single_gen2 is not in order"),
    "a tip on it": (
        {"instruments": pipettes("p20_single_gen2", state={"tipDetected": True})},
        r"a tip is on the p20_single_gen2; drop it",
    ),
    "open door": (
        {"robot_door_status": one(200, {"status": "open", "doorRequiredClosedForProtocol": True})},
        r"The door is open; close it\. Nothing has moved",
    ),
}


@pytest.mark.parametrize(("answers", "message"), NOT_READY.values(), ids=NOT_READY)
@pytest.mark.parametrize("bench", [OT2], indirect=True, ids=[""])
def test_a_robot_that_is_not_ready_is_named_with_the_cure_and_told_nothing(bench, tmp_path, answers, message):
    with Answers(bench.robot(), **answers) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        for attempt in (lambda: machine.preflight(bench.step), lambda: machine.execute(bench.step, token(bench.step))):
            with pytest.raises(MachineRefusedError, match=message):
                attempt()
        assert {method for method, _, _ in server.log} == {"GET"}


FLEX_NOT_READY = {
    "e-stop": (
        {"robot_control_estopStatus": one(200, {"status": "physicallyEngaged"})},
        "'physicallyEngaged'; release",
    ),
    "deck": (
        {"deck_configuration": one(200, {"cutoutFixtures": []})},
        r"Slot A3: a trash bin is needed, .* has 'None'",
    ),
    "waste chute": (
        {"deck_configuration": one(200, {"cutoutFixtures": [{"cutoutId": "cutoutD2", "cutoutFixtureId": "chute"}]})},
        r"Slot D2: 'plate' stands there, but the deck configuration has 'chute'",
    ),
}


@pytest.mark.parametrize(("answers", "message"), FLEX_NOT_READY.values(), ids=FLEX_NOT_READY)
@pytest.mark.parametrize("bench", [FLEX], indirect=True, ids=[""])
def test_a_flex_is_asked_about_its_stop_and_its_deck(bench, tmp_path, answers, message):
    with Answers(bench.robot(), **answers) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        with pytest.raises(MachineRefusedError, match=message):
            machine.execute(bench.step, token(bench.step))
        assert {method for method, _, _ in server.log} == {"GET"}


def test_a_missing_temperature_module_is_found_before_anything_moves(worker, analyse, tmp_path, bench):
    slot = {"OT-2": "3", "Flex": "D1"}[bench.settings.robot]
    chilled = bench.settings.model_copy(update={"temperature_modules": (slot,), "chilled": {"stocks": 4.0}})
    with FaultyServer(bench.robot()) as server:  # a robot that has none
        robot = chilled.model_copy(update={"address": server.address})
        machine = OpentronsMachine(robot, tmp_path / "robot.log", worker=worker)
        with pytest.raises(MachineRefusedError, match=r"1 temperature modules .* are needed, but 0 are plugged in"):
            machine.preflight(bench.step)
        machine.stop()


def test_a_robot_that_is_off_refuses_and_nothing_is_in_doubt(bench, tmp_path):
    with FaultyServer(bench.robot()) as server:
        pass
    with bench.machine(server, tmp_path / "robot.log") as machine:
        with pytest.raises(MachineRefusedError, match=r"the robot does not answer .*Switch it on.* Nothing has moved"):
            machine.execute(bench.step, token(bench.step))
        assert machine.reconcile(token(bench.step)).state == "never_started"


def test_a_run_that_somebody_has_set_up_or_started_is_left_alone(bench, tmp_path, analyse):
    robot = bench.robot()
    other = bench.files[f"{bench.step.uid}.py"].decode() + "# somebody else's\n"
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        protocol = robot.upload("theirs.py", other).content["data"]["id"]
        theirs = robot.create_run({"protocolId": protocol}).content["data"]["id"]
        with pytest.raises(MachineRefusedError, match=rf"in use: run {theirs} is idle\. Wait for its end, or close it"):
            machine.execute(bench.step, token(bench.step))
        robot.hold_before = 0
        robot.act(theirs, "play")
        with pytest.raises(MachineRefusedError, match=f"in use: run {theirs} is running"):
            machine.execute(bench.step, token(bench.step))
        assert robot.wait_until_held()
        robot.act(theirs, "stop")
        robot.let_go()
        machine.execute(bench.step, token(bench.step))
    assert server.log.count(CREATE) == server.log.count(PLAY) == 1


def test_an_analysis_of_the_robot_that_differs_from_the_proof_is_refused(bench, tmp_path):
    def other(name, text):
        analysis = bench.analyse(name, text)
        analysis["commands"][7]["key"] = "another"
        return analysis

    robot = bench.robot()
    robot._analyse = other
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        with pytest.raises(MachineRefusedError, match=r"reads other commands .* from the 8\. of \d+ on\..*prove again"):
            machine.execute(bench.step, token(bench.step))
        assert CREATE not in server.log


def test_the_robots_own_error_is_given_in_its_words(bench, tmp_path):
    robot = bench.robot()
    robot._analyse = lambda name, text: {"result": "not-ok", "errors": [{"detail": "no such labware"}], "commands": []}
    impossible = pytest.raises(MachineRefusedError, match="finds the protocol impossible: no such labware")
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log") as machine, impossible:
        machine.execute(bench.step, token(bench.step))


def test_what_reads_or_incubates_is_named_as_another_machines(bench, tmp_path):
    machine = OpentronsMachine(bench.settings)
    for kind in (StepKind.INCUBATE, StepKind.READ, StepKind.IMAGE):
        assert kind not in machine.describe().step_kinds
    incubate = replace(bench.step, kind=StepKind.INCUBATE, transfers=None, fills=(), duration_h=1.0)
    with pytest.raises(MachineRefusedError, match="cannot do 'incubate'; possible: seed, dilute, dose, stain"):
        machine.preflight(incubate)


def test_without_an_address_or_a_log_nothing_is_executed(bench):
    with pytest.raises(MachineRefusedError, match=r"has no address\. Give its IP address under `address`"):
        OpentronsMachine(bench.settings).execute(bench.step, "t")
    there = bench.settings.model_copy(update={"address": "127.0.0.1:9"})
    with pytest.raises(MachineRefusedError, match="opened to look at it alone"):
        OpentronsMachine(there).execute(bench.step, "t")


def test_two_processes_never_have_one_robots_log(bench, tmp_path):
    log = tmp_path / "robot.log"
    held = pytest.raises(MachineError, match="another machine holds this run log")
    with FaultyServer(bench.robot()) as server, bench.machine(server, log), held, bench.machine(server, log):
        pass


def test_a_proof_that_does_not_fit_any_more_is_refused(bench):
    for changes, message in (
        (
            {"closed_slots": ("1", "2") if bench.settings.robot == "OT-2" else ("D2",)},
            "is not what would be written now",
        ),
        ({"deck_check": "person"}, "is not what would be written now"),
    ):
        changed = bench.settings.model_copy(update=changes)
        with pytest.raises(MachineRefusedError, match=message):
            load_plate(bench.steps, WORKFLOW_SHA256, bench.files, changed)
    with pytest.raises(MachineRefusedError, match="the approved proof has no protocol for"):
        load_plate(bench.steps, WORKFLOW_SHA256, {}, bench.settings)


def test_offsets_are_sent_for_the_labware_that_stands_in_their_slot(bench, tmp_path):
    slot = {"OT-2": "2", "Flex": "D2"}[bench.settings.robot]
    plate = "corning_96_wellplate_360ul_flat"
    offsets = (
        {"labware": plate, "slot": slot, "x_mm": 0.4, "z_mm": -0.3},
        {"labware": plate, "slot": {"OT-2": "9", "Flex": "B2"}[bench.settings.robot], "x_mm": 5},
    )
    settings = OpentronsSettings.model_validate(bench.settings.model_dump() | {"labware_offsets": offsets})
    robot = bench.robot()
    with FaultyServer(robot) as server:
        machine_settings = settings.model_copy(update={"address": server.address, "poll_s": 0.01})
        machine = OpentronsMachine(machine_settings, tmp_path / "robot.log")
        machine.load(bench.steps, WORKFLOW_SHA256, bench.files)
        machine.execute(bench.step, token(bench.step))
        machine.stop()
    (run,) = robot.runs().content["data"]
    (sent,) = run["labwareOffsets"]
    assert sent["definitionUri"].startswith(f"opentrons/{plate}/")
    assert (sent["location"], sent["vector"]) == ({"slotName": slot}, {"x": 0.4, "y": 0.0, "z": -0.3})


def test_a_person_looks_at_the_deck_before_anything_moves(worker, analyse, tmp_path, bench):
    asking = bench.settings.model_copy(update={"deck_check": "person"})
    robot = bench.robot()

    class Person(FaultyServer):
        def answer(self, request):
            reply = super().answer(request)
            if request.path.endswith("/commands") and reply.content["data"][-1]["commandType"] == "waitForResume":
                seen.append(reply.content["data"][-1]["params"]["message"])
                robot.act(request.path.split("/")[2], "play")
            return reply

    seen = []
    with Person(robot) as server:
        settings = asking.model_copy(update={"address": server.address, "poll_s": 0.01})
        machine = OpentronsMachine(settings, tmp_path / "robot.log", worker=worker)
        machine.execute(bench.step, token(bench.step))
        machine.stop()
    assert re.search(r"Step 2-dose\. Look at the deck: plate \(demo/p1\) in \w+, .*fresh opentrons_", seen[0])
    assert set(robot.effects()) == {1}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.168.1.20", "192.168.1.20:31950"),
        ("http://ot2.local/", "ot2.local:31950"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
    ],
)
def test_an_address_is_a_host_with_or_without_its_port(text, address):
    assert str(Address.of(text)) == address


@pytest.mark.parametrize("text", ["", "https://ot2.local", "ot2:port", "me:secret@ot2.local", "ot2.local/runs"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigError, match="is no address of a robot; give its host"):
        Address.of(text)
    with pytest.raises(ValidationError, match="is no address of a robot"):
        OpentronsSettings.model_validate(OT2.model_dump() | {"address": text})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slots": {"plate": "12"}}, r"slot '12' cannot be given away"),
        ({"slots": {"plate": "2", "stocks": "2"}}, r"slot '2' cannot be given away"),
        ({"slots": {"plate": "3"}, "closed_slots": ["3"]}, r"slot '3' cannot be given away"),
        ({"limits": {"min_volume_ul": 50.0, "max_volume_ul": 20.0}}, "deliver nothing between 50 and 20"),
        ({"deck_check": "perhaps"}, "Input should be 'person' or 'none'"),
        ({"labware_offsets": [{"labware": "a", "slot": "1", "x_mm": 40}]}, "less than or equal to 10"),
    ],
)
def test_an_impossible_configuration_is_refused(changes, message):
    with pytest.raises(ValidationError, match=re.escape(message) if "'" not in message else message):
        OpentronsSettings.model_validate(OT2.model_dump() | changes)


def test_limits_narrow_what_the_compiler_is_told_and_slots_are_kept(worker):
    careful = OT2.model_copy(update={"slots": {"plate": "5"}})
    careful = OpentronsSettings.model_validate(careful.model_dump() | {"limits": {"min_volume_ul": 2.0}})
    assert (capabilities(careful).min_volume_ul, capabilities(careful).max_volume_ul) == (2.0, 300.0)
    (written,) = write_steps([dose_step([("A1", "B1", 5.0)])], WORKFLOW_SHA256, careful)
    assert written.deck.labware_named("plate").slot == "5"
    with pytest.raises(MachineRefusedError, match=r"one transfer of 1\.5 µL .*delivers 2 µL"):
        write_steps([dose_step([("A1", "B1", 1.5)])], WORKFLOW_SHA256, careful)


def test_a_campaign_reaches_a_robot_by_its_file(tmp_path):
    (tmp_path / "ot2.yaml").write_text("name: ot2-left\nrobot: OT-2\nleft: p20_single_gen2\naddress: 127.0.0.1:9\n")
    machine = open_machine(
        MachineSettings(kind="opentrons", parameters=str(tmp_path / "ot2.yaml")), tmp_path / "x.ledger"
    )
    assert machine.describe().machine == "ot2-left"
    assert not machine.describe().is_simulated
    machine.stop()
    assert (tmp_path / "opentrons-ot2-left.log").exists()
    with pytest.raises(ConfigError, match=r"machine\.parameters: a machine of kind 'opentrons' needs the YAML file"):
        open_machine(MachineSettings(kind="opentrons"))


def ask(server, method, path, body=None, version="*"):
    connection = http.client.HTTPConnection(*server.address.split(":"))
    headers = {} if version is None else {"Opentrons-Version": version}
    connection.request(method, path, None if body is None else json.dumps({"data": body}), headers)
    answer = connection.getresponse()
    said = answer.status, json.loads(answer.read())
    connection.close()
    return said


def test_the_simulated_robot_says_what_a_real_one_was_seen_to_say(bench):
    """Of robot-server 8.2; the table in its simulation's docstring."""
    robot = bench.robot()
    text = bench.files[f"{bench.step.uid}.py"].decode()
    with FaultyServer(robot) as server:
        assert ask(server, "GET", "/health", version=None)[0] == 422
        assert ask(server, "GET", "/health", version="1")[0] == 400
        first, again = robot.upload("a.py", text), robot.upload("a.py", text)
        assert (first.status, again.status) == (201, 200)
        protocol = first.content["data"]["id"]
        assert again.content["data"]["id"] == protocol
        other = "Flex" if bench.settings.robot == "OT-2" else "OT-2"
        assert robot.upload("b.py", text.replace(f'"{bench.settings.robot}"', f'"{other}"')).status == 422
        idle = ask(server, "POST", "/runs", {"protocolId": protocol})[1]["data"]["id"]
        status, run = ask(server, "POST", "/runs", {"protocolId": protocol})
        assert status == 201, "an idle run is superseded without a word"
        run_id = run["data"]["id"]
        assert ask(server, "POST", f"/runs/{idle}/actions", {"actionType": "play"})[0] == 409
        robot.hold_before = 2
        while (
            ask(server, "GET", f"/protocols/{protocol}/analyses/{_analysis_of(first)}")[1]["data"]["status"]
            == "pending"
        ):
            pass
        assert ask(server, "POST", f"/runs/{run_id}/actions", {"actionType": "play"})[0] == 201
        assert robot.wait_until_held()
        assert ask(server, "POST", f"/runs/{run_id}/actions", {"actionType": "play"})[0] == 201
        assert ask(server, "POST", "/runs", {"protocolId": protocol})[1]["errors"][0]["id"] == "RunAlreadyActive"
        assert ask(server, "PATCH", f"/runs/{run_id}", {"current": False})[1]["errors"][0]["id"] == "RunNotIdle"
        assert ask(server, "DELETE", f"/runs/{run_id}")[1]["errors"][0]["id"] == "RunNotIdle"
        robot.restart()
        said = ask(server, "GET", f"/runs/{run_id}")[1]["data"]
        assert (said["ok"], said["status"], said["dataError"]["errorCode"]) == (False, "stopped", "4008")
        assert [action["actionType"] for action in said["actions"]] == ["play", "play"]
        assert ask(server, "GET", f"/runs/{run_id}/commands")[1]["data"] == []
        assert ask(server, "GET", f"/runs/{idle}")[1]["data"]["actions"] == []
        assert ask(server, "DELETE", f"/runs/{run_id}")[0] == 200
        assert ask(server, "GET", f"/runs/{run_id}")[0] == 404


def _analysis_of(reply):
    return reply.content["data"]["analysisSummaries"][0]["id"]
