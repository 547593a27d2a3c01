"""Runs: one execution of one workflow, frozen as text when it was submitted."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Connection, bindparam, func, insert, select, update

from cellos_nb.domain.reading import Reading
from cellos_nb.errors import CampaignError, InputError
from cellos_nb.execution.artifacts import Artifact
from cellos_nb.execution.bookings import book
from cellos_nb.execution.frozen import load_workflow
from cellos_nb.execution.jobs import JobStatus, QueueOptions
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.stock import reserve
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions, execution_logs, runs
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

log = logging.getLogger(__name__)

__all__ = [
    "KIND",
    "RunOptions",
    "RunRecord",
    "add_run",
    "campaign_resource",
    "load_workflow",
    "needing",
    "note_runs",
    "run_of_plate",
    "run_record",
    "run_records",
    "write_log",
]

KIND = "experiment"
"""Of a job that executes a workflow."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it stands."""

    run_id: int
    plate_id: str
    batch_id: str | None
    status: JobStatus
    error: str | None
    n_wells: int
    cost_usd: float
    started_at: datetime | None
    finished_at: datetime | None
    reading: Reading | None = None
    """The last reading, when it is at hand without asking the store."""


def campaign_resource(campaign_id: str) -> str:
    """A campaign as a resource of the queue: while it is paused, nothing that needs it is begun."""
    return f"campaign/{campaign_id}"


class RunOptions(QueueOptions, total=False):
    """How a workflow is queued."""

    batch_id: str | None
    """Whose results its reading is concluded to; none when left out."""
    cost_usd: float
    """What it is forecast to cost by the price list; 0 when left out. The stock's own prices count where it is kept."""
    machine_usd: float
    """What its time on the machine costs; 0 when left out."""


def add_run(store: Store, workflow: Workflow, **options: Unpack[RunOptions]) -> int:
    """Queues a workflow under its plate as idempotency key, and returns the run's number.

    What it takes is reserved in the same transaction, where the lab keeps it in stock.

    Raises:
        CampaignError: that plate was submitted before with another workflow.
        OutOfStockError: the stock does not suffice; says what to order.
    """
    text = workflow.canonical_json()
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = workflow.plate_id
    with store.write() as tx:
        for run_id, submitted in _BY_PLATE.rows(tx, {"plate": key}):
            if submitted != digest:
                raise CampaignError(
                    f"{key}: this plate was submitted before with another workflow. "
                    "A plate is prepared once; give the new workflow a plate of its own."
                )
            return int(run_id)
        run_id = JobQueue(store).add(
            KIND,
            {"plate_id": key},
            idempotency_key=key,
            priority=options.get("priority", 0),
            not_before=options.get("not_before"),
            resources=options.get("resources", ()),
        )
        values = {
            "run_id": run_id,
            "plate_id": key,
            "batch_id": options.get("batch_id"),
            "workflow": text,
            "workflow_sha256": digest,
            "n_wells": len(workflow.layout.with_cells),
            "cost_usd": options.get("cost_usd", 0.0),
        }
        _INSERT(tx, values)
        book(store, tx)  # what a run that was cancelled had reserved is free
        occasion, machine_usd = options.get("batch_id") or key, options.get("machine_usd", 0.0)
        cost_usd = reserve(store, tx, run_id, workflow, occasion=occasion, machine_cost_usd=machine_usd)
        if cost_usd is not None:
            tx.execute(update(runs).where(runs.c.run_id == run_id), {"cost_usd": cost_usd})
    return run_id


def needing(name: str | None, options: RunOptions) -> RunOptions:
    """The same options, with a machine among the resources, if it has a name."""
    named = () if name is None else (name,)
    return {**options, "resources": {*options.get("resources", ()), *named}}


def run_records(
    store: Store, *, batch_id: str | None = None, run_ids: Collection[int] | None = None
) -> tuple[RunRecord, ...]:
    """Runs in the order submitted: of one batch, those named, or all."""
    query = _RUNS.order_by(runs.c.run_id)
    if batch_id is not None:
        query = query.where(runs.c.batch_id == batch_id)
    if run_ids is not None:
        query = query.where(runs.c.run_id.in_(run_ids))
    with store.read() as tx:
        return tuple(_record(row) for row in tx.execute(query))


def run_record(store: Store, run_id: int) -> RunRecord:
    """One run by its number."""
    with store.read() as tx:
        (row,) = _ONE_RUN.rows(tx, {"of_run": run_id})
        return _record(row)


def run_of_plate(store: Store, plate_id: str) -> RunRecord:
    """The run of one plate.

    Raises:
        InputError: no such plate was submitted.
    """
    with store.read() as tx:
        row = tx.execute(_RUNS.where(runs.c.plate_id == plate_id)).first()
    if row is None:
        raise InputError(f"{plate_id}: no such plate was submitted to {store.where}. List them with `cellos queue`.")
    return _record(row)


def note_runs(tx: Connection, executed: Sequence[tuple[int, datetime, datetime]], machine: str) -> None:
    """Notes where runs were executed and, for each number, from when to when; the first start counts."""
    _NOTE(tx, [{"of_run": run_id, "on": machine, "from": start, "to": end} for run_id, start, end in executed])


def write_log(
    tx: Connection, level: int, message: str, run_id: int | None = None, *, artifact: Artifact | None = None
) -> None:
    """Keeps a message with the database, where it outlives every process, and passes it on to `logging`."""
    values = {
        "at": now_utc(),
        "level": logging.getLevelName(level),
        "message": message,
        "run_id": run_id,
        "artifact_ref": artifact.ref if artifact else None,
        "artifact_sha256": artifact.sha256 if artifact else None,
    }
    tx.execute(insert(execution_logs), values)
    log.log(level, "%s", message, extra={"run_id": run_id})


_RUNS = select(
    *(runs.c.run_id, runs.c.plate_id, runs.c.batch_id, actions.c.status, actions.c.last_error),
    *(runs.c.n_wells, runs.c.cost_usd, runs.c.started_at, runs.c.finished_at),
).join(actions, actions.c.action_id == runs.c.run_id)

# Built once: building a statement costs more than executing it.
_ONE_RUN = Prepared(_RUNS.where(runs.c.run_id == bindparam("of_run")))
_BY_PLATE = Prepared(select(runs.c.run_id, runs.c.workflow_sha256).where(runs.c.plate_id == bindparam("plate")))
_INSERT = Prepared(
    insert(runs),
    *("run_id", "plate_id", "batch_id", "workflow", "workflow_sha256", "n_wells", "cost_usd"),
)
_NOTE = Prepared(
    update(runs)
    .where(runs.c.run_id == bindparam("of_run"))
    .values(
        machine=bindparam("on"),
        started_at=func.coalesce(runs.c.started_at, bindparam("from", type_=runs.c.started_at.type)),
        finished_at=bindparam("to"),
    )
)


def _record(row: Sequence[Any]) -> RunRecord:
    run_id, plate_id, batch_id, status, *rest = row
    return RunRecord(run_id, plate_id, batch_id, JobStatus(status), *rest)
