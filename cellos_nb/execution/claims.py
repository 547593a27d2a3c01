"""Claims: which waiting jobs come next, and taking them for one caller alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from cellos_nb.execution.jobs import Job, JobStatus, job_of
from cellos_nb.execution.queue_statements import CLAIM, KINDS, NEEDS, RELEASE, WAITING, due
from cellos_nb.store.schema import actions
from cellos_nb.units import now_utc


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caller can take."""

    n: int
    """At most."""
    kind: str | None
    """Only jobs of this kind."""
    among: Sequence[int] | None
    """Only these jobs."""
    busy: frozenset[str]
    """Resources that cannot be used now; jobs that need one of them are passed over."""


def claim_jobs(tx: Connection, asked: Claim, status: JobStatus, fencing: int | None) -> list[Job]:
    """Takes jobs that are due, and gives them a status."""
    now = now_utc()
    RELEASE(tx, {"now": now})
    values = {"kind": asked.kind, "n": asked.n}
    if asked.among is not None:
        query = due("job" if asked.kind is None else "job_of_kind")
        each = (row for one in asked.among for row in query.rows(tx, values | {"of_job": one}))
        jobs = [job_of(row, status) for row in islice(each, asked.n)]
    else:
        jobs = [job_of(row, status) for row in _first_of_each_sort(tx, asked, values)]
        jobs = sorted(jobs, key=lambda job: (-job.priority, job.job_id))[: asked.n]
    if jobs:
        change = {"to": status.value, "fence": fencing, "at": now}
        CLAIM(tx, [change | {"of_job": job.job_id} for job in jobs])
    return jobs


def first_due(
    tx: Connection, *, kind: str | None, among: Collection[int] | None, without: Collection[int], busy: Collection[str]
) -> datetime | None:
    """The earliest time at which a waiting job may be claimed; None when none waits."""
    query = select(actions.c.not_before).where(WAITING)
    if kind is not None:
        query = query.where(actions.c.kind == kind)
    if among is not None:
        query = query.where(actions.c.action_id.in_(among))
    if busy:
        query = query.where(actions.c.resources.in_(_free_needs(tx, frozenset(busy))))
    if without:
        query = query.where(actions.c.action_id.not_in(without))
    # Asked in two, since each then reads one row however many wait; no time at all means due now.
    if tx.execute(query.where(actions.c.not_before.is_(None)).limit(1)).first() is not None:
        return now_utc()
    later = query.where(actions.c.not_before.is_not(None)).order_by(actions.c.not_before)
    return tx.scalar(later.limit(1))


def _first_of_each_sort(tx: Connection, asked: Claim, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    if asked.busy:
        query = due("for" if asked.kind is None else "for_of_kind")
        return [row for needs in _free_needs(tx, asked.busy) for row in query.rows(tx, values | {"of": needs})]
    kinds = [asked.kind] if asked.kind is not None else tx.execute(KINDS[tx.dialect.name]).scalars().all()
    return [row for kind in kinds for row in due("of_kind").rows(tx, values | {"kind": kind})]


def _free_needs(tx: Connection, busy: frozenset[str]) -> list[str]:
    """The different resources that waiting jobs need and that are free, however many jobs there are."""
    needs: list[str] = list(tx.execute(NEEDS[tx.dialect.name]).scalars())
    return [each for each in needs if not busy & set(each.split(","))]
