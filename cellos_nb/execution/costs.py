"""What a run cost in the end, in place of what it was expected to."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from cellos_nb.domain.amounts import MICRO_PER_USD
from cellos_nb.domain.stock import EntryKind
from cellos_nb.store.schema import runs
from cellos_nb.store.stock_tables import claims, run_costs, transactions


def note_cost(tx: Connection, run_id: int, *, was_begun: bool) -> None:
    """Puts what was booked for a run that has ended in place of what it was expected to cost.

    What is not kept in stock, and the machine's time, count as expected once the run was begun.
    """
    taken = (
        select(func.coalesce(func.sum(transactions.c.value_micro_usd), 0))
        .join(claims, claims.c.claim_id == transactions.c.claim_id)
        .where(claims.c.run_id == run_id, transactions.c.kind == EntryKind.DEBIT.value)
    )
    other = select(run_costs.c.other_micro_usd).where(run_costs.c.run_id == run_id)
    micro = -int(tx.scalar(taken) or 0) + (int(tx.scalar(other) or 0) if was_begun else 0)
    tx.execute(update(runs).where(runs.c.run_id == run_id), {"cost_usd": micro / MICRO_PER_USD})
