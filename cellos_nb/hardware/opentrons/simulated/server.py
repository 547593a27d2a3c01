"""The HTTP server of a simulated robot, on this machine alone."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cellos_nb.errors import MachineError
from cellos_nb.hardware.opentrons.api import ROBOT_MODELS
from cellos_nb.hardware.opentrons.catalogue import SLOTS
from cellos_nb.hardware.opentrons.readiness import TEMPERATURE_MODULE_MODEL
from cellos_nb.hardware.opentrons.settings import OpentronsSettings
from cellos_nb.hardware.opentrons.simulated.replies import Reply, declined, one
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot

SOFTWARE = "8.2.0-simulated"
NEWEST_PROTOCOL_API = (2, 21)
_FLEX_NAMES = {
    "flex_1channel_50": "p50_single_flex",
    "flex_8channel_50": "p50_multi_flex",
    "flex_1channel_1000": "p1000_single_flex",
    "flex_8channel_1000": "p1000_multi_flex",
}
_PAGE = 20


@dataclass(frozen=True, slots=True)
class Request:
    """What came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        """What a JSON request asks for."""
        found: dict[str, Any] = json.loads(self.body)["data"]
        return found


class RobotServer:
    """Serves one simulated robot at an address of 127.0.0.1; use it as a context manager."""

    def __init__(self, robot: SimulatedRobot, port: int = 0) -> None:
        """Begins to listen; at any free port when 0.

        Raises:
            MachineError: something else listens there.
        """
        self.robot = robot
        server = self

        class Handler(_Handler):
            owner = server

        try:
            self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise MachineError(
                f"127.0.0.1:{port}: a simulated robot cannot listen there ({error.strerror}). Choose another port."
            ) from error
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request: Request) -> Reply | None:
        """What a request gets; None to drop the connection without a word."""
        version = request.headers.get("Opentrons-Version")
        if version is None:
            return declined(422, "InvalidRequest", "header Opentrons-Version: field required")
        if version != "*" and (not version.isdigit() or int(version) < 2):
            return declined(400, "OutdatedAPIVersion", "HTTP API version 1 is no longer supported.")
        if self.robot.is_booting:
            return declined(503, "DatabaseNotYetInitialized", "The database is not ready yet.")
        for (method, pattern), handle in _ROUTES.items():
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return handle(self.robot, request, *match.groups())
        return declined(404, "NotFound", request.path)


class _Handler(BaseHTTPRequestHandler):
    owner: RobotServer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.owner.answer(Request(self.command, parts.path, parse_qs(parts.query), self.headers, body))
        # As the robot's own server, which keeps no connection after an error.
        self.close_connection = reply is None or reply.status >= 500 or self.close_connection
        if reply is None:
            return
        text = json.dumps(reply.content).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 — names of http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — http.server's own name
        """Keeps requests out of standard error."""


def _health(robot: SimulatedRobot, request: Request) -> Reply:
    del request
    said = {
        "name": f"{robot.settings.name} (simulated)",
        "robot_model": ROBOT_MODELS[robot.settings.robot],
        "api_version": SOFTWARE,
        "minimum_protocol_api_version": [2, 0],
        "maximum_protocol_api_version": list(NEWEST_PROTOCOL_API),
    }
    return Reply(200, said)


def _upload(robot: SimulatedRobot, request: Request) -> Reply:
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    form = BytesParser().parsebytes(head + request.body)
    parts = form.get_payload() if form.is_multipart() else []
    files = [part for part in parts if isinstance(part, Message) and part.get_filename()]
    if not files:
        return declined(422, "ProtocolFilesInvalid", "no file")
    content = files[0].get_payload(decode=True)
    text = content.decode() if isinstance(content, bytes) else ""
    return robot.upload(files[0].get_filename() or "", text)


def _instruments(robot: SimulatedRobot, request: Request) -> Reply:
    del request
    found = []
    for pipette in robot.settings.pipettes:
        said = {"mount": pipette.mount, "instrumentType": "pipette", "ok": True}
        said["instrumentName"] = _FLEX_NAMES.get(pipette.name, pipette.name)
        if robot.settings.robot == "Flex":
            said["state"] = {"tipDetected": False}
        found.append(said)
    return Reply(200, {"data": found})


def _modules(robot: SimulatedRobot, request: Request) -> Reply:
    del request
    return Reply(200, {"data": [{"moduleModel": TEMPERATURE_MODULE_MODEL} for _ in robot.settings.temperature_modules]})


def _deck(robot: SimulatedRobot, request: Request) -> Reply:
    del request
    if robot.settings.robot == "OT-2":
        return declined(403, "NotSupportedOnOT2", "an OT-2 has no deck configuration")
    there = [
        {"cutoutId": f"cutout{slot}", "cutoutFixtureId": fixture_in(robot.settings, slot)} for slot in SLOTS["Flex"]
    ]
    return one(200, {"cutoutFixtures": there})


def fixture_in(settings: OpentronsSettings, slot: str) -> str:
    """What a Flex has in a slot by its settings."""
    if slot == settings.trash:
        return "trashBinAdapter"
    if slot in settings.temperature_modules:
        return TEMPERATURE_MODULE_MODEL
    return {"1": "singleLeftSlot", "2": "singleCenterSlot", "3": "singleRightSlot"}[slot[1]]


def _door(robot: SimulatedRobot, request: Request) -> Reply:
    del request
    return one(200, {"status": "open" if robot.is_door_open else "closed", "doorRequiredClosedForProtocol": True})


def _estop(robot: SimulatedRobot, request: Request) -> Reply:
    del request
    if robot.settings.robot == "OT-2":
        return declined(403, "NotSupportedOnOT2", "an OT-2 has no emergency stop")
    return one(200, {"status": "physicallyEngaged" if robot.has_estop_pressed else "disengaged"})


def _commands(robot: SimulatedRobot, request: Request, run_id: str) -> Reply:
    cursor = request.query.get("cursor")
    n = int(request.query.get("pageLength", [str(_PAGE)])[0])
    return robot.commands(run_id, int(cursor[0]) if cursor else None, n)


_ROUTES: dict[tuple[str, str], Callable[..., Reply]] = {
    ("GET", "/health"): _health,
    ("GET", "/instruments"): _instruments,
    ("GET", "/modules"): _modules,
    ("GET", "/deck_configuration"): _deck,
    ("GET", "/robot/door/status"): _door,
    ("GET", "/robot/control/estopStatus"): _estop,
    ("POST", "/protocols"): _upload,
    ("GET", "/protocols/([^/]+)/analyses/([^/]+)"): lambda robot, _, *ids: robot.analysis(*ids),
    ("POST", "/runs"): lambda robot, request: robot.create_run(request.data),
    ("GET", "/runs"): lambda robot, _: robot.runs(),
    ("GET", "/runs/([^/]+)"): lambda robot, _, run_id: robot.run(run_id),
    ("PATCH", "/runs/([^/]+)"): lambda robot, request, run_id: robot.update_run(run_id, request.data),
    ("DELETE", "/runs/([^/]+)"): lambda robot, _, run_id: robot.delete_run(run_id),
    ("POST", "/runs/([^/]+)/actions"): lambda robot, request, run_id: robot.act(run_id, request.data["actionType"]),
    ("GET", "/runs/([^/]+)/commands"): _commands,
}
