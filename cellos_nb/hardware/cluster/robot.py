"""Robot: a machine as its own host guards it, so that no call is acted on twice, whoever repeats it."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from dataclasses import dataclass, replace

from cellos_nb.domain import codec
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step
from cellos_nb.errors import ConfigError, MachineError, MachineRefusedError, StepFailedError
from cellos_nb.hardware.cluster.step_log import Entry, Progress, StepLog
from cellos_nb.hardware.interface import HardwareInterface


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a token, and what a later call with it has to bring."""

    outcome: Outcome
    permit: str


class Robot:
    """One machine and its write-ahead log. Calls may come late, twice, or after somebody has given them up.

    token unknown ── execute ──► begun, on the disk ──► the machine moves ──► done | refused | failed, on the disk
         │                          │ the host dies
         │                          ▼
         └── asked about ──►  the machine is asked; calls that were sent before the question are void from now on
    """

    def __init__(self, name: str, machine: HardwareInterface, log: StepLog) -> None:
        """A robot.

        Args:
            name: in the cluster.
            machine: opened, for this process alone.
            log: of this robot since it was first used.

        Raises:
            ConfigError: the name is blank, or has a blank, comma or slash in it.
        """
        if not re.fullmatch(r"[^\s,/]+", name):
            raise ConfigError(f"robot: {name!r} is no name for a robot; give one without blanks, commas and slashes.")
        self.name = name
        self._machine, self._log = machine, log
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._in_hand: str | None = None

    def describe(self) -> Capabilities:
        """What the machine can do."""
        return self._machine.describe()

    def preflight(self, step: Step) -> None:
        """Has the machine check a step. Raises as the machine does."""
        self._machine.preflight(step)

    def execute(self, step: Step, token: str, permit: str = "") -> Reading | None:
        """Executes a step, unless a call with this token was acted on before: then says what came of that one.

        Args:
            step: what to do.
            token: names this attempt.
            permit: from the last question about the token, when there was one.

        Raises:
            MachineRefusedError: nothing has moved by this call; also when somebody asked about the token since it was
                sent, and counts on it not being acted on.
            StepFailedError: the step failed and may have begun.
            MachineError: it was begun before, and it cannot be told what became of it.
        """
        digest = hashlib.blake2b(codec.to_json(step).encode(), digest_size=16).hexdigest()
        with self._turn:
            before = self._admit(step, token, digest, permit)
            try:
                if before.progress is Progress.BEGUN:
                    earlier = self._ask_about(step, token)
                    if earlier.state is OutcomeState.DONE:
                        self._end(token, Progress.DONE, reading=earlier.reading)
                        return earlier.reading
                return self._move(step, token)
            finally:
                with self._state:
                    self._in_hand = None

    def reconcile(self, token: str) -> Answer:
        """What became of a token. Calls with it that have not begun yet are void, unless they bring the permit.

        Raises:
            MachineError: the log cannot be written, so that nothing can be promised.
        """
        with self._state:
            entry = self._log.entry(token)
            if token == self._in_hand:
                return Answer(Outcome(OutcomeState.RUNNING, detail=f"{self.name} is at it"), entry.permit)
            if entry.progress is Progress.DONE:
                return Answer(Outcome(OutcomeState.DONE, entry.reading, "executed and recorded"), entry.permit)
            entry = replace(entry, permit=uuid.uuid4().hex)
            self._log.note(token, entry)
        if entry.progress is Progress.FAILED:
            return Answer(Outcome(OutcomeState.FAILED, detail=entry.error), entry.permit)
        if entry.progress is Progress.REFUSED:
            return Answer(Outcome(OutcomeState.NEVER_STARTED, detail=entry.error), entry.permit)
        return Answer(self._machine.reconcile(token), entry.permit)

    def finish(self) -> None:
        """Waits for the step in hand, begins no other, and closes machine and log."""
        self._turn.acquire()  # for good
        self._machine.stop()
        self._log.close()

    def _admit(self, step: Step, token: str, digest: str, permit: str) -> Entry:
        """Takes a token in hand; what was known of it before."""
        with self._state:
            entry = self._log.entry(token)
            if entry.digest and entry.digest != digest:
                raise MachineRefusedError(
                    f"Step {step.uid}: the token {token} was used for another step. Give each step its own token."
                )
            if entry.progress is Progress.FAILED:
                raise StepFailedError(entry.error)
            if entry.permit != permit and entry.progress is not Progress.DONE:
                late = (
                    f"Step {step.uid}: this call came late, somebody asked {self.name} about {token} after it was sent"
                )
                if entry.progress is Progress.BEGUN:
                    raise MachineError(f"{late}. An earlier call had begun; ask what became of it.")
                raise MachineRefusedError(f"{late} and has decided since. Nothing was moved.")
            if entry.progress not in {Progress.BEGUN, Progress.DONE}:
                self._log.note(token, Entry(Progress.BEGUN, digest, permit))
            self._in_hand = token
            return entry

    def _ask_about(self, step: Step, token: str) -> Outcome:
        """What the machine itself knows of a step that was begun by an earlier process.

        Raises:
            StepFailedError: it failed.
            MachineError: it is still running, or nobody can tell.
        """
        outcome = self._machine.reconcile(token)
        where = f"{step.plate_id}, step {step.uid} on {self.name}"
        if outcome.state is OutcomeState.FAILED:
            self._end(token, Progress.FAILED, error=outcome.detail)
            raise StepFailedError(f"{where}: {outcome.detail}")
        is_known = outcome.state is OutcomeState.DONE and (outcome.reading is not None or step.readout is None)
        if not is_known and outcome.state is not OutcomeState.NEVER_STARTED:
            detail = outcome.detail or outcome.state.value
            raise MachineError(f"{where}: it was begun before, and its end was not recorded ({detail}).")
        return outcome

    def _move(self, step: Step, token: str) -> Reading | None:
        entry = self._log.entry(token)
        if entry.progress is Progress.DONE:
            return entry.reading
        try:
            reading = self._machine.execute(step, token)
        except MachineRefusedError as error:
            self._end(token, Progress.REFUSED, error=str(error))
            raise
        except StepFailedError as error:
            self._end(token, Progress.FAILED, error=str(error))
            raise
        self._end(token, Progress.DONE, reading=reading)
        return reading

    def _end(self, token: str, progress: Progress, *, reading: Reading | None = None, error: str = "") -> None:
        with self._state:
            begun = self._log.entry(token)
            self._log.note(token, replace(begun, progress=progress, reading=reading, error=error))
