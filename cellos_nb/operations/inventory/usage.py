"""Who used how much of what, and what it cost: campaigns by name, and what was taken by hand or thrown away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cellos_nb.domain.stock import EntryKind
from cellos_nb.store.schema import iterations, runs
from cellos_nb.store.stock_tables import claims, lots, resources, transactions

NO_CAMPAIGN = "outside campaigns"
"""Experiments that no campaign asked for."""
BY_HAND = "by hand"
WASTE = "discarded"
COUNTED = "counted otherwise"
_WITHOUT_RUN = {EntryKind.USE: BY_HAND, EntryKind.DISCARD: WASTE, EntryKind.ADJUST: COUNTED}


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one resource one user took."""

    user: str
    """A campaign, or one of the names above."""
    resource: str
    kind: str
    unit: str
    count: int
    """In the smallest units."""
    cost_micro_usd: int
    """At the prices of the lots that it was taken of."""


def usage(tx: Connection, campaign_id: str | None = None) -> tuple[Use, ...]:
    """Everything that left the stock, by user and resource: of all users, or of one campaign."""
    sums: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for user, resource, kind, unit, count, value in _rows(tx):
        if campaign_id in {None, user}:
            each = sums[user, resource, kind, unit]
            each[0] -= count
            each[1] -= value
    return tuple(Use(*key, *values) for key, values in sums.items() if any(values))


def _rows(tx: Connection) -> Iterator[tuple[str, str, str, str, int, int]]:
    taken = [EntryKind.DEBIT, *_WITHOUT_RUN]
    query = (
        select(
            transactions.c.kind.label("entry"),
            transactions.c.claim_id.is_not(None).label("of_run"),
            iterations.c.campaign_id,
            *(resources.c[name] for name in ("name", "kind", "unit")),
            func.sum(transactions.c.on_hand),
            func.sum(transactions.c.value_micro_usd),
        )
        .select_from(transactions)
        .join(lots, lots.c.lot_id == transactions.c.lot_id)
        .join(resources, resources.c.resource_id == lots.c.resource_id)
        .outerjoin(claims, claims.c.claim_id == transactions.c.claim_id)
        .outerjoin(runs, runs.c.run_id == claims.c.run_id)
        .outerjoin(iterations, iterations.c.batch_id == runs.c.batch_id)
        .where(transactions.c.kind.in_([kind.value for kind in taken]))
        .group_by(
            transactions.c.kind,
            transactions.c.claim_id.is_not(None),
            iterations.c.campaign_id,
            *(resources.c[name] for name in ("name", "kind", "unit")),
        )
        .order_by(iterations.c.campaign_id, resources.c.kind, resources.c.name)
    )
    for entry, is_of_run, campaign_id, name, kind, unit, count, value in tx.execute(query):
        user = (campaign_id or NO_CAMPAIGN) if is_of_run else _WITHOUT_RUN[EntryKind(entry)]
        yield user, name, kind, unit, int(count), int(value)
