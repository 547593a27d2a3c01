"""The books checked: every lot's ledger added up anew and held against what it states and what runs have reserved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cellos_nb.domain.amounts import format_count, format_usd, value_of
from cellos_nb.domain.stock import EntryKind, Lot
from cellos_nb.store import stock_shelf
from cellos_nb.store.stock_claims import open_claims
from cellos_nb.store.stock_tables import transactions

_COUNTED = ("on_hand", "reserved", "uncertain", "freeze_thaws")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in the books that does not add up."""

    lot_id: int
    name: str
    """Resource and lot number."""
    what: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a plate that nobody can tell about may have taken; a person settles it by deciding about the plate."""

    plate_id: str
    step_uid: str
    lot: Lot
    count: int
    """In the smallest units."""

    @property
    def cure(self) -> str:
        """What a person can type."""
        return f"cellos approve {self.plate_id} --mark-done | --discard | --continue N"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of checking the books."""

    n_lots: int
    n_transactions: int
    paid_micro_usd: int
    """What all lots cost."""
    on_hand_micro_usd: int
    """What is left of them is worth."""
    differences: tuple[Difference, ...]
    doubts: tuple[Doubt, ...]

    @property
    def is_balanced(self) -> bool:
        """Whether everything adds up; what is in doubt is booked as such, and no difference."""
        return not self.differences


def reconcile(tx: Connection) -> Reconciliation:
    """Adds up the ledger of every lot, and looks what is in doubt; reads each transaction once."""
    shelf = {lot.lot_id: lot for lot in stock_shelf.lots_of(tx)}
    sums = _sums(tx)
    firsts = dict(_first_kinds(tx))
    broken = defaultdict(list)
    for lot_id, number in _broken_links(tx):
        broken[lot_id].append(number)
    held: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    doubts = []
    for claim in open_claims(tx):
        if claim.lot_id is None:
            continue
        reserved, uncertain = held[claim.lot_id]
        held[claim.lot_id] = (reserved + claim.count - claim.debited, uncertain + claim.uncertain)
        if claim.uncertain:
            doubts.append(Doubt(claim.plate_id, claim.step_uid, shelf[claim.lot_id], claim.uncertain))
    differences = [
        Difference(lot_id, f"{lot.resource}, lot {lot.lot_number}", what)
        for lot_id, lot in shelf.items()
        for what in (
            _differences(lot, sums[lot_id], firsts[lot_id], broken[lot_id], held[lot_id])
            if lot_id in sums
            else ["has no transactions, not even its delivery"]
        )
    ]
    worth = sum(value_of(lot.balance.on_hand, lot.received, lot.price_micro_usd) for lot in shelf.values())
    return Reconciliation(
        len(shelf),
        sum(each["n"] for each in sums.values()),
        sum(lot.price_micro_usd for lot in shelf.values()),
        worth,
        tuple(differences),
        tuple(doubts),
    )


def _differences(lot: Lot, sums: dict[str, int], first: str, broken: list[int], held: tuple[int, int]) -> Iterator[str]:
    unit, stated = lot.unit, lot.balance
    if first != EntryKind.RECEIVE:
        yield f"its first transaction is {first}, and not its delivery"
    for number in broken:
        yield f"transaction {number} does not follow from the one before it"
    for name in _COUNTED:
        if sums[name] != getattr(stated, name):
            yield _apart(
                name.replace("_", " "), sums[name], getattr(stated, name), "" if name == "freeze_thaws" else unit
            )
    worth = value_of(stated.on_hand, lot.received, lot.price_micro_usd)
    if sums["value_micro_usd"] != worth:
        added = format_usd(sums["value_micro_usd"])
        yield f"value: the transactions add up to {added}, what is left is worth {format_usd(worth)}"
    for name, there, claimed in (("reserved", stated.reserved, held[0]), ("in doubt", stated.uncertain, held[1])):
        if there != claimed:
            yield f"{name}: {format_count(there, unit)}, but runs have {format_count(claimed, unit)}"


def _apart(name: str, added: int, stated: int, unit: str) -> str:
    said = [f"{each:,} times" if not unit else format_count(each, unit) for each in (added, stated)]
    return f"{name}: the transactions add up to {said[0]}, the books state {said[1]}"


def _sums(tx: Connection) -> dict[int, dict[str, int]]:
    names = (*_COUNTED, "value_micro_usd")
    query = select(transactions.c.lot_id, func.count(), *(func.sum(transactions.c[name]) for name in names)).group_by(
        transactions.c.lot_id
    )
    return {
        lot_id: {"n": n} | dict(zip(names, map(int, values), strict=True)) for lot_id, n, *values in tx.execute(query)
    }


def _first_kinds(tx: Connection) -> Iterator[tuple[int, str]]:
    first = select(func.min(transactions.c.transaction_id)).group_by(transactions.c.lot_id)
    query = select(transactions.c.lot_id, transactions.c.kind).where(transactions.c.transaction_id.in_(first))
    for row in tx.execute(query):
        yield row.lot_id, row.kind


def _broken_links(tx: Connection) -> Iterator[tuple[int, int]]:
    """Lot and number of each transaction whose balance is not that of the one before it with its own change."""
    number = transactions.c.transaction_id
    before = [
        func.coalesce(
            func.lag(transactions.c[f"{name}_after"]).over(partition_by=transactions.c.lot_id, order_by=number), 0
        ).label(name)
        for name in _COUNTED
    ]
    changes = [transactions.c[name].label(f"{name}_change") for name in _COUNTED]
    after = [transactions.c[f"{name}_after"] for name in _COUNTED]
    chain = select(transactions.c.lot_id, transactions.c.transaction_id, *before, *changes, *after).subquery()
    wrong = [chain.c[name] + chain.c[f"{name}_change"] != chain.c[f"{name}_after"] for name in _COUNTED]
    query = select(chain.c.lot_id, chain.c.transaction_id).where(wrong[0] | wrong[1] | wrong[2] | wrong[3])
    for row in tx.execute(query.order_by(chain.c.transaction_id)):
        yield row.lot_id, row.transaction_id
