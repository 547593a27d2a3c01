"""Queries over what is in stock: resources, their lots with the balance of each, and the ledger."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, literal, select, update

from cellos_nb.domain.amounts import count_of, quantity_of, usd
from cellos_nb.domain.stock import Balance, EntryKind, Lot, Resource, ResourceKind, Transaction
from cellos_nb.errors import InventoryError
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions
from cellos_nb.store.stock_tables import claims, lots, resources, transactions

_AFTER = ("on_hand", "reserved", "uncertain", "freeze_thaws")


def declare(tx: Connection, resource: Resource, *, at: datetime, person: str) -> int:
    """Stores a resource, or what is new about one of that name, and returns its number.

    Raises:
        InventoryError: it has lots, and its kind, unit or what it serves would change.
    """
    values = _values(resource)
    row = tx.execute(select(resources).where(resources.c.name == resource.name)).first()
    if row is None:
        values |= {"declared_at": at, "declared_by": person}
        return int((tx.execute(insert(resources), values).inserted_primary_key or (0,))[0])
    fixed = [name for name in ("kind", "unit", "serves") if getattr(row, name) != values[name]]
    if fixed and tx.scalar(select(lots.c.lot_id).where(lots.c.resource_id == row.resource_id).limit(1)):
        name = fixed[0]
        raise InventoryError(
            f"{resource.name}: has lots, so its {name} cannot become {values[name]!r} in place of "
            f"{getattr(row, name)!r}. Declare another resource."
        )
    tx.execute(update(resources).where(resources.c.resource_id == row.resource_id), values)
    return int(row.resource_id)


def resource_id(tx: Connection, name: str) -> int:
    """The number of a resource.

    Raises:
        InventoryError: there is none of that name.
    """
    found = tx.scalar(select(resources.c.resource_id).where(resources.c.name == name))
    if found is None:
        known = ", ".join(tx.execute(select(resources.c.name).order_by(resources.c.name)).scalars()) or "none yet"
        raise InventoryError(f"{name}: no such resource is declared; there is {known}.")
    return int(found)


def all_resources(tx: Connection) -> tuple[Resource, ...]:
    """Every resource, by kind and name."""
    return tuple(_resource(row) for row in tx.execute(select(resources).order_by(resources.c.kind, resources.c.name)))


def resource_named(tx: Connection, name: str) -> Resource:
    """One resource.

    Raises:
        InventoryError: there is none of that name.
    """
    number = resource_id(tx, name)
    return _resource(tx.execute(select(resources).where(resources.c.resource_id == number)).one())


def kept_kinds(tx: Connection) -> frozenset[ResourceKind]:
    """The kinds of which at least one resource is declared: those that are kept in stock here."""
    return frozenset(ResourceKind(kind) for (kind,) in _KINDS.rows(tx))


def lots_of(
    tx: Connection,
    *,
    serves: Collection[str] | None = None,
    lot_ids: Collection[int] | None = None,
    resource: str | None = None,
    is_empty_shown: bool = True,
) -> tuple[Lot, ...]:
    """Lots with their balances, what expires first first: all, or those that serve, are numbered or belong so.

    Args:
        tx: the transaction to read in.
        serves: only of resources that are taken for one of these.
        lot_ids: only these.
        resource: only of this resource.
        is_empty_shown: those of which nothing is on hand as well.
    """
    query = _LOTS
    if serves is not None:
        query = query.where(resources.c.serves.in_(serves))
    if lot_ids is not None:
        query = query.where(lots.c.lot_id.in_(lot_ids))
    if resource is not None:
        query = query.where(resources.c.name == resource)
    if not is_empty_shown:
        query = query.where(transactions.c.on_hand_after > 0)
    found = [_lot(row) for row in tx.execute(query)]
    never = datetime.max.replace(tzinfo=found[0].received_at.tzinfo) if found else None
    return tuple(sorted(found, key=lambda lot: (lot.expires_at or never, lot.received_at, lot.lot_id)))


def has_lot(tx: Connection, number: int, lot_number: str) -> bool:
    """Whether a resource, by its number, has a lot of that lot number."""
    query = select(lots.c.lot_id).where(lots.c.resource_id == number, lots.c.lot_number == lot_number)
    return tx.scalar(query) is not None


def is_barcode_taken(tx: Connection, barcode: str) -> bool:
    """Whether a lot has a barcode."""
    return tx.scalar(select(lots.c.lot_id).where(lots.c.barcode == barcode)) is not None


def find_lot(tx: Connection, name: str) -> Lot:
    """The lot that a person means: by number in these books, barcode, or lot number when one lot alone has it.

    Raises:
        InventoryError: there is none, or there are several.
    """
    is_meant = (lots.c.barcode == name) | (lots.c.lot_number == name)
    if name.isdigit():
        is_meant = is_meant | (lots.c.lot_id == int(name))
    found = [_lot(row) for row in tx.execute(_LOTS.where(is_meant))]
    exact = [lot for lot in found if str(lot.lot_id) == name or lot.barcode == name]
    if len(found) == 1 or len(exact) == 1:
        return (exact or found)[0]
    if not found:
        raise InventoryError(f"{name}: no lot has this number or barcode. `cellos inventory list` shows all.")
    several = "; ".join(f"{lot.lot_id}: {lot.resource}, lot {lot.lot_number}" for lot in found)
    raise InventoryError(f"{name}: several lots have this number. Give one of theirs here: {several}.")


def entries(
    tx: Connection,
    *,
    lot_id: int | None = None,
    resource: str | None = None,
    after: int = 0,
    last: int | None = None,
) -> tuple[Transaction, ...]:
    """The ledger, oldest first: all, or that of one lot or resource; from behind a transaction, the last so many."""
    query = select(transactions).where(transactions.c.transaction_id > after)
    if lot_id is not None:
        query = query.where(transactions.c.lot_id == lot_id)
    if resource is not None:
        its_lots = select(lots.c.lot_id).join(resources).where(resources.c.name == resource)
        query = query.where(transactions.c.lot_id.in_(its_lots))
    newest_first = query.order_by(transactions.c.transaction_id.desc()).limit(last)
    return tuple(_entry(row) for row in tx.execute(newest_first))[::-1]


def occasions_to_come(tx: Connection, lot_id: int, *, without: str) -> int:
    """For how many batches, another one left out, a lot is going to be thawed that it was not thawed for yet."""
    thawed = select(transactions.c.key).where(transactions.c.lot_id == lot_id, transactions.c.key.is_not(None))
    key = literal(f"thaw {lot_id} ") + claims.c.occasion
    query = (
        select(func.count(claims.c.occasion.distinct()))
        .where(claims.c.lot_id == lot_id, claims.c.closed_at.is_(None), claims.c.occasion != without)
        .where(key.not_in(thawed))
    )
    return tx.scalar(query) or 0


def waiting_counts(tx: Connection) -> dict[str, int]:
    """What runs in the queue need and have no lot for, by what serves it, in the smallest units."""
    query = (
        select(claims.c.serves, func.sum(claims.c.quantity))
        .join(actions, actions.c.action_id == claims.c.run_id)
        .where(claims.c.lot_id.is_(None), claims.c.closed_at.is_(None), actions.c.status != "dead_letter")
        .group_by(claims.c.serves)
    )
    return {serves: int(count) for serves, count in tx.execute(query)}


def is_thawed_for(tx: Connection, lot_id: int, occasion: str) -> bool:
    """Whether a lot was thawed for a batch, or is going to be."""
    key = f"thaw {lot_id} {occasion}"
    if tx.scalar(select(transactions.c.transaction_id).where(transactions.c.key == key)):
        return True
    waits = select(claims.c.claim_id).where(
        claims.c.lot_id == lot_id, claims.c.closed_at.is_(None), claims.c.occasion == occasion
    )
    return tx.scalar(waits.limit(1)) is not None


def _values(resource: Resource) -> dict[str, Any]:
    reorder = resource.reorder_point
    return {
        **resource.model_dump(exclude={"pack_size", "pack_price_usd", "reorder_point", "kind"}),
        "kind": resource.kind.value,
        "serves": resource.serves,
        "pack_size": resource.pack,
        "pack_price_micro_usd": resource.pack_price,
        "reorder_point": None if reorder is None else count_of(reorder, resource.unit),
    }


def _resource(row: Row[Any]) -> Resource:
    own = {name: getattr(row, name) for name in Resource.model_fields if name not in {"pack_size", "pack_price_usd"}}
    point = row.reorder_point
    return Resource(
        **own
        | {
            "pack_size": quantity_of(row.pack_size, row.unit),
            "pack_price_usd": usd(row.pack_price_micro_usd),
            "reorder_point": None if point is None else quantity_of(point, row.unit),
        }
    )


def _lot(row: Row[Any]) -> Lot:
    return Lot(
        lot_id=row.lot_id,
        resource_id=row.resource_id,
        resource=row.name,
        kind=ResourceKind(row.kind),
        serves=row.serves,
        unit=row.unit,
        lot_number=row.lot_number,
        received=row.received,
        price_micro_usd=row.price_micro_usd,
        price_source=row.price_source,
        price_as_of=row.price_as_of,
        received_at=row.received_at,
        expires_at=row.expires_at,
        location=row.location,
        barcode=row.barcode,
        passage=row.passage,
        max_freeze_thaws=row.max_freeze_thaws,
        max_passage=row.max_passage,
        balance=Balance(*(getattr(row, f"{name}_after") or 0 for name in _AFTER)),
    )


def _entry(row: Row[Any]) -> Transaction:
    return Transaction(
        transaction_id=row.transaction_id,
        lot_id=row.lot_id,
        kind=EntryKind(row.kind),
        at=row.at,
        on_hand=row.on_hand,
        reserved=row.reserved,
        uncertain=row.uncertain,
        freeze_thaws=row.freeze_thaws,
        value_micro_usd=row.value_micro_usd,
        after=Balance(*(getattr(row, f"{name}_after") for name in _AFTER)),
        person=row.person,
        reason=row.reason,
        claim_id=row.claim_id,
    )


_NEWER = transactions.alias("newer")
_LAST = select(func.max(_NEWER.c.transaction_id)).where(_NEWER.c.lot_id == lots.c.lot_id).scalar_subquery()
_LOTS: Select[Any] = (
    select(
        lots,
        *(resources.c[name] for name in ("name", "kind", "serves", "unit", "max_freeze_thaws", "max_passage")),
        *(transactions.c[f"{name}_after"] for name in _AFTER),
    )
    .join(resources, resources.c.resource_id == lots.c.resource_id)
    # A lot of which every transaction was removed by force is still a lot; `reconcile` finds it.
    .outerjoin(transactions, transactions.c.transaction_id == _LAST)
)
_KINDS = Prepared(select(resources.c.kind).distinct())
