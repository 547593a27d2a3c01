"""VirtualMachine: executes steps on numbers, with the volume and contents of every well of every labware."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cellos_nb.domain import codec
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.plate import PLATE_FORMATS
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Readout, Step, StepKind
from cellos_nb.errors import ConfigError, MachineRefusedError
from cellos_nb.hardware.checks import check_readout, check_same_labware, check_shape
from cellos_nb.hardware.contents import Contents, WellContents
from cellos_nb.hardware.instrument import Instrument, VolumeGauge
from cellos_nb.hardware.ledger import Ledger, LedgerEntry
from cellos_nb.hardware.memory import Memory
from cellos_nb.hardware.timeline import Timeline
from cellos_nb.hardware.transfers import TOLERANCE_UL, VolumeLimits, simulate

ASSAYS = ("viability", "reporter", "imaging")


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """What a step will do, found before it does it."""

    contents: Mapping[str, Contents]
    timeline: Timeline | None
    readout: Readout | None


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
        self._limits = VolumeLimits(min_volume_ul, max_volume_ul)
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
        self._rehearsed: tuple[Step, _Rehearsal] | None = None

    def describe(self) -> Capabilities:
        """What the machine can do."""
        return self._capabilities

    def preflight(self, step: Step) -> None:
        """Rehearses the whole step on copies; nothing moves.

        Raises:
            MachineRefusedError: the step cannot be executed; says what to change.
        """
        with self._turn:
            self._rehearse(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        """Executes one step, once for each token.

        Raises:
            MachineRefusedError: nothing has moved; the same token may be used again.
            MachineError: the ledger cannot be written; nothing has moved either.
        """
        with self._turn:
            digest = hashlib.blake2b(codec.to_json(step).encode(), digest_size=16).hexdigest()
            known = self._memory.digest(token)
            if known is not None:
                if known != digest:
                    raise MachineRefusedError(
                        f"Step {step.uid}: the token {token} was used for another step. Give each step its own token."
                    )
                return self._memory.reading(token)
            rehearsal = self._rehearse(step)
            entry = LedgerEntry(
                token=token,
                step_uid=step.uid,
                plate_id=step.plate_id,
                kind=step.kind,
                digest=digest,
                n_wells=step.labware_named("plate").n_wells,
                hours=step.duration_h or 0.0 if step.kind is StepKind.INCUBATE else 0.0,
                temperature_c=step.temperature_c,
                seed=step.seed,
                contents=rehearsal.contents,
                reading=self._read(step, rehearsal),
            )
            self._memory.record(entry)
            self._rehearsed = None
            return entry.reading

    def reconcile(self, token: str) -> Outcome:
        """What became of a step: exact with a ledger; without one, a token of another process is unknown."""
        with self._turn:
            if self._memory.digest(token) is not None:
                return Outcome(OutcomeState.DONE, self._memory.reading(token), "executed and recorded")
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

    def clock_h(self, plate_id: str) -> float:
        """Hours that a plate has been incubated for."""
        with self._turn:
            timeline = self._memory.timeline(plate_id)
            return timeline.clock_h if timeline else 0.0

    def _held(self, barcode: str) -> Contents | None:
        timeline = self._memory.timeline(barcode)
        return timeline.contents if timeline else None

    def _rehearse(self, step: Step) -> _Rehearsal:
        if self._is_stopped:
            raise MachineRefusedError(f"Step {step.uid}: {self._capabilities.machine} was stopped. Open it again.")
        if self._rehearsed is not None and self._rehearsed[0] is step:
            return self._rehearsed[1]
        check_shape(step, self._capabilities)
        timelines = {item.barcode: self._memory.timeline(item.barcode) for item in step.labware}
        known = {barcode: timeline for barcode, timeline in timelines.items() if timeline is not None}
        check_same_labware(step, known)
        timeline = known.get(step.plate_id)
        contents: Mapping[str, Contents] = {}
        readout = None
        if step.kind.moves_liquid:
            before = {barcode: t.contents for barcode, t in known.items() if t.contents is not None}
            contents = simulate(step, before, self._limits)
            if step.plate_id in contents:
                self._instrument.check_contents(step, contents[step.plate_id])
        elif step.kind in {StepKind.READ, StepKind.IMAGE}:
            readout = check_readout(step, timeline)
            if timeline is not None:
                self._instrument.check_readout(step, readout, timeline)
        rehearsal = _Rehearsal(contents, timeline, readout)
        self._rehearsed = (step, rehearsal)
        return rehearsal

    def _read(self, step: Step, rehearsal: _Rehearsal) -> Reading | None:
        if rehearsal.readout is None or rehearsal.timeline is None:
            return None
        channels = self._instrument.measure(step, rehearsal.readout, rehearsal.timeline)
        return Reading(
            plate_id=step.plate_id,
            step_uid=step.uid,
            wells=rehearsal.readout.wells,
            channels=channels,
            is_normalised=self._instrument.is_normalised,
            instrument=self._capabilities.machine,
        )
