"""Whether a robot, as it stands now, can carry out a step: asked before anything is sent that could move it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cellos_nb.errors import MachineRefusedError, RequestRefusedError
from cellos_nb.hardware.opentrons.api import ENDED, ROBOT_MODELS, RobotApi
from cellos_nb.hardware.opentrons.catalogue import API_LEVELS, TRASH_SLOTS
from cellos_nb.hardware.opentrons.deck import Deck
from cellos_nb.hardware.opentrons.run_log import RunLog
from cellos_nb.hardware.opentrons.settings import OpentronsSettings

TEMPERATURE_MODULE_MODEL = "temperatureModuleV2"
_PLAIN_FIXTURES = ("singleLeftSlot", "singleCenterSlot", "singleRightSlot", "stagingAreaRightSlot")


def check_robot(api: RobotApi, robot: OpentronsSettings) -> None:
    """Returns when the robot at the address is the one that is configured, and its software is new enough.

    Raises:
        MachineRefusedError: says what is wrong and what to do.
        RobotAwayError: it cannot be reached.
    """
    health = api.health()
    wanted = ROBOT_MODELS[robot.robot]
    if health.robot_model != wanted:
        raise MachineRefusedError(
            f"{robot.name}: at {robot.address} there is an {health.robot_model} ('{health.name}'), but the "
            f"configuration says {robot.robot}. Correct `robot` or `address`."
        )
    level = API_LEVELS[robot.robot]
    if health.newest_protocol_api < tuple(int(part) for part in level.split(".")):
        newest = ".".join(map(str, health.newest_protocol_api))
        raise MachineRefusedError(
            f"{robot.name}: its software {health.software} reads protocols up to API {newest}, but {level} is needed. "
            "Update the robot in Opentrons' app."
        )


def check_ready(api: RobotApi, deck: Deck, analysis: Mapping[str, Any]) -> None:
    """Returns when all is there that a step needs, and nothing keeps the robot from moving.

    Args:
        api: of the robot.
        deck: where everything is to stand.
        analysis: of the step's protocol; names pipettes as the robot does.

    Raises:
        MachineRefusedError: names everything that is missing, and what to do about each.
        RobotAwayError: it cannot be reached.
    """
    robot = deck.robot
    problems = [*_pipettes(api, analysis), *_modules(api, deck), *_door(api)]
    if robot.robot == "Flex":
        problems += [*_estop(api), *_fixtures(api, deck)]
    if problems:
        raise MachineRefusedError(f"{robot.name} is not ready: {' '.join(problems)} Nothing has moved.")


def check_free(api: RobotApi, robot: OpentronsSettings, log: RunLog) -> None:
    """Returns when no other run has the robot: neither one that moves nor one that somebody has set up.

    Raises:
        MachineRefusedError: names the run, and what to do.
        RobotAwayError: the robot cannot be reached.
    """
    for run in api.runs():
        if not run.is_current or run.status in ENDED or not run.is_whole:
            continue
        is_ours = log.token_of(run.run_id) is not None or log.has_protocol(run.protocol_id)
        if run.was_played or not is_ours:
            raise MachineRefusedError(
                f"{robot.name} is in use: run {run.run_id} is {run.status}. Wait for its end, or close it in "
                "Opentrons' app or at the robot. Nothing has moved."
            )


def _pipettes(api: RobotApi, analysis: Mapping[str, Any]) -> Iterator[str]:
    mounted = {each.get("mount"): each for each in api.instruments()}
    for needed in analysis.get("pipettes", []):
        mount, name = needed["mount"], needed["pipetteName"]
        found = mounted.get(mount)
        there = found.get("instrumentName") if found else None
        if found is None or there != name:
            yield f"{mount} mount: {name} is needed, but there is {there or 'none'}; mount it, or correct `{mount}`."
        elif found.get("ok") is False:
            yield f"{mount} mount: the {name} is not in order; look at it in Opentrons' app."
        elif (found.get("state") or {}).get("tipDetected"):
            yield f"{mount} mount: a tip is on the {name}; drop it in Opentrons' app."


def _modules(api: RobotApi, deck: Deck) -> Iterator[str]:
    needed = sum(placed.chilled_c is not None for placed in deck.labware)
    if not needed:
        return
    found = sum(each.get("moduleModel") == TEMPERATURE_MODULE_MODEL for each in api.modules())
    if found < needed:
        yield f"{needed} temperature modules (gen2) are needed, but {found} are plugged in; switch them on."


def _door(api: RobotApi) -> Iterator[str]:
    door = api.door()
    if door.get("status") == "open" and door.get("doorRequiredClosedForProtocol", True):
        yield "The door is open; close it."


def _estop(api: RobotApi) -> Iterator[str]:
    try:
        status = api.estop().get("status")
    except RequestRefusedError as error:
        yield f"The emergency stop cannot be asked about ({error})."
        return
    if status != "disengaged":
        yield f"The emergency stop is '{status}'; release it, and confirm that at the robot."


def _fixtures(api: RobotApi, deck: Deck) -> Iterator[str]:
    """A Flex runs into an error in mid-run where its deck configuration and the protocol differ."""
    there = api.cutout_fixtures()
    trash = deck.robot.used_trash
    if trash in TRASH_SLOTS and there.get(f"cutout{trash}") != "trashBinAdapter":
        found = there.get(f"cutout{trash}")
        yield f"Slot {trash}: a trash bin is needed, but the deck configuration has '{found}'; correct it or `trash`."
    for placed in deck.labware:
        found = there.get(f"cutout{placed.slot}", "")
        if placed.chilled_c is not None:
            if not found.startswith(TEMPERATURE_MODULE_MODEL):
                yield f"Slot {placed.slot}: the deck configuration has '{found}', not a temperature module; correct it."
        elif found not in _PLAIN_FIXTURES:
            yield f"Slot {placed.slot}: '{placed.name}' stands there, but the deck configuration has '{found}'."
    for rack in deck.tip_racks:
        found = there.get(f"cutout{rack.slot}", "")
        if found not in _PLAIN_FIXTURES:
            yield f"Slot {rack.slot}: tips stand there, but the deck configuration has '{found}'."
