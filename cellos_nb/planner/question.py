"""All that a batch is chosen from: scores, constraints, costs, what is under way, and how far options are apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.planning import Acquisition, BatchPolicy
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.costs import treatment_prices_usd
from cellos_nb.planner.curves import Array
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.scores import Scores, beliefs_about
from cellos_nb.planner.viability import probability_of_viability

_LEAST_PROBABILITY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a batch is chosen from; an option is a condition, or a treatment where cell lines are compared."""

    scores: Scores
    believe: Callable[[], Beliefs]
    """Gives the scores as Gaussian beliefs, before the first choice."""
    acquisition: Acquisition
    batch: BatchPolicy
    compound: NDArray[np.int64]
    """Shape (n_options,): number of the option's compound."""
    position: Array
    """Shape (n_options, 3): number of the cell line, number of the compound, log10 dose as a share of its range."""
    room: Array
    """Shape (n_options,): experiments that the option's compound still allows; inf without a limit."""
    weight: Array | None
    """Shape (n_options,), above 0: an option's promise counts times this. Probability of viability per USD; None when
    neither is asked for, and then an improvement counts per experiment."""
    pending: tuple[int, ...]
    """Options under way: taken for granted before the first choice."""

    @property
    def n_options(self) -> int:
        """Options, whether they may be chosen or not."""
        return len(self.scores.mean)


def question_about(config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, scores: Scores) -> Question:
    """What a campaign's next batch is chosen from."""
    probability = probability_of_viability(config, pool)
    if probability is not None:
        by_treatment = probability.reshape(-1, pool.n_lines)
        probability = by_treatment.min(axis=1) if pool.is_comparison else probability
        scores = _answers_only(scores, probability)
    compound = np.unique(np.array(pool.compounds), return_inverse=True)[1].astype(np.int64)
    log_dose = np.log10(pool.doses_um)
    share = (log_dose - log_dose.min()) / max(float(np.ptp(log_dose)), 1e-9)
    width = 1 if pool.is_comparison else pool.n_lines
    position = np.column_stack(
        [np.tile(np.arange(width), len(compound)), np.repeat(compound, width), np.repeat(share, width)]
    )
    pending = tuple(dict.fromkeys(row // pool.n_lines if pool.is_comparison else row for row in pool.pending))
    return Question(
        scores=scores,
        believe=lambda: beliefs_about(pool, model, scores),
        acquisition=config.planner.acquisition,
        batch=config.planner.batch_policy,
        compound=np.repeat(compound, width),
        position=position.astype(float),
        room=np.repeat(pool.room, width),
        weight=_weight(config, pool, scores, probability),
        pending=pending,
    )


def _weight(config: CampaignConfig, pool: CandidatePool, scores: Scores, probability: Array | None) -> Array | None:
    prices = treatment_prices_usd(config, pool)
    if prices is None and probability is None:
        return None
    per_experiment = np.ones(len(pool.compounds)) if prices is None else prices
    per_option = per_experiment if pool.is_comparison else np.repeat(per_experiment, pool.n_lines)
    weight: Array = 1 / (per_option * scores.costs)
    return weight if probability is None else weight * np.maximum(probability, _LEAST_PROBABILITY)


def _answers_only(scores: Scores, probability: Array) -> Scores:
    """The scores with the best so far among what cells probably survive; untreated cells, where nothing is."""
    answers = scores.is_known & (probability >= 0.5)
    if not answers.any():
        best = np.full(len(scores.samples), scores.untreated)
        return replace(scores, incumbent_samples=best, incumbent=scores.untreated)
    best = scores.samples[:, answers].max(axis=1)
    return replace(scores, incumbent_samples=best, incumbent=float(scores.mean[answers].max()))
