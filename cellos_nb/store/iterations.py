"""Queries over the iterations of a campaign: those that count, those superseded, those inherited by a fork."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.store.campaigns import PROPOSAL_COLUMNS, batch_proposals, proposal_of, unknown_campaign
from cellos_nb.store.configs import config_of
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.records import CampaignStatus, IterationRecord, Parent, Standing, Supersession
from cellos_nb.store.schema import (
    actions,
    campaigns,
    inherited_iterations,
    iterations,
    proposals,
    results,
    runs,
    steps,
)
from cellos_nb.units import now_utc


def counting(
    campaign_id: str | BindParameter[str], *, seen_by: int | None = None, superseded: bool = False
) -> ColumnElement[bool]:
    """Which rows of `iterations` are a campaign's history: its own that count, and those it inherited.

    Args:
        campaign_id: the campaign.
        seen_by: as the iteration of that number saw it.
        superseded: those that no longer count as well.
    """
    own = iterations.c.campaign_id == campaign_id
    if seen_by is not None:
        counts = or_(iterations.c.superseded_from.is_(None), iterations.c.superseded_from > seen_by)
        own = own & (iterations.c.iteration < seen_by) & counts
    elif not superseded:
        own = own & iterations.c.superseded_from.is_(None)
    inherited = select(inherited_iterations.c.batch_id).where(inherited_iterations.c.campaign_id == campaign_id)
    return own | iterations.c.batch_id.in_(inherited)


def standing(tx: Connection, campaign_id: str) -> Standing:
    """What must be known of a campaign before each iteration; costs the same after a thousand of them.

    Raises:
        CampaignError: there is none with that identifier.
    """
    row = next((_Campaign(*found) for found in _STANDING.rows(tx, {"of_campaign": campaign_id})), None)
    if row is None:
        raise unknown_campaign(tx, campaign_id)
    return Standing(
        config=config_of(row),
        status=CampaignStatus(row.status),
        reason=row.stop_reason,
        stop_request=row.stop_request,
        parent=Parent(row.parent_id, row.parent_iteration or 0) if row.parent_id is not None else None,
        next_iteration=1 + max(row.last or 0, row.parent_iteration or 0),
    )


def begun_query(campaign_id: str) -> Select[Any]:
    """Finds the iteration that was begun, by an index in which no concluded one stands."""
    query = select(iterations).where(
        iterations.c.campaign_id == campaign_id,
        iterations.c.concluded_at.is_(None),
        iterations.c.superseded_from.is_(None),
    )
    return query.order_by(iterations.c.iteration).limit(1)


def begun_iteration(tx: Connection, campaign_id: str) -> IterationRecord | None:
    """The iteration that was proposed, counts, and is not concluded; None when there is none."""
    lap = tx.execute(begun_query(campaign_id)).first()
    return None if lap is None else _record(lap, batch_proposals(tx, lap.batch_id))


def iteration_records(
    tx: Connection, campaign_id: str, *, has_proposals: bool = True, after: int = 0
) -> tuple[IterationRecord, ...]:
    """A campaign's own iterations after a number, superseded ones among them, in order; what they asked for if wanted.

    Raises:
        CampaignError: there is none with that identifier.
    """
    laps = [_Lap(*found) for found in _LAPS.rows(tx, {"of_campaign": campaign_id, "after": after})]
    if not laps and not tx.scalar(select(campaigns.c.campaign_id).where(campaigns.c.campaign_id == campaign_id)):
        raise unknown_campaign(tx, campaign_id)
    asked = _asked(tx, campaign_id, after) if has_proposals else {}
    return tuple(_record(lap, asked.get(lap.batch_id, ())) for lap in laps)


def _asked(tx: Connection, campaign_id: str, after: int) -> dict[str, list[ExperimentProposal]]:
    """What each iteration after a number asked for, by batch, in order."""
    query = select(proposals.c.batch_id, *PROPOSAL_COLUMNS).where(proposals.c.campaign_id == campaign_id)
    if after:
        query = query.join(iterations, iterations.c.batch_id == proposals.c.batch_id)
        query = query.where(iterations.c.iteration > after)
    asked: dict[str, list[ExperimentProposal]] = defaultdict(list)
    for batch_id, *values in tx.execute(query.order_by(proposals.c.position)):
        asked[batch_id].append(proposal_of(values))
    return asked


def concluded_iterations(tx: Connection, campaign_id: str) -> dict[int, str]:
    """The batches of a campaign's history by iteration, ascending; those inherited among them."""
    query = select(iterations.c.iteration, iterations.c.batch_id)
    query = query.where(counting(campaign_id), iterations.c.concluded_at.is_not(None)).order_by(iterations.c.iteration)
    return {row.iteration: row.batch_id for row in tx.execute(query)}


def supersede(tx: Connection, campaign_id: str, after: int, *, by: str, reason: str) -> dict[int, str]:
    """Marks a campaign's own iterations after the given one as superseded; returns their batches by iteration."""
    here = (iterations.c.campaign_id == campaign_id) & (iterations.c.iteration > after)
    here = here & iterations.c.superseded_from.is_(None)
    query = select(iterations.c.iteration, iterations.c.batch_id).where(here).order_by(iterations.c.iteration)
    marked = {row.iteration: row.batch_id for row in tx.execute(query)}
    next_iteration = standing(tx, campaign_id).next_iteration
    tx.execute(
        update(iterations).where(here),
        {
            "superseded_from": next_iteration,
            "superseded_at": now_utc(),
            "superseded_by": by,
            "superseded_reason": reason,
        },
    )
    return marked


def plates_under_way(tx: Connection, campaign_id: str) -> tuple[str, ...]:
    """The plates of a campaign that are claimed or begun and not ended, in the order submitted."""
    query = (
        select(runs.c.plate_id)
        .join(actions, actions.c.action_id == runs.c.run_id)
        .join(iterations, iterations.c.batch_id == runs.c.batch_id)
        .where(iterations.c.campaign_id == campaign_id, actions.c.status.in_(("claimed", "running", "cancelling")))
    )
    return tuple(tx.execute(query.order_by(runs.c.run_id)).scalars())


def spent_usd(tx: Connection, campaign_id: str) -> float:
    """What a campaign's own iterations cost, superseded ones as well; what it inherited was paid by its parent."""
    (paid,) = _PAID.rows(tx, {"of_campaign": campaign_id})
    (given_up,) = _GIVEN_UP.rows(tx, {"of_campaign": campaign_id})
    return float(paid[0] or 0.0) + float(given_up[0] or 0.0)


class _Lap(NamedTuple):
    """An iteration as it is stored, in the order of `_LAPS`."""

    batch_id: str
    iteration: int
    created_at: datetime
    concluded_at: datetime | None
    superseded_from: int | None
    superseded_at: datetime
    superseded_by: str
    superseded_reason: str


class _Campaign(NamedTuple):
    """A campaign as it is stored, in the order of `_STANDING`."""

    campaign_id: str
    config: str
    status: str
    stop_reason: str | None
    stop_request: str | None
    parent_id: str | None
    parent_iteration: int | None
    last: int | None


def _record(lap: _Lap | Row[Any], asked: Sequence[ExperimentProposal]) -> IterationRecord:
    gone = None
    if lap.superseded_from is not None:
        gone = Supersession(lap.superseded_at, lap.superseded_by, lap.superseded_reason, lap.superseded_from)
    return IterationRecord(lap.batch_id, lap.iteration, tuple(asked), lap.created_at, lap.concluded_at, gone)


# Built once: building a statement costs more than executing it.
_OWN = iterations.c.campaign_id == bindparam("of_campaign")
_LAPS = Prepared(
    select(*(iterations.c[name] for name in _Lap._fields))
    .where(_OWN, iterations.c.iteration > bindparam("after"))
    .order_by(iterations.c.iteration)
)
_STANDING = Prepared(
    select(
        *(campaigns.c[name] for name in _Campaign._fields[:-1]),
        select(func.max(iterations.c.iteration)).where(_OWN).scalar_subquery().label("last"),
    ).where(campaigns.c.campaign_id == bindparam("of_campaign"))
)
# An iteration that was rolled back before it was concluded has results of some of its plates at most.
_OVER = ("succeeded", "cancelled", "dead_letter")
_IS_GIVEN_UP = iterations.c.superseded_from.is_not(None) & iterations.c.concluded_at.is_(None)
_PAID = Prepared(
    select(func.sum(results.c.cost_usd))
    .join(iterations, iterations.c.batch_id == results.c.batch_id)
    .where(_OWN, ~_IS_GIVEN_UP)
)
_GIVEN_UP = Prepared(
    select(func.sum(runs.c.cost_usd))
    .join(iterations, iterations.c.batch_id == runs.c.batch_id)
    .join(actions, actions.c.action_id == runs.c.run_id)
    .where(_OWN, _IS_GIVEN_UP, actions.c.status.in_([literal_column(f"'{name}'") for name in _OVER]))
    .where(exists().where(steps.c.run_id == runs.c.run_id))
)
