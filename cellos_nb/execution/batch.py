"""A batch's way: compiled onto plates, executed, concluded, stored. The same again continues where it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from cellos_nb.analysis.conclude import conclude
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.occasions import Occasion
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.domain.settings import PlatePlan
from cellos_nb.errors import ApprovalError, CampaignPausedError, InDoubtError, OutOfStockError, StoreCorruptError
from cellos_nb.execution.bookings import book
from cellos_nb.execution.events import OnEvent, ResultsStored, ignore
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.journal import entries_of, reading_of
from cellos_nb.execution.lease import dispatcher
from cellos_nb.execution.pool import RobotPool, executor_for
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.runs import RunRecord, campaign_resource, load_workflow, run_record, run_records
from cellos_nb.execution.shift import Hold
from cellos_nb.execution.stock import forecast_usd, require_stock, why_not_begin
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store import campaigns, results
from cellos_nb.store.messages import tell
from cellos_nb.store.schema import iterations
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.estimate import estimate, machine_usd
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What is needed of a batch after it was compiled."""

    batch_id: str
    iteration: int
    proposals: tuple[ExperimentProposal, ...]


Runs = Mapping[int, Workflow | None]
"""The runs of a batch by number, one for each plate, with the workflows that are at hand."""


def run_batch(
    store: Store, machine: HardwareInterface, batch: Batch, on_event: OnEvent = ignore, hold: Hold | None = None
) -> tuple[ExperimentResult, ...]:
    """The results of a batch, in the order of its proposals; executes what was not executed before.

    A plate that fails gives failed results and does not end the others. `hold` is asked before each plate begins, and
    answers why no more may.

    Raises:
        CampaignPausedError: `hold` had a reason; plates under way were brought to their end, results are stored.
        CompileError: the proposals cannot be put onto plates; nothing was stored.
        ApprovalError: a real machine needs a person's approval first; its proof is written.
        InDoubtError: a plate is held for a person to decide; the results of the others are stored.
        LeaseError: another process executes the work of this database.
        StoppedError: a person killed the queue; calling again continues.
    """
    with dispatcher(store):
        if not is_concluded(store, batch.batch_id):
            executor = executor_for(store, machine)
            runs = submit_batch(store, executor, batch, machine.describe())
            _bring_through(store, executor, batch, runs, on_event=on_event, hold=hold)
    with store.read() as tx:
        return results.batch_results(tx, batch.batch_id)


def run_new_batch(
    store: Store,
    machine: HardwareInterface,
    proposals: Sequence[ExperimentProposal],
    *,
    plan: PlatePlan,
    seed: int,
    on_event: OnEvent = ignore,
) -> tuple[ExperimentResult, ...]:
    """The results of a batch outside any campaign, on new plates. Raises as `run_batch` does."""
    with dispatcher(store):
        executor = executor_for(store, machine)
        batch, runs = submit_new_batch(store, executor, proposals, machine.describe(), plan=plan, seed=seed)
        return _bring_through(store, executor, batch, runs, on_event=on_event)


def finish_batch(
    store: Store, machine: HardwareInterface, batch_id: str, on_event: OnEvent = ignore
) -> tuple[ExperimentResult, ...]:
    """The results of a batch that was submitted before; executes what was not. Raises as `run_batch` does.

    Raises:
        CampaignError: there is no such batch.
    """
    asked = _asked(store, batch_id)
    with dispatcher(store):
        if not is_concluded(store, batch_id):
            _bring_through(
                store, executor_for(store, machine), asked, submitted_runs(store, batch_id), on_event=on_event
            )
    with store.read() as tx:
        return results.batch_results(tx, batch_id)


def conclude_batch(
    store: Store, batch_id: str, on_event: OnEvent = ignore, *, then: Callable[[], None] = lambda: None
) -> tuple[ExperimentResult, ...]:
    """Stores and returns the results of a batch whose plates have ended; executes nothing.

    `then` is called in the transaction that stores them: what it queues is there if they are.

    Raises:
        CampaignError: there is no such batch.
        InDoubtError: a plate is held for a person to decide; the results of the others are stored.
    """
    asked, plates = _asked(store, batch_id), run_records(store, batch_id=batch_id)
    concluded = _store_results(store, asked, plates, {run.run_id: None for run in plates}, then)
    _raise_if_held(store, plates)
    on_event(ResultsStored(batch_id, asked.iteration, len(concluded), now_utc()))
    return concluded


def _asked(store: Store, batch_id: str) -> Asked:
    with store.read() as tx:
        return Asked(batch_id, campaigns.batch_iteration(tx, batch_id), campaigns.batch_proposals(tx, batch_id))


def forecast_cost(store: Store, batch: Batch, capabilities: Capabilities) -> float:
    """What a batch will cost, in USD: at the lots' prices what is kept in stock, all else by the price list."""
    return forecast_usd(store, _compile(batch, capabilities), capabilities, batch.batch_id)


def submit_batch(
    store: Store, executor: WorkflowExecutor | RobotPool, batch: Batch, capabilities: Capabilities
) -> Runs:
    """Compiles a batch and queues a run for each plate; all of them or none.

    A batch that was submitted before is not compiled again: its workflows are those in the store.
    """
    before = submitted_runs(store, batch.batch_id)
    if before:
        return before
    workflows = _compile(batch, capabilities)
    with store.write() as tx:
        campaigns.add_batch(tx, batch.batch_id, batch.campaign_id, batch.iteration, batch.proposals)
        return _queue(store, executor, batch, workflows, capabilities)


def submit_new_batch(
    store: Store,
    executor: WorkflowExecutor | RobotPool,
    proposals: Sequence[ExperimentProposal],
    capabilities: Capabilities,
    *,
    plan: PlatePlan,
    seed: int,
) -> tuple[Batch, Runs]:
    """Compiles and queues proposals outside any campaign; those without an identifier are given one."""
    named = tuple(p if p.proposal_id else replace(p, proposal_id=f"e{k:03d}") for k, p in enumerate(proposals, 1))
    while True:
        with store.read() as tx:
            batch = Batch(campaigns.next_ad_hoc(tx), None, 0, named, plan, seed)
        workflows = _compile(batch, capabilities)
        with store.write() as tx:
            # Another process may have taken the identifier while this one compiled.
            if campaigns.add_ad_hoc_batch(tx, batch.batch_id, named):
                return batch, _queue(store, executor, batch, workflows, capabilities)


def submitted_runs(store: Store, batch_id: str) -> Runs:
    """The runs of a batch that was submitted.

    A plate that is held is put back, to be asked about again; one that was put off, for want of stock or after an
    error, is tried at once.
    """
    runs, queue = run_records(store, batch_id=batch_id), JobQueue(store)
    for run in runs:
        if run.status.is_held:
            queue.requeue(run.run_id, "the batch is brought through again", by=f"batch {batch_id}")
        elif run.status is JobStatus.QUEUED and run.error:
            queue.hasten(run.run_id)
    return {run.run_id: None for run in runs}


def _queue(
    store: Store,
    executor: WorkflowExecutor | RobotPool,
    batch: Batch,
    workflows: Sequence[Workflow],
    capabilities: Capabilities,
) -> Runs:
    """Queues the plates of a batch. What all of them take together has to be there."""
    with store.write() as tx:
        book(store, tx)  # what a run that was cancelled had reserved is free
        require_stock(store, tx, batch.batch_id, workflows, batch.batch_id)
    return {
        executor.submit(
            workflow,
            batch_id=batch.batch_id,
            cost_usd=estimate(workflow, capabilities).cost_usd,
            machine_usd=machine_usd(workflow, capabilities),
            resources=[] if batch.campaign_id is None else [campaign_resource(batch.campaign_id)],
        ): workflow
        for workflow in workflows
    }


def _bring_through(
    store: Store,
    executor: WorkflowExecutor | RobotPool,
    asked: Batch | Asked,
    runs: Runs,
    *,
    on_event: OnEvent,
    hold: Hold | None = None,
) -> tuple[ExperimentResult, ...]:
    """Executes the runs of a batch, concludes its plates and stores their results in one transaction.

    Raises:
        ApprovalError: a real machine needs a person's approval first.
        InDoubtError: a plate is held; the results of the others are stored.
    """
    ended = executor.run(runs.keys(), on_event, hold=hold)
    missing = runs.keys() - ended.keys()
    stored = {run.run_id: run for run in run_records(store, batch_id=asked.batch_id)} if missing else {}
    plates = [ended.get(run_id) or stored[run_id] for run_id in runs]
    concluded = _store_results(store, asked, plates, runs)
    why = hold() if hold is not None and any(not run.status.is_final for run in plates) else None
    if why is not None:
        raise CampaignPausedError(why)
    _raise_if_held(store, plates)
    on_event(ResultsStored(asked.batch_id, asked.iteration, len(concluded), now_utc()))
    return concluded


def _store_results(
    store: Store,
    asked: Batch | Asked,
    plates: Sequence[RunRecord],
    runs: Runs,
    then: Callable[[], None] = lambda: None,
) -> tuple[ExperimentResult, ...]:
    """Concludes the plates that have ended, and stores their results in one transaction; in the order of proposals."""
    concluded = [
        result
        for run in plates
        if run.status.is_final and not run.status.is_held
        for result in _conclude_plate(store, asked, run, runs[run.run_id] or load_workflow(store, run.run_id))
    ]
    with store.write() as tx:
        results.add_results(tx, asked.batch_id, concluded)
        _tell_condemned(tx, concluded)
        then()
    place = {proposal.proposal_id: position for position, proposal in enumerate(asked.proposals)}
    return tuple(sorted(concluded, key=lambda result: place[result.proposal.proposal_id]))


def _tell_condemned(tx: Connection, concluded: Sequence[ExperimentResult]) -> None:
    """Has people told of plates that failed quality control, once each."""
    condemned: dict[str, list[ExperimentResult]] = {}
    for result in concluded:
        if result.status is ResultStatus.QUARANTINED:
            for plate_id in dict.fromkeys(well.plate_id for well in result.wells):
                condemned.setdefault(plate_id, []).append(result)
    for plate_id, mine in condemned.items():
        flags = ", ".join(sorted({flag.value for result in mine for flag in result.qc_flags}))
        body = (
            f"{len(mine)} experiments are quarantined ({flags}), and no planner learns from them. Look at the plate; "
            f"`cellos overrule {plate_id} --reason TEXT` lets it count."
        )
        tell(tx, Occasion.QUALITY_FAILED, plate_id, body, once=plate_id)


def _raise_if_held(store: Store, plates: Sequence[RunRecord]) -> None:
    """Raises what a person has to decide, or to order, before the batch can be concluded."""
    for run in plates:
        if run.status is JobStatus.PAUSED:
            raise ApprovalError(run.error or f"{run.plate_id}: waits for an approval.")
        is_waiting = not run.status.is_final and not entries_of(store, run.run_id)
        missing = why_not_begin(store, run.run_id) if is_waiting else None
        if missing is not None:
            raise OutOfStockError(missing)
    # In doubt, or in the queue behind a plate that is.
    for run in sorted(plates, key=lambda run: run.status is not JobStatus.IN_DOUBT):
        if not run.status.is_final or run.status is JobStatus.IN_DOUBT:
            raise InDoubtError(f"{run.plate_id}: {run.error}" if not run.status.is_final else run.error or run.plate_id)


def is_concluded(store: Store, batch_id: str) -> bool:
    """Whether all results of a batch are stored."""
    with store.read() as tx:
        return tx.scalar(select(iterations.c.concluded_at).where(iterations.c.batch_id == batch_id)) is not None


def _compile(batch: Batch, capabilities: Capabilities) -> tuple[Workflow, ...]:
    return compile_plates(batch.proposals, batch.plan, capabilities, batch_id=batch.batch_id, seed=batch.seed)


def _conclude_plate(
    store: Store, batch: Batch | Asked, run: RunRecord, workflow: Workflow
) -> tuple[ExperimentResult, ...]:
    """What one plate says about its proposals."""
    here = {well.proposal_id for well in workflow.layout.wells}
    asked = tuple(proposal for proposal in batch.proposals if proposal.proposal_id in here)
    if run.status is not JobStatus.SUCCEEDED:
        share_usd = _lost_usd(store, run) / max(len(asked), 1)
        return tuple(_failed(proposal, batch, run, share_usd) for proposal in asked)
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


def _lost_usd(store: Store, run: RunRecord) -> float:
    """What a run cost that did not succeed: nothing when no step of it was ever begun."""
    if not entries_of(store, run.run_id):
        return 0.0
    with store.write() as tx:
        book(store, tx, [run.run_id])  # what a person decided about it
        return run_record(store, run.run_id).cost_usd


def _failed(proposal: ExperimentProposal, batch: Batch | Asked, run: RunRecord, cost_usd: float) -> ExperimentResult:
    return ExperimentResult(
        proposal,
        ResultStatus.FAILED,
        error=run.error or str(run.status),
        cost_usd=cost_usd,
        iteration=batch.iteration,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )
