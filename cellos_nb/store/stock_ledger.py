"""The ledger of the stock: transactions that are added and never changed, each with the balance after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from cellos_nb.domain.amounts import format_count, value_of
from cellos_nb.domain.stock import Balance, EntryKind, Lot
from cellos_nb.errors import InventoryError
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.stock_tables import transactions

SOFTWARE = "cellos"
"""Who books what a workflow takes."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction changes, in the smallest units of the resource."""

    on_hand: int = 0
    reserved: int = 0
    uncertain: int = 0
    freeze_thaws: int = 0


class Ledger:
    """Books within one transaction of the store, whose single writer makes balance and booking one act."""

    def __init__(self, tx: Connection, at: datetime, person: str = SOFTWARE) -> None:
        """A ledger to book in at a moment, in the name of a person."""
        self._tx, self.at, self.person = tx, at, person
        self._balances: dict[int, Balance] = {}

    def balance(self, lot_id: int) -> Balance:
        """What there is of a lot; nothing of one that was never booked."""
        if lot_id not in self._balances:
            rows = _BALANCE.rows(self._tx, {"of_lot": lot_id})
            self._balances[lot_id] = Balance(*rows[0]) if rows else Balance()
        return self._balances[lot_id]

    def receive(self, lot_id: int, count: int, price_micro_usd: int, *, freeze_thaws: int = 0) -> None:
        """Books the first transaction of a lot: all of it is there, thawed so often before."""
        first = Change(on_hand=count, freeze_thaws=freeze_thaws)
        self._add(lot_id, EntryKind.RECEIVE, first, Balance(**asdict(first)), price_micro_usd)

    def book(
        self,
        lot: Lot,
        kind: EntryKind,
        change: Change,
        *,
        reason: str = "",
        claim_id: int | None = None,
        key: str | None = None,
    ) -> bool:
        """Books a change of a lot; False when the same key was booked before, and nothing changes then.

        Raises:
            InventoryError: there would be less than nothing, or more reserved than there is.
        """
        if key is not None and _THERE.rows(self._tx, {"of_key": key}):
            return False
        before = self.balance(lot.lot_id)
        after = Balance(
            before.on_hand + change.on_hand,
            before.reserved + change.reserved,
            before.uncertain + change.uncertain,
            before.freeze_thaws + change.freeze_thaws,
        )
        _check(lot, before, after)
        whole, price = lot.received, lot.price_micro_usd
        value = value_of(after.on_hand, whole, price) - value_of(before.on_hand, whole, price)
        self._add(lot.lot_id, kind, change, after, value, reason=reason, claim_id=claim_id, key=key)
        return True

    def _add(
        self,
        lot_id: int,
        kind: EntryKind,
        change: Change,
        after: Balance,
        value_micro_usd: int,
        *,
        reason: str = "",
        claim_id: int | None = None,
        key: str | None = None,
    ) -> None:
        values: dict[str, Any] = {
            "lot_id": lot_id,
            "kind": kind.value,
            "at": self.at,
            **asdict(change),
            **{f"{name}_after": value for name, value in asdict(after).items()},
            "value_micro_usd": value_micro_usd,
            "claim_id": claim_id,
            "key": key,
            "person": self.person,
            "reason": reason,
        }
        _INSERT(self._tx, values)
        self._balances[lot_id] = after


def _check(lot: Lot, before: Balance, after: Balance) -> None:
    """Says in words what the database would refuse."""
    name = f"{lot.resource}, lot {lot.lot_number}"
    if after.on_hand < 0:
        raise InventoryError(
            f"{name}: {format_count(before.on_hand - after.on_hand, lot.unit)} cannot be taken of the "
            f"{format_count(before.on_hand, lot.unit)} that are on hand. Count it, and adjust the lot first."
        )
    if after.reserved > after.on_hand:
        raise InventoryError(
            f"{name}: {format_count(before.free, lot.unit)} are free, since runs have reserved "
            f"{format_count(before.reserved, lot.unit)} of the {format_count(before.on_hand, lot.unit)} on hand. "
            "Cancel a run that waits, or discard the whole lot, so that runs look for another one."
        )
    if min(after.reserved, after.uncertain, after.freeze_thaws) < 0 or after.uncertain > after.reserved:
        raise AssertionError(f"{name}: {before} cannot become {after}")


_BALANCE = Prepared(
    select(*(transactions.c[f"{name}_after"] for name in ("on_hand", "reserved", "uncertain", "freeze_thaws")))
    .where(transactions.c.lot_id == bindparam("of_lot"))
    .order_by(transactions.c.transaction_id.desc())
    .limit(1)
)
_THERE = Prepared(select(transactions.c.transaction_id).where(transactions.c.key == bindparam("of_key")))
_INSERT = Prepared(insert(transactions), *(column.name for column in transactions.c if column.name != "transaction_id"))
