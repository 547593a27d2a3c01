"""Why a dose was proposed, in words: from the planner's explanation and what was measured since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import Estimate
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.planner.acquisition import NOTHING
from cellos_nb.planner.explanation import Choice, Explanation, Neighbour, explain
from cellos_nb.records.figures import value_label
from cellos_nb.store.records import IterationRecord
from cellos_nb.store.store import Store
from cellos_nb.units import format_dose

ACQUISITIONS = {
    "nei": "noisy expected improvement",
    "ei": "expected improvement",
    "ucb": "upper confidence bound",
    "pi": "probability of improvement",
    "log_ei": "logarithm of the expected improvement",
    "thompson": "posterior sample",
    "entropy": "information on the best value (nats)",
    "hypervolume": "expected gain of hypervolume",
}
MAX_NEIGHBOURS = 8
"""Nearest measurements that the table shows."""
_TOLD_NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One proposal of a campaign."""

    proposal: ExperimentProposal
    iteration: int
    campaign_id: str
    """The campaign that asked for it: an ancestor's where a fork inherited it."""
    is_inherited: bool = False
    is_rolled_back: bool = False
    """Whether it no longer counts."""

    @property
    def label(self) -> str:
        """It, as a list shows it."""
        proposal = self.proposal
        intent = f", {proposal.reason.intent}" if proposal.reason else ""
        where = f"{proposal.compound} at {format_dose(proposal.dose_um)} on {proposal.cell_line}"
        standing = f" (from {self.campaign_id})" if self.is_inherited else ""
        gone = " (rolled back)" if self.is_rolled_back else ""
        return f"{proposal.proposal_id}: {where}{intent}{standing}{gone}"


def all_asked(store: Store, campaign_id: str, results: History) -> tuple[Asked, ...]:
    """Every proposal of a campaign in order: inherited ones, those not measured yet, and those that were rolled back.

    Args:
        store: where the campaign is.
        campaign_id: the campaign.
        results: what counts of it, which tells what it inherited.

    Raises:
        CampaignError: there is no such campaign.
    """
    parent, inherited = store.campaign(campaign_id).parent, tuple[Asked, ...]()
    if parent is not None:
        laps = set(results.iterations)
        before = all_asked(store, parent.campaign_id, store.history(parent.campaign_id, superseded=True))
        here = (one for one in before if one.iteration <= parent.iteration and one.iteration in laps)
        # What became of it in the parent later changes nothing here.
        inherited = tuple(replace(one, is_inherited=True, is_rolled_back=False) for one in here)
    own = tuple(
        Asked(proposal, lap.iteration, campaign_id, is_rolled_back=lap.superseded is not None)
        for lap, proposals in _own_laps(store, campaign_id, results)
        for proposal in proposals
    )
    return inherited + own


def _own_laps(
    store: Store, campaign_id: str, results: History
) -> Iterator[tuple[IterationRecord, Sequence[ExperimentProposal]]]:
    """Each own iteration with what it asked for, which is read only where the results do not have all of it."""
    laps = store.iterations(campaign_id, has_proposals=False)
    answered: dict[int, list[ExperimentProposal]] = defaultdict(list)
    for result in results:
        answered[result.iteration].append(result.proposal)
    whole = {lap.iteration for lap in laps if lap.is_concluded and lap.superseded is None} & answered.keys()
    others = [lap.iteration for lap in laps if lap.iteration not in whole]
    read = {lap.iteration: lap for lap in store.iterations(campaign_id, after=min(others) - 1)} if others else {}
    for lap in laps:
        yield lap, answered[lap.iteration] if lap.iteration in whole else read[lap.iteration].proposals


def explain_asked(store: Store, one: Asked, results: History) -> tuple[Explanation, ExperimentResult | None]:
    """Why a proposal was made, by what the campaign that made it knew then; and what was measured of it since.

    Args:
        store: where the campaign is.
        one: the proposal.
        results: what counts of the campaign in view; read anew for a proposal that is inherited or was rolled back.

    Raises:
        CampaignError: the campaign is gone.
        ProposalError: the campaign does not offer it.
    """
    seen = measured = results
    if one.is_inherited or one.is_rolled_back:
        seen = store.history(one.campaign_id, seen_by=one.iteration)
        measured = store.history(one.campaign_id, superseded=True, after=one.iteration - 1)
    told = explain(store.standing(one.campaign_id).config, seen, one.iteration, one.proposal)
    return told, result_of(measured, one.proposal)


def result_of(history: History, proposal: ExperimentProposal) -> ExperimentResult | None:
    """What was measured of a proposal; None before."""
    return next((r for r in history if r.proposal.proposal_id == proposal.proposal_id), None)


def sentences(config: CampaignConfig, told: Explanation, result: ExperimentResult | None) -> tuple[str, ...]:
    """Why the experiment was proposed, sentence by sentence."""
    said = [_intent(config, told), _expectation(config, told)]
    if told.choice is not None:
        said.append(_acquisition(told.choice))
    said.append(_nearest(told))
    if result is not None:
        said.append(_outcome(told, result))
    return tuple(said)


def neighbour_row(one: Neighbour) -> tuple[str, ...]:
    """One measurement as a row: cell line, dose, measurement, distance, iteration."""
    result = one.result
    estimate = Estimate(result.measurement or 0.0, result.standard_error, result.degrees_of_freedom)
    asked = result.proposal
    return (
        asked.cell_line,
        format_dose(asked.dose_um),
        str(estimate),
        f"{one.decades:.2f} decades",
        str(result.iteration),
    )


NEIGHBOUR_COLUMNS = ("cell line", "dose", "measurement", "distance", "iteration")


def _intent(config: CampaignConfig, told: Explanation) -> str:
    if told.basis == "spread":
        return (
            "One of the first experiments: spread evenly over cell lines, compounds and doses before a model is asked."
        )
    if told.basis == "other planner":
        return (
            f"Chosen by the planner '{config.planner.kind}', which asks no such model. The curve is what the "
            "mechanistic model makes of the same measurements."
        )
    if told.basis == "not repeated" or told.choice is None:
        return (
            "The planner, asked again with what is stored now, would not choose this: its release or its history is "
            "another one than then."
        )
    choice = told.choice
    expected = f"the expected score {choice.score_mean:.3f} ± {choice.score_sd:.3f}"
    if choice.score_mean >= choice.incumbent:
        return f"Exploit: {expected} is at least the best expected of all that was measured ({choice.incumbent:.3f})."
    below = f"Explore: {expected} is below the best expected of what was measured ({choice.incumbent:.3f})"
    if _nothing_was_left(choice):
        return f"{below}, and no dose was left that could be expected to beat it."
    return f"{below}, but uncertain enough to beat it."


def _nothing_was_left(choice: Choice) -> bool:
    return choice.name == "nei" and float(choice.acquisition[choice.here]) <= NOTHING


def _expectation(config: CampaignConfig, told: Explanation) -> str:
    proposal = told.proposal
    learnt = f"{told.n_learnt} experiments" if told.n_learnt else "nothing measured yet: the prior alone"
    return (
        f"At {format_dose(proposal.dose_um)} on {proposal.cell_line} the model expected a {value_label(config)} of "
        f"{told.mean_here:.3f} ± {told.sd_here:.3f} (standard deviation), from {learnt}."
    )


def _acquisition(choice: Choice) -> str:
    name = ACQUISITIONS[choice.name]
    value = float(choice.acquisition[choice.here])
    place = f"Choice {choice.place} of its batch, out of {choice.n_open:,} open ones"
    if _nothing_was_left(choice):
        return f"{place}: no {name} was left anywhere, so the largest mean plus standard deviation decided."
    best = "the largest" if choice.rank == 1 else f"number {choice.rank} by"
    return f"{place}: it had {best} {name} ({value:.3g})."


def _nearest(told: Explanation) -> str:
    near = told.neighbours[:_TOLD_NEIGHBOURS]
    if not near:
        return f"{told.proposal.compound} was not measured before: the curve is what compounds do in general."
    listed = "; ".join(
        f"{format_dose(one.result.proposal.dose_um)} on {one.result.proposal.cell_line} gave "
        f"{one.result.measurement or 0.0:.3f} (iteration {one.result.iteration})"
        for one in near
    )
    return f"Nearest data of {told.proposal.compound}: {listed}."


def _outcome(told: Explanation, result: ExperimentResult) -> str:
    if result.measurement is None:
        return f"Nothing was measured: {result.error or result.status}."
    spread = (told.sd_here**2 + (result.standard_error or 0.0) ** 2) ** 0.5
    estimate = Estimate(result.measurement, result.standard_error, result.degrees_of_freedom)
    off = (result.measurement - told.mean_here) / spread
    side = "above" if off >= 0 else "below"
    return f"Measured since: {estimate}; {abs(off):.1f} standard deviations {side} the expectation."
