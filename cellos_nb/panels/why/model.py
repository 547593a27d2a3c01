"""Why a dose was proposed, in words: from the planner's explanation and what was measured since."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import Estimate
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.planner.explanation import Choice, Explanation, Neighbour
from cellos_nb.records.figures import value_label
from cellos_nb.store.records import IterationRecord
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
_NOTHING = 1e-12
"""An improvement below this counts as none, as the planner counts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One proposal of a campaign."""

    proposal: ExperimentProposal
    iteration: int

    @property
    def label(self) -> str:
        """It, as a list shows it."""
        proposal = self.proposal
        intent = f", {proposal.reason.intent}" if proposal.reason else ""
        where = f"{proposal.compound} at {format_dose(proposal.dose_um)} on {proposal.cell_line}"
        return f"{proposal.proposal_id}: {where}{intent}"


def all_asked(laps: tuple[IterationRecord, ...]) -> tuple[Asked, ...]:
    """Every proposal of a campaign in order, those that are not measured yet among them."""
    return tuple(Asked(proposal, lap.iteration) for lap in laps for proposal in lap.proposals)


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
    return (
        f"Explore: {expected} is below the best expected of what was measured ({choice.incumbent:.3f}), but uncertain "
        "enough to beat it."
    )


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
    if choice.name == "nei" and value <= _NOTHING:
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
