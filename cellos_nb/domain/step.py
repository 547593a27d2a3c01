"""One action of a workflow: the vocabulary that workflow writes and hardware executes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED


class StepKind(StrEnum):
    """What a step does to the world, and so whether it may be done twice."""

    SEED = "seed"
    DILUTE = "dilute"
    DOSE = "dose"
    STAIN = "stain"
    INCUBATE = "incubate"
    READ = "read"
    IMAGE = "image"
    TRANSPORT = "transport"

    @property
    def moves_liquid(self) -> bool:
        """Whether the step dispenses; such a step is never repeated after a crash without proof or a person."""
        return self in {StepKind.SEED, StepKind.DILUTE, StepKind.DOSE, StepKind.STAIN}

    @property
    def is_repeatable(self) -> bool:
        """Whether doing the step again is harmless; an arm that carries a plate twice reaches for one that is gone."""
        return not (self.moves_liquid or self is StepKind.TRANSPORT)


class TipPolicy(StrEnum):
    """When a liquid handler takes a new tip."""

    PER_SOURCE = "per_source"
    """One tip for all that comes from one source well without touching liquid in the destination."""
    PER_TRANSFER = "per_transfer"
    """A new tip for every transfer."""


@dataclass(frozen=True, slots=True)
class Liquid:
    """What a source well is filled with; concentrations are those of the liquid itself."""

    name: str
    """For people: `U2OS cells`, `medium`, `DMSO`, `staurosporine 10 mM`."""
    cell_line: str | None = None
    cells_per_ul: float = 0.0
    compound: str | None = None
    concentration_um: float = 0.0
    solvent_fraction: float = 0.0
    """Volume fraction of organic solvent (DMSO), 0 to 1."""
    stain: str | None = None


@dataclass(frozen=True, slots=True)
class Labware:
    """A plate, rack or reservoir on the deck."""

    name: str
    """As transfers refer to it: `plate`, `cells`, `stocks`, `vehicle`, `dilutions`."""
    barcode: str
    """What tells this physical item from every other one, ever."""
    n_wells: int
    """6 to 1536 for a plate; the number of positions for a rack or reservoir."""
    well_capacity_ul: float
    dead_volume_ul: float = 0.0
    """What cannot be drawn from a well."""


@dataclass(frozen=True, slots=True)
class Fill:
    """The liquid that stands in a source well before the step begins."""

    labware: str
    well: str
    liquid: Liquid
    volume_ul: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """One aspirate and dispense."""

    source_labware: str
    source_well: str
    destination_labware: str
    destination_well: str
    volume_ul: float


@dataclass(frozen=True, slots=True)
class TransferList:
    """Transfers in order of execution, held column by column so that a 384-well plate stays small and quick.

    All columns have the same length; `list(transfers)` gives them row by row.
    """

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    source_labware: tuple[str, ...] = ()
    source_well: tuple[str, ...] = ()
    destination_labware: tuple[str, ...] = ()
    destination_well: tuple[str, ...] = ()
    volume_ul: tuple[float, ...] = ()
    tip_policy: TipPolicy = TipPolicy.PER_SOURCE
    mix_after: bool = False
    """Whether the destination is mixed after each dispense."""

    def __len__(self) -> int:
        return len(self.volume_ul)

    def __iter__(self) -> Iterator[Transfer]:
        columns = (
            self.source_labware,
            self.source_well,
            self.destination_labware,
            self.destination_well,
            self.volume_ul,
        )
        return (Transfer(*row) for row in zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class Readout:
    """What a reader or imager is asked for."""

    mode: str
    """`luminescence`, `fluorescence` or `imaging`."""
    channels: tuple[str, ...]
    """Names of the signals, e.g. `luminescence` or `DAPI`, `GFP`, `RFP`."""
    wells: tuple[str, ...]
    """The wells to read, in plate order."""
    n_sites: int = 1
    """Fields imaged in each well."""


def _is_none(value: object) -> bool:
    return value is None


@dataclass(frozen=True, slots=True)
class Step:
    """One action on one plate. Exactly one of `transfers`, `duration_h`, `readout`, `to_place` is set, by kind."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    uid: str
    """Unique within its workflow and readable: `3-dose`."""
    name: str
    """As a biologist says it: seed, attach, dose, treat, read."""
    kind: StepKind
    plate_id: str
    """Barcode of the assay plate."""
    labware: tuple[Labware, ...]
    """All labware the step touches, the assay plate among them under the name `plate`."""
    fills: tuple[Fill, ...] = ()
    """What must stand in the source wells when the step begins and was not put there by an earlier step."""
    transfers: TransferList | None = None
    duration_h: float | None = None
    temperature_c: float = 37.0
    """Incubation temperature."""
    readout: Readout | None = None
    assay: str = "viability"
    seed: int = 0
    """For machines that simulate: same seed, same noise."""
    to_place: Annotated[str | None, Field(exclude_if=_is_none)] = None
    """Where the plate is carried to: one of the machine's places. Left out of JSON where none is meant, so that the
    hashes of workflows from before there were transports hold."""

    def labware_named(self, name: str) -> Labware:
        """The labware that transfers call by this name.

        Raises:
            KeyError: the step has no such labware.
        """
        for item in self.labware:
            if item.name == name:
                return item
        raise KeyError(name)
