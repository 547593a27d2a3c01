"""The machine: tells the device what to do, at most once for each step."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from cellos_nb.domain import codec
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import MachineError, MachineRefusedError, StepFailedError
from cellos_nb.hardware.append_log import AppendLog
from cellos_nb.hardware.virtual import VirtualMachine
from my_machine.device import Device

NAME = "my_machine"


def open_my_machine(settings: MachineSettings, ledger: Path | None, seed: int) -> MyMachine:
    """What the entry point names; `ledger` is None for a machine that is only asked what it can do."""
    del settings, seed  # a real device has neither
    return MyMachine(Device(), ledger)


class MyMachine:
    """A device with a twin and a log.

    The twin knows what every well holds, and refuses what cannot be done before anything moves. The log knows what was
    begun and what was done, on the disk before the device is told: after a crash it says which step is in doubt.
    """

    def __init__(self, device: Device, ledger: Path | None) -> None:
        """A machine.

        Args:
            device: not yet connected.
            ledger: where the memory lies; without one, nothing is executed.
        """
        self._device = device
        self._twin = VirtualMachine(
            ledger, name=NAME, min_volume_ul=1.0, max_volume_ul=1000.0, plate_formats=(24, 96, 384)
        )
        self._known: dict[str, dict[str, Any]] = {}
        """By token: the last line about it."""
        self._log: AppendLog | None = None
        if ledger is not None:
            log = ledger.with_suffix(".steps")
            self._log = AppendLog(log, magic=f"{NAME} steps 1", what="step log", on_record=self._keep)
        self._is_connected = False

    def describe(self) -> Capabilities:
        """What the machine can do. `is_simulated` becomes False with the real device: then it needs approvals."""
        return replace(
            self._twin.describe(),
            is_simulated=True,
            # The device cannot be asked what it did: a step that was begun when the power went is in doubt.
            can_reconcile=False,
            assays=("viability",),
            step_kinds=(StepKind.SEED, StepKind.DILUTE, StepKind.DOSE, StepKind.INCUBATE, StepKind.READ),
        )

    def preflight(self, step: Step) -> None:
        """Refuses a step that cannot be executed; nothing moves.

        Raises:
            MachineRefusedError: says what to change.
        """
        can = self.describe()
        for asked, possible in ((step.kind, can.step_kinds), (step.assay, can.assays)):
            if asked not in possible:
                raise MachineRefusedError(
                    f"Step {step.uid}: {NAME} cannot do '{asked}'; possible: {', '.join(possible)}."
                )
        self._twin.preflight(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        """Executes one step, once for each token.

        Raises:
            MachineRefusedError: nothing has moved; the same token may be used again.
            StepFailedError: the device reported a failure after the step had begun.
            MachineError: it was begun by an earlier process, and nobody can tell whether it was done.
        """
        if self._log is None:
            raise MachineRefusedError(f"Step {step.uid}: {NAME} was opened to be looked at. Open it through a lab.")
        digest = hashlib.sha256(codec.to_json(step).encode()).hexdigest()
        known = self._known.get(token)
        if known is not None:
            if known["digest"] != digest:
                raise MachineRefusedError(
                    f"Step {step.uid}: the token {token} was used for another step. Give each step its own token."
                )
            if known["state"] != OutcomeState.DONE:
                raise MachineError(
                    f"Step {step.uid}: {token} was begun before. It is not begun again; look at the plate."
                )
            return _reading(known)
        self.preflight(step)
        self._connect(step)
        self._log.append({"token": token, "digest": digest, "state": OutcomeState.UNKNOWN})
        try:
            reading = self._carry_out(step)
        except Exception as error:  # whatever the vendor's library raises
            self._log.append({"token": token, "digest": digest, "state": OutcomeState.FAILED, "detail": str(error)})
            raise StepFailedError(f"Step {step.uid}: {NAME} failed ({error}). Look at the plate.") from error
        self._twin.execute(step, token)
        done = {"token": token, "digest": digest, "state": OutcomeState.DONE}
        self._log.append(done | ({"reading": codec.to_json(reading)} if reading is not None else {}))
        return reading

    def reconcile(self, token: str) -> Outcome:
        """What became of a step: as the log has it."""
        known = self._known.get(token)
        if known is None:
            return Outcome(OutcomeState.NEVER_STARTED, detail="not in the log")
        return Outcome(OutcomeState(known["state"]), _reading(known), known.get("detail", "as the log has it"))

    def stop(self) -> None:
        """Ends any motion and closes device and log; may be called twice."""
        self._device.disconnect()
        self._log, log = None, self._log
        if log is not None:
            log.close()
        self._twin.stop()

    def _connect(self, step: Step) -> None:
        if self._is_connected:
            return
        try:
            self._device.connect()
        except OSError as error:
            raise MachineRefusedError(
                f"Step {step.uid}: {NAME} is not there ({error}). Switch it on; nothing has moved."
            ) from error
        self._is_connected = True

    def _carry_out(self, step: Step) -> Reading | None:
        if step.transfers is not None:
            self._device.move(step.transfers)
        elif step.readout is None:
            self._device.wait(step.duration_h or 0.0)
        else:
            held = {well: self._twin.contents(step.plate_id, well) for well in step.readout.wells}
            channels = [
                Channel(name, "RLU", tuple(self._device.read(step, name, step.readout.wells, held)))
                for name in step.readout.channels
            ]
            return Reading(step.plate_id, step.uid, step.readout.wells, tuple(channels), instrument=NAME)
        return None

    def _keep(self, record: dict[str, Any], offset: int, length: int) -> None:
        del offset, length
        self._known[record["token"]] = record


def _reading(known: dict[str, Any]) -> Reading | None:
    return codec.from_json(Reading, known["reading"]) if "reading" in known else None
