"""A simulated robot behind a server that loses requests and answers, and a caller that does what execution does."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.errors import MachineError, MachineRefusedError, StepFailedError
from cellos_nb.hardware.opentrons.machine import OpentronsMachine
from cellos_nb.hardware.opentrons.proof import ProofFile
from cellos_nb.hardware.opentrons.simulated.replies import Reply, declined
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
from cellos_nb.hardware.opentrons.simulated.server import RobotServer


class Fault(StrEnum):
    """What happens to one request."""

    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    ERROR_BEFORE = "500 without effect"
    ERROR_AFTER = "500 after it took effect"
    SLOW = "answered too late"
    RESTART_BEFORE = "the robot restarts before it"
    RESTART_AFTER = "the robot restarts after it took effect"


Place = tuple[str, str, int]
"""Which request: its method, its path with `*` for identifiers, and how many of that kind came before it, plus one."""

UPLOAD: Place = ("POST", "/protocols", 1)
CREATE: Place = ("POST", "/runs", 1)
PLAY: Place = ("POST", "/runs/*/actions", 1)
LOOK: Place = ("GET", "/runs/*", 1)
COPY: Place = ("GET", "/runs/*/commands", 1)
ANALYSIS: Place = ("GET", "/protocols/*/analyses/*", 1)
RELEASE: Place = ("PATCH", "/runs/*", 1)
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class FaultyServer(RobotServer):
    """Counts requests; the one at `at` meets with a fault. Hooks are called around it."""

    def __init__(self, robot, at=None, fault=None):
        super().__init__(robot)
        self.at, self.fault = at, fault
        self.log: list[Place] = []
        self.has_met = False
        self.before = self.after = lambda: None
        self.late: list = []
        """Requests that were not acted on, for `deliver`."""
        self._turn = threading.Lock()
        self.is_over = threading.Event()

    def answer(self, request):
        shape = request.method, _IDENTIFIER.sub("*", request.path)
        with self._turn:
            place = (*shape, 1 + sum(each[:2] == shape for each in self.log))
            self.log.append(place)
        if place != self.at:
            return super().answer(request)
        self.has_met = True
        self.before()
        if self.fault is Fault.RESTART_BEFORE:
            self.robot.restart()
        if self.fault is Fault.ERROR_BEFORE:
            return declined(500, "UnexpectedError", "something went wrong")
        if self.fault in {Fault.REQUEST_LOST, Fault.RESTART_BEFORE}:
            self.late.append(request)
            return None
        reply = super().answer(request)
        self.after()
        return self._spoilt(reply)

    def _spoilt(self, reply: Reply | None) -> Reply | None:
        if self.fault is Fault.RESTART_AFTER:
            self.robot.restart()
        if self.fault is Fault.SLOW:
            self.is_over.wait(20)
        if self.fault is Fault.ERROR_AFTER:
            return declined(500, "UnexpectedError", "something went wrong")
        return reply if self.fault is None else None

    def deliver(self):
        """What was lost on its way arrives after all."""
        return [super(FaultyServer, self).answer(request) for request in self.late]

    def __exit__(self, *error):
        self.is_over.set()
        super().__exit__(*error)


@dataclass(frozen=True)
class Bench:
    """One step that is proved, ready to be executed on a robot of these settings."""

    settings: object
    steps: tuple
    sha256: str
    files: dict[str, bytes]
    analyse: object

    @property
    def step(self):
        return self.steps[0]

    def robot(self, **values):
        return SimulatedRobot(self.settings, self.analyse, **values)

    @contextmanager
    def machine(self, server, log, **changes):
        """A driver for the robot behind a server, with the approved protocols."""
        quick = {"address": server.address, "poll_s": 0.01, "patience_s": 0.5, "answer_s": 0.3} | changes
        made = OpentronsMachine(self.settings.model_copy(update=quick), log)
        made.load(self.steps, self.sha256, self.files)
        try:
            yield made
        finally:
            made.stop()


def as_files(files: tuple[ProofFile, ...]) -> dict[str, bytes]:
    return {file.name: file.content for file in files}


def token(step, attempt=1):
    return f"{step.plate_id}:{step.uid}:{attempt}"


def ask(machine, name):
    """The state of a token once it is no longer running; unknown while nobody answers."""
    while True:
        try:
            outcome = machine.reconcile(name)
        except MachineError:
            return OutcomeState.UNKNOWN
        if outcome.state is not OutcomeState.RUNNING:
            return outcome.state


def carry_out(machine, step, *, attempts=3):
    """As execution does: a refused step is tried again, one in doubt is asked about, one of unknown end is held."""
    for attempt in range(1, attempts + 1):
        try:
            machine.execute(step, token(step, attempt))
        except MachineRefusedError:
            continue
        except StepFailedError:
            return OutcomeState.FAILED
        except MachineError:
            state = ask(machine, token(step, attempt))
            if state is OutcomeState.NEVER_STARTED:
                continue
            return state
        return OutcomeState.DONE
    return OutcomeState.NEVER_STARTED


def go_on(machine, step):
    """As execution does after a crash of ours: what was begun is asked about first."""
    state = ask(machine, token(step))
    return carry_out(machine, step) if state is OutcomeState.NEVER_STARTED else state


def check_effects(robot, state, n_commands):
    """What must hold whatever happened: nothing twice; done means all, once; never started means nothing."""
    effects = list(robot.effects())
    assert max(effects, default=0) <= 1
    if state is OutcomeState.DONE:
        assert len(effects) == n_commands
    if state is OutcomeState.NEVER_STARTED:
        assert not effects


def n_commands(bench):
    """How many commands the step of a bench has."""
    return len(json.loads(bench.files[f"{bench.step.uid}.analysis.json"])["commands"])


def requests_of(bench, folder):
    """What an undisturbed execution asks and tells, in order; how often it looks is chance, so each look once."""
    with FaultyServer(bench.robot()) as server, bench.machine(server, folder / "clean.log") as machine:
        assert carry_out(machine, bench.step) is OutcomeState.DONE
        check_effects(server.robot, OutcomeState.DONE, n_commands(bench))
    again = {place for place in server.log if place[2] > 1 and (*place[:2], 1) in {ANALYSIS, LOOK, COPY}}
    return [place for place in server.log if place not in again]


def restart_when_seen(server, robot, hold):
    """Restarts the robot once the driver has copied all commands up to where it is held."""
    seen, original = [], server.answer

    def answer(request):
        reply = original(request)
        is_copy = request.path.endswith("/commands")
        if is_copy and not seen and robot.wait_until_held(5) and _n_copied(request, reply) >= hold:
            seen.append(True)
            robot.restart()
        return reply

    server.answer = answer
    return lambda: bool(seen)


def _n_copied(request, reply):
    return len(reply.content["data"]) + int(request.query["cursor"][0])
