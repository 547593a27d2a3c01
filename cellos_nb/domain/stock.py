"""What a lab keeps in stock: resources, lots of them, and what was booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cellos_nb.domain.amounts import (
    UNITS,
    Dimension,
    count_of,
    micro_usd,
    quantity,
    unit_named,
)
from cellos_nb.domain.setting import Name, PositiveFloat, Settings


class ResourceKind(StrEnum):
    """What sort of thing is kept."""

    TIPS = "tips"
    PLATE = "plate"
    TUBE = "tube"
    """Tubes and reservoirs: one for each filled position of a rack."""
    MEDIUM = "medium"
    REAGENT = "reagent"
    """Detection reagents and stains."""
    SOLVENT = "solvent"
    COMPOUND = "compound"
    CELLS = "cells"

    @property
    def dimension(self) -> Dimension:
        """What is counted of it."""
        if self in {ResourceKind.TIPS, ResourceKind.PLATE, ResourceKind.TUBE}:
            return Dimension.PIECES
        return Dimension.CELLS if self is ResourceKind.CELLS else Dimension.VOLUME


def serves_key(
    kind: ResourceKind, used_as: str = "", *, n_wells: int | None = None, use: str = "assay", stock_um: float = 0.0
) -> str:
    """What a resource is taken for in a workflow: the one text by which need and resource find each other.

    >>> serves_key(ResourceKind.COMPOUND, "staurosporine", stock_um=10_000.0)
    'compound/staurosporine 10 mM'
    >>> serves_key(ResourceKind.PLATE, n_wells=96, use="dilution")
    'plate/96 dilution'
    """
    match kind:
        case ResourceKind.TIPS | ResourceKind.TUBE | ResourceKind.MEDIUM:
            return kind.value
        case ResourceKind.PLATE:
            return f"{kind}/{n_wells} {use}"
        case ResourceKind.COMPOUND:
            return f"{kind}/{used_as} {stock_um / 1e3:g} mM"
        case _:
            return f"{kind}/{used_as}"


_Number = Annotated[Decimal, BeforeValidator(quantity)]
_Unit = Annotated[str, BeforeValidator(unit_named)]
_OWN_FIELDS = {
    "n_wells": ResourceKind.PLATE,
    "stock_mm": ResourceKind.COMPOUND,
    "solvent": ResourceKind.COMPOUND,
    "max_freeze_thaws": ResourceKind.COMPOUND,
    "max_passage": ResourceKind.CELLS,
}
"""Fields that only one kind of resource has."""


class Resource(Settings):
    """Something that a lab buys or makes, whatever lots of it there are."""

    name: Name
    """As the lab calls it; unique."""
    kind: ResourceKind
    """What sort of thing it is, which decides what can be said of it."""
    unit: _Unit
    """What quantities of it are written in: µL, mL, L, nL; pcs; cells, Mcells."""
    pack_size: Annotated[_Number, Field(gt=0)]
    """What one pack holds, in the unit."""
    pack_price_usd: Annotated[_Number, Field(ge=0)]
    """What one pack costs."""
    price_as_of: date
    """When the price was looked up."""
    price_source: Name
    """Where it stands: a quotation, an invoice, a catalogue."""
    vendor: str = ""
    """Who sells it."""
    catalogue_number: str = ""
    """Under which number."""
    used_as: str = ""
    """What campaigns call it, when that is not its name: the compound, cell line, solvent or stain, or the assay whose
    detection reagent it is."""
    reorder_point: Annotated[_Number, Field(ge=0)] | None = None
    """Ordered when no more than so much of it is free, in the unit."""
    lead_time_days: Annotated[int, Field(ge=0)] | None = None
    """Days from ordering to delivery."""
    n_wells: Annotated[int, Field(gt=0)] | None = None
    """Of a plate."""
    plate_use: Literal["assay", "dilution"] = "assay"
    """Of a plate: for cells, or for intermediate dilutions."""
    stock_mm: PositiveFloat | None = None
    """Concentration of a compound's stock, in mM."""
    solvent: str | None = None
    """What a compound is dissolved in."""
    max_freeze_thaws: Annotated[int, Field(ge=0)] | None = None
    """How often a lot of a compound may be thawed; as often as one likes when left out."""
    max_passage: Annotated[int, Field(ge=0)] | None = None
    """Cells of a higher passage are not used; any passage when left out."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if UNITS[self.unit][0] is not self.kind.dimension:
            possible = [name for name, (dimension, _) in UNITS.items() if dimension is self.kind.dimension]
            raise ValueError(f"unit|{self.unit!r} is no unit of {self.kind}; choose {', '.join(possible)}")
        for field, kind in _OWN_FIELDS.items():
            if getattr(self, field) is not None and self.kind is not kind:
                raise ValueError(f"{field}|only a resource of the kind {kind} has it, not {self.kind}; leave it out")
        if self.kind is ResourceKind.PLATE and self.n_wells is None:
            raise ValueError("n_wells|a plate needs the number of its wells")
        if self.kind is ResourceKind.COMPOUND and self.stock_mm is None:
            raise ValueError("stock_mm|a compound needs the concentration of its stock, in mM")
        for field, value in (("pack_size", self.pack_size), ("reorder_point", self.reorder_point)):
            if value is not None:
                try:
                    count_of(value, self.unit)
                except ValueError as error:
                    raise ValueError(f"{field}|{error}") from None
        try:
            micro_usd(self.pack_price_usd)
        except ValueError as error:
            raise ValueError(f"pack_price_usd|{error}") from None
        return self

    @property
    def serves(self) -> str:
        """What it is taken for in a workflow; `serves_key`."""
        stock_um = (self.stock_mm or 0.0) * 1e3
        return serves_key(
            self.kind, self.used_as or self.name, n_wells=self.n_wells, use=self.plate_use, stock_um=stock_um
        )

    @property
    def pack(self) -> int:
        """What one pack holds, in the smallest units."""
        return count_of(self.pack_size, self.unit)

    @property
    def pack_price(self) -> int:
        """What a pack costs, in millionths of a dollar."""
        return micro_usd(self.pack_price_usd)


class EntryKind(StrEnum):
    """Why a transaction was booked."""

    RECEIVE = "receive"
    RESERVE = "reserve"
    """A run that was submitted will take it; it is there and no longer free."""
    RELEASE = "release"
    """It is free again."""
    DEBIT = "debit"
    """A step took it, says the journal."""
    DOUBT = "in_doubt"
    """A step may have taken it; it stays reserved until a person has decided about the step."""
    SETTLE = "settle"
    """It is no longer in doubt."""
    ADJUST = "adjust"
    """A person counted otherwise, and said why."""
    USE = "use"
    """A person took it by hand, and said what for."""
    DISCARD = "discard"
    THAW = "thaw"


@dataclass(frozen=True, slots=True)
class Balance:
    """How much of a lot there is, in the smallest units of its resource."""

    on_hand: int = 0
    """At most so much: what is in doubt is among it."""
    reserved: int = 0
    """Of what is on hand: spoken for by runs that have not taken it yet."""
    uncertain: int = 0
    """Of what is reserved: whether it was taken cannot be told."""
    freeze_thaws: int = 0

    @property
    def free(self) -> int:
        """What a new run can have."""
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Transaction:
    """One row of the ledger; it is never edited. Changes are in the smallest units of the resource."""

    transaction_id: int
    lot_id: int
    kind: EntryKind
    at: datetime
    on_hand: int
    reserved: int
    uncertain: int
    freeze_thaws: int
    value_micro_usd: int
    """What the stock is worth more after it."""
    after: Balance
    person: str
    reason: str
    claim_id: int | None
    """What a run's step takes of the lot; None when no run is behind it."""


@dataclass(frozen=True, slots=True)
class Lot:
    """One delivery of a resource, with how much of it there is."""

    lot_id: int
    resource_id: int
    resource: str
    kind: ResourceKind
    serves: str
    unit: str
    lot_number: str
    received: int
    """As delivered, in the smallest units."""
    price_micro_usd: int
    """Of all that was delivered."""
    price_source: str
    price_as_of: date
    received_at: datetime
    expires_at: datetime | None
    location: str
    barcode: str | None
    passage: int | None
    max_freeze_thaws: int | None
    max_passage: int | None
    balance: Balance

    def why_unusable(self, at: datetime, *, n_thaws_to_come: int = 0) -> str | None:
        """Why nothing may be taken of it at a moment, in words; None when it may."""
        if self.expires_at is not None and self.expires_at <= at:
            return f"good until {self.expires_at:%Y-%m-%d}"
        thaws = self.balance.freeze_thaws + n_thaws_to_come
        if self.max_freeze_thaws is not None and thaws >= self.max_freeze_thaws:
            return self._why_not_thawed(self.max_freeze_thaws)
        if self.max_passage is not None and self.passage is not None and self.passage > self.max_passage:
            return f"passage {self.passage}, above {self.max_passage}"
        return None

    def _why_not_thawed(self, at_most: int) -> str:
        left = at_most - self.balance.freeze_thaws
        done = f"thawed {self.balance.freeze_thaws} of {at_most} times"
        if left <= 0:
            return done
        more = "1 more time, which is" if left == 1 else f"{left} more times, which are"
        return f"{done}: it may be thawed {more} spoken for by runs that wait"


@dataclass(frozen=True, slots=True)
class Need:
    """What one step takes of one thing."""

    step_uid: str
    kind: ResourceKind
    serves: str
    """Which resources will do; `serves_key`."""
    count: int
    """In the smallest units of its dimension."""
    after_h: float
    """Hours of incubation between the first step and this one: the stock must be good until then."""
    list_usd: float
    """What it costs by the price list."""
