"""The stock brought up to date with the journal: what steps took is booked, whoever asks and however often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import Connection, select

from cellos_nb.domain.step import StepKind
from cellos_nb.domain.stock import EntryKind, Lot, ResourceKind, serves_key
from cellos_nb.execution.costs import note_cost
from cellos_nb.execution.frozen import load_workflow
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.journal import StepStatus
from cellos_nb.store.schema import actions, steps
from cellos_nb.store.stock_claims import Claim, close, is_any_open, let_go, open_claims, taken_under_closed
from cellos_nb.store.stock_ledger import Change, Ledger
from cellos_nb.store.stock_low import tell_if_low
from cellos_nb.store.stock_shelf import lots_of
from cellos_nb.store.store import Store
from cellos_nb.workflow.needs import part_taken

_TIPS = serves_key(ResourceKind.TIPS)


class _Entry(NamedTuple):
    """One attempt at a step, as the journal has it."""

    status: str
    transfers_done: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class _Account:
    """What the journal says of one step, in the terms of the stock."""

    is_over: bool
    """Nothing more will be taken for it."""
    is_whole: bool
    """All that it takes was taken, or has to be counted as taken."""
    is_in_question: bool
    """Nobody can tell whether the rest was taken."""
    cuts: tuple[int, ...]
    """After how many transfers it was continued."""


def bring_up_to_date(store: Store) -> int:
    """Books what the journal says and the stock does not; returns how many claims that concerned.

    It is derived from the journal as it stands, by the difference to what is booked; so a crash between a step and its
    booking loses nothing, and asking twice doubles nothing.
    """
    with store.read() as tx:
        if not is_any_open(tx):
            return 0
    with store.write() as tx:
        return book(store, tx)


def book(store: Store, tx: Connection, run_ids: Collection[int] | None = None) -> int:
    """As `bring_up_to_date`, in a transaction, for all runs or those named."""
    if not is_any_open(tx):
        return 0
    by_run: dict[int, list[Claim]] = defaultdict(list)
    for one in open_claims(tx, run_ids):
        by_run[one.run_id].append(one)
    if not by_run:
        return 0
    journal = _journal(tx, by_run)
    statuses = _statuses(tx, by_run)
    shelf = {lot.lot_id: lot for lot in lots_of(tx, serves={o.serves for mine in by_run.values() for o in mine})}
    now = store.now(tx)
    books = _Books(store, tx, Ledger(tx, now), shelf)
    n = sum(books.settle(run_id, mine, statuses[run_id], journal) for run_id, mine in by_run.items())
    if n:
        tell_if_low(tx, now, {lot.serves for lot in shelf.values()})
    return n


class _Books:
    """Settles claims with the journal, within one transaction."""

    def __init__(self, store: Store, tx: Connection, ledger: Ledger, shelf: dict[int, Lot]) -> None:
        self._store, self._tx, self._ledger, self._shelf = store, tx, ledger, shelf
        self._n = 0

    def settle(
        self, run_id: int, mine: Sequence[Claim], status: JobStatus, journal: dict[tuple[int, str], list[_Entry]]
    ) -> int:
        """Settles the claims of one run; returns how many were touched."""
        self._n = 0
        by_step: dict[str, list[Claim]] = defaultdict(list)
        for one in mine:
            by_step[one.step_uid].append(one)
        accounts = {uid: _account(journal.get((run_id, uid), []), status) for uid in by_step}
        for step_uid, group in by_step.items():
            account = accounts[step_uid]
            for serves in dict.fromkeys(one.serves for one in group):
                self._settle([one for one in group if one.serves == serves], account)
        is_decided = not any(account.is_in_question for account in accounts.values())
        if status is JobStatus.DEAD_LETTER and is_decided:
            # Whoever queues the run again has to find its stock anew; a plate that is held keeps it.
            for one in (one for one in mine if one.lot_id is not None and not accounts[one.step_uid].is_over):
                let_go(self._tx, self._ledger, one, self._shelf[one.lot_id or 0], "the run was given up")
                self._n += 1
        if self._n and status.is_final:
            note_cost(self._tx, run_id, was_begun=any(number == run_id for number, _ in journal))
        return self._n

    def _settle(self, group: list[Claim], account: _Account) -> None:
        """Settles what one step takes of one thing, over the lots that serve it."""
        planned = sum(one.count for one in group)
        target = self._target(group[0], planned, account)
        extra = target - planned - sum(max(0, one.debited - one.count) for one in group)
        for one in group:
            taken = min(one.count, target)
            target -= taken
            self._settle_one(one, taken, account)
        if extra > 0:
            self._take_beyond(group[0], extra)

    def _target(self, one: Claim, planned: int, account: _Account) -> int:
        """How much of a thing the step has taken so far."""
        if not account.cuts:
            return planned if account.is_whole else 0
        workflow = load_workflow(self._store, one.run_id)
        step = next(step for step in workflow.steps if step.uid == one.step_uid)
        last = len(step.transfers or ()) if account.is_whole else account.cuts[-1]
        if one.serves == _TIPS:
            # A step that is continued begins with a new tip.
            ends = sorted({0, *account.cuts, last})
            taken = sum(part_taken(workflow, step.uid, a, b).get(_TIPS, 0) for a, b in pairwise(ends))
        elif account.is_whole:
            return planned
        else:
            taken = part_taken(workflow, step.uid, 0, last).get(one.serves, 0)
        return taken - taken_under_closed(self._tx, one)

    def _settle_one(self, one: Claim, taken: int, account: _Account) -> None:
        lot = None if one.lot_id is None else self._shelf[one.lot_id]
        uncertain = one.count - taken if account.is_in_question and lot is not None else 0
        change = uncertain - one.uncertain
        if lot is not None and change < 0:
            self._ledger.book(lot, EntryKind.SETTLE, Change(uncertain=change), claim_id=one.claim_id)
        if taken > one.debited:
            self._debit(one, lot, taken - one.debited, taken)
        if lot is not None and change > 0:
            where = f"{one.plate_id} {one.step_uid}"
            self._ledger.book(lot, EntryKind.DOUBT, Change(uncertain=change), claim_id=one.claim_id, reason=where)
        if account.is_over:
            left = _after(one, taken - one.debited)
            close(self._tx, self._ledger, left, lot, "not taken")
        self._n += bool(change or taken > one.debited or account.is_over)

    def _debit(self, one: Claim, lot: Lot | None, count: int, total: int) -> None:
        """Books what was taken under a claim; the key is the claim's, so that it is never booked twice."""
        where = f"{one.plate_id} {one.step_uid}"
        if lot is None:
            self._take_beyond(one, count)
            return
        key = f"claim {one.claim_id} debit to {total}"
        self._ledger.book(lot, EntryKind.RELEASE, Change(reserved=-count), claim_id=one.claim_id, reason=where)
        self._ledger.book(lot, EntryKind.DEBIT, Change(on_hand=-count), claim_id=one.claim_id, reason=where, key=key)
        self._thaw(one, lot)

    def _thaw(self, one: Claim, lot: Lot) -> None:
        if lot.kind is ResourceKind.COMPOUND:
            key = f"thaw {lot.lot_id} {one.occasion}"
            self._ledger.book(lot, EntryKind.THAW, Change(freeze_thaws=1), reason=one.occasion, key=key)

    def _take_beyond(self, one: Claim, count: int) -> None:
        """Books what was taken and is not reserved: of what is free, and of what the books did not know of."""
        where = f"{one.plate_id} {one.step_uid}"
        lots = [lot for lot in self._shelf.values() if lot.serves == one.serves]
        lots.sort(key=lambda lot: lot.why_unusable(self._ledger.at) is not None)
        for lot in lots:
            part = min(count, self._ledger.balance(lot.lot_id).free)
            if part > 0:
                self._ledger.book(
                    lot, EntryKind.DEBIT, Change(on_hand=-part), claim_id=one.claim_id, reason=f"{where}, not reserved"
                )
                self._thaw(one, lot)
                count -= part
        if count:
            last, why = lots[-1], f"{where} took more than the books had; count this lot"
            self._ledger.book(last, EntryKind.ADJUST, Change(on_hand=count), reason=why)
            self._ledger.book(last, EntryKind.DEBIT, Change(on_hand=-count), claim_id=one.claim_id, reason=where)


def _after(one: Claim, debited: int) -> Claim:
    return replace(one, debited=one.debited + debited, reserved=one.reserved - max(debited, 0))


def _account(entries: Sequence[_Entry], status: JobStatus) -> _Account:
    """What the journal says of one step of a run that stands so."""
    is_gone = status is JobStatus.CANCELLED
    is_over = is_gone or status is JobStatus.SUCCEEDED
    last = StepStatus(entries[-1].status) if entries else None
    cuts = tuple(sorted({entry.transfers_done for entry in entries if entry.transfers_done}))
    is_done = any(entry.status == StepStatus.DONE.value for entry in entries)
    # What was poured into a plate that was thrown away is gone; so is what may have been.
    may_have_begun = (
        last in {StepStatus.IN_DOUBT, StepStatus.FAILED} and entries[-1].kind in _LIQUID
    ) or last is StepStatus.DISCARDED
    is_whole = is_done or (may_have_begun and (is_gone or last is StepStatus.DISCARDED))
    return _Account(
        is_over=is_over or is_whole, is_whole=is_whole, is_in_question=may_have_begun and not is_whole, cuts=cuts
    )


def _journal(tx: Connection, run_ids: Collection[int]) -> dict[tuple[int, str], list[_Entry]]:
    found: dict[tuple[int, str], list[_Entry]] = defaultdict(list)
    columns = (steps.c.run_id, steps.c.step_uid, steps.c.status, steps.c.transfers_done, steps.c.kind)
    for part in _portions(run_ids):
        query = select(*columns).where(steps.c.run_id.in_(part)).order_by(steps.c.run_id, steps.c.attempt)
        for run_id, step_uid, *entry in tx.execute(query):
            found[run_id, step_uid].append(_Entry(*entry))
    return found


def _statuses(tx: Connection, run_ids: Collection[int]) -> dict[int, JobStatus]:
    found = {}
    for part in _portions(run_ids):
        query = select(actions.c.action_id, actions.c.status).where(actions.c.action_id.in_(part))
        found.update({row.action_id: JobStatus(row.status) for row in tx.execute(query)})
    return found


def _portions(numbers: Collection[int]) -> Iterator[list[int]]:
    """So many at a time as a database binds."""
    everything = list(numbers)
    return (everything[start : start + 500] for start in range(0, len(everything), 500))


_LIQUID = {kind.value for kind in StepKind if kind.moves_liquid}
