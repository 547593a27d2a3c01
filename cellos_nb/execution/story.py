"""What the journal says of a campaign's plates, for people: which there are, and each attempt at each step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, select

from cellos_nb.domain import codec
from cellos_nb.domain.reading import Reading
from cellos_nb.execution.journal import StepStatus
from cellos_nb.execution.queue import JobStatus
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions, iterations, readings, runs, steps
from cellos_nb.store.store import Store


@dataclass(frozen=True, slots=True)
class PlateRecord:
    """One plate of a campaign as it stands."""

    run_id: int
    plate_id: str
    batch_id: str
    iteration: int
    status: JobStatus
    error: str | None
    n_wells: int
    """Wells that hold cells."""
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one step."""

    step_uid: str
    attempt: int
    """Counted from 1."""
    status: StepStatus
    machine: str
    error: str | None
    started_at: datetime
    finished_at: datetime | None


def plate_records(store: Store, campaign_id: str, *, is_concluded: bool | None = None) -> tuple[PlateRecord, ...]:
    """The plates of a campaign in the order submitted; only those of iterations that are, or are not, concluded."""
    asked = {"of_campaign": campaign_id}
    with store.read() as tx:
        rows = (_PLATES if is_concluded is None else _PLATES_BY[is_concluded]).rows(tx, asked)
    return tuple(
        PlateRecord(run_id, plate_id, batch_id, iteration, JobStatus(status), *others)
        for run_id, plate_id, batch_id, iteration, status, *others in rows
    )


def attempts(store: Store, run_id: int) -> tuple[Attempt, ...]:
    """Every attempt at a step of one run, in the order begun."""
    query = select(
        *(steps.c.step_uid, steps.c.attempt, steps.c.status, steps.c.machine, steps.c.error),
        *(steps.c.started_at, steps.c.finished_at),
    )
    with store.read() as tx:
        rows = tx.execute(query.where(steps.c.run_id == run_id).order_by(steps.c.started_at, steps.c.attempt)).all()
    return tuple(Attempt(row.step_uid, row.attempt, StepStatus(row.status), *row[3:]) for row in rows)


def readings_of(store: Store, run_id: int) -> tuple[Reading, ...]:
    """Every reading of one run, in the order in which they were taken."""
    query = select(readings.c.reading).join(steps, steps.c.token == readings.c.token)
    query = query.where(steps.c.run_id == run_id).order_by(steps.c.finished_at)
    with store.read() as tx:
        return tuple(codec.from_json(Reading, text) for text in tx.execute(query).scalars())


def _plates(*conditions: ColumnElement[bool]) -> Prepared:
    asked = (runs.c.run_id, runs.c.plate_id, runs.c.batch_id, iterations.c.iteration, actions.c.status)
    query = (
        select(*asked, actions.c.last_error, runs.c.n_wells, runs.c.started_at, runs.c.finished_at)
        .select_from(
            runs.join(iterations, iterations.c.batch_id == runs.c.batch_id).join(
                actions, actions.c.action_id == runs.c.run_id
            )
        )
        .where(iterations.c.campaign_id == bindparam("of_campaign"), *conditions)
    )
    return Prepared(query.order_by(runs.c.run_id))


# Built once: panels ask many times a minute.
_PLATES = _plates()
_PLATES_BY = {
    True: _plates(iterations.c.concluded_at.is_not(None)),
    False: _plates(iterations.c.concluded_at.is_(None)),
}
