"""What to order: of whom, under which number, how many packs, for how much, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cellos_nb.domain.amounts import format_count, quantity_of, usd
from cellos_nb.domain.stock import Resource
from cellos_nb.operations.inventory.spreadsheet import csv_text
from cellos_nb.operations.inventory.standing import ResourceStanding

COLUMNS = (
    *("vendor", "catalogue_number", "name", "packs", "pack_size", "unit", "pack_price_usd", "price_usd"),
    *("price_as_of", "price_source", "lead_time_days", "why"),
)
"""Of the list as CSV."""


@dataclass(frozen=True, slots=True)
class Order:
    """So many packs of one resource."""

    resource: Resource
    packs: int
    why: str

    @property
    def price_micro_usd(self) -> int:
        """Of all packs, in millionths of a dollar."""
        return self.packs * self.resource.pack_price


def reorder_list(standings: Iterable[ResourceStanding], at: datetime) -> tuple[Order, ...]:
    """What to order now, by vendor.

    Ordered is what is at its reorder point or below (or used up, where it has none) when a delivery could be there,
    what expires until then not counted; so many packs that it is above it and runs that wait have what they need.
    """
    orders = [order for each in standings if (order := _order(each, at)) is not None]
    return tuple(sorted(orders, key=lambda each: (each.resource.vendor, each.resource.name)))


def reorder_table(orders: Iterable[Order]) -> str:
    """The list as CSV, for whoever orders."""
    return csv_text(COLUMNS, ([order_cells(order)[column] for column in COLUMNS] for order in orders))


def order_cells(order: Order) -> dict[str, object]:
    """One order by the names of `COLUMNS`; prices in USD, exactly."""
    made_of = order.resource
    return {
        "vendor": made_of.vendor,
        "catalogue_number": made_of.catalogue_number,
        "name": made_of.name,
        "packs": order.packs,
        "pack_size": quantity_of(made_of.pack, made_of.unit),
        "unit": made_of.unit,
        "pack_price_usd": usd(made_of.pack_price),
        "price_usd": usd(order.price_micro_usd),
        "price_as_of": made_of.price_as_of.isoformat(),
        "price_source": made_of.price_source,
        "lead_time_days": made_of.lead_time_days,
        "why": order.why,
    }


def _order(standing: ResourceStanding, at: datetime) -> Order | None:
    made_of, point = standing.resource, standing.reorder_point or 0
    days = made_of.lead_time_days or 0
    left = standing.usable_at(at + timedelta(days=days)) - standing.waiting
    if left > point:
        return None
    unit = made_of.unit
    why = [f"{format_count(standing.usable, unit)} usable"]
    if standing.waiting:
        why.append(f"runs that wait need {format_count(standing.waiting, unit)}")
    expiring = standing.usable - standing.usable_at(at + timedelta(days=days))
    if expiring:
        when = f"within the {days} days of delivery"
        why.append(f"{format_count(expiring, unit)} of it expire {when}")
    if made_of.reorder_point is not None:
        why.append(f"reordered at {format_count(point, unit)}")
    packs = (point - left) // made_of.pack + 1
    return Order(made_of, packs, ", ".join(why))
