"""A robot's HTTP API, as far as it is used here: what is on the robot, protocols, runs and their commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from cellos_nb.errors import RequestRefusedError, RobotAwayError
from cellos_nb.hardware.opentrons.requests import RobotHttp

PAGE = 500
"""Commands asked for at once; the robot's own default is the 20 around the present one."""
ROBOT_MODELS = {"OT-2": "OT-2 Standard", "Flex": "OT-3 Standard"}
"""What `/health` calls the two kinds."""


class RunAction(StrEnum):
    """What a run can be told."""

    PLAY = "play"
    PAUSE = "pause"
    STOP = "stop"


ENDED = frozenset({"succeeded", "failed", "stopped"})
"""Statuses that do not change any more."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a robot says of itself."""

    name: str
    robot_model: str
    software: str
    newest_protocol_api: tuple[int, int]


@dataclass(frozen=True, slots=True)
class RunState:
    """One run, as the robot knows it."""

    run_id: str
    protocol_id: str | None
    status: str
    is_whole: bool
    """False when the robot's server died over it: then its commands are lost."""
    is_current: bool
    was_played: bool
    errors: tuple[str, ...]

    @property
    def has_ended(self) -> bool:
        """Whether it can move nothing any more."""
        return self.status in ENDED or not self.is_whole


@dataclass(frozen=True, slots=True)
class RobotApi:
    """One robot. Questions raise RobotAwayError when it cannot be reached; commands raise as `RobotHttp.tell`."""

    http: RobotHttp

    def health(self) -> Health:
        """Who answers at this address."""
        said = self.http.ask("/health")
        try:
            major, minor = said["maximum_protocol_api_version"]
            return Health(said["name"], said["robot_model"], said["api_version"], (major, minor))
        except (KeyError, TypeError, ValueError) as error:
            raise RobotAwayError(
                f"{self.http.address}: what answers is no Opentrons robot ({error!r} in /health). Correct `address`."
            ) from error

    def instruments(self) -> list[dict[str, Any]]:
        """What is mounted."""
        return self._list("/instruments")

    def modules(self) -> list[dict[str, Any]]:
        """What is plugged in."""
        return self._list("/modules")

    def door(self) -> dict[str, Any]:
        """Whether the door is open, and whether that matters."""
        return self._one("/robot/door/status")

    def estop(self) -> dict[str, Any]:
        """The emergency stop of a Flex."""
        return self._one("/robot/control/estopStatus")

    def cutout_fixtures(self) -> dict[str, str]:
        """What a Flex takes to be on its deck, by cutout: `cutoutA3: trashBinAdapter`."""
        fixtures = self._one("/deck_configuration").get("cutoutFixtures", [])
        return {each["cutoutId"]: each["cutoutFixtureId"] for each in fixtures}

    def upload(self, name: str, text: str) -> tuple[str, str]:
        """Puts a protocol onto the robot; returns its id, the same for the same text, and that of its analysis."""
        said = self.http.upload("/protocols", name, text)["data"]
        return said["id"], said["analysisSummaries"][-1]["id"]

    def analysis(self, protocol_id: str, analysis_id: str) -> dict[str, Any] | None:
        """The robot's own analysis; None while it is at it."""
        said = self._one(f"/protocols/{protocol_id}/analyses/{analysis_id}")
        return said if said.get("status") == "completed" else None

    def runs(self) -> tuple[RunState, ...]:
        """The runs that the robot remembers, oldest first."""
        return tuple(map(_run, self._list("/runs")))

    def run(self, run_id: str) -> RunState | None:
        """One run; None when the robot does not know it, which says nothing about whether it was carried out."""
        try:
            return _run(self._one(f"/runs/{run_id}"))
        except RequestRefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def create_run(self, protocol_id: str, labware_offsets: Sequence[Mapping[str, Any]]) -> RunState:
        """Makes a run; it moves nothing before it is played. Takes the place of one that was not played."""
        said = self.http.tell("POST", "/runs", {"protocolId": protocol_id, "labwareOffsets": list(labware_offsets)})
        return _run(said["data"])

    def act(self, run_id: str, action: RunAction) -> None:
        """Tells a run what to do."""
        self.http.tell("POST", f"/runs/{run_id}/actions", {"actionType": action.value})

    def release(self, run_id: str) -> None:
        """Takes a run off the robot, so that it cannot be played any more; refused while it moves."""
        self.http.tell("PATCH", f"/runs/{run_id}", {"current": False})

    def commands(self, run_id: str, cursor: int) -> list[dict[str, Any]]:
        """The commands of a run from one on, at most a page."""
        return self._list(f"/runs/{run_id}/commands?cursor={cursor}&pageLength={PAGE}")

    def _one(self, path: str) -> dict[str, Any]:
        data: dict[str, Any] = self.http.ask(path)["data"]
        return data

    def _list(self, path: str) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = self.http.ask(path)["data"]
        return data


def _run(said: Mapping[str, Any]) -> RunState:
    is_whole = said.get("ok", True) is not False
    errors = [error.get("detail", "") for error in said.get("errors") or []]
    if not is_whole:
        problem = said.get("dataError") or {}
        errors.append(f"{problem.get('errorCode', '')} {problem.get('detail', '')}".strip())
    # Actions that could not be read any more may have been any.
    actions = said.get("actions")
    return RunState(
        run_id=said["id"],
        protocol_id=said.get("protocolId"),
        status=said["status"],
        is_whole=is_whole,
        is_current=bool(said.get("current")),
        was_played=actions is None or any(each["actionType"] == RunAction.PLAY for each in actions),
        errors=tuple(error for error in errors if error),
    )
