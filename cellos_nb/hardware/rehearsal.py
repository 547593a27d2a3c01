"""Steps carried out in thought: each plate's next steps, one upon the other, before the first of them is executed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.step import Readout, Step, StepKind
from cellos_nb.hardware.checks import check_readout, check_same_labware, check_shape
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.instrument import Instrument
from cellos_nb.hardware.ledger import LedgerEntry
from cellos_nb.hardware.memory import continued
from cellos_nb.hardware.timeline import Timeline
from cellos_nb.hardware.transfers import VolumeLimits, simulate

MAX_PLATES_AHEAD = 64
"""Plates whose coming steps are kept in mind; a caller looks ahead at one plate and then runs it."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What one step will do."""

    step: Step
    entry: LedgerEntry
    """For the ledger; token, digest and reading are still to come."""
    readout: Readout | None
    plate: Timeline | None
    """Of the assay plate, before the step."""
    after: Mapping[str, Timeline]
    """By barcode: the timelines of all labware that the step touches, with the step in them."""


@dataclass(frozen=True, slots=True)
class Rehearser:
    """Carries out single steps in thought, with all the checks there are."""

    capabilities: Capabilities
    limits: VolumeLimits
    instrument: Instrument

    def rehearse(self, step: Step, timeline_of: Callable[[str], Timeline | None]) -> Rehearsal:
        """What a step will do to labware that has come so far.

        Raises:
            MachineRefusedError: the step cannot be executed; says what to change.
        """
        check_shape(step, self.capabilities)
        known = {item.barcode: timeline_of(item.barcode) for item in step.labware}
        timelines = {barcode: timeline for barcode, timeline in known.items() if timeline is not None}
        check_same_labware(step, timelines)
        plate = timelines.get(step.plate_id)
        contents: Mapping[str, Contents] = {}
        readout = None
        if step.kind.moves_liquid:
            before = {barcode: t.contents for barcode, t in timelines.items() if t.contents is not None}
            contents = simulate(step, before, self.limits)
            if step.plate_id in contents:
                self.instrument.check_contents(step, contents[step.plate_id])
        elif step.kind in {StepKind.READ, StepKind.IMAGE}:
            readout = check_readout(step, plate)
            if plate is not None:
                self.instrument.check_readout(step, readout, plate)
        entry = LedgerEntry(
            token="",
            step_uid=step.uid,
            plate_id=step.plate_id,
            kind=step.kind,
            digest="",
            n_wells=step.labware_named("plate").n_wells,
            hours=step.duration_h or 0.0 if step.kind is StepKind.INCUBATE else 0.0,
            temperature_c=step.temperature_c,
            seed=step.seed,
            contents=contents,
        )
        after = {barcode: continued(known.get(barcode), barcode, entry) for barcode in entry.touched}
        return Rehearsal(step, entry, readout, plate, after)


class Lookahead:
    """The steps of each plate that were asked about and not executed yet, in order."""

    def __init__(self) -> None:
        self._coming: OrderedDict[str, list[Rehearsal]] = OrderedDict()

    def before(self, step: Step) -> list[Rehearsal]:
        """The steps that come before this one; asking about a step again forgets those that stood behind it."""
        coming = self._coming.get(step.plate_id, [])
        place = next((i for i, rehearsal in enumerate(coming) if rehearsal.step.uid == step.uid), len(coming))
        return coming[:place]

    def expect(self, coming: list[Rehearsal]) -> None:
        """Keeps in mind the coming steps of one plate, at least one."""
        plate_id = coming[-1].step.plate_id
        self._coming[plate_id] = coming
        self._coming.move_to_end(plate_id)
        if len(self._coming) > MAX_PLATES_AHEAD:
            self._coming.popitem(last=False)

    def next_is(self, step: Step) -> Rehearsal | None:
        """The rehearsal of a step that is the very next one of its plate; None otherwise."""
        coming = self._coming.get(step.plate_id)
        return coming[0] if coming and coming[0].step == step else None

    def executed(self, rehearsal: Rehearsal) -> None:
        """Takes a step off its plate, and forgets every rehearsal that did not reckon with it."""
        plate_id, touched = rehearsal.step.plate_id, rehearsal.after.keys()
        for other in [plate for plate in self._coming if plate != plate_id]:
            barcodes = {item.barcode for coming in self._coming[other] for item in coming.step.labware}
            if not barcodes.isdisjoint(touched):
                del self._coming[other]
        coming = self._coming.pop(plate_id, [])
        if coming and coming[0] is rehearsal and len(coming) > 1:
            self._coming[plate_id] = coming[1:]
