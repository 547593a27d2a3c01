"""Resources of which less is free than the point at which they are to be ordered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select

from cellos_nb.domain.amounts import count_of, format_count
from cellos_nb.domain.occasions import Occasion
from cellos_nb.domain.stock import EntryKind, Resource
from cellos_nb.store.messages import tell
from cellos_nb.store.stock_shelf import all_resources, lots_of, resource_id
from cellos_nb.store.stock_tables import lots, transactions


def tell_if_low(tx: Connection, at: datetime, serves: Collection[str]) -> None:
    """Has people told of what is to be ordered, among resources that are taken for one of these.

    Once after each delivery, in the transaction that took or reserved.
    """
    for resource in all_resources(tx):
        if resource.reorder_point is None or resource.serves not in serves:
            continue
        point = count_of(resource.reorder_point, resource.unit)
        mine = lots_of(tx, resource=resource.name, is_empty_shown=False)
        free = sum(lot.balance.free for lot in mine if lot.expires_at is None or lot.expires_at > at)
        if free < point:
            once = f"{resource.name} after delivery {_last_delivery(tx, resource)}"
            tell(tx, Occasion.STOCK_LOW, resource.name, _body(resource, free, point), once=once)


def _last_delivery(tx: Connection, resource: Resource) -> int:
    """The transaction that booked it; 0 before there was one."""
    query = (
        select(func.max(transactions.c.transaction_id))
        .join(lots, lots.c.lot_id == transactions.c.lot_id)
        .where(transactions.c.kind == EntryKind.RECEIVE.value, lots.c.resource_id == resource_id(tx, resource.name))
    )
    return tx.scalar(query) or 0


def _body(resource: Resource, free: int, point: int) -> str:
    what = " ".join(filter(None, (resource.vendor, resource.catalogue_number)))
    of_whom = f" of {what}" if what else ""
    days = resource.lead_time_days
    takes = f" It takes {days} days to come." if days else ""
    there, least = format_count(free, resource.unit), format_count(point, resource.unit)
    return f"{there} are free; order below {least}{of_whom}.{takes}"
