"""Deliveries: what comes in, checked and booked as a lot of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert

from cellos_nb.domain.amounts import count_of, micro_usd, quantity
from cellos_nb.domain.stock import Lot, Resource, ResourceKind
from cellos_nb.errors import InventoryError
from cellos_nb.store import stock_shelf
from cellos_nb.store.stock_ledger import Ledger
from cellos_nb.store.stock_tables import lots

Quantity = str | float | Decimal
"""As a person writes it, in the unit of the resource; of a float its shortest text counts."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What comes in as one lot."""

    resource: str
    """Which, by name."""
    lot_number: str
    """The maker's; unique among the lots of the resource."""
    amount: Quantity | None = None
    """How much, in the unit of the resource; one pack when None."""
    expires: date | datetime | None = None
    """The last day on which it may be used, or the moment; it keeps for ever when None."""
    location: str = ""
    """Where it stands."""
    barcode: str | None = None
    """On it; no other lot has it."""
    price_usd: Quantity | None = None
    """Of all of it; at the resource's price for a pack when None."""
    price_source: str | None = None
    """Where the price stands; as the resource's when None."""
    price_as_of: date | None = None
    """The price's date; as the resource's when None, or today's with a price of its own."""
    passage: int | None = None
    """Of cells."""
    freeze_thaws: int = 0
    """How often a compound was thawed before it came under these books."""
    received_at: datetime | None = None
    """Now when None."""


def book_delivery(tx: Connection, ledger: Ledger, delivery: Delivery) -> Lot:
    """Books a delivery and returns its lot.

    Raises:
        InventoryError: no such resource, a quantity that cannot be, or a lot number or barcode that is taken.
    """
    number, made_of = stock_shelf.resource_id(tx, delivery.resource), stock_shelf.resource_named(tx, delivery.resource)
    count = made_of.pack if delivery.amount is None else count_in(made_of.name, delivery.amount, made_of.unit)
    if count <= 0:
        raise InventoryError(
            f"{made_of.name}: {delivery.amount} {made_of.unit} cannot be received; give more than nothing."
        )
    _check(tx, number, made_of, delivery)
    values = {
        "resource_id": number,
        "lot_number": delivery.lot_number,
        "received": count,
        **_priced(made_of, count, delivery.price_usd, today=ledger.at.date()),
        "received_at": delivery.received_at or ledger.at,
        "expires_at": _moment(delivery.expires),
        "location": delivery.location,
        "barcode": delivery.barcode or None,
        "passage": delivery.passage,
    }
    values |= {"price_source": delivery.price_source} if delivery.price_source else {}
    values |= {"price_as_of": delivery.price_as_of} if delivery.price_as_of else {}
    (lot_id,) = tx.execute(insert(lots), values).inserted_primary_key or (0,)
    ledger.receive(int(lot_id), count, int(values["price_micro_usd"]), freeze_thaws=delivery.freeze_thaws)
    return stock_shelf.lots_of(tx, lot_ids=[int(lot_id)])[0]


def count_in(where: str, amount: Quantity, unit: str) -> int:
    """A quantity as a person writes it, in the smallest units.

    Raises:
        InventoryError: it is no number, or no whole number of the smallest units; begins with `where`.
    """
    try:
        return count_of(quantity(amount), unit)
    except ValueError as error:
        raise InventoryError(f"{where}: {error}.") from None


def _check(tx: Connection, number: int, made_of: Resource, delivery: Delivery) -> None:
    name, lot_number = made_of.name, delivery.lot_number
    if not lot_number.strip():
        raise InventoryError(f"{name}: a delivery needs its lot number; write one of your own if it has none.")
    if delivery.passage is not None and made_of.kind is not ResourceKind.CELLS:
        raise InventoryError(f"{name}: {made_of.kind} has no passage; leave it out.")
    if delivery.passage is not None and delivery.passage < 0:
        raise InventoryError(f"{name}, lot {lot_number}: a passage of {delivery.passage} cannot be. Give 0 or more.")
    if delivery.freeze_thaws < 0:
        raise InventoryError(
            f"{name}, lot {lot_number}: thawed {delivery.freeze_thaws} times cannot be. Give 0 or more."
        )
    if stock_shelf.has_lot(tx, number, lot_number):
        raise InventoryError(
            f"{name}: lot {lot_number} was received before. Number the deliveries of one lot, as in {lot_number}-2."
        )
    if delivery.barcode and stock_shelf.is_barcode_taken(tx, delivery.barcode):
        raise InventoryError(f"{name}: the barcode {delivery.barcode} is on another lot. Stick a new one on this.")


def _priced(resource: Resource, count: int, price_usd: Quantity | None, *, today: date) -> dict[str, Any]:
    """What a delivery costs, and how that is known: by its own price, or by that of a pack."""
    if price_usd is None:
        price = round(Decimal(count * resource.pack_price) / resource.pack)
        source, as_of = resource.price_source, resource.price_as_of
    else:
        price, source, as_of = _price(resource.name, price_usd), "price of the delivery", today
    return {"price_micro_usd": price, "price_source": source, "price_as_of": as_of}


def _price(where: str, price_usd: Quantity) -> int:
    try:
        price = micro_usd(price_usd)
    except ValueError as error:
        raise InventoryError(f"{where}: {error}.") from None
    if price < 0:
        raise InventoryError(f"{where}: a price of {price_usd} USD cannot be. Give 0 or more.")
    return price


def _moment(expires: date | datetime | None) -> datetime | None:
    """A day lasts to its end, UTC."""
    if expires is None or isinstance(expires, datetime):
        return expires
    return datetime.combine(expires, time(23, 59, 59), UTC)
