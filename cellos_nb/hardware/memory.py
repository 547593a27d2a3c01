"""What a simulated machine remembers: the steps it executed and the plates it touched."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from cellos_nb.domain.reading import Reading
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.ledger import Head, Ledger, LedgerEntry
from cellos_nb.hardware.timeline import Moment, Timeline

MAX_CACHED_LABWARE = 512
"""Labware held in memory at a time when a ledger can bring it back; about 50 kB for a 384-well plate."""


class Memory:
    """Known tokens, and the timeline of every labware by barcode; from a ledger, or of this process alone."""

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        self._digests: dict[str, str] = {}
        self._readings: dict[str, Reading] = {}
        self._heads: dict[str, Head] = {}
        self._pages: dict[str, list[Head]] = {}
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()
        for head in ledger.heads if ledger else ():
            self._index(head)

    def digest(self, token: str) -> str | None:
        """The digest of the step that was executed under this token; None when there was none."""
        return self._digests.get(token)

    def reading(self, token: str) -> Reading | None:
        """The reading of an executed step, if it has one."""
        return self._ledger.read(self._heads[token]).reading if self._ledger else self._readings.get(token)

    def timeline(self, barcode: str) -> Timeline | None:
        """What happened to one labware; None when the machine never touched it."""
        timeline = self._timelines.get(barcode)
        if timeline is not None:
            self._timelines.move_to_end(barcode)
            return timeline
        if self._ledger is None or barcode not in self._pages:
            return None
        for head in self._pages[barcode]:
            timeline = continued(timeline, barcode, self._ledger.read(head))
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
        if self._ledger is not None:
            self._index(self._ledger.append(entry))
        else:
            self._digests[entry.token] = entry.digest
            if entry.reading is not None:
                self._readings[entry.token] = entry.reading
        for barcode, timeline in after.items():
            self._keep(barcode, timeline)

    def _index(self, head: Head) -> None:
        self._digests[head.token] = head.digest
        self._heads[head.token] = head
        for barcode in head.barcodes:
            self._pages.setdefault(barcode, []).append(head)

    def _keep(self, barcode: str, timeline: Timeline) -> None:
        self._timelines[barcode] = timeline
        if self._ledger is not None and len(self._timelines) > MAX_CACHED_LABWARE:
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
