"""How long a protocol takes, from the positions, volumes and flow rates of its analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cellos_nb.hardware.opentrons.catalogue import RobotKind

Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class MotionModel:
    """Speeds and fixed times of a robot. Assumed, not measured: fit them to startedAt and completedAt of real runs."""

    lateral_mm_s: float
    """Of the gantry, stops included."""
    vertical_mm_s: float
    clearance_mm: float
    """Above the higher of two wells, on the way between them."""
    pick_up_s: float
    """Pressing a tip on, beyond the way to it."""
    drop_s: float
    home_s: float
    settle_s: float
    """For every aspirate, dispense and blow-out: start, stop, plunger preparation."""
    blow_out_ul: float
    """Air that a blow-out pushes."""


MOTION: dict[RobotKind, MotionModel] = {
    "OT-2": MotionModel(300.0, 80.0, 10.0, 3.0, 1.5, 15.0, 0.4, 30.0),
    "Flex": MotionModel(300.0, 60.0, 10.0, 3.0, 1.5, 15.0, 0.4, 30.0),
}


def estimate_duration_s(analysis: Mapping[str, Any], robot: RobotKind) -> float:
    """Seconds that the commands of an analysis take, one after the other.

    Each command takes the way from the last position (up, across, down), then volume over flow rate for liquid, a
    constant for a tip, or the delay that it asks for. Set-up by a person is not in it, nor is heating or cooling.
    """
    motion = MOTION[robot]
    total, last = 0.0, None
    for command in analysis["commands"]:
        kind, asked = command["commandType"], command["params"]
        position = _position(command)
        if position is not None:
            total += _way_s(last, position, motion)
            last = position
        total += _own_s(kind, asked, motion)
    return total


def _position(command: Mapping[str, Any]) -> Position | None:
    found = (command.get("result") or {}).get("position")
    return None if found is None else (found["x"], found["y"], found["z"])


def _way_s(start: Position | None, end: Position, motion: MotionModel) -> float:
    if start is None:
        return 0.0
    across = math.hypot(end[0] - start[0], end[1] - start[1])
    if across == 0:
        return abs(end[2] - start[2]) / motion.vertical_mm_s
    top = max(start[2], end[2]) + motion.clearance_mm
    return across / motion.lateral_mm_s + (2 * top - start[2] - end[2]) / motion.vertical_mm_s


def _own_s(kind: str, asked: Mapping[str, Any], motion: MotionModel) -> float:
    if kind in {"aspirate", "dispense"}:
        return float(asked["volume"] / asked["flowRate"]) + motion.settle_s
    if kind == "blowout":
        return motion.blow_out_ul / float(asked["flowRate"]) + motion.settle_s
    constants = {"pickUpTip": motion.pick_up_s, "dropTipInPlace": motion.drop_s, "home": motion.home_s}
    if kind == "waitForDuration":
        return float(asked["seconds"])
    return constants.get(kind, 0.0)
