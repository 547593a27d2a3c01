"""InstrumentLine: what PyLabRobot's instruments can do of a workflow, each command on the disk before it is told."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cellos_nb.domain import codec
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import ConfigError, MachineError, MachineRefusedError, StepFailedError, StuckError
from cellos_nb.hardware.checks import check_shape
from cellos_nb.hardware.cluster.step_log import Progress, StepLog
from cellos_nb.hardware.pylabrobot.commands import Command, CommandLog
from cellos_nb.hardware.pylabrobot.device_loop import DeviceLoop
from cellos_nb.hardware.pylabrobot.hamilton import Hamilton, Volumes
from cellos_nb.hardware.pylabrobot.imagers import Imager, check_images
from cellos_nb.hardware.pylabrobot.readers import Incubator, Reader
from cellos_nb.hardware.pylabrobot.settings import PyLabRobotFile
from cellos_nb.hardware.virtual import VirtualMachine

log = logging.getLogger(__name__)


class InstrumentLine:
    """A liquid handler, a reader, an imager and an incubator, as far as they are there.

    preflight: the step on numbers, then on PyLabRobot's stand-in with this deck ──► refused, nothing moved
    execute:   connect ──► command by command, each noted before it is told ──► done, or failed, or not heard of again
    """

    def __init__(self, settings: PyLabRobotFile, ledger: Path | None = None) -> None:
        """A line of instruments; they are connected to when a step needs them.

        Raises:
            MachineError: the logs cannot be used, or another process has this machine.
        """
        self._settings = settings
        can = self.describe()
        self._account = VirtualMachine(
            ledger,
            name=settings.name,
            min_volume_ul=can.min_volume_ul,
            max_volume_ul=can.max_volume_ul,
            plate_formats=can.plate_formats,
        )
        self._log = CommandLog(StepLog(ledger.with_suffix(".steps"))) if ledger is not None else None
        self._loops: dict[str, DeviceLoop] = {}
        self._reader: Reader | None = None
        self._imager: Imager | None = None
        self._incubator: Incubator | None = None

    def describe(self) -> Capabilities:
        """What these instruments can do."""
        return self._settings.capabilities

    def preflight(self, step: Step) -> None:
        """Rehearses a step on numbers and, when it moves liquid, on PyLabRobot's stand-in for this deck.

        Raises:
            MachineRefusedError: the step cannot be executed; says what to change.
        """
        check_shape(step, self._settings.capabilities)
        if step.readout is None:
            self._account.preflight(step)
        elif step.kind is StepKind.IMAGE and self._settings.imager is not None:
            check_images(step, self._settings.imager, self._settings.name)
        else:
            self._check_signals(step)
        if step.transfers is not None:
            self._rehearse(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        """Executes a step, once for each token.

        Raises:
            MachineRefusedError: nothing has moved; also when the instrument is not there.
            StepFailedError: an instrument reported a failure after the step had begun.
            MachineError: an instrument was not heard of again; what became of the step is not known.
        """
        if self._log is None:
            raise MachineRefusedError(
                f"Step {step.uid}: {self._settings.name} was opened to be looked at, without a log. Open it through a "
                "lab's database."
            )
        digest = hashlib.blake2b(codec.to_json(step).encode(), digest_size=16).hexdigest()
        known = self._log.step(token)
        if known.digest and known.digest != digest:
            raise MachineRefusedError(
                f"Step {step.uid}: the token {token} was used for another step. Give each step its own token."
            )
        if known.progress is Progress.DONE:
            return known.reading
        if known.progress is Progress.FAILED:
            raise StepFailedError(known.error)
        if known.progress is Progress.BEGUN and self._log.outcome(token).state is not OutcomeState.NEVER_STARTED:
            raise MachineError(f"Step {step.uid}: {self._log.outcome(token).detail}. It is not begun again.")
        self.preflight(step)
        return self._carry_out(step, token, digest, self._log)

    def reconcile(self, token: str) -> Outcome:
        """What the command log knows of a step: an instrument itself remembers nothing."""
        if self._log is None:
            return Outcome(OutcomeState.NEVER_STARTED, detail="opened without a log")
        return self._log.outcome(token)

    def stop(self) -> None:
        """Closes connections, threads and logs. May be called twice."""
        if self._reader is not None:
            self._quietly("reader", self._reader.front.stop)
        if self._imager is not None:
            self._quietly("imager", self._imager.front.stop)
        if self._incubator is not None:
            self._quietly("incubator", self._incubator.front.stop)
        self._reader = self._imager = self._incubator = None
        for loop in self._loops.values():
            loop.close()
        self._loops.clear()
        if self._log is not None:
            self._log.close()
        self._account.stop()

    @property
    def account(self) -> VirtualMachine:
        """What the wells hold after the commands that were carried out."""
        return self._account

    def _carry_out(self, step: Step, token: str, digest: str, journal: CommandLog) -> Reading | None:
        name, front, commands, reader = self._connected(step)
        journal.begin(token, digest)
        loop, n_moved, n_moves = self._loop(name), 0, len(step.transfers or ())
        try:
            for number, command in enumerate(commands, 1):
                where = f"command {number}, {command.text}; {n_moved} of {n_moves} transfers were made before"
                journal.command(token, Progress.BEGUN, where)
                loop.call(command.make, command.text)
                n_moved += command.is_transfer
                journal.command(token, Progress.DONE, f"command {number}, {command.text}; {n_moved} transfers are made")
            reading = reader.reading(step) if reader is not None else None
        except StuckError as error:
            raise StuckError(f"Step {step.uid}: {error} {n_moved} of {n_moves} transfers were made before.") from error
        except Exception as error:
            # PyLabRobot raises whatever its back ends and drivers do.
            said = str(error) or type(error).__name__
            problem = f"Step {step.uid}: {said} ({n_moved} of {n_moves} transfers were made before)."
            journal.end(token, digest, Progress.FAILED, error=problem)
            raise StepFailedError(problem) from error
        finally:
            if step.transfers is not None:
                self._quietly(name, front.stop)
        if step.readout is None:
            self._account.execute(step, token)
        journal.end(token, digest, Progress.DONE, reading=reading)
        return reading

    def _connected(self, step: Step) -> tuple[str, Any, Iterable[Command], Reader | Imager | None]:
        """The instrument for a step, connected, and what it is told.

        Raises:
            MachineRefusedError: it is not there; nothing has moved.
        """
        name = _instrument_for(step)
        try:
            if step.transfers is not None:
                hamilton = self._hamilton(step, is_rehearsal=False)
                self._loop(name).call(hamilton.handler.setup, "connecting")
                return name, hamilton.handler, hamilton.commands(), None
            if step.kind is StepKind.IMAGE and self._settings.imager is not None:
                if self._imager is None:
                    imager = Imager(self._settings.imager)
                    self._loop(name).call(imager.connect, "connecting")
                    self._imager = imager
                return name, self._imager.front, self._imager.commands(step), self._imager
            if step.readout is not None and self._settings.reader is not None:
                if self._reader is None:
                    reader = Reader(self._settings.reader)
                    self._loop(name).call(reader.front.setup, "connecting")
                    self._reader = reader
                return name, self._reader.front, self._reader.commands(step), self._reader
            if self._settings.incubator is not None:
                if self._incubator is None:
                    incubator = Incubator(self._settings.incubator)
                    self._loop(name).call(incubator.front.setup, "connecting")
                    self._incubator = incubator
                return name, self._incubator.front, self._incubator.commands(step), None
        except (MachineRefusedError, ConfigError):
            raise
        except Exception as error:
            # Drivers raise whatever USB, serial ports and their libraries do.
            raise MachineRefusedError(
                f"Step {step.uid}: the {name.replace('_', ' ')} of {self._settings.name} is not there ({error}). "
                "Switch it on and look at its cable; nothing has moved."
            ) from error
        raise AssertionError(f"{step.kind}: is refused in preflight")

    def _hamilton(self, step: Step, *, is_rehearsal: bool) -> Hamilton:
        handler = self._settings.liquid_handler
        if handler is None:
            raise AssertionError(f"{step.kind}: is refused in preflight")
        from pylabrobot.resources import set_tip_tracking, set_volume_tracking

        set_tip_tracking(enabled=True)
        set_volume_tracking(enabled=True)
        return Hamilton(handler, step, self._volumes(step), is_rehearsal=is_rehearsal)

    def _rehearse(self, step: Step) -> None:
        """Has PyLabRobot's stand-in do the step on this deck: its trackers see what numbers alone do not."""
        hamilton = self._hamilton(step, is_rehearsal=True)
        loop = self._loop("rehearsal")
        loop.call(hamilton.handler.setup, "rehearsing")
        try:
            for command in hamilton.commands():
                loop.call(command.make, command.text)
        except (MachineRefusedError, StuckError):
            raise
        except Exception as error:
            raise MachineRefusedError(f"Step {step.uid}: PyLabRobot refuses it on this deck ({error}).") from error
        finally:
            self._quietly("rehearsal", hamilton.handler.stop)

    def _volumes(self, step: Step) -> Volumes:
        """What stands in the wells when a step begins."""
        held: dict[tuple[str, str], float] = {}
        for name, volumes in self._account.volumes_before(step).items():
            held |= {(name, well): volume_ul for well, volume_ul in volumes.items() if volume_ul > 0}
        for fill in step.fills:
            held[fill.labware, fill.well] = held.get((fill.labware, fill.well), 0.0) + fill.volume_ul
        return held

    def _check_signals(self, step: Step) -> None:
        reader, readout = self._settings.reader, step.readout
        unknown = [name for name in readout.channels if reader and name not in reader.signals] if readout else []
        if unknown and reader is not None:
            raise MachineRefusedError(
                f"Step {step.uid}: the reader of {self._settings.name} has no signal {unknown[0]!r}; possible: "
                f"{', '.join(reader.signals)}. Add it to `signals` in the machine file."
            )

    def _loop(self, name: str) -> DeviceLoop:
        if name not in self._loops:
            self._loops[name] = DeviceLoop(f"{self._settings.name} {name}", self._settings.timeout_s)
        return self._loops[name]

    def _quietly(self, name: str, stop: Any) -> None:
        """Closes a connection; what goes wrong with that changes nothing that was done."""
        try:
            self._loop(name).call(stop, "closing")
        except Exception as error:  # noqa: BLE001 — as above
            log.warning("%s %s: could not be closed (%s)", self._settings.name, name, error)


def _instrument_for(step: Step) -> str:
    if step.transfers is not None:
        return "liquid_handler"
    if step.kind is StepKind.IMAGE:
        return "imager"
    return "reader" if step.readout is not None else "incubator"


def open_line(settings: PyLabRobotFile, ledger: Path | None) -> InstrumentLine:
    """A line of instruments with its logs; without a ledger it can be described and asked alone."""
    return InstrumentLine(settings, ledger)
