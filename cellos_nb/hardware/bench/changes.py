"""What a person did otherwise than asked: wells left out, other volumes; and the step as it was really done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cellos_nb.domain.step import Step, TransferList
from cellos_nb.errors import InputError

_PLACE = re.compile(r"(?:(?P<source>[^>:]+)>)?(?:(?P<labware>[^>:]+):)?(?P<well>[A-Za-z]{1,2}[0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Changes:
    """Deviations from a step, as a person reports them."""

    skipped: tuple[str, ...] = ()
    """Wells that got nothing, or are not to be counted: `B4`, or `dilutions:B4` where it is not the assay plate."""
    volumes_ul: Mapping[str, float] = field(default_factory=dict)
    """What a well got in place of what was asked: `B4`, or `cells>B4` where it gets several liquids."""

    def __bool__(self) -> bool:
        return bool(self.skipped or self.volumes_ul)

    @property
    def places(self) -> tuple[str, ...]:
        """All that is named, as it was named."""
        return (*self.skipped, *self.volumes_ul)

    @property
    def text(self) -> str:
        """For people: `without B4; C5 got 1.5 µL`."""
        parts = [f"without {', '.join(self.skipped)}"] if self.skipped else []
        parts += [f"{place} got {volume:g} µL" for place, volume in self.volumes_ul.items()]
        return "; ".join(parts)


NO_CHANGES = Changes()
"""Everything was done as asked."""


def read_changes(skipped: Iterable[str] = (), volumes: Iterable[str] = ()) -> Changes:
    """Changes as they are typed: wells, and `WELL=µL`.

    Raises:
        InputError: an entry is none; names it.
    """
    amounts: dict[str, float] = {}
    for entry in volumes:
        place, _, amount = entry.partition("=")
        try:
            amounts[_normal(place)] = float(amount)
        except ValueError:
            raise InputError(f"{entry!r}: is no volume; write WELL=µL, as in B4=1.5.") from None
        if not 0 <= amounts[_normal(place)] < float("inf"):
            raise InputError(f"{entry!r}: no well can get {amount} µL; give 0 or more.")
    wells = tuple(dict.fromkeys(_normal(part) for entry in skipped for part in entry.split(",") if part.strip()))
    both = next((well for well in wells if well in amounts), None)
    if both is not None:
        raise InputError(f"{both}: it cannot both be left out and get {amounts[both]:g} µL. Keep one.")
    return Changes(wells, amounts)


def check_changes(step: Step, changes: Changes) -> None:
    """Returns when the changes speak of this step.

    Raises:
        InputError: a well is none of the step's, or gets several liquids of which none is named.
    """
    if step.transfers is not None:
        as_done(step, changes)
        return
    if changes.volumes_ul:
        raise InputError(f"Step {step.uid} moves no liquid, so no well of it got another volume.")
    read = set(step.readout.wells) if step.readout is not None else set()
    unknown = next((well for well in changes.skipped if well not in read), None)
    if unknown is not None:
        what = f"reads {len(read)} wells, {unknown} not among them" if read else "has no wells"
        raise InputError(f"Step {step.uid} {what}. Name wells that it has.")


def as_done(step: Step, changes: Changes) -> Step:
    """A step that moves liquid, as it was done.

    Raises:
        InputError: a well is none of the step's, or gets several liquids of which none is named.
    """
    transfers = step.transfers
    if transfers is None or not changes:
        return step
    volume_ul = list(transfers.volume_ul)
    for well in changes.skipped:
        for row in _rows(step, transfers, well):
            volume_ul[row] = 0.0
    for place, wanted_ul in changes.volumes_ul.items():
        rows = _rows(step, transfers, place)
        sources = {(transfers.source_labware[row], transfers.source_well[row]) for row in rows}
        if len(sources) > 1:
            named = ", ".join(f"{labware}>{place}" for labware in dict.fromkeys(s for s, _ in sorted(sources)))
            raise InputError(f"Step {step.uid}: {place} gets several liquids. Say which one differed: {named}.")
        planned_ul = sum(transfers.volume_ul[row] for row in rows)
        for row in rows:
            volume_ul[row] = transfers.volume_ul[row] * wanted_ul / planned_ul
    kept = [row for row, volume in enumerate(volume_ul) if volume > 0]
    return replace(step, transfers=_chosen(transfers, kept, volume_ul))


def _rows(step: Step, transfers: TransferList, place: str) -> list[int]:
    """The transfers into one well, from one labware when it is named."""
    match = _PLACE.fullmatch(place)
    if match is None:
        raise InputError(f"{place!r} is no well; write B4, dilutions:B4 or cells>B4.")
    destinations = tuple(dict.fromkeys(transfers.destination_labware))
    labware = match["labware"] or ("plate" if "plate" in destinations or len(destinations) > 1 else destinations[0])
    rows = [
        row
        for row in range(len(transfers))
        if transfers.destination_labware[row] == labware
        and transfers.destination_well[row] == match["well"]
        and match["source"] in {None, transfers.source_labware[row]}
    ]
    if not rows:
        origin = f" from {match['source']}" if match["source"] else ""
        raise InputError(
            f"Step {step.uid} puts nothing{origin} into {labware} {match['well']}; it fills "
            f"{len(set(transfers.destination_well))} wells of {', '.join(destinations)}. Look at the protocol."
        )
    return rows


def _chosen(transfers: TransferList, rows: list[int], volume_ul: list[float]) -> TransferList:
    def column(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values[row] for row in rows)

    return replace(
        transfers,
        source_labware=column(transfers.source_labware),
        source_well=column(transfers.source_well),
        destination_labware=column(transfers.destination_labware),
        destination_well=column(transfers.destination_well),
        volume_ul=tuple(volume_ul[row] for row in rows),
    )


def _normal(place: str) -> str:
    """Wells in capitals without blanks; the names of labware as they are."""
    text = place.strip()
    match = _PLACE.fullmatch(text)
    if match is None:
        raise InputError(f"{text!r} is no well; write B4, dilutions:B4 or cells>B4.")
    return text[: match.start("well")] + match["well"].upper()
