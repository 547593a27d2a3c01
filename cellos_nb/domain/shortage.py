"""What is missing in stock, in words that say what to order."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain.amounts import format_count, format_usd
from cellos_nb.domain.stock import Resource


@dataclass(frozen=True, slots=True)
class UnusableLot:
    """A lot that is there and may not be used."""

    lot_number: str
    count: int
    """What would be free of it, in the smallest units."""
    why: str

    def describe(self, unit: str) -> str:
        """The lot, how much of it there is, and why that does not help."""
        return f"lot {self.lot_number}, {format_count(self.count, unit)}, {self.why}"


@dataclass(frozen=True, slots=True)
class Shortage:
    """Something of which there is too little."""

    serves: str
    needed: int
    """In all, in the smallest units."""
    free: int
    """Usable and not reserved."""
    resource: Resource | None = None
    """What to order; None when no resource of the lab serves."""
    unusable: tuple[UnusableLot, ...] = ()
    """Lots that are there and may not be used."""

    @property
    def packs(self) -> int:
        """How many packs to order."""
        return 0 if self.resource is None else -((self.free - self.needed) // self.resource.pack)

    @property
    def price_micro_usd(self) -> int:
        """What they cost."""
        return 0 if self.resource is None else self.packs * self.resource.pack_price

    def __str__(self) -> str:
        resource = self.resource
        if resource is None:
            kind = self.serves.partition("/")[0]
            return (
                f"{self.serves}: none is declared, and {kind} is kept in stock here; declare it by "
                "`cellos inventory declare`"
            )
        unit = resource.unit
        bad = f" ({'; '.join(lot.describe(unit) for lot in self.unusable)})" if self.unusable else ""
        # Of a bottle that is full and may not be used nobody should read that it is empty.
        word = "usable" if self.unusable else "free"
        bought = " ".join(filter(None, (resource.vendor, resource.catalogue_number)))
        at = f" ({bought})" if bought else ""
        days = "" if resource.lead_time_days is None else f", {resource.lead_time_days} days"
        return (
            f"{resource.name}: {format_count(self.needed, unit)} needed, {format_count(self.free, unit)} {word}{bad}; "
            f"{format_count(self.needed - self.free, unit)} missing: order {self.packs} × "
            f"{format_count(resource.pack, unit)}{at}, {format_usd(self.price_micro_usd)}{days}"
        )
