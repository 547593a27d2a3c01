"""What a simulated machine remembers: the steps it executed and the plates it touched."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Protocol

from cellos_nb.domain.reading import Reading
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.ledger import Ledger, LedgerEntry
from cellos_nb.hardware.ledger_index import LedgerIndex
from cellos_nb.hardware.timeline import Moment, Timeline

MAX_CACHED_LABWARE = 512
"""Labware held in memory at a time when a ledger can bring it back; about 50 kB for a 384-well plate."""


class Past(Protocol):
    """The steps that a machine executed."""

    def digest(self, token: str) -> str | None:
        """The digest of the step that was executed under this token; None when there was none."""
        ...

    def reading(self, token: str) -> Reading | None:
        """The reading of an executed step, if it has one."""
        ...

    def steps_of(self, barcode: str) -> Iterator[LedgerEntry]:
        """What can be brought back of the steps that changed a labware, oldest first."""
        ...

    def record(self, entry: LedgerEntry) -> None:
        """Makes a step part of the past.

        Raises:
            MachineError: it cannot be written; nothing has changed.
        """
        ...


class PastOnDisk:
    """The past as a ledger has it; in memory that does not grow, however long that is."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._index = ledger, LedgerIndex()
        for head in ledger.heads():
            self._index.add(head)

    def digest(self, token: str) -> str | None:
        """As `Past`."""
        head = self._index.step(token)
        return head.digest if head else None

    def reading(self, token: str) -> Reading | None:
        """As `Past`."""
        head = self._index.step(token)
        return self._ledger.read(head.offset, head.length).reading if head else None

    def steps_of(self, barcode: str) -> Iterator[LedgerEntry]:
        """As `Past`."""
        return (self._ledger.read(*place) for place in self._index.steps_of(barcode))

    def record(self, entry: LedgerEntry) -> None:
        """As `Past`."""
        self._ledger.append(entry, self._index.add, self._index.remove)


class PastInMemory:
    """The past of this process alone; it does not bring labware back, which `Memory` then keeps."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._readings: dict[str, Reading] = {}

    def digest(self, token: str) -> str | None:
        """As `Past`."""
        return self._digests.get(token)

    def reading(self, token: str) -> Reading | None:
        """As `Past`."""
        return self._readings.get(token)

    def steps_of(self, barcode: str) -> Iterator[LedgerEntry]:  # noqa: ARG002 — it keeps none
        """As `Past`: none."""
        return iter(())

    def record(self, entry: LedgerEntry) -> None:
        """As `Past`."""
        self._digests[entry.token] = entry.digest
        if entry.reading is not None:
            self._readings[entry.token] = entry.reading


class Memory:
    """Known tokens, and the timeline of every labware by barcode; from a ledger, or of this process alone."""

    def __init__(self, ledger: Ledger | None) -> None:
        self.past: Past = PastOnDisk(ledger) if ledger else PastInMemory()
        self._most = MAX_CACHED_LABWARE if ledger else None
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()

    def timeline(self, barcode: str) -> Timeline | None:
        """What happened to one labware; None when the machine never touched it."""
        timeline = self._timelines.get(barcode)
        if timeline is not None:
            self._timelines.move_to_end(barcode)
            return timeline
        for entry in self.past.steps_of(barcode):
            timeline = continued(timeline, barcode, entry)
        if timeline is not None:
            self._keep(barcode, timeline)
        return timeline

    def record(self, entry: LedgerEntry, after: Mapping[str, Timeline]) -> None:
        """Makes a step part of the past: first on disk, then here.

        Args:
            entry: the step.
            after: the timelines of all labware that it touched, with the step in them.

        Raises:
            MachineError: the ledger cannot be written; nothing has changed.
        """
        self.past.record(entry)
        for barcode, timeline in after.items():
            self._keep(barcode, timeline)

    def _keep(self, barcode: str, timeline: Timeline) -> None:
        self._timelines[barcode] = timeline
        if self._most is not None and len(self._timelines) > self._most:
            self._timelines.popitem(last=False)


def continued(timeline: Timeline | None, barcode: str, entry: LedgerEntry) -> Timeline:
    """The timeline of a labware with one more step in it; of None for labware that was never touched."""
    contents = entry.contents.get(barcode)
    if contents is None:
        contents = timeline.contents if timeline else None
    if contents is None:
        contents = Contents.empty_plate(entry.n_wells)
    timeline = timeline or Timeline(barcode, len(contents.volume_ul))
    return timeline.after(Moment(entry.kind, entry.hours, entry.temperature_c, entry.seed, contents))
