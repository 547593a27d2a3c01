"""Quarantined plates that a person lets count: who, when, why, and which iterations saw it so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, or_, select, update

from cellos_nb.domain.overruling import Overruling
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus
from cellos_nb.errors import CampaignError
from cellos_nb.store.iterations import standing
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import inherited_iterations, iterations, overrulings, runs
from cellos_nb.units import now_utc


def overrule(tx: Connection, campaign_id: str, plate_id: str, *, by: str, reason: str) -> None:
    """Notes that a plate counts from the next iteration on; whether it may, the caller has asked."""
    tx.execute(
        insert(overrulings),
        {
            "campaign_id": campaign_id,
            "plate_id": plate_id,
            "from_iteration": standing(tx, campaign_id).next_iteration,
            "person": by,
            "reason": reason,
            "decided_at": now_utc(),
        },
    )


def withdraw(tx: Connection, campaign_id: str, plate_id: str, *, by: str, reason: str) -> None:
    """Notes that the next iteration sees the plate as quarantined again.

    Raises:
        CampaignError: the plate is not overruled now.
    """
    here = _in_force(campaign_id) & (overrulings.c.plate_id == plate_id)
    values = {
        "withdrawn_from": standing(tx, campaign_id).next_iteration,
        "withdrawn_by": by,
        "withdrawn_reason": reason,
        "withdrawn_at": now_utc(),
    }
    if tx.execute(update(overrulings).where(here), values).rowcount == 0:
        known = ", ".join(sorted(overruled_plates(tx, campaign_id))) or "none"
        raise CampaignError(f"{plate_id}: nobody has overruled its quarantine. Overruled in {campaign_id}: {known}.")


def overruling_records(tx: Connection, campaign_id: str) -> tuple[Overruling, ...]:
    """All overrulings of a campaign, withdrawn ones among them, in order."""
    return tuple(Overruling(*found) for found in _RECORDS.rows(tx, {"of_campaign": campaign_id}))


def overruled_plates(tx: Connection, campaign_id: str, *, seen_by: int | None = None) -> frozenset[str]:
    """The plates that count by a person's decision, now or as the iteration of that number saw it."""
    if seen_by is None:
        return frozenset(plate for (plate,) in _IN_FORCE.rows(tx, {"of_campaign": campaign_id}))
    wanted = (overrulings.c.campaign_id == campaign_id) & (overrulings.c.from_iteration <= seen_by)
    wanted = wanted & or_(overrulings.c.withdrawn_from.is_(None), overrulings.c.withdrawn_from > seen_by)
    return frozenset(tx.execute(select(overrulings.c.plate_id).where(wanted)).scalars())


def overruled_in_batch(tx: Connection, batch_id: str) -> frozenset[str]:
    """The same of the plates of one batch, as the campaign that made them has it now."""
    owner = tx.scalar(select(iterations.c.campaign_id).where(iterations.c.batch_id == batch_id))
    return frozenset() if owner is None else overruled_plates(tx, owner)


def inherit(tx: Connection, campaign_id: str, parent_id: str, at: int) -> None:
    """Has a fork begin with what its parent's overrulings are now; what becomes of those changes nothing."""
    inherited = select(inherited_iterations.c.batch_id).where(inherited_iterations.c.campaign_id == campaign_id)
    mine = set(tx.execute(select(runs.c.plate_id).where(runs.c.batch_id.in_(inherited))).scalars())
    here = overrulings.c
    query = select(here.plate_id, here.person, here.reason, here.decided_at).where(_in_force(parent_id))
    rows = [
        {**row, "campaign_id": campaign_id, "from_iteration": at + 1}
        for row in tx.execute(query).mappings()
        if row["plate_id"] in mine
    ]
    if rows:
        tx.execute(insert(overrulings), rows)


def let_count(results: Iterable[ExperimentResult], plates: Collection[str]) -> Iterator[ExperimentResult]:
    """The results, with those quarantined on these plates as good ones that carry the flag `overruled`."""
    for result in results:
        if result.status is ResultStatus.QUARANTINED and any(well.plate_id in plates for well in result.wells):
            yield replace(result, status=ResultStatus.OK, qc_flags=(*result.qc_flags, QCFlag.OVERRULED))
        else:
            yield result


def _in_force(campaign_id: str) -> ColumnElement[Any]:
    return (overrulings.c.campaign_id == campaign_id) & overrulings.c.withdrawn_from.is_(None)


# Built once: building a statement costs more than executing it.
_OWN = overrulings.c.campaign_id == bindparam("of_campaign")
_RECORDS = Prepared(
    select(*(overrulings.c[field.name] for field in fields(Overruling)))
    .where(_OWN)
    .order_by(overrulings.c.overruling_id)
)
_IN_FORCE = Prepared(select(overrulings.c.plate_id).where(_OWN, overrulings.c.withdrawn_from.is_(None)))
