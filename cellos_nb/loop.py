"""One iteration of a campaign, start to finish; read this first.

history → propose → [ExperimentProposal] → compile → one Workflow per plate → execute → readings → conclude → history
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.model_state import ModelState
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.errors import CampaignPausedError
from cellos_nb.execution.batch import Batch, forecast_cost, run_batch
from cellos_nb.execution.bookings import bring_up_to_date
from cellos_nb.execution.events import OnEvent
from cellos_nb.execution.runs import write_log
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.planner.interface import Planner, TellingPlanner
from cellos_nb.planner.registry import make_planner
from cellos_nb.planner.stopping import reason_known_enough
from cellos_nb.store.records import CampaignStatus, Standing
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.workflow import Workflow

log = logging.getLogger(__name__)

OVER_BUDGET = "budget:"
"""What the reason of a campaign begins with that ended because of its budget."""


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
    while True:
        following = next_batch(loop, campaign_id)
        if isinstance(following, Ending):
            return following
        try:
            run_iteration(loop, following)
        except CampaignPausedError as pause:
            return Ending(CampaignStatus.PAUSED, str(pause))


def next_batch(loop: Loop, campaign_id: str) -> Batch | Ending:
    """What a campaign does next: the batch that was begun, or a new one, which is stored; or the reason to end.

    An ending is not stored. `PAUSED` stands in the store already; a person may have taken it back meanwhile.
    """
    begun_at = now_utc()
    now = loop.store.standing(campaign_id)
    if now.status is CampaignStatus.PAUSED:
        return Ending(CampaignStatus.PAUSED, now.reason or "paused")
    begun = loop.store.begun_iteration(campaign_id)
    if begun is not None:
        report_changed_history(loop.store, campaign_id, begun.iteration)
        return _batch(campaign_id, now.config, begun.iteration, begun.proposals)
    return _new_batch(loop, campaign_id, now, begun_at)


def _new_batch(loop: Loop, campaign_id: str, now: Standing, begun_at: datetime) -> Batch | Ending:
    """Proposes and stores the next iteration, together with what the planner knew; or why there is none."""
    decided = loop.store.overrulings(campaign_id)
    history = loop.store.history(campaign_id)
    ending = reason_to_end(now, history)
    if ending:
        return ending
    batch, state = _proposed(loop.planner, campaign_id, now.config, history, now.next_iteration)
    if not batch.proposals:
        return Ending(CampaignStatus.FINISHED, "every experiment of the question has been made")
    reason = reason_not_to_spend(loop, campaign_id, now.config, batch)
    if reason:
        return Ending(CampaignStatus.FINISHED, reason)
    with loop.store.write():
        # Asked again, because planning takes its time; in one transaction, so that no pause comes between.
        now = loop.store.standing(campaign_id)
        if now.status is CampaignStatus.PAUSED:
            return Ending(CampaignStatus.PAUSED, now.reason or "paused")
        is_current = loop.store.overrulings(campaign_id) == decided
        if is_current:
            loop.store.add_iteration(campaign_id, batch.iteration, batch.proposals, begun_at, state)
    # A plate that was overruled while the planner thought is learnt from now, not an iteration later.
    return batch if is_current else _new_batch(loop, campaign_id, now, begun_at)


def run_iteration(loop: Loop, batch: Batch) -> tuple[ExperimentResult, ...]:
    """Compiles a batch onto plates, executes them, concludes what the readings say and stores it.

    Raises:
        CampaignPausedError: the campaign was paused; plates under way were brought to their end, no other was begun.
    """
    log.info("%s: %d experiments", batch.batch_id, len(batch.proposals))
    campaign_id = batch.campaign_id
    hold = None if campaign_id is None else partial(why_paused, loop.store, campaign_id)
    return run_batch(loop.store, loop.machine, batch, on_event=loop.on_event, hold=hold)


def why_paused(store: Store, campaign_id: str) -> str | None:
    """Why no further plate of a campaign may begin, in words; None when it may."""
    now = store.standing(campaign_id)
    return (now.reason or "paused") if now.status is CampaignStatus.PAUSED else None


def report_changed_history(store: Store, campaign_id: str, iteration: int) -> None:
    """Logs, also in the database, when an iteration was proposed from other results than those stored now."""
    for state in store.model_states(campaign_id, iteration):
        if state.history_sha256 == store.history(campaign_id, seen_by=iteration).digest():
            continue
        message = (
            f"{campaign_id}: iteration {iteration} was proposed from other results than those stored now "
            f"(digest {state.history_sha256[:12]}). Compare with a backup; the iteration goes on as it was proposed."
        )
        with store.write() as tx:
            write_log(tx, logging.WARNING, message)


def first_plates(campaign_id: str, config: CampaignConfig, machine: Capabilities) -> tuple[Batch, tuple[Workflow, ...]]:
    """What a campaign will begin with, as `next_batch` will give it, and its plates, before the campaign is stored.

    Raises:
        InputError: the plates cannot be compiled for this machine.
    """
    batch = _proposed(make_planner(config.planner), campaign_id, config, History(), 1)[0]
    return batch, compile_plates(batch.proposals, batch.plan, machine, batch_id=batch.batch_id, seed=batch.seed)


def _proposed(
    planner: Planner, campaign_id: str, config: CampaignConfig, history: History, iteration: int
) -> tuple[Batch, ModelState]:
    """What the planner asks for next, without proposals when nothing is left to ask, and what it knew."""
    parameters: dict[str, Any] = {}
    if isinstance(planner, TellingPlanner):
        proposals, parameters = planner.propose_and_tell(config, history, iteration, config.batch_size)
    else:
        proposals = planner.propose(config, history, iteration, config.batch_size)
    named = [
        replace(p, proposal_id=f"i{iteration:03d}-e{k:03d}", reason=_rounded(p.reason))
        for k, p in enumerate(proposals, start=1)
    ]
    state = ModelState(
        iteration=iteration,
        planner=planner.name,
        seed=config.seed,
        n_observations=len(history.learnable),
        history_sha256=history.digest(),
        parameters=_all_rounded(parameters),
    )
    return _batch(campaign_id, config, iteration, named), state


def _all_rounded(value: Any) -> Any:
    """The same plain value with every number to 4 digits."""
    if isinstance(value, float):
        return _four_digits(value)
    if isinstance(value, Mapping):
        return {str(key): _all_rounded(each) for key, each in value.items()}
    return [_all_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def _rounded(reason: ProposalReason | None) -> ProposalReason | None:
    """Predictions to 4 digits: the seventh, in single precision, depends on how many cores the linear algebra had."""
    if reason is None:
        return None
    return replace(
        reason,
        predicted_mean=_four_digits(reason.predicted_mean),
        predicted_sd=_four_digits(reason.predicted_sd),
        acquisition=_four_digits(reason.acquisition),
    )


def _four_digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def reason_to_end(now: Standing, history: History) -> Ending | None:
    """Why no further iteration is begun; None to go on."""
    failure = reason_to_give_up(history)
    if failure:
        return Ending(CampaignStatus.FAILED, failure)
    if now.stop_request is not None:
        return Ending(CampaignStatus.FINISHED, f"after iteration {now.next_iteration - 1}, {now.stop_request}")
    reason = reason_to_stop(now.config, history)
    return Ending(CampaignStatus.FINISHED, reason) if reason else None


def reason_to_give_up(history: History) -> str | None:
    """Why going on would only waste plates, in words: nothing of the last iteration was measured. None otherwise."""
    done = max(history.iterations, default=0)
    last = [result for result in history if result.iteration == done]
    if not last or any(result.status is not ResultStatus.FAILED for result in last):
        return None
    return f"nothing of iteration {done} was measured: {last[0].error}"


def reason_to_stop(config: CampaignConfig, history: History) -> str | None:
    """Why no further iteration is needed, in words; None to go on. Superseded iterations are in no history."""
    done = history.iterations
    if len(done) >= config.max_iterations:
        n = config.max_iterations
        return "the one iteration is done" if n == 1 else f"all {n} iterations are done"
    return _reason_converged(config, history) or reason_known_enough(config, history)


def _reason_converged(config: CampaignConfig, history: History) -> str | None:
    rule, done = config.convergence, history.iterations
    if rule is None or len(done) <= rule.patience:
        return None
    last_before = done[-rule.patience - 1]
    conditions = score_conditions(config, history)
    before = [c.score.value for c in conditions if c.iteration <= last_before]
    since = [c.score.value for c in conditions if c.iteration > last_before]
    if before and max(since, default=max(before)) < max(before) + rule.min_improvement:
        return f"converged: {rule.patience} iterations improved the best by less than {rule.min_improvement:g}"
    return None


def reason_not_to_spend(loop: Loop, campaign_id: str, config: CampaignConfig, batch: Batch) -> str | None:
    """Why the budget does not allow this batch, in words; None when it does.

    Where the lab keeps stock, what was booked counts as spent, at the prices of the lots.
    """
    if config.budget_usd is None:
        return None
    bring_up_to_date(loop.store)
    spent_usd = loop.store.spent_usd(campaign_id)
    needed = forecast_cost(loop.store, batch, loop.machine.describe())
    if spent_usd + needed <= config.budget_usd:
        return None
    return (
        f"{OVER_BUDGET} {spent_usd:,.2f} USD spent, {needed:,.2f} USD more needed, {config.budget_usd:,.2f} USD allowed"
    )


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
