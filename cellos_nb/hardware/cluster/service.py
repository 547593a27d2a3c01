"""What a dispatcher may ask of a robot host. These functions run there, as Dask tasks; JSON goes in and out."""

from __future__ import annotations

from cellos_nb.domain import codec
from cellos_nb.domain.step import Step
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.cluster.robot import Robot

_SERVED: dict[str, Robot] = {}


def serve(robot: Robot) -> None:
    """Makes a robot of this process known to calls."""
    _SERVED[robot.name] = robot


def describe(name: str) -> str:
    """What the robot can do."""
    return codec.to_json(_robot(name).describe())


def preflight(name: str, step: str) -> None:
    """Has the robot check a step."""
    _robot(name).preflight(codec.from_json(Step, step))


def execute(name: str, step: str, token: str, permit: str) -> str | None:
    """Has the robot execute a step; its reading, if it has one."""
    reading = _robot(name).execute(codec.from_json(Step, step), token, permit)
    return None if reading is None else codec.to_json(reading)


def reconcile(name: str, token: str) -> tuple[str, str]:
    """What became of a token, and the permit for calls to come."""
    answer = _robot(name).reconcile(token)
    return codec.to_json(answer.outcome), answer.permit


def _robot(name: str) -> Robot:
    robot = _SERVED.get(name)
    if robot is None:
        raise MachineRefusedError(
            f"{name}: a worker offers this robot and does not own it. Start it by `cellos worker --robot {name}`."
        )
    return robot
