"""OpentronsMachine: an OT-2 or Flex over its HTTP API, under the contract of every machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.step import Step
from cellos_nb.errors import ConfigError, MachineError, MachineRefusedError, RobotAwayError, StepFailedError
from cellos_nb.hardware.checks import check_shape
from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.api import RobotApi
from cellos_nb.hardware.opentrons.plates import LoadedPlate, Planned, digest_of, load_plate, plan_step
from cellos_nb.hardware.opentrons.proof import prove_steps
from cellos_nb.hardware.opentrons.readiness import check_free, check_ready, check_robot
from cellos_nb.hardware.opentrons.requests import Address, RobotHttp
from cellos_nb.hardware.opentrons.run_log import Entry, Phase, RunLog
from cellos_nb.hardware.opentrons.runs import Runs
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, capabilities
from cellos_nb.hardware.opentrons.worker import OpentronsWorker

MAX_PLATES = 64
"""Whose protocols are kept at hand; a plate is loaded anew whenever its run is taken up."""

_KNOWN = {
    Phase.DONE: OutcomeState.DONE,
    Phase.FAILED: OutcomeState.FAILED,
    Phase.REFUSED: OutcomeState.NEVER_STARTED,
    Phase.UPLOADING: OutcomeState.NEVER_STARTED,
    Phase.CREATING: OutcomeState.NEVER_STARTED,
}
"""What the log alone proves: play is sent only after `playing` is on the disk."""


class OpentronsMachine:
    """One robot. It moves liquids; what reads, images or incubates is another machine.

    One step at a time: the caller sees to that by its devices, and others wait here. Nothing is asked of the robot to
    describe it or to prove a workflow, so that both work while it is switched off.
    """

    def __init__(
        self, robot: OpentronsSettings, log: Path | None = None, *, worker: OpentronsWorker | None = None
    ) -> None:
        """A robot; it is not asked for anything yet.

        Args:
            robot: its configuration.
            log: where intents and commands are kept; without, it describes and proves, but executes nothing.
            worker: the vendor's software at work; started when it is first needed if left out.

        Raises:
            MachineError: the log cannot be used, or another process holds it.
        """
        self.robot = robot
        self._worker, self._owns_worker = worker, worker is None
        self._plates: dict[str, LoadedPlate] = {}
        self._turn, self._state = threading.Lock(), threading.Lock()
        self._in_hand: str | None = None
        self._runs: Runs | None = None
        if robot.address is not None and log is not None:
            api = RobotApi(RobotHttp(Address.of(robot.address), robot.answer_s))
            self._runs = Runs(robot, api, RunLog(log))

    def describe(self) -> Capabilities:
        """What the robot can do by its configuration; it is not asked."""
        return capabilities(self.robot)

    def prove(self, steps: Sequence[Step], workflow_sha256: str) -> Mapping[str, bytes]:
        """The protocols of a workflow, proved by the vendor's software here; the robot is not asked.

        Raises:
            MachineRefusedError: a step cannot be carried out; says what to change.
            MachineError: the vendor's software is not installed, or died.
        """
        proof = prove_steps(steps, workflow_sha256, self.robot, self._vendor())
        return {file.name: file.content for file in proof.files}

    def load(self, steps: Sequence[Step], workflow_sha256: str, proof: Mapping[str, bytes]) -> None:
        """Takes the protocols that a person approved, to execute exactly those.

        Raises:
            MachineRefusedError: they are not what would be written now.
        """
        self._plates[steps[0].plate_id] = load_plate(steps, workflow_sha256, proof, self.robot)
        while len(self._plates) > MAX_PLATES:
            del self._plates[next(iter(self._plates))]

    def preflight(self, step: Step) -> None:
        """Checks the step, then the robot as it stands: model, software, pipettes, modules, door, e-stop, deck, runs.

        Raises:
            MachineRefusedError: names everything that is wrong, and what to do about each.
        """
        self._check(step)

    def execute(self, step: Step, token: str) -> None:
        """Executes one step, once for each token, and returns when the robot has come to its end.

        Raises:
            MachineRefusedError: nothing has moved; the same token may be used again.
            StepFailedError: the robot stopped or failed in mid-step.
            MachineError: it is not known how it ended; `reconcile` tells as much as can be known.
        """
        with self._turn:
            entry, digest = self._opened(step).log.entry(token), digest_of(step)
            if entry is not None and self._is_done(entry, digest, step):
                return
            with self._state:
                self._in_hand = token
            try:
                self._execute(step, token, digest)
            finally:
                with self._state:
                    self._in_hand = None

    def reconcile(self, token: str) -> Outcome:
        """What became of a step, after a crash of ours or of the robot's; unknown where nobody can tell.

        A run that was never played is taken off the robot before it is called never started.

        Raises:
            RobotAwayError: the robot would have to be asked, and cannot be reached.
        """
        with self._state:
            if token == self._in_hand:
                return Outcome(OutcomeState.RUNNING, detail=f"{self.robot.name} is at it")
        if self._runs is None:
            return Outcome(OutcomeState.UNKNOWN, detail=f"{self.robot.name} was opened without its log or address")
        entry = self._runs.log.entry(token)
        if entry is None:
            return Outcome(OutcomeState.NEVER_STARTED, detail=f"nothing was sent under it by {self._runs.log.path}")
        known = _KNOWN.get(entry.phase)
        if known is not None:
            return Outcome(known, detail=entry.detail or f"it had come as far as '{entry.phase}'")
        return self._runs.look(entry, self._planned_before(entry))

    def stop(self) -> None:
        """Ends the following and closes the log. A run in progress goes on, and is asked about the next time.

        A plate that is half dosed helps nobody. To stop the robot itself: `cellos hardware robot stop`, or its door.
        """
        if self._runs is not None:
            self._runs.leaving.set()
            self._runs.log.close()
        if self._worker is not None and self._owns_worker:
            self._worker.stop()

    def _execute(self, step: Step, token: str, digest: str) -> None:
        runs, planned = self._check(step)
        entry = runs.play(runs.begin(planned, token, digest))
        outcome = runs.follow(entry, planned)
        where = f"{step.plate_id}, step {step.uid} on {self.robot.name}"
        match outcome.state:
            case OutcomeState.DONE:
                return
            case OutcomeState.FAILED:
                raise StepFailedError(f"{where}: {outcome.detail}")
            case OutcomeState.NEVER_STARTED:
                raise MachineRefusedError(f"{where}: {outcome.detail}. Nothing has moved.")
            case _:
                raise MachineError(f"{where}: {outcome.detail}")

    def _check(self, step: Step) -> tuple[Runs, Planned]:
        check_shape(step, self.describe())
        runs, planned = self._opened(step), self._plan(step)
        try:
            check_robot(runs.api, self.robot)
            check_ready(runs.api, planned.written.deck, planned.analysis)
            check_free(runs.api, self.robot, runs.log)
        except RobotAwayError as error:
            raise MachineRefusedError(f"Step {step.uid}: {error} Nothing has moved.") from error
        return runs, planned

    def _opened(self, step: Step) -> Runs:
        if self.robot.address is None:
            raise MachineRefusedError(
                f"Step {step.uid}: {self.robot.name} has no address. Give its IP address under `address` in its "
                "configuration, or carry out the proved protocols by Opentrons' app."
            )
        if self._runs is None:
            raise MachineRefusedError(
                f"Step {step.uid}: {self.robot.name} was opened to look at it alone. Open it with a log."
            )
        if self._runs.leaving.is_set():
            raise MachineRefusedError(f"Step {step.uid}: {self.robot.name} was stopped. Open it again.")
        return self._runs

    def _is_done(self, entry: Entry, digest: str, step: Step) -> bool:
        """Whether a token was executed before; False when it may be used again."""
        if entry.digest != digest:
            raise MachineRefusedError(
                f"Step {step.uid}: the token {entry.token} was used for another step. Give each step its own token."
            )
        if entry.phase is Phase.FAILED:
            raise StepFailedError(f"{step.plate_id}, step {step.uid} on {self.robot.name}: {entry.detail}")
        if entry.phase is Phase.PLAYING:
            raise MachineError(
                f"{step.plate_id}, step {step.uid} on {self.robot.name}: play was sent under this token before. Ask "
                "what became of it."
            )
        return entry.phase is Phase.DONE

    def _plan(self, step: Step) -> Planned:
        return plan_step(step, self._plates.get(step.plate_id), self.robot, self._vendor)

    def _planned_before(self, entry: Entry) -> Planned | None:
        """The protocol of a token's step as it was approved; None when it is not at hand, and less can be said."""
        all_planned = (planned for plate in self._plates.values() for planned in plate.planned.values())
        return next((each for each in all_planned if digest_of(each.written.step) == entry.digest), None)

    def _vendor(self) -> OpentronsWorker:
        if self._worker is None:
            self._worker = OpentronsWorker(environment.require())
        return self._worker


def open_opentrons(parameters: str | None, ledger: Path | None) -> OpentronsMachine:
    """The robot of a YAML file; its log lies where simulated machines have their ledgers.

    Raises:
        ConfigError: no file is named, or it is refused.
        MachineError: another process has the robot's log.
    """
    from cellos_nb.hardware.opentrons.settings import load_robot

    if parameters is None:
        raise ConfigError(
            "machine.parameters: a machine of kind 'opentrons' needs the YAML file of the robot, as in "
            "`machine: {kind: opentrons, parameters: ot2-left.yaml}`."
        )
    return open_robot(load_robot(parameters), ledger)


def open_robot(robot: OpentronsSettings, ledger: Path | None) -> OpentronsMachine:
    """A robot with its log beside the ledgers of simulated machines; without one it describes and proves alone.

    Raises:
        MachineError: another process has the robot's log.
    """
    return OpentronsMachine(robot, None if ledger is None else ledger.with_name(f"opentrons-{robot.name}.log"))
