"""What stands in a database that the daemon has to see to, beside the queue itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from cellos_nb.execution.approvals import IN_FORCE
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.runs import campaign_resource
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.schema import actions, approvals, campaigns, iterations, runs
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

_ENDED = (JobStatus.SUCCEEDED.value, JobStatus.CANCELLED.value, JobStatus.DEAD_LETTER.value)


@dataclass(frozen=True, slots=True)
class EndedBatch:
    """A batch of which every plate has ended, and that is not concluded."""

    batch_id: str
    campaign_id: str | None
    iteration: int
    ended_at: datetime | None
    """When its last plate did: another time after a dead letter was queued again."""


def ended_batches(store: Store, without: Collection[str] = ()) -> tuple[EndedBatch, ...]:
    """Batches that wait to be concluded; superseded ones never are."""
    n_open = func.sum(case((actions.c.status.in_(_ENDED), 0), else_=1))
    query = (
        select(
            *(iterations.c.batch_id, iterations.c.campaign_id, iterations.c.iteration),
            func.max(actions.c.finished_at, type_=actions.c.finished_at.type),
        )
        .join(runs, runs.c.batch_id == iterations.c.batch_id)
        .join(actions, actions.c.action_id == runs.c.run_id)
        .where(iterations.c.concluded_at.is_(None), iterations.c.superseded_from.is_(None))
        .where(iterations.c.batch_id.not_in(without))
        .group_by(iterations.c.batch_id, iterations.c.campaign_id, iterations.c.iteration)
        .having(n_open == 0)
        .order_by(iterations.c.batch_id)
    )
    with store.read() as tx:
        return tuple(EndedBatch(*row) for row in tx.execute(query))


def paused_campaigns(store: Store) -> frozenset[str]:
    """The resources that cannot be used because their campaign is paused."""
    query = select(campaigns.c.campaign_id).where(campaigns.c.status == CampaignStatus.PAUSED.value)
    with store.read() as tx:
        return frozenset(campaign_resource(name) for name in tx.execute(query).scalars())


def campaign_of(store: Store, run_id: int) -> str | None:
    """The campaign that a run belongs to; None outside any."""
    query = (
        select(iterations.c.campaign_id)
        .join(runs, runs.c.batch_id == iterations.c.batch_id)
        .where(runs.c.run_id == run_id)
    )
    with store.read() as tx:
        found: str | None = tx.scalar(query)
    return found


def approved_runs(store: Store) -> tuple[int, ...]:
    """Runs that wait for an approval and have one by now."""
    query = (
        select(runs.c.run_id)
        .join(actions, actions.c.action_id == runs.c.run_id)
        .join(approvals, approvals.c.workflow_sha256 == runs.c.workflow_sha256)
        .where(actions.c.status == JobStatus.PAUSED.value)
        .where(IN_FORCE, approvals.c.expires_at > now_utc())
        .distinct()
    )
    with store.read() as tx:
        return tuple(tx.execute(query.order_by(runs.c.run_id)).scalars())
