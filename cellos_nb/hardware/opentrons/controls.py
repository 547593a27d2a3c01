"""What a person tells a robot directly, whoever follows its run: look, pause, resume, stop."""

from __future__ import annotations

from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.opentrons.api import RobotApi, RunAction, RunState
from cellos_nb.hardware.opentrons.requests import Address, RobotHttp
from cellos_nb.hardware.opentrons.settings import OpentronsSettings


def api_of(robot: OpentronsSettings) -> RobotApi:
    """The robot at the address of its configuration.

    Raises:
        MachineRefusedError: it has none.
    """
    if robot.address is None:
        raise MachineRefusedError(f"{robot.name} has no address. Give its IP address under `address`.")
    return RobotApi(RobotHttp(Address.of(robot.address), robot.answer_s))


def current_run(api: RobotApi) -> RunState | None:
    """The run that has the robot, begun or not; None when it is free.

    Raises:
        RobotAwayError: the robot cannot be reached.
    """
    return next((run for run in api.runs() if run.is_current and not run.has_ended), None)


def tell(robot: OpentronsSettings, action: RunAction) -> RunState:
    """Pauses, resumes or stops the run that is under way, once, and returns it as it is afterwards.

    A run that was never played is not begun from here: that takes a proof and an approval.

    Raises:
        MachineRefusedError: no run is under way, or the robot declines.
        AnswerLostError: it may have taken effect; look at the robot.
    """
    api = api_of(robot)
    run = current_run(api)
    if run is None or not run.was_played:
        raise MachineRefusedError(f"{robot.name}: no run is under way, so there is nothing to {action.name.lower()}.")
    if action is RunAction.PLAY and run.status == "running":
        return run
    api.act(run.run_id, action)
    return api.run(run.run_id) or run
