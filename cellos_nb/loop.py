"""One iteration of a campaign, start to finish; read this first.

history → propose → [ExperimentProposal] → compile → one Workflow per plate → execute → readings → conclude → history
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.execution.batch import Batch, forecast_cost, run_batch
from cellos_nb.execution.events import OnEvent
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.planner.interface import Planner
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loop:
    """The parts that one campaign is run with."""

    store: Store
    machine: HardwareInterface
    planner: Planner
    on_event: OnEvent
    """Called with everything that happens, in order, in the thread of the caller."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a campaign came to an end."""

    status: CampaignStatus
    reason: str
    """In words."""


def run_campaign(loop: Loop, campaign_id: str) -> Ending:
    """Runs or continues a campaign until there is a reason to stop, and returns that reason.

    What was proposed is stored before it is compiled, and what was compiled before it is executed; so a campaign that
    was killed at any point goes on where it was.
    """
    config = loop.store.campaign(campaign_id).config
    while True:
        begun_at = now_utc()
        history = loop.store.history(campaign_id)
        batch = begun_batch(loop.store, campaign_id, config)
        if batch is None:
            failure = reason_to_give_up(history)
            if failure:
                return Ending(CampaignStatus.FAILED, failure)
            reason = reason_to_stop(config, history)
            if reason:
                return Ending(CampaignStatus.FINISHED, reason)
            batch = new_batch(loop, campaign_id, config, history)
            if not batch.proposals:
                return Ending(CampaignStatus.FINISHED, "every experiment of the question has been made")
            reason = reason_not_to_spend(config, history, batch, loop.machine)
            if reason:
                return Ending(CampaignStatus.FINISHED, reason)
            loop.store.add_iteration(campaign_id, batch.iteration, batch.proposals, begun_at)
        run_iteration(loop, batch)


def run_iteration(loop: Loop, batch: Batch) -> tuple[ExperimentResult, ...]:
    """Compiles a batch onto plates, executes them, concludes what the readings say and stores it."""
    log.info("%s: %d experiments", batch.batch_id, len(batch.proposals))
    return run_batch(loop.store, loop.machine, batch, on_event=loop.on_event)


def begun_batch(store: Store, campaign_id: str, config: CampaignConfig) -> Batch | None:
    """The batch that was proposed and not concluded; None when there is none."""
    for iteration in store.iterations(campaign_id):
        if not iteration.is_concluded:
            return _batch(campaign_id, config, iteration.iteration, iteration.proposals)
    return None


def new_batch(loop: Loop, campaign_id: str, config: CampaignConfig, history: History) -> Batch:
    """What the planner asks for next; without proposals when nothing is left to ask."""
    iteration = loop.store.campaign(campaign_id).n_iterations + 1
    return _proposed(loop.planner, campaign_id, config, history, iteration)


def first_batch(planner: Planner, campaign_id: str, config: CampaignConfig) -> Batch:
    """What a campaign will begin with, as `new_batch` will give it, before the campaign is stored."""
    return _proposed(planner, campaign_id, config, History(), 1)


def _proposed(planner: Planner, campaign_id: str, config: CampaignConfig, history: History, iteration: int) -> Batch:
    proposals = planner.propose(config, history, iteration, config.batch_size)
    named = [
        replace(p, proposal_id=f"i{iteration:03d}-e{k:03d}", reason=_rounded(p.reason))
        for k, p in enumerate(proposals, start=1)
    ]
    return _batch(campaign_id, config, iteration, named)


def _rounded(reason: ProposalReason | None) -> ProposalReason | None:
    """Predictions to 6 digits: the last ones depend on how many cores the linear algebra had."""
    if reason is None:
        return None
    return replace(
        reason,
        predicted_mean=_six_digits(reason.predicted_mean),
        predicted_sd=_six_digits(reason.predicted_sd),
        acquisition=_six_digits(reason.acquisition),
    )


def _six_digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def reason_to_give_up(history: History) -> str | None:
    """Why going on would only waste plates, in words: nothing of the last iteration was measured. None otherwise."""
    done = max((result.iteration for result in history), default=0)
    last = [result for result in history if result.iteration == done]
    if not last or any(result.status is not ResultStatus.FAILED for result in last):
        return None
    return f"nothing of iteration {done} was measured: {last[0].error}"


def reason_to_stop(config: CampaignConfig, history: History) -> str | None:
    """Why no further iteration is needed, in words; None to go on."""
    done = max((result.iteration for result in history), default=0)
    if done >= config.max_iterations:
        return f"all {config.max_iterations} iterations are done"
    rule = config.convergence
    if rule is None or done <= rule.patience:
        return None
    conditions = score_conditions(config, history)
    before = [c.score.value for c in conditions if c.iteration <= done - rule.patience]
    since = [c.score.value for c in conditions if c.iteration > done - rule.patience]
    if before and max(since, default=max(before)) < max(before) + rule.min_improvement:
        return f"converged: {rule.patience} iterations improved the best by less than {rule.min_improvement:g}"
    return None


def reason_not_to_spend(
    config: CampaignConfig, history: History, batch: Batch, machine: HardwareInterface
) -> str | None:
    """Why the budget does not allow this batch, in words; None when it does."""
    if config.budget_usd is None:
        return None
    spent = sum(result.cost_usd for result in history)
    needed = forecast_cost(batch, machine.describe())
    if spent + needed <= config.budget_usd:
        return None
    return f"budget: {spent:,.2f} USD spent, {needed:,.2f} USD more needed, {config.budget_usd:,.2f} USD allowed"


def _batch(campaign_id: str, config: CampaignConfig, iteration: int, proposals: Sequence[ExperimentProposal]) -> Batch:
    return Batch(
        batch_id=f"{campaign_id}/i{iteration:03d}",
        campaign_id=campaign_id,
        iteration=iteration,
        proposals=tuple(proposals),
        plan=config.plate_plan(),
        seed=iteration_seed(config.seed, iteration),
    )


def iteration_seed(seed: int, iteration: int) -> int:
    """The seed of one iteration's layouts and, on simulated machines, noise: unrelated for neighbouring iterations."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{iteration}".encode()).digest()[:6])
