"""What runs take of which lots: what expires first goes first, and nothing is promised twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from cellos_nb.domain.amounts import value_of
from cellos_nb.domain.shortage import Shortage, UnusableLot
from cellos_nb.domain.stock import EntryKind, Lot, Need
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import runs
from cellos_nb.store.stock_ledger import Change, Ledger
from cellos_nb.store.stock_shelf import all_resources, is_thawed_for, kept_kinds, lots_of, occasions_to_come
from cellos_nb.store.stock_tables import claims, lots, transactions


@dataclass(frozen=True, slots=True)
class Claim:
    """What a step of a run takes of one lot, with what was booked of it."""

    claim_id: int
    run_id: int
    plate_id: str
    step_uid: str
    serves: str
    count: int
    after_h: float
    occasion: str
    lot_id: int | None
    debited: int = 0
    reserved: int = 0
    uncertain: int = 0


@dataclass(frozen=True, slots=True)
class Pick:
    """What is taken of one lot for one need."""

    need: Need
    lot: Lot
    count: int

    @property
    def value_micro_usd(self) -> int:
        """What it is worth at the lot's price."""
        return value_of(self.count, self.lot.received, self.lot.price_micro_usd)


@dataclass(frozen=True, slots=True)
class Allocation:
    """Which lots serve some needs, and what is missing."""

    picks: tuple[Pick, ...]
    shortages: tuple[Shortage, ...]

    @property
    def value_micro_usd(self) -> int:
        """What is picked is worth, and what is missing costs at the price of its pack."""
        missing = (
            value_of(each.needed - each.free, each.resource.pack, each.resource.pack_price)
            for each in self.shortages
            if each.resource is not None
        )
        return sum(pick.value_micro_usd for pick in self.picks) + sum(missing)


def allocate(tx: Connection, ledger: Ledger, needs: Sequence[Need], occasion: str) -> Allocation:
    """Picks lots for needs, those that expire first first; nothing is booked.

    A kind of which no resource is declared is not kept in stock, and needs of it are passed over.

    Args:
        tx: the transaction to read in.
        ledger: knows what there is at which moment.
        needs: in the order in which they are served.
        occasion: what is thawed together with these: the batch.
    """
    kept = kept_kinds(tx)
    wanted = [need for need in needs if need.kind in kept]
    shelf: dict[str, list[Lot]] = defaultdict(list)
    for lot in lots_of(tx, serves={need.serves for need in wanted}, is_empty_shown=False) if wanted else ():
        shelf[lot.serves].append(lot)
    thaws = {
        lot.lot_id: 0
        if is_thawed_for(tx, lot.lot_id, occasion)
        else occasions_to_come(tx, lot.lot_id, without=occasion)
        for each in shelf.values()
        for lot in each
        if lot.max_freeze_thaws is not None
    }
    thawed = {lot_id for lot_id in thaws if is_thawed_for(tx, lot_id, occasion)}
    free = {lot.lot_id: ledger.balance(lot.lot_id).free for each in shelf.values() for lot in each}
    picks: list[Pick] = []
    missing: dict[str, int] = defaultdict(int)
    unusable: dict[str, dict[int, UnusableLot]] = defaultdict(dict)
    for need in wanted:
        left = need.count
        for lot in shelf[need.serves]:
            if left == 0:
                break
            judged = replace(lot, max_freeze_thaws=None) if lot.lot_id in thawed else lot
            moment = ledger.at + timedelta(hours=need.after_h)
            why = judged.why_unusable(moment, n_thaws_to_come=thaws.get(lot.lot_id, 0))
            if why is not None:
                unusable[need.serves][lot.lot_id] = UnusableLot(lot.lot_number, free[lot.lot_id], why)
                continue
            count = min(left, free[lot.lot_id])
            if count > 0:
                free[lot.lot_id] -= count
                left -= count
                picks.append(Pick(need, lot, count))
        if left:
            missing[need.serves] += left
    return Allocation(tuple(picks), _shortages(tx, wanted, missing, unusable) if missing else ())


def claim(tx: Connection, ledger: Ledger, run_id: int, occasion: str, picks: Iterable[Pick]) -> None:
    """Reserves what was picked for a run."""
    for pick in picks:
        values = {
            "run_id": run_id,
            "step_uid": pick.need.step_uid,
            "serves": pick.need.serves,
            "quantity": pick.count,
            "after_h": pick.need.after_h,
            "occasion": occasion,
            "lot_id": pick.lot.lot_id,
        }
        claim_id = _INSERT.insert(tx, values)
        _reserve(ledger, pick.lot, pick.count, claim_id)


def open_claims(
    tx: Connection, run_ids: Collection[int] | None = None, *, lot_id: int | None = None
) -> tuple[Claim, ...]:
    """Claims of which more may be taken, by run, in the order in which they were made: all, of runs, or on a lot."""
    query = _OPEN
    if run_ids is not None:
        query = query.where(claims.c.run_id.in_(run_ids))
    if lot_id is not None:
        query = query.where(claims.c.lot_id == lot_id)
    return tuple(_claim(row) for row in tx.execute(query))


def is_any_open(tx: Connection) -> bool:
    """Whether any run may still take something; costs next to nothing."""
    return bool(_ANY.rows(tx))


def stale_claims(tx: Connection, run_id: int, at: datetime) -> tuple[int, ...]:
    """Claims of a run that have no lot, or one that is not good until its step if the run begins at a moment.

    Costs next to nothing, since it is asked before every run.
    """
    return tuple(
        claim_id
        for claim_id, lot_id, after_h, expires_at in _OF_RUN.rows(tx, {"of_run": run_id})
        if lot_id is None or (expires_at is not None and expires_at <= at + timedelta(hours=after_h))
    )


def taken_under_closed(tx: Connection, one: Claim) -> int:
    """What was booked for the same step and thing under claims that were closed since."""
    query = (
        select(func.sum(transactions.c.on_hand))
        .join(claims, claims.c.claim_id == transactions.c.claim_id)
        .where(claims.c.run_id == one.run_id, claims.c.step_uid == one.step_uid, claims.c.serves == one.serves)
        .where(claims.c.closed_at.is_not(None))
    )
    return -int(tx.scalar(query) or 0)


def let_go(tx: Connection, ledger: Ledger, one: Claim, lot: Lot, reason: str) -> None:
    """Frees what a claim has reserved and not taken; another lot has to be found for it.

    The claim must not be in doubt.
    """
    if one.debited:
        _close(tx, ledger, one, lot, reason)
        rest = {
            "run_id": one.run_id,
            "step_uid": one.step_uid,
            "serves": one.serves,
            "quantity": one.count - one.debited,
            "after_h": one.after_h,
            "occasion": one.occasion,
            "lot_id": None,
        }
        tx.execute(insert(claims), rest)
        return
    _release(ledger, lot, one, one.reserved, reason)
    tx.execute(update(claims).where(claims.c.claim_id == one.claim_id), {"lot_id": None})


def settle_on(tx: Connection, ledger: Ledger, one: Claim, picks: Sequence[Pick]) -> None:
    """Has lots serve a claim that was let go."""
    first, *more = picks
    change = {"lot_id": first.lot.lot_id, "quantity": first.count}
    tx.execute(update(claims).where(claims.c.claim_id == one.claim_id), change)
    _reserve(ledger, first.lot, first.count, one.claim_id)
    claim(tx, ledger, one.run_id, one.occasion, more)


def close(tx: Connection, ledger: Ledger, one: Claim, lot: Lot | None, reason: str) -> None:
    """Notes that nothing more is taken, and frees what is left."""
    _close(tx, ledger, one, lot, reason)


def _close(tx: Connection, ledger: Ledger, one: Claim, lot: Lot | None, reason: str) -> None:
    if lot is not None and one.reserved:
        _release(ledger, lot, one, one.reserved, reason)
    tx.execute(update(claims).where(claims.c.claim_id == one.claim_id), {"closed_at": ledger.at})


def _reserve(ledger: Ledger, lot: Lot, count: int, claim_id: int) -> None:
    ledger.book(lot, EntryKind.RESERVE, Change(reserved=count), claim_id=claim_id)


def _release(ledger: Ledger, lot: Lot, one: Claim, count: int, reason: str) -> None:
    if count:
        ledger.book(lot, EntryKind.RELEASE, Change(reserved=-count), claim_id=one.claim_id, reason=reason)


def _shortages(
    tx: Connection, wanted: Sequence[Need], missing: dict[str, int], unusable: dict[str, dict[int, UnusableLot]]
) -> tuple[Shortage, ...]:
    declared = {resource.serves: resource for resource in reversed(all_resources(tx))}
    found = []
    for serves, count in missing.items():
        needed = sum(need.count for need in wanted if need.serves == serves)
        why = tuple(unusable[serves].values())
        found.append(Shortage(serves, needed, needed - count, declared.get(serves), why))
    return tuple(found)


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        claim_id=row.claim_id,
        run_id=row.run_id,
        plate_id=row.plate_id,
        step_uid=row.step_uid,
        serves=row.serves,
        count=row.quantity,
        after_h=row.after_h,
        occasion=row.occasion,
        lot_id=row.lot_id,
        debited=-int(row.taken or 0),
        reserved=int(row.reserved or 0),
        uncertain=int(row.uncertain or 0),
    )


def _sum(name: str) -> Any:
    own = select(func.sum(transactions.c[name])).where(transactions.c.claim_id == claims.c.claim_id)
    return own.correlate(claims).scalar_subquery()


_OPEN: Select[Any] = (
    select(
        claims,
        runs.c.plate_id,
        _sum("on_hand").label("taken"),
        _sum("reserved").label("reserved"),
        _sum("uncertain").label("uncertain"),
    )
    .join(runs, runs.c.run_id == claims.c.run_id)
    .where(claims.c.closed_at.is_(None))
    .order_by(claims.c.run_id, claims.c.claim_id)
)
_ANY = Prepared(select(claims.c.claim_id).where(claims.c.closed_at.is_(None)).limit(1))
_OF_RUN = Prepared(
    select(claims.c.claim_id, claims.c.lot_id, claims.c.after_h, lots.c.expires_at)
    .select_from(claims.outerjoin(lots, lots.c.lot_id == claims.c.lot_id))
    .where(claims.c.run_id == bindparam("of_run"), claims.c.closed_at.is_(None))
)
_INSERT = Prepared(insert(claims), *("run_id", "step_uid", "serves", "quantity", "after_h", "occasion", "lot_id"))
