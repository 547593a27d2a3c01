"""Queries over campaigns, their iterations and proposals."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, insert, select, update

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.errors import CampaignError, ProposalError
from cellos_nb.store.configs import config_of
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.records import CampaignRecord, CampaignStatus, Parent, slug
from cellos_nb.store.schema import campaigns, iterations, proposals, results
from cellos_nb.units import now_utc

AD_HOC = "ad-hoc"
"""Where batches outside any campaign are counted; no campaign gets this identifier."""

PROPOSAL_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    proposals.c[name]
    for name in (
        *("cell_line", "compound", "dose_um", "assay", "proposal_id"),
        *("planner", "predicted_mean", "predicted_sd", "acquisition", "intent"),
    )
)
"""What a proposal is made from: its own fields in their order, then those of its reason."""
_IN_ORDER = (campaigns.c.created_at, campaigns.c.campaign_id)


def free_campaign_id(tx: Connection, name: str) -> str:
    """The identifier that the next campaign of this name gets: the name in plain letters, numbered when taken."""
    stem = slug(name)
    taken = set(tx.execute(select(campaigns.c.campaign_id).where(campaigns.c.campaign_id.startswith(stem))).scalars())
    taken.add(AD_HOC)
    campaign_id, n = stem, 1
    while campaign_id in taken:
        n += 1
        campaign_id = f"{stem}-{n}"
    return campaign_id


def add_campaign(tx: Connection, config: CampaignConfig, parent: Parent | None = None) -> str:
    """Stores a campaign and gives it an identifier: its name in plain letters, numbered when that is taken.

    One that has a parent waits to be resumed.
    """
    campaign_id, now = free_campaign_id(tx, config.name), now_utc()
    tx.execute(
        insert(campaigns),
        {
            "campaign_id": campaign_id,
            "name": config.name,
            "config": config.to_json(),
            "status": CampaignStatus.PAUSED if parent else CampaignStatus.RUNNING,
            "stop_reason": f"forked from {parent}, not begun" if parent else None,
            "created_at": now,
            "changed_at": now,
            "parent_id": parent.campaign_id if parent else None,
            "parent_iteration": parent.iteration if parent else None,
        },
    )
    return campaign_id


def campaign_records(tx: Connection, campaign_id: str | None = None) -> tuple[CampaignRecord, ...]:
    """Campaigns in the order in which they were begun.

    Raises:
        CampaignError: there is none with that identifier.
    """
    is_own = (iterations.c.campaign_id == campaigns.c.campaign_id) & iterations.c.superseded_from.is_(None)
    n_iterations = select(func.count()).where(is_own).correlate(campaigns).scalar_subquery()
    n_experiments = (
        select(func.count())
        .select_from(iterations.join(results, results.c.batch_id == iterations.c.batch_id))
        .where(is_own)
        .correlate(campaigns)
    ).scalar_subquery()
    query = select(campaigns, n_iterations.label("n_iterations"), n_experiments.label("n_experiments"))
    if campaign_id is not None:
        query = query.where(campaigns.c.campaign_id == campaign_id)
    rows = tx.execute(query.order_by(*_IN_ORDER)).all()
    if not rows and campaign_id is not None:
        raise unknown_campaign(tx, campaign_id)
    return tuple(_record(row) for row in rows)


def campaign_ids(tx: Connection) -> tuple[str, ...]:
    """Those of all campaigns in the order in which they were begun."""
    return tuple(tx.execute(select(campaigns.c.campaign_id).order_by(*_IN_ORDER)).scalars())


def set_status(tx: Connection, campaign_id: str, status: CampaignStatus, reason: str | None) -> None:
    """Notes where a campaign stands and why.

    Raises:
        CampaignError: there is none with that identifier.
    """
    change = update(campaigns).where(campaigns.c.campaign_id == campaign_id)
    done = tx.execute(change, {"status": status, "stop_reason": reason, "changed_at": now_utc()})
    if done.rowcount == 0:
        raise unknown_campaign(tx, campaign_id)


def unknown_campaign(tx: Connection, campaign_id: str) -> CampaignError:
    """The error that names the campaigns there are, the closest first."""
    known = list(tx.execute(select(campaigns.c.campaign_id).order_by(campaigns.c.created_at.desc())).scalars())
    if not known:
        return CampaignError(
            f"{campaign_id}: no such campaign; this database holds none yet. Start one, or check --db."
        )
    close = difflib.get_close_matches(campaign_id, known, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    more = ", …" if len(known) > 10 else ""
    return CampaignError(f"{campaign_id}: no such campaign; there are {', '.join(known[:10])}{more}.{meant}")


def add_batch(
    tx: Connection,
    batch_id: str,
    campaign_id: str | None,
    iteration: int,
    asked: Sequence[ExperimentProposal],
    *,
    begun_at: datetime | None = None,
) -> None:
    """Stores what was asked for. The same again changes nothing.

    Raises:
        CampaignError: no such campaign, or that iteration was stored with other proposals, or was superseded.
        ProposalError: a proposal has no identifier, or one that stands twice.
    """
    there = tx.execute(_BATCH, {"batch_id": batch_id}).first()
    if there is not None:
        if there.superseded_from is not None:
            raise CampaignError(
                f"{batch_id}: was superseded when the campaign was rolled back; it is not made any more."
            )
        stored = batch_proposals(tx, batch_id)
        if [(p.proposal_id, p.condition) for p in stored] != [(p.proposal_id, p.condition) for p in asked]:
            raise CampaignError(
                f"{batch_id}: was stored with other proposals. "
                "A batch does not change once it was asked for; give the new one the next number."
            )
        return
    if campaign_id is None:
        iteration = _next_ad_hoc(tx)
    elif not tx.scalar(select(campaigns.c.campaign_id).where(campaigns.c.campaign_id == campaign_id)):
        raise unknown_campaign(tx, campaign_id)
    _check_identifiers(tx, campaign_id, asked)
    _insert_batch(tx, batch_id, campaign_id, iteration, asked, begun_at=begun_at)


def next_ad_hoc(tx: Connection) -> str:
    """The identifier that the next batch outside any campaign will have, unless another one comes first."""
    return f"{AD_HOC}/b{_next_ad_hoc(tx):06d}"


def add_ad_hoc_batch(tx: Connection, batch_id: str, asked: Sequence[ExperimentProposal]) -> bool:
    """Stores a batch outside any campaign; False when another one took its identifier in the meantime.

    Raises:
        ProposalError: a proposal has no identifier, or one that stands twice.
    """
    number = _next_ad_hoc(tx)
    if batch_id != f"{AD_HOC}/b{number:06d}":
        return False
    _check_identifiers(tx, None, asked)
    _insert_batch(tx, batch_id, None, number, asked)
    return True


def batch_iteration(tx: Connection, batch_id: str) -> int:
    """The lap of its campaign that a batch is, counted from 1; 0 outside a campaign.

    Raises:
        CampaignError: there is no such batch.
    """
    query = select(iterations.c.campaign_id, iterations.c.iteration).where(iterations.c.batch_id == batch_id)
    row = tx.execute(query).first()
    if row is None:
        raise CampaignError(f"{batch_id}: no such batch in this database. Give one as it was returned, or check --db.")
    return int(row.iteration) if row.campaign_id is not None else 0


def batch_proposals(tx: Connection, batch_id: str) -> tuple[ExperimentProposal, ...]:
    """What one batch asked for, in order."""
    query = select(*PROPOSAL_COLUMNS).where(proposals.c.batch_id == batch_id).order_by(proposals.c.position)
    return tuple(proposal_of(row) for row in tx.execute(query))


def proposal_of(values: Sequence[Any]) -> ExperimentProposal:
    """A proposal from the values of `PROPOSAL_COLUMNS`."""
    cell_line, compound, dose_um, assay, proposal_id, *why = values
    return ExperimentProposal(
        cell_line, compound, dose_um, assay, proposal_id, ProposalReason(*why) if why[0] else None
    )


def _next_ad_hoc(tx: Connection) -> int:
    return 1 + (tx.scalar(_LAST_AD_HOC) or 0)


def _insert_batch(
    tx: Connection,
    batch_id: str,
    campaign_id: str | None,
    number: int,
    asked: Sequence[ExperimentProposal],
    *,
    begun_at: datetime | None = None,
) -> None:
    created_at = begun_at or now_utc()
    batch = {"batch_id": batch_id, "campaign_id": campaign_id, "iteration": number, "created_at": created_at}
    _INSERT_ITERATION(tx, batch)
    if asked:
        rows = [_proposal_row(batch_id, campaign_id, position, p) for position, p in enumerate(asked)]
        _INSERT_PROPOSALS(tx, rows)


# Built once: building a statement costs more than executing it.
_BATCH = select(iterations.c.superseded_from).where(iterations.c.batch_id == bindparam("batch_id"))
_LAST_AD_HOC = select(func.max(iterations.c.iteration)).where(iterations.c.campaign_id.is_(None))
_INSERT_ITERATION = Prepared(insert(iterations), "batch_id", "campaign_id", "iteration", "created_at")
_INSERT_PROPOSALS = Prepared(insert(proposals), *proposals.c.keys())


def _proposal_row(
    batch_id: str, campaign_id: str | None, position: int, proposal: ExperimentProposal
) -> dict[str, Any]:
    reason = proposal.reason
    return {
        "batch_id": batch_id,
        "proposal_id": proposal.proposal_id,
        "position": position,
        "campaign_id": campaign_id,
        "cell_line": proposal.cell_line,
        "compound": proposal.compound,
        "dose_um": proposal.dose_um,
        "assay": proposal.assay,
        "planner": reason.planner if reason else None,
        "predicted_mean": reason.predicted_mean if reason else None,
        "predicted_sd": reason.predicted_sd if reason else None,
        "acquisition": reason.acquisition if reason else None,
        "intent": reason.intent if reason else None,
    }


def _check_identifiers(tx: Connection, campaign_id: str | None, asked: Sequence[ExperimentProposal]) -> None:
    identifiers = [proposal.proposal_id for proposal in asked]
    if not all(identifiers):
        raise ProposalError("proposal_id: a proposal has none; give each one that is unique within its campaign.")
    if len(set(identifiers)) < len(identifiers):
        twice = next(name for name in identifiers if identifiers.count(name) > 1)
        raise ProposalError(f"proposal_id: {twice} stands twice in one batch; name each proposal once.")
    if campaign_id is None:
        return
    used = select(proposals.c.proposal_id).where(proposals.c.campaign_id == campaign_id)
    for start in range(0, len(identifiers), 500):  # SQLite binds a limited number of values
        again = tx.scalar(used.where(proposals.c.proposal_id.in_(identifiers[start : start + 500])).limit(1))
        if again:
            raise ProposalError(f"proposal_id: {again} was used before in campaign {campaign_id}; give a new one.")


def _record(row: Row[Any]) -> CampaignRecord:
    return CampaignRecord(
        campaign_id=row.campaign_id,
        config=config_of(row),
        status=CampaignStatus(row.status),
        stop_reason=row.stop_reason,
        created_at=row.created_at,
        changed_at=row.changed_at,
        n_iterations=row.n_iterations,
        n_experiments=row.n_experiments,
        parent=None if row.parent_id is None else Parent(row.parent_id, row.parent_iteration),
        stop_request=row.stop_request,
    )
