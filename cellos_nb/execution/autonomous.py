"""AutonomousExecutor: experiments in, results out, for people with a planner of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan
from cellos_nb.errors import ProposalError
from cellos_nb.execution.batch import finish_batch, run_new_batch, submit_new_batch
from cellos_nb.execution.events import OnEvent, ignore
from cellos_nb.execution.pool import executor_for
from cellos_nb.execution.queue import JobQueue
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store import campaigns, results
from cellos_nb.store.store import Store

STOCK_MM = 10.0
"""Stocks are taken to be 10 mM in DMSO, the usual strength of a compound library, unless a plan says otherwise."""


class _Lab(Protocol):
    """What is needed of a lab."""

    @property
    def store(self) -> Store: ...

    @property
    def machine(self) -> HardwareInterface: ...


class AutonomousExecutor:
    """Executes batches of proposals through the same durable path as campaigns.

    >>> AutonomousExecutor(lab).execute_batch([ExperimentProposal("U2OS", "staurosporine", 1.0)])  # doctest: +SKIP
    """

    def __init__(self, lab: _Lab, *, on_event: OnEvent = ignore) -> None:
        """An executor on a lab's store and machine; `on_event` is called with everything that happens, in order."""
        self._store, self._machine, self._on_event = lab.store, lab.machine, on_event

    def execute_batch(
        self,
        proposals: Sequence[ExperimentProposal],
        *,
        wait: bool = True,
        plan: PlatePlan | None = None,
        plate_format: Literal[6, 12, 24, 48, 96, 384, 1536] = 96,
        seed: int = 0,
    ) -> list[ExperimentResult]:
        """Executes proposals and returns their results in the same order; every call prepares new plates.

        Args:
            proposals: those of different assays go onto different plates.
            wait: with False they are queued only, and the list is empty; `results` executes and returns them.
            plan: how plates are made; `default_plan` when left out.
            plate_format: wells of a plate, when no plan is given.
            seed: behind the layouts and, on simulated machines, the noise.

        Raises:
            CompileError: the proposals cannot be put onto plates; nothing was stored.
            ProposalError: an identifier stands twice.
            InDoubtError: a plate is held for a person to decide; `results` gives those of the others.
        """
        if not proposals:
            return []
        if not wait:
            self.submit(proposals, plan=plan, plate_format=plate_format, seed=seed)
            return []
        plan = plan or default_plan(proposals, plate_format)
        return list(run_new_batch(self._store, self._machine, proposals, plan=plan, seed=seed, on_event=self._on_event))

    def submit(
        self,
        proposals: Sequence[ExperimentProposal],
        *,
        plan: PlatePlan | None = None,
        plate_format: Literal[6, 12, 24, 48, 96, 384, 1536] = 96,
        seed: int = 0,
    ) -> str:
        """Compiles and queues proposals, and returns the identifier of their batch for `results`.

        Raises:
            CompileError: the proposals cannot be put onto plates; nothing was queued.
            ProposalError: none given, or an identifier stands twice.
        """
        executor = executor_for(self._store, self._machine)
        plan = plan or default_plan(proposals, plate_format)
        batch, _ = submit_new_batch(self._store, executor, proposals, self._machine.describe(), plan=plan, seed=seed)
        return batch.batch_id

    def results(self, batch_id: str, *, wait: bool = True) -> list[ExperimentResult]:
        """The results of a submitted batch, in the order of its proposals; executes what is still queued.

        Args:
            batch_id: as `submit` returned it.
            wait: with False nothing is executed: the results so far.

        Raises:
            CampaignError: there is no such batch.
            InDoubtError: a plate is held for a person to decide.
        """
        if wait:
            return list(finish_batch(self._store, self._machine, batch_id, self._on_event))
        with self._store.read() as tx:
            campaigns.batch_iteration(tx, batch_id)
            return list(results.batch_results(tx, batch_id))

    def stats(self) -> dict[str, int]:
        """Experiments concluded in this database, and how many jobs have each status."""
        with self._store.read() as tx:
            n_experiments = results.n_results(tx)
        return {"experiments": n_experiments, **JobQueue(self._store).stats()}


def default_plan(proposals: Sequence[ExperimentProposal], plate_format: int = 96) -> PlatePlan:
    """How plates are made when nobody says: one well for each proposal, 4 vehicle wells for each cell line.

    Raises:
        ProposalError: no proposals.
    """
    if not proposals:
        raise ProposalError("A batch needs at least one proposal.")
    return PlatePlan(
        n_wells=plate_format,
        replicates=1,
        controls=ControlSettings(),
        outer_wells="use",
        stocks=tuple(
            CompoundStock(name=name, stock_mm=STOCK_MM) for name in dict.fromkeys(p.compound for p in proposals)
        ),
        max_solvent_percent=0.5,
        assay=AssaySettings.model_validate({"name": proposals[0].assay}),
    )
