"""Results in and out: one row for each experiment, its wells inside as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from cellos_nb.domain.history import History
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus, WellResult
from cellos_nb.errors import CampaignError
from cellos_nb.store.campaigns import PROPOSAL_COLUMNS, proposal_of, unknown_campaign
from cellos_nb.store.iterations import counting
from cellos_nb.store.overrulings import let_count, overruled_in_batch, overruled_plates
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import campaigns, iterations, proposals, results
from cellos_nb.units import now_utc

RESULT_COLUMNS = tuple(column for column in results.c if column.name not in {"batch_id", "proposal_id"})
_WELLS = TypeAdapter(tuple[WellResult, ...])
_STATUS = {status.value: status for status in ResultStatus}


def add_results(tx: Connection, batch_id: str, concluded: Sequence[ExperimentResult]) -> None:
    """Stores results, and that the batch is concluded when none is missing. A result that is there stays as it is.

    Raises:
        CampaignError: no such batch, or a result that answers none of its proposals.
    """
    rows_there = tx.execute(_THERE, {"of_batch": batch_id})
    there = {asked: answered is not None for asked, answered in rows_there}
    strange = [r.proposal.proposal_id for r in concluded if r.proposal.proposal_id not in there]
    if strange:
        raise CampaignError(f"{batch_id}: {strange[0]!r} answers no proposal of this batch; store the proposals first.")
    rows = [_row(batch_id, result) for result in concluded if not there[result.proposal.proposal_id]]
    if rows:
        _INSERT(tx, rows)
    if len(rows) + sum(there.values()) == len(there):
        _CONCLUDE(tx, {"of_batch": batch_id, "at": now_utc()})


def history(
    tx: Connection, campaign_id: str, *, seen_by: int | None = None, superseded: bool = False, after: int = 0
) -> History:
    """The results of a campaign that count, by iteration, then in the order asked; a fork's inherited ones first.

    Args:
        tx: the transaction to read in.
        campaign_id: the campaign.
        seen_by: as the planner saw it before the iteration of that number.
        superseded: those that no longer count as well.
        after: only of later iterations than that number.

    Raises:
        CampaignError: there is none with that identifier.
    """
    rows: Sequence[Sequence[Any]]
    if seen_by is None and not superseded:
        rows = _HISTORY.rows(tx, {"of_campaign": campaign_id, "after": after})
    else:
        wanted = counting(campaign_id, seen_by=seen_by, superseded=superseded) & (iterations.c.iteration > after)
        rows = tx.execute(_query().where(wanted).order_by(iterations.c.iteration, proposals.c.position)).all()
    if not rows and not tx.scalar(select(campaigns.c.campaign_id).where(campaigns.c.campaign_id == campaign_id)):
        raise unknown_campaign(tx, campaign_id)
    plates = overruled_plates(tx, campaign_id, seen_by=seen_by)
    return History(tuple(let_count(_results(rows), plates)))


def batch_results(tx: Connection, batch_id: str) -> tuple[ExperimentResult, ...]:
    """The results of one batch so far, in the order asked; overruled plates count."""
    rows = tx.execute(_query().where(iterations.c.batch_id == batch_id).order_by(proposals.c.position)).all()
    return tuple(let_count(_results(rows), overruled_in_batch(tx, batch_id)))


def n_results(tx: Connection) -> int:
    """How many experiments the whole database has concluded."""
    return tx.scalar(select(func.count()).select_from(results)) or 0


def _same_experiment() -> Any:
    return (results.c.batch_id == proposals.c.batch_id) & (results.c.proposal_id == proposals.c.proposal_id)


def _query() -> Select[Any]:
    return select(
        iterations.c.campaign_id,
        iterations.c.iteration,
        *RESULT_COLUMNS,
        *PROPOSAL_COLUMNS,
    ).select_from(
        iterations.join(proposals, proposals.c.batch_id == iterations.c.batch_id).join(results, _same_experiment())
    )


def _results(rows: Iterable[Sequence[Any]]) -> Iterable[ExperimentResult]:
    for campaign_id, iteration, status, *values in rows:
        measurement, error_of_mean, freedom, viability, wells, flags, error, started, finished, cost, *asked = values
        yield ExperimentResult(
            proposal_of(asked),
            _STATUS[status],
            measurement,
            error_of_mean,
            freedom,
            viability,
            _WELLS.validate_json(wells),
            tuple(QCFlag(flag) for flag in flags.split()) if flags else (),
            error,
            iteration if campaign_id is not None else 0,
            started,
            finished,
            cost,
        )


def _row(batch_id: str, result: ExperimentResult) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "proposal_id": result.proposal.proposal_id,
        "status": result.status.value,
        "measurement": result.measurement,
        "standard_error": result.standard_error,
        "degrees_of_freedom": result.degrees_of_freedom,
        "viability": result.viability,
        "wells": _WELLS.dump_json(result.wells).decode(),
        "qc_flags": " ".join(result.qc_flags),
        "error": result.error,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
        "cost_usd": result.cost_usd,
    }


# Built once: building a statement costs more than executing it.
_THERE = (
    select(proposals.c.proposal_id, results.c.proposal_id)
    .select_from(proposals.outerjoin(results, _same_experiment()))
    .where(proposals.c.batch_id == bindparam("of_batch"))
)
_INSERT = Prepared(insert(results), *results.c.keys())
_CONCLUDE = Prepared(
    update(iterations)
    .where(iterations.c.batch_id == bindparam("of_batch"), iterations.c.concluded_at.is_(None))
    .values(concluded_at=bindparam("at"))
)
_HISTORY = Prepared(
    _query()
    .where(counting(bindparam("of_campaign")), iterations.c.iteration > bindparam("after"))
    .order_by(iterations.c.iteration, proposals.c.position)
)
