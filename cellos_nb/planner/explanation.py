"""Why an experiment was proposed: what the model believed when it was, and what every other dose promised then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.errors import ProposalError
from cellos_nb.planner.acquisition import expected_improvement
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array
from cellos_nb.planner.mechanistic import MechanisticPlanner, ModelAsked, beliefs_about, fit_results

Basis = Literal["model", "spread", "other planner", "not repeated"]

_N_CURVE = 80
"""Doses of the drawn curve: two in each pixel-sized step would change nothing that an eye can see."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measurement of the same compound that was known when the experiment was proposed."""

    result: ExperimentResult
    decades: float
    """Distance in log10 dose."""
    is_same_line: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of the batch, seen over all doses of its compound on its cell line."""

    name: str
    """The acquisition: nei, ei, ucb or pi."""
    doses_um: Array
    """Shape (n,), ascending: every dose that the campaign offers."""
    here: int
    """Which of them was chosen."""
    acquisition: Array
    """Shape (n,): at the moment of this choice, the choices before it in the batch taken into account."""
    is_open: NDArray[np.bool_]
    """Shape (n,): whether the dose could still be chosen then."""
    place: int
    """Counted from 1: which choice of the batch it was."""
    n_open: int
    """Options of the whole campaign that could be chosen then."""
    rank: int
    """Counted from 1: options with a larger acquisition, plus one."""
    score_mean: float
    """Expected score of what was chosen; larger is better."""
    score_sd: float
    incumbent: float
    """Best expected score among what was measured then; that of untreated cells before there is any."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was known of one cell line and compound when an experiment on them was proposed."""

    proposal: ExperimentProposal
    iteration: int
    basis: Basis
    """`model`: chosen by its acquisition; `spread`: one of the first, chosen to cover the question evenly; `other
    planner`: by a planner that asks no model; `not repeated`: the planner, asked again, would not choose it, so its
    history or its version is another one now. The model's curve is shown in any case."""
    doses_um: Array
    """Shape (n,), ascending, over the campaign's range of doses."""
    mean: Array
    """Shape (n,): the model's expectation of the measurement."""
    sd: Array
    """Shape (n,): its standard deviation; noise of the measurement left out."""
    mean_here: float
    """At the proposed dose."""
    sd_here: float
    choice: Choice | None
    """None unless the basis is `model`."""
    neighbours: tuple[Neighbour, ...]
    """What was measured of the compound, the same cell line first, then by distance."""
    n_learnt: int
    """Experiments that the model had seen."""


def explain(
    config: CampaignConfig, history: History, iteration: int, proposal: ExperimentProposal, n: int | None = None
) -> Explanation:
    """Why a proposal was made, by asking its planner again with what was known then.

    Args:
        config: of the campaign.
        history: of the campaign; results of `iteration` and later are left out, so the whole may be given.
        iteration: the one that proposed it, counted from 1.
        proposal: what was proposed.
        n: experiments that the iteration was asked for; the batch size when left out.

    Raises:
        ProposalError: the campaign does not offer this cell line, compound and dose.
    """
    before = History(tuple(result for result in history if result.iteration < iteration))
    pool = CandidatePool.of(config, before)
    row = pool.row_of(proposal.cell_line, proposal.compound, proposal.dose_um)
    if row is None:
        raise ProposalError(
            f"{proposal.compound} at {proposal.dose_um:g} µM on {proposal.cell_line} is not among the campaign's "
            f"{pool.is_open.size} experiments; give one that the campaign proposed."
        )
    asked, basis = _asked_again(config, before, iteration, n or config.batch_size, row)
    model = fit_results(config, pool) if asked is None else asked.model
    low, high = config.dose_range_um
    doses = np.unique(np.append(np.geomspace(low, high, _N_CURVE), proposal.dose_um))
    mean, sd = model.predict([proposal.cell_line] * len(doses), [proposal.compound] * len(doses), doses)
    here = int(np.searchsorted(doses, proposal.dose_um))
    choice = _choice(config, pool, asked, row) if asked is not None and basis == "model" else None
    return Explanation(
        proposal=proposal,
        iteration=iteration,
        basis=basis,
        doses_um=doses,
        mean=mean,
        sd=sd,
        mean_here=float(mean[here]),
        sd_here=float(sd[here]),
        choice=choice,
        neighbours=_neighbours(pool, proposal),
        n_learnt=len(pool.results),
    )


def _asked_again(
    config: CampaignConfig, before: History, iteration: int, n: int, row: int
) -> tuple[ModelAsked | None, Basis]:
    if config.planner.kind != MechanisticPlanner.name:
        return None, "other planner"
    thought = MechanisticPlanner(config.planner).deliberate(config, before, iteration, n)
    if row in thought.first:
        return thought.model_asked, "spread"
    if thought.model_asked is not None and row in thought.model_asked.rows:
        return thought.model_asked, "model"
    return thought.model_asked, "not repeated"


def _choice(config: CampaignConfig, pool: CandidatePool, asked: ModelAsked, row: int) -> Choice:
    width, scores = asked.lines_per_option, asked.scores
    option = row // width
    chosen = list(asked.values)
    place = chosen.index(option)
    values = _acquisition_after(config, pool, asked, chosen[:place])
    is_open = scores.allowed.copy()
    is_open[chosen[:place]] = False
    treatment, line = divmod(row, pool.n_lines)
    same = [i for i, name in enumerate(pool.compounds) if name == pool.compounds[treatment]]
    options = np.array([i if width > 1 else i * pool.n_lines + line for i in same])
    ranked = values / scores.costs if config.planner.acquisition != "ucb" else values
    return Choice(
        name=config.planner.acquisition,
        doses_um=pool.doses_um[same],
        here=same.index(treatment),
        acquisition=values[options],
        is_open=is_open[options],
        place=place + 1,
        n_open=int(is_open.sum()),
        rank=1 + int((ranked[is_open] > ranked[option]).sum()),
        score_mean=float(scores.mean[option]),
        score_sd=float(scores.sd[option]),
        incumbent=scores.incumbent,
    )


def _acquisition_after(config: CampaignConfig, pool: CandidatePool, asked: ModelAsked, chosen: list[int]) -> Array:
    """Shape (n_options,): what every option promises once the first choices of the batch are taken for granted."""
    scores, name = asked.scores, config.planner.acquisition
    if name == "nei":
        best = np.maximum(scores.incumbent_samples, scores.samples[:, chosen].max(axis=1, initial=-np.inf))
        return expected_improvement(scores.samples, best)
    from cellos_nb.planner.emukit_bridge import BeliefModel, make_acquisition

    beliefs = beliefs_about(pool, asked.model, scores)
    for option in chosen:
        beliefs.believe(option)
    numbers = np.arange(len(scores.mean), dtype=float)[:, None]
    values: Array = make_acquisition(name, BeliefModel(beliefs)).evaluate(numbers)[:, 0]
    return values


def _neighbours(pool: CandidatePool, proposal: ExperimentProposal) -> tuple[Neighbour, ...]:
    found = [
        Neighbour(
            result=result,
            decades=abs(float(np.log10(result.proposal.dose_um / proposal.dose_um))),
            is_same_line=result.proposal.cell_line == proposal.cell_line,
        )
        for result in pool.results
        if result.proposal.compound == proposal.compound
    ]
    return tuple(sorted(found, key=lambda one: (not one.is_same_line, one.decades)))
