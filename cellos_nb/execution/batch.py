"""A batch's way: compiled onto plates, executed, concluded, stored. The same again continues where it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from cellos_nb.analysis.conclude import conclude
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.domain.settings import PlatePlan
from cellos_nb.errors import InDoubtError, StoreCorruptError
from cellos_nb.execution.events import OnEvent, ResultsStored, ignore
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.journal import reading_of
from cellos_nb.execution.lease import dispatcher
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.runs import RunRecord, load_workflow, run_records
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store import campaigns, results
from cellos_nb.store.schema import iterations
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.estimate import estimate
from cellos_nb.workflow.workflow import Workflow

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Experiments that are compiled and executed together."""

    batch_id: str
    """Plates are named after it: `<batch_id>-p1`."""
    campaign_id: str | None
    """None outside a campaign."""
    iteration: int
    """Counted from 1 within its campaign; 0 outside one."""
    proposals: tuple[ExperimentProposal, ...]
    """Each with its `proposal_id`."""
    plan: PlatePlan
    seed: int
    """Behind the layouts and, on simulated machines, the noise."""


def run_batch(
    store: Store, machine: HardwareInterface, batch: Batch, on_event: OnEvent = ignore
) -> tuple[ExperimentResult, ...]:
    """The results of a batch, in the order of its proposals; executes what was not executed before.

    A plate that fails gives failed results and does not end the others.

    Raises:
        CompileError: the proposals cannot be put onto plates; nothing was stored.
        InDoubtError: a plate is held for a person to decide; the results of the others are stored.
        LeaseError: another process executes the work of this database.
        StoppedError: a person killed the queue; calling again continues.
    """
    with dispatcher(store):
        if not is_concluded(store, batch.batch_id):
            executor = WorkflowExecutor(store, machine)
            workflows = submit_batch(store, executor, batch, machine.describe())
            ended = executor.run(workflows.keys(), on_event) if workflows else {}
            conclude_batch(store, batch, workflows, ended, on_event)
    with store.read() as tx:
        return results.batch_results(tx, batch.batch_id)


def forecast_cost(batch: Batch, capabilities: Capabilities) -> float:
    """What a batch will cost, in USD."""
    return sum(estimate(workflow, capabilities).cost_usd for workflow in _compile(batch, capabilities))


def submit_batch(
    store: Store, executor: WorkflowExecutor, batch: Batch, capabilities: Capabilities
) -> Mapping[int, Workflow | None]:
    """Compiles a batch and queues a run for each plate; all of them or none. Returns the runs, with what is at hand.

    A batch that was submitted before is not compiled again: its workflows are those in the store. A plate in doubt is
    asked about again.
    """
    before = run_records(store, batch_id=batch.batch_id)
    if before:
        for run in before:
            if run.status is JobStatus.IN_DOUBT:
                JobQueue(store).requeue(run.run_id)
        return {run.run_id: None for run in before}
    workflows = _compile(batch, capabilities)
    costs = [estimate(workflow, capabilities).cost_usd for workflow in workflows]
    with store.write() as tx:
        campaigns.add_batch(tx, batch.batch_id, batch.campaign_id, batch.iteration, batch.proposals)
        return {
            executor.submit(workflow, batch_id=batch.batch_id, cost_usd=cost): workflow
            for workflow, cost in zip(workflows, costs, strict=True)
        }


def conclude_batch(
    store: Store,
    batch: Batch,
    workflows: Mapping[int, Workflow | None],
    ended: Mapping[int, RunRecord],
    on_event: OnEvent = ignore,
) -> None:
    """Concludes the plates of a batch that have ended and stores their results, all in one transaction.

    Args:
        store: where the runs stand.
        batch: what was asked for.
        workflows: the runs, with workflows that are at hand.
        ended: runs that this process executed, with their readings.
        on_event: is told when the results are stored.

    Raises:
        InDoubtError: a plate is held; the results of the others are stored.
    """
    missing = workflows.keys() - ended.keys()
    stored = {run.run_id: run for run in run_records(store, batch_id=batch.batch_id)} if missing else {}
    plates = [ended.get(run_id) or stored[run_id] for run_id in workflows]
    concluded = [
        result
        for run in plates
        if run.status.is_final and run.status is not JobStatus.IN_DOUBT
        for result in _conclude_plate(store, batch, run, workflows[run.run_id] or load_workflow(store, run.run_id))
    ]
    with store.write() as tx:
        results.add_results(tx, batch.batch_id, concluded)
    for run in plates:
        if run.status is JobStatus.IN_DOUBT:
            raise InDoubtError(run.error or f"{run.plate_id}: in doubt.")
    on_event(ResultsStored(batch.batch_id, batch.iteration, len(concluded), now_utc()))


def is_concluded(store: Store, batch_id: str) -> bool:
    """Whether all results of a batch are stored."""
    with store.read() as tx:
        return tx.scalar(select(iterations.c.concluded_at).where(iterations.c.batch_id == batch_id)) is not None


def _compile(batch: Batch, capabilities: Capabilities) -> tuple[Workflow, ...]:
    return compile_plates(batch.proposals, batch.plan, capabilities, batch_id=batch.batch_id, seed=batch.seed)


def _conclude_plate(store: Store, batch: Batch, run: RunRecord, workflow: Workflow) -> tuple[ExperimentResult, ...]:
    """What one plate says about its proposals."""
    here = {well.proposal_id for well in workflow.layout.wells}
    asked = tuple(proposal for proposal in batch.proposals if proposal.proposal_id in here)
    if run.status is not JobStatus.SUCCEEDED:
        return tuple(_failed(proposal, batch, run) for proposal in asked)
    reading = run.reading or reading_of(store, run.run_id)
    if reading is None:
        raise StoreCorruptError(f"{run.plate_id}: the run succeeded but its reading is missing. Restore a backup.")
    return conclude(
        asked,
        workflow.layout,
        reading,
        plate_id=run.plate_id,
        assay=workflow.assay,
        iteration=batch.iteration,
        cost_usd=run.cost_usd,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _failed(proposal: ExperimentProposal, batch: Batch, run: RunRecord) -> ExperimentResult:
    return ExperimentResult(
        proposal,
        ResultStatus.FAILED,
        error=run.error or str(run.status),
        iteration=batch.iteration,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )
