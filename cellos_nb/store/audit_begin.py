"""How the audit log of a database begins: with what people had decided before there was one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from cellos_nb.domain.audit import Act
from cellos_nb.store.accounts import person
from cellos_nb.store.audit import last_link, note
from cellos_nb.store.schema import approvals, iterations, overrulings, proofs
from cellos_nb.store.stock_tables import lots, resources, transactions

BEFORE = "before the audit"
"""The account of what was done before there was a log; nobody can say any more which one it was."""
_STOCK = {
    "receive": Act.STOCK_RECEIVED,
    "use": Act.STOCK_USED,
    "adjust": Act.STOCK_ADJUSTED,
    "discard": Act.STOCK_DISCARDED,
    "thaw": Act.STOCK_THAWED,
}

_Old = tuple[datetime, Act, str, str, str, dict[str, Any]]
"""When, what, about what, who, why, facts."""


def begin(tx: Connection) -> None:
    """Writes the first entries of a log that has none: that it begins, and what stands in older tables.

    From then on a change of those older decisions shows as well: they stand here as they were.
    """
    if last_link(tx) is not None:
        return
    old = sorted([*_approvals(tx), *_overrulings(tx), *_rollbacks(tx), *_bookings(tx)], key=lambda each: each[0])
    note(tx, Act.AUDIT_BEGUN, "database", who=person(), facts={"n_before": len(old)})
    for at, act, subject, who, why, facts in old:
        note(tx, act, subject, who=who, why=why, of=BEFORE, facts={"done_at": at.isoformat(), **facts})


def _approvals(tx: Connection) -> Iterator[_Old]:
    query = select(approvals, proofs.c.plate_id).outerjoin(
        proofs, proofs.c.manifest_sha256 == approvals.c.manifest_sha256
    )
    for row in tx.execute(query):
        facts = {
            "workflow_sha256": row.workflow_sha256,
            "manifest_sha256": row.manifest_sha256,
            "machine": row.machine,
            "expires_at": row.expires_at.isoformat(),
        }
        yield row.approved_at, Act.APPROVAL_GIVEN, row.plate_id or row.workflow_sha256, row.person, "", facts


def _overrulings(tx: Connection) -> Iterator[_Old]:
    for row in tx.execute(select(overrulings)):
        facts = {"campaign": row.campaign_id, "from_iteration": row.from_iteration}
        yield row.decided_at, Act.OVERRULED, row.plate_id, row.person, row.reason, facts
        if row.withdrawn_at is not None:
            facts = {"campaign": row.campaign_id, "from_iteration": row.withdrawn_from}
            by, why = row.withdrawn_by, row.withdrawn_reason or ""
            yield row.withdrawn_at, Act.OVERRULING_WITHDRAWN, row.plate_id, by, why, facts


def _rollbacks(tx: Connection) -> Iterator[_Old]:
    gone = select(iterations).where(iterations.c.superseded_at.is_not(None), iterations.c.campaign_id.is_not(None))
    for row in tx.execute(gone):
        facts = {"superseded": [row.iteration]}
        act, who, why = Act.CAMPAIGN_ROLLED_BACK, row.superseded_by or "", row.superseded_reason or ""
        yield row.superseded_at, act, row.campaign_id, who, why, facts


def _bookings(tx: Connection) -> Iterator[_Old]:
    """What people booked; what workflows took stands in the ledger alone, which is only added to as well."""
    by_people = (
        select(transactions, lots.c.lot_number, resources.c.name)
        .join(lots, lots.c.lot_id == transactions.c.lot_id)
        .join(resources, resources.c.resource_id == lots.c.resource_id)
        .where(transactions.c.kind.in_(list(_STOCK)), transactions.c.claim_id.is_(None), transactions.c.key.is_(None))
    )
    for row in tx.execute(by_people):
        facts = {"lot": row.lot_number, "transaction": row.transaction_id, "on_hand_after": row.on_hand_after}
        yield row.at, _STOCK[row.kind], row.name, row.person, row.reason, facts
