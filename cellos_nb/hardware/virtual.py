"""VirtualMachine: executes steps on numbers, with the volume and contents of every well of every labware."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path

from cellos_nb.domain import codec
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.plate import PLATE_FORMATS
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import ConfigError, MachineRefusedError
from cellos_nb.hardware.contents import Contents, WellContents
from cellos_nb.hardware.instrument import Instrument, VolumeGauge
from cellos_nb.hardware.ledger import Ledger
from cellos_nb.hardware.memory import Memory
from cellos_nb.hardware.rehearsal import Lookahead, Rehearsal, Rehearser
from cellos_nb.hardware.transfers import TOLERANCE_UL, VolumeLimits

ASSAYS = ("viability", "reporter", "imaging")


class VirtualMachine:
    """A liquid handler, incubator and reader in one, without biology.

    Without a ledger it remembers what happened in this process; with one, what ever happened, as a robot's own
    controller does: reopened on the same file it knows every plate and every token, and never executes one twice.
    A simulated step takes no time, so one call at a time is let in and callers on other threads wait.
    """

    def __init__(
        self,
        ledger: str | Path | None = None,
        *,
        instrument: Instrument | None = None,
        name: str = "virtual",
        min_volume_ul: float = 0.0025,
        max_volume_ul: float = 1000.0,
        plate_formats: tuple[int, ...] = tuple(PLATE_FORMATS),
    ) -> None:
        """A machine whose defaults are those of a nanolitre dispenser beside a bulk dispenser.

        Args:
            ledger: the file that is its memory; begun when it does not exist.
            instrument: what answers readings; volumes alone when left out.
            name: as it stands in logs and errors.
            min_volume_ul: the smallest transfer, in µL; 1 for a p20.
            max_volume_ul: the largest transfer, in µL.
            plate_formats: plates that it holds, by number of wells.

        Raises:
            ConfigError: the volumes cannot be a pipette's.
            MachineError: the ledger cannot be used, or another machine holds it.
        """
        if not TOLERANCE_UL < min_volume_ul <= max_volume_ul:
            raise ConfigError(
                f"{name}: transfers of {min_volume_ul:g} to {max_volume_ul:g} µL are not possible; give a smallest "
                f"volume above {TOLERANCE_UL:g} µL and a largest one above that."
            )
        self._instrument: Instrument = instrument or VolumeGauge()
        self._capabilities = self._instrument.describe(
            Capabilities(
                machine=name,
                is_simulated=True,
                can_reconcile=ledger is not None,
                step_kinds=tuple(StepKind),
                plate_formats=plate_formats,
                assays=ASSAYS,
                min_volume_ul=min_volume_ul,
                max_volume_ul=max_volume_ul,
                seconds_per_transfer=0.5,
                data_source="",
            )
        )
        self._ledger = Ledger(Path(ledger)) if ledger is not None else None
        self._memory = Memory(self._ledger)
        self._is_stopped = False
        self._turn = threading.RLock()
        limits = VolumeLimits(min_volume_ul, max_volume_ul)
        self._rehearser = Rehearser(self._capabilities, limits, self._instrument)
        self._lookahead = Lookahead()

    def describe(self) -> Capabilities:
        """What the machine can do."""
        return self._capabilities

    def preflight(self, step: Step) -> None:
        """Rehearses the whole step on copies; nothing moves.

        Steps of the plate that were asked about before and are not executed yet count as done: so a workflow that is
        asked about from its first step to its last is rehearsed as it will be executed.

        Raises:
            MachineRefusedError: the step cannot be executed; says what to change.
        """
        with self._turn:
            self._check_open(step)
            coming = self._lookahead.before(step)
            changed = {barcode: timeline for r in coming for barcode, timeline in r.after.items()}
            rehearsal = self._rehearser.rehearse(step, lambda b: changed.get(b) or self._memory.timeline(b))
            self._lookahead.expect([*coming, rehearsal])

    def execute(self, step: Step, token: str) -> Reading | None:
        """Executes one step, once for each token.

        Raises:
            MachineRefusedError: nothing has moved; the same token may be used again.
            MachineError: the ledger cannot be written; nothing has moved either.
        """
        with self._turn:
            digest = hashlib.blake2b(codec.to_json(step).encode(), digest_size=16).hexdigest()
            known = self._memory.past.digest(token)
            if known is not None:
                if known != digest:
                    raise MachineRefusedError(
                        f"Step {step.uid}: the token {token} was used for another step. Give each step its own token."
                    )
                return self._memory.past.reading(token)
            self._check_open(step)
            rehearsal = self._lookahead.next_is(step) or self._rehearser.rehearse(step, self._memory.timeline)
            reading = self._read(rehearsal)
            self._memory.record(replace(rehearsal.entry, token=token, digest=digest, reading=reading), rehearsal.after)
            self._lookahead.executed(rehearsal)
            return reading

    def reconcile(self, token: str) -> Outcome:
        """What became of a step: exact with a ledger; without one, a token of another process is unknown."""
        with self._turn:
            if self._memory.past.digest(token) is not None:
                return Outcome(OutcomeState.DONE, self._memory.past.reading(token), "executed and recorded")
            if self._ledger is not None:
                return Outcome(OutcomeState.NEVER_STARTED, detail=f"not in the ledger {self._ledger.path}")
            return Outcome(
                OutcomeState.UNKNOWN, detail="not executed by this process, and the machine has no ledger of others"
            )

    def stop(self) -> None:
        """Releases the ledger; the machine answers questions but executes nothing more. May be called twice."""
        with self._turn:
            self._is_stopped = True
            if self._ledger is not None:
                self._ledger.close()

    def contents(self, barcode: str, well: str) -> WellContents:
        """What one well holds; nothing when the machine never touched it.

        Raises:
            KeyError: the labware is known and has no such well.
        """
        with self._turn:
            held = self._held(barcode)
            return held.well(well) if held else WellContents(0.0)

    def volumes(self, barcode: str) -> dict[str, float]:
        """The volume in µL of every well of a labware, by name; empty when the machine never touched it."""
        with self._turn:
            held = self._held(barcode)
            return dict(zip(held.wells, held.volume_ul.tolist(), strict=False)) if held else {}

    def volumes_before(self, step: Step) -> dict[str, dict[str, float]]:
        """The volumes in µL that a step will find, by labware and well: after what is asked about to come before it."""
        with self._turn:
            held = {item.barcode: self._memory.timeline(item.barcode) for item in step.labware}
            for rehearsal in self._lookahead.before(step):
                held |= {barcode: after for barcode, after in rehearsal.after.items() if barcode in held}
            found = {}
            for item in step.labware:
                timeline = held[item.barcode]
                if timeline is not None and timeline.contents is not None:
                    volumes = timeline.contents.volume_ul.tolist()
                    found[item.name] = dict(zip(timeline.contents.wells, volumes, strict=False))
            return found

    def clock_h(self, plate_id: str) -> float:
        """Hours that a plate has been incubated for."""
        with self._turn:
            timeline = self._memory.timeline(plate_id)
            return timeline.clock_h if timeline else 0.0

    def _held(self, barcode: str) -> Contents | None:
        timeline = self._memory.timeline(barcode)
        return timeline.contents if timeline else None

    def _check_open(self, step: Step) -> None:
        if self._is_stopped:
            raise MachineRefusedError(f"Step {step.uid}: {self._capabilities.machine} was stopped. Open it again.")

    def _read(self, rehearsal: Rehearsal) -> Reading | None:
        if rehearsal.readout is None or rehearsal.plate is None:
            return None
        step = rehearsal.step
        channels = self._instrument.measure(step, rehearsal.readout, rehearsal.plate)
        return Reading(
            plate_id=step.plate_id,
            step_uid=step.uid,
            wells=rehearsal.readout.wells,
            channels=channels,
            is_normalised=self._instrument.is_normalised,
            instrument=self._capabilities.machine,
        )
