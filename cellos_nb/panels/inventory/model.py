"""What the inventory panel shows: resources with their lights, lots, orders, doubts, and what was booked last."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select

from cellos_nb.domain.amounts import format_count, format_usd
from cellos_nb.domain.stock import Lot
from cellos_nb.errors import InputError
from cellos_nb.execution.process import person
from cellos_nb.operations.inventory import Inventory
from cellos_nb.operations.inventory.journal import what_changed
from cellos_nb.operations.inventory.reconcile import Doubt
from cellos_nb.operations.inventory.reorder import Order, reorder_list, reorder_table
from cellos_nb.operations.inventory.standing import Light, LotStanding, ResourceStanding
from cellos_nb.stockroom import waiting_for_stock
from cellos_nb.store import stock_shelf
from cellos_nb.store.schema import campaigns
from cellos_nb.store.stock_tables import transactions
from cellos_nb.store.store import Store

EVERYTHING = ""
"""In place of one resource."""
N_ENTRIES = 20
"""Lines of the ledger in view."""

RESOURCE_COLUMNS = ("act", "resource", "kind", "usable", "reserved", "in doubt", "state")
LOT_COLUMNS = ("act", "lot", "of", "on hand", "free", "expires", "thawed", "passage", "location", "state")
ORDER_COLUMNS = ("vendor", "number", "resource", "order", "price", "price of", "days", "why")
DOUBT_COLUMNS = ("plate", "step", "lot", "in doubt", "settle by")
ENTRY_COLUMNS = ("at", "lot", "entry", "change", "person", "reason")


class Deed(StrEnum):
    """What a person did to a lot."""

    COUNTED = "counted"
    USED = "used"
    DISCARDED = "discarded"
    THAWED = "thawed"


@dataclass(frozen=True, slots=True)
class InventoryChoice:
    """What a person chose."""

    resource: str = EVERYTHING
    """Only lots and bookings of this one."""


@dataclass(frozen=True, slots=True)
class InventoryShown:
    """What the panel shows."""

    standings: tuple[ResourceStanding, ...]
    orders: tuple[Order, ...]
    doubts: tuple[Doubt, ...]
    entries: tuple[tuple[str, ...], ...]
    """The newest bookings of what is chosen, the newest first; as `ENTRY_COLUMNS`."""
    waiting: tuple[str, ...]
    """Campaigns that are paused until something is delivered."""
    table: str
    """The stock as CSV, as `cellos inventory import` reads it."""

    @property
    def lots(self) -> tuple[LotStanding, ...]:
        """All lots of which something is on hand, by resource."""
        return tuple(lot for each in self.standings for lot in each.lots)

    def n(self, light: Light) -> int:
        """How many resources have a light."""
        return sum(each.light is light for each in self.standings)

    def resource_rows(self) -> list[tuple[str, ...]]:
        """As `RESOURCE_COLUMNS`: what needs somebody now first."""
        order = [Light.NOW, Light.SOON, Light.GOOD]
        rows = []
        for each in sorted(self.standings, key=lambda one: order.index(one.light)):
            unit = each.resource.unit
            amounts = (format_count(n, unit) for n in (each.usable, each.reserved, each.uncertain))
            rows.append((each.light.value, each.resource.name, each.resource.kind.value, *amounts, each.words))
        return rows

    def lot_rows(self, resource: str) -> list[tuple[str, ...]]:
        """As `LOT_COLUMNS`: of one resource or all, in the order in which runs take of them."""
        return [_lot_row(each) for each in self.lots if resource in {EVERYTHING, each.lot.resource}]

    def order_rows(self) -> list[tuple[str, ...]]:
        """As `ORDER_COLUMNS`, by vendor."""
        return [
            (
                order.resource.vendor,
                order.resource.catalogue_number,
                order.resource.name,
                f"{order.packs} × {format_count(order.resource.pack, order.resource.unit)}",
                format_usd(order.price_micro_usd),
                f"{order.resource.price_as_of}, {order.resource.price_source}",
                "" if order.resource.lead_time_days is None else str(order.resource.lead_time_days),
                order.why,
            )
            for order in self.orders
        ]

    def order_table(self) -> str:
        """The orders as CSV."""
        return reorder_table(self.orders)

    def doubt_rows(self) -> list[tuple[str, ...]]:
        """As `DOUBT_COLUMNS`."""
        return [
            (
                each.plate_id,
                each.step_uid,
                f"{each.lot.resource}, {each.lot.lot_number}",
                format_count(each.count, each.lot.unit),
                each.cure,
            )
            for each in self.doubts
        ]


def inventory_for(store: Store) -> Inventory:
    """The stock as it is booked: looking books nothing, since a run's end does."""
    return Inventory(store, catch_up=lambda: 0, who=person)


def mark_of(store: Store, now: datetime) -> Hashable:
    """Changes with every booking, declaration and pause, and with the day: what was good may have expired."""
    with store.read() as tx:
        last = tx.scalar(select(func.max(transactions.c.transaction_id)))
        n_paused = tx.scalar(select(func.count()).where(campaigns.c.status == "paused"))
        return last, n_paused, repr(stock_shelf.all_resources(tx)), now.date()


def look(store: Store, resource: str, now: datetime) -> InventoryShown:
    """The stock, for a person who looks at one resource or all."""
    inventory = inventory_for(store)
    found = inventory.standings()
    entries = inventory.transactions(resource=resource or None, last=N_ENTRIES)
    # Read last, so that the lot of every entry is among them.
    shelf = {lot.lot_id: lot for lot in inventory.lots(is_empty_shown=True)}
    return InventoryShown(
        found,
        reorder_list(found, now),
        inventory.reconcile().doubts,
        tuple(
            (
                f"{entry.at:%Y-%m-%d %H:%M}",
                f"{lot.resource}, {lot.lot_number}",
                entry.kind.value.replace("_", " "),
                what_changed(entry, lot),
                entry.person,
                entry.reason,
            )
            for entry, lot in ((entry, shelf[entry.lot_id]) for entry in reversed(entries))
        ),
        waiting_for_stock(store),
        inventory.table(),
    )


def settle(inventory: Inventory, deed: Deed, lot_id: int, amount: str, reason: str) -> Lot:
    """Books what a person did to a lot.

    Raises:
        InputError: no reason, no amount where one is needed, or one that cannot be.
    """
    if deed in {Deed.COUNTED, Deed.USED} and not amount.strip():
        raise InputError(f"Write how much was {deed}, in the unit of the resource.")
    match deed:
        case Deed.COUNTED:
            return inventory.adjust(lot_id, amount, reason)
        case Deed.USED:
            return inventory.use(lot_id, amount, reason)
        case Deed.DISCARDED:
            return inventory.discard(lot_id, reason, amount.strip() or None)
        case Deed.THAWED:
            return inventory.thaw(lot_id, reason)


def _lot_row(each: LotStanding) -> tuple[str, ...]:
    lot = each.lot
    at_most = "" if lot.max_freeze_thaws is None else f" of {lot.max_freeze_thaws}"
    thawed = f"{lot.balance.freeze_thaws}{at_most}" if at_most or lot.balance.freeze_thaws else ""
    return (
        each.light.value,
        lot.lot_number,
        lot.resource,
        format_count(lot.balance.on_hand, lot.unit),
        format_count(lot.balance.free, lot.unit),
        "" if lot.expires_at is None else f"{lot.expires_at:%Y-%m-%d}",
        thawed,
        "" if lot.passage is None else str(lot.passage),
        lot.location,
        each.words,
    )
