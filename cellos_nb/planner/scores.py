"""The campaign's goal over what it may ask for, in joint posterior samples and as Gaussian beliefs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.objective import UNTREATED
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array
from cellos_nb.planner.likelihood import Single
from cellos_nb.planner.model import DoseResponseGP


@dataclass(frozen=True, slots=True)
class Scores:
    """The campaign's goal over its options: conditions, or treatments where cell lines are compared."""

    samples: Array
    """Shape (n_samples, n_options), larger is better."""
    mean: Array
    sd: Array
    incumbent_samples: Array
    """Shape (n_samples,): the best score measured so far, in each sample."""
    incumbent: float
    """The best mean score among the measured; that of untreated cells before there is any."""
    allowed: NDArray[np.bool_]
    costs: NDArray[np.int64]
    """Experiments that each option still needs."""
    is_known: NDArray[np.bool_]
    """Whether the option was measured, on all cell lines where they are compared."""
    untreated: float
    """The score of untreated cells."""
    objectives: Array | None = None
    """Shape (n_samples, n_options, 2), where cell lines are compared: minus the target's value, and the lowest among
    the spared lines, untreated at most; larger is better."""


def scores_of(
    config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, belief: tuple[Single, Array, Array]
) -> Scores:
    """The scores that a model's samples, means and standard deviations of all conditions amount to."""
    samples, mean, sd = belief[0].astype(float), *belief[1:]
    if pool.is_comparison:
        return _selectivity(pool, samples)
    sign = 1.0 if config.objective.goal == "maximise" else -1.0
    return _extreme(pool, sign * samples, sign * mean, sd, sign * model.prior.baseline)


def _extreme(pool: CandidatePool, samples: Array, mean: Array, sd: Array, untreated: float) -> Scores:
    measured = pool.is_measured.ravel()
    best = samples[:, measured].max(axis=1) if measured.any() else np.full(len(samples), untreated)
    incumbent = float(mean[measured].max()) if measured.any() else untreated
    costs = np.ones(len(mean), dtype=np.int64)
    return Scores(samples, mean, sd, best, incumbent, pool.is_open.ravel(), costs, measured, untreated)


def _selectivity(pool: CandidatePool, samples: Array) -> Scores:
    """Lowest value among the spared lines, untreated at most, minus the target's; untreated cells score 0."""
    by_line = samples.reshape(len(samples), -1, pool.n_lines)
    objectives = np.stack([-by_line[:, :, 0], np.minimum(by_line[:, :, 1:].min(axis=2), UNTREATED)], axis=2)
    scores = objectives.sum(axis=2)
    mean, complete = scores.mean(axis=0), np.all(pool.is_measured, axis=1)
    best = scores[:, complete].max(axis=1) if complete.any() else np.zeros(len(scores))
    incumbent = float(mean[complete].max()) if complete.any() else 0.0
    # A treatment with a cell line that cannot be measured any more will never be a complete comparison.
    allowed = np.asarray((pool.is_measured | pool.is_open).all(axis=1) & pool.is_open.any(axis=1))
    costs = np.maximum(pool.is_open.sum(axis=1), 1).astype(np.int64)
    sd = scores.std(axis=0)
    return Scores(scores, mean, sd, best, incumbent, allowed, costs, complete, 0.0, objectives)


def beliefs_about(pool: CandidatePool, model: DoseResponseGP, scores: Scores) -> Beliefs:
    """The scores as Gaussian beliefs, before the first choice of a batch."""
    errors = [result.standard_error for result in pool.results if result.standard_error is not None]
    noise = model.noise_sd**2 + (float(np.mean(np.square(errors))) if errors else 0.0)
    compound = np.unique(np.array(pool.compounds), return_inverse=True)[1]
    lines, compounds, doses = pool.conditions()
    centred = scores.samples - scores.mean

    def of_conditions(options: NDArray[np.int64]) -> Array:
        chosen = options.tolist()
        return model.covariance([lines[i] for i in chosen], [compounds[i] for i in chosen], doses[options])

    def of_treatments(options: NDArray[np.int64]) -> Array:
        joint: Array = centred[:, options].T @ centred[:, options] / len(centred)
        return joint

    return Beliefs(
        mean=scores.mean,
        sd=scores.sd,
        block=compound if pool.is_comparison else np.repeat(compound, pool.n_lines),
        covariance=of_treatments if pool.is_comparison else of_conditions,
        noise_variance=2 * noise if pool.is_comparison else noise,
        incumbent=scores.incumbent,
    )
