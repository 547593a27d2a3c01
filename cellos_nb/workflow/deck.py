"""Sources on the deck: what is drawn from each liquid, the racks that hold it, and what must be filled in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cellos_nb.domain.plate import well_names
from cellos_nb.domain.step import Fill, Labware, Liquid, TipPolicy, TransferList
from cellos_nb.errors import PipettingError
from cellos_nb.units import format_volume

Place = tuple[str, str]
"""Labware and well."""


@dataclass(frozen=True, slots=True)
class Rack:
    """A kind of source labware."""

    n_wells: int
    capacity_ul: float
    dead_ul: float
    max_racks: int = 1

    @property
    def n_places(self) -> int:
        """Positions on all racks of this kind that a deck takes."""
        return self.n_wells * self.max_racks

    def place(self, name: str, index: int) -> Place:
        """The labware and well of one position, counted from 0 over all racks."""
        rack, well = divmod(index, self.n_wells)
        return (name if rack == 0 else f"{name}-{rack + 1}", well_names(self.n_wells)[well])

    def labware(self, name: str, plate_id: str) -> Labware:
        """One rack under the name that transfers use."""
        return Labware(name, f"{plate_id}/{name}", self.n_wells, self.capacity_ul, self.dead_ul)


TUBES_50_ML = Rack(6, 50_000.0, 500.0)
TUBES_1_5_ML = Rack(24, 1_500.0, 10.0)
RACKS: dict[str, tuple[Rack, ...]] = {
    "cells": (TUBES_50_ML, Rack(24, 10_000.0, 300.0), Rack(96, 2_000.0, 20.0, 4)),
    "medium": (Rack(6, 50_000.0, 500.0, 2),),
    "vehicle": (TUBES_1_5_ML, TUBES_50_ML),
    "stocks": (TUBES_1_5_ML, Rack(96, 1_000.0, 10.0, 16)),
    "stains": (TUBES_1_5_ML, TUBES_50_ML),
}
"""What each kind of source comes in, the first that suffices being taken."""

DILUTION_PLATES = (Rack(96, 2_000.0, 20.0), Rack(384, 200.0, 5.0, 4), Rack(96, 2_000.0, 20.0, 6))
"""Deep-well plates for dilutions, the first that suffices being taken."""


@dataclass(slots=True, eq=False)
class Source:
    """A liquid that is drawn from; where it stands is settled when all draws are known."""

    labware: str
    """`cells`, `medium`, `vehicle`, `stocks`, `stains` or `dilutions`."""
    liquid: Liquid | None = None
    """None for what is mixed on the deck."""
    available_ul: float | None = None
    """What there is of it; None when that is not known."""
    draws: list[float] = field(default_factory=list)
    """µL, in order."""
    places: list[Place] = field(default_factory=list)
    place_of_draw: list[int] = field(default_factory=list)
    """For each draw an index of `places`; empty when there is one place."""

    def split(self, rack: Rack) -> list[float]:
        """What is drawn from each position when one is emptied after the other; notes which draw is from which."""
        usable = rack.capacity_ul - rack.dead_ul
        total = math.fsum(self.draws)
        self.place_of_draw = []
        if total <= usable:
            return [total]
        sums = [0.0]
        for volume in self.draws:
            if sums[-1] + volume > usable:
                sums.append(0.0)
            sums[-1] += volume
            self.place_of_draw.append(len(sums) - 1)
        return sums


@dataclass(slots=True)
class Draft:
    """The transfers of one step while they are collected."""

    min_transfer_ul: float
    max_transfer_ul: float
    sources: list[Source] = field(default_factory=list)
    labware: list[str] = field(default_factory=list)
    wells: list[str] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)

    def add(self, source: Source, labware: str, well: str, volume_ul: float) -> None:
        """One transfer, in equal parts when it exceeds what the machine delivers at once."""
        if volume_ul > self.max_transfer_ul:
            self.pour(source, labware, (well,), volume_ul)
            return
        self.sources.append(source)
        self.labware.append(labware)
        self.wells.append(well)
        self.volumes.append(volume_ul)

    def pour(self, source: Source, labware: str, wells: Sequence[str], volume_ul: float) -> None:
        """The same volume into each well.

        Raises:
            PipettingError: the volume exceeds one transfer and its parts would be too small for one.
        """
        n_parts = max(1, math.ceil(volume_ul / self.max_transfer_ul * (1 - 1e-9)))
        n, part = len(wells) * n_parts, volume_ul / n_parts
        if n_parts > 1 and part < self.min_transfer_ul * (1 - 1e-9):
            raise PipettingError(
                f"Well {wells[0]}: {format_volume(volume_ul)} cannot be split into transfers of "
                f"{format_volume(self.min_transfer_ul)} to {format_volume(self.max_transfer_ul)}, which is all "
                "that the machine delivers. Use a machine with a wider range, or another plate_format."
            )
        self.sources += [source] * n
        self.labware += [labware] * n
        self.wells += wells if n_parts == 1 else [well for well in wells for _ in range(n_parts)]
        self.volumes += [part] * n

    def transfers(self, tip_policy: TipPolicy, *, mix_after: bool, drawn: dict[Source, int]) -> TransferList:
        """The finished list.

        Args:
            tip_policy: of the list.
            mix_after: of the list.
            drawn: how many draws of each source earlier steps have made; is brought up to date.
        """
        places = []
        for source in self.sources:
            if source.place_of_draw:
                index = drawn.get(source, 0)
                drawn[source] = index + 1
                places.append(source.places[source.place_of_draw[index]])
            else:
                places.append(source.places[0])
        labware, wells = zip(*places, strict=True) if places else ((), ())
        return TransferList(
            labware, wells, tuple(self.labware), tuple(self.wells), tuple(self.volumes), tip_policy, mix_after
        )


@dataclass(slots=True)
class Deck:
    """The racks of one plate's workflow and what must stand in them."""

    plate_id: str
    labware: dict[str, Labware] = field(default_factory=dict)
    fills: dict[Source, tuple[Fill, ...]] = field(default_factory=dict)

    def put(self, name: str, sources: Sequence[Source]) -> Rack:
        """Finds racks for the sources of one kind and fills them.

        Raises:
            PipettingError: there are more liquids, or more of them, than racks hold.
        """
        rack = self._choose(name, sources)
        index = 0
        for source in sources:
            sums = source.split(rack)
            source.places = [rack.place(name, index + i) for i in range(len(sums))]
            index += len(sums)
            self.fills[source] = tuple(_fills(source, sums, rack))
        self._use(rack, (place for source in sources for place in source.places))
        return rack

    def put_dilutions(self, rack: Rack, wells: Iterable[Source]) -> None:
        """Places what is mixed on the deck, one well each."""
        wells = list(wells)
        for index, well in enumerate(wells):
            well.places = [rack.place("dilutions", index)]
        self._use(rack, (place for well in wells for place in well.places))

    def _use(self, rack: Rack, places: Iterable[Place]) -> None:
        for label in dict.fromkeys(place[0] for place in places):
            self.labware[label] = rack.labware(label, self.plate_id)

    def _choose(self, name: str, sources: Sequence[Source]) -> Rack:
        racks = RACKS[name]
        needed = []
        for rack in racks:
            needed.append(sum(len(source.split(rack)) for source in sources))
            too_large = max(max(source.draws, default=0.0) for source in sources) > rack.capacity_ul - rack.dead_ul
            if needed[-1] == len(sources) <= rack.n_places and not too_large:
                return rack
        for rack, n in zip(racks, needed, strict=True):
            if n <= rack.n_places:
                return rack
        raise PipettingError(
            f"Plate {self.plate_id}: {len(sources)} liquids for '{name}', {format_volume(_total(sources))} in all, "
            f"need more positions than the {max(rack.n_places for rack in racks)} there are. Put fewer different ones "
            "on one plate: lower batch_size."
        )


def collect(drafts: Iterable[Draft]) -> dict[Source, int]:
    """Notes all draws with their sources, in order; gives for every source the draft that uses it first, by index."""
    first: dict[Source, int] = {}
    for index, draft in enumerate(drafts):
        for source, volume in zip(draft.sources, draft.volumes, strict=True):
            source.draws.append(volume)
        for source in dict.fromkeys(draft.sources):
            first.setdefault(source, index)
    return first


def _fills(source: Source, sums: Sequence[float], rack: Rack) -> Iterator[Fill]:
    if source.liquid is None:
        return
    needed = [drawn + rack.dead_ul for drawn in sums]
    spare = None if source.available_ul is None else source.available_ul - math.fsum(needed)
    for (labware, well), volume in zip(source.places, needed, strict=True):
        filled = min(math.ceil(volume * 10 - 1e-6) / 10, rack.capacity_ul)
        if spare is not None:
            # Stock comes to the deck as it stands on the shelf, as far as the tubes hold it.
            filled = min(volume + spare, rack.capacity_ul)
            spare -= filled - volume
        yield Fill(labware, well, source.liquid, filled)


def _total(sources: Sequence[Source]) -> float:
    return math.fsum(volume for source in sources for volume in source.draws)
