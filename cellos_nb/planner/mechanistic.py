"""The planner that learns dose-response curves and asks for what improves on the best so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import UNTREATED
from cellos_nb.domain.proposal import ExperimentProposal, Intent
from cellos_nb.domain.settings import PlannerSettings
from cellos_nb.planner.acquisition import choose_by_sampling, n_samples_for
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array, CurvePrior
from cellos_nb.planner.model import DoseResponseGP, candidate_priors
from cellos_nb.planner.uninformed import choose_evenly


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


@dataclass(frozen=True, slots=True)
class ModelAsked:
    """What the model said of every condition of a pool, and what was chosen by it."""

    model: DoseResponseGP
    mean: Array
    """Shape (n_conditions,): the expected responses."""
    sd: Array
    scores: Scores
    values: dict[int, float]
    """The options chosen, in their order, and the acquisition of each when it was chosen."""
    rows: tuple[int, ...]
    """The conditions chosen."""
    lines_per_option: int
    """Conditions of one option: 1, or all cell lines of a treatment."""

    def reason(self, row: int) -> tuple[Intent, tuple[float, float, float]]:
        """Intent, and predicted mean, its standard deviation and the acquisition, of a chosen condition."""
        option = row // self.lines_per_option
        intent: Intent = "exploit" if self.scores.mean[option] >= self.scores.incumbent else "explore"
        return intent, (float(self.mean[row]), float(self.sd[row]), self.values[option])


@dataclass(frozen=True, slots=True)
class Deliberation:
    """How one batch came about."""

    pool: CandidatePool
    """What was left to ask for after the first experiments were spread."""
    first: tuple[int, ...]
    """The conditions that were spread evenly before the model was asked."""
    model_asked: ModelAsked | None
    """None when nothing was left for the model to choose."""


class MechanisticPlanner:
    """Asks where the mechanistic model expects most.

    The first experiments are spread evenly. After that a proposal is `exploit` when its expected score is at least the
    best expected score among what was measured, and `explore` otherwise.
    """

    name = "mechanistic"

    def __init__(self, settings: PlannerSettings | None = None) -> None:
        self._settings = settings or PlannerSettings()

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """See `Planner.propose`."""
        return self.propose_and_tell(config, history, iteration, n)[0]

    def propose_and_tell(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[tuple[ExperimentProposal, ...], dict[str, Any]]:
        """See `TellingPlanner.propose_and_tell`; what is told is empty until the model is asked."""
        thought = self.deliberate(config, history, iteration, n)
        proposals = [thought.pool.proposal(row, self.name, "initial") for row in thought.first]
        asked = thought.model_asked
        if asked is None:
            return tuple(proposals), {}
        proposals += [thought.pool.proposal(row, self.name, *asked.reason(row)) for row in asked.rows]
        return tuple(proposals), _told(asked.model)

    def deliberate(self, config: CampaignConfig, history: History, iteration: int, n: int) -> Deliberation:
        """Everything that `propose` rests on, so that a proposal can be explained by what led to it."""
        pool = CandidatePool.of(config, history)
        n_initial = self._settings.n_initial or config.batch_size
        n_first = min(n, max(n_initial - len(pool.results), 0))
        first = choose_evenly(pool, n_first, np.random.default_rng([config.seed, iteration, 3]))
        pool = pool.without(first)
        asked = None
        if n > len(first) and pool.is_open.any():
            rng = np.random.default_rng([config.seed, iteration, 4])
            asked = self._ask_model(config, pool, n - len(first), rng)
        return Deliberation(pool, tuple(first), asked)

    def _ask_model(self, config: CampaignConfig, pool: CandidatePool, n: int, rng: np.random.Generator) -> ModelAsked:
        model = fit_results(config, pool)
        conditions = pool.conditions()
        mean, sd = model.predict(*conditions)
        samples = model.sample(*conditions, n_samples_for(len(mean)), rng)
        scores = score_options(config, pool, model, (mean, sd), samples)
        options, values = self._choose(pool, model, scores, n)
        rows = pool.expand(options, n) if pool.is_comparison else options[:n]
        width = pool.n_lines if pool.is_comparison else 1
        return ModelAsked(model, mean, sd, scores, dict(zip(options, values, strict=True)), tuple(rows), width)

    def _choose(
        self, pool: CandidatePool, model: DoseResponseGP, scores: Scores, n: int
    ) -> tuple[list[int], list[float]]:
        acquisition = self._settings.acquisition
        if acquisition == "nei":
            return choose_by_sampling(scores.samples, scores.incumbent_samples, n, scores.allowed, scores.costs)
        from cellos_nb.planner.emukit_bridge import choose_by_acquisition

        beliefs = beliefs_about(pool, model, scores)
        return choose_by_acquisition(beliefs, acquisition, n, scores.allowed, scores.costs)


def fit_results(config: CampaignConfig, pool: CandidatePool) -> DoseResponseGP:
    """The model of a campaign after its results; viability falls from 1, other assays may rise as well."""
    asked = [result.proposal for result in pool.results]
    values = np.array([result.measurement for result in pool.results], dtype=float)
    prior = CurvePrior() if pool.assay == "viability" else candidate_priors(values)
    return DoseResponseGP(prior, config.dose_range_um).fit(
        [proposal.cell_line for proposal in asked],
        [proposal.compound for proposal in asked],
        [proposal.dose_um for proposal in asked],
        values,
        [result.standard_error for result in pool.results],
    )


def score_options(
    config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, expected: tuple[Array, Array], samples: Array
) -> Scores:
    """The campaign's goal over its options, by what the model says of every condition of the pool.

    Args:
        config: of the campaign.
        pool: its conditions.
        model: after its results.
        expected: mean and standard deviation of the responses, shapes (n_conditions,).
        samples: shape (n_samples, n_conditions), joint.
    """
    if pool.is_comparison:
        return _selectivity(pool, samples)
    mean, sd = expected
    sign = 1.0 if config.objective.goal == "maximise" else -1.0
    return _extreme(pool, sign * samples, sign * mean, sd, sign * model.prior.baseline)


def _told(model: DoseResponseGP) -> dict[str, Any]:
    """What the model has fitted: prior of most evidence, noise, and the share of inactive compounds."""
    return {
        "prior": asdict(model.prior),
        "noise_sd": model.noise_sd,
        "inactive_share": model.inactive_share,
        "log_evidence": model.log_evidence,
    }


def _extreme(pool: CandidatePool, samples: Array, mean: Array, sd: Array, untreated: float) -> Scores:
    measured = pool.is_measured.ravel()
    best = samples[:, measured].max(axis=1) if measured.any() else np.full(len(samples), untreated)
    incumbent = float(mean[measured].max()) if measured.any() else untreated
    costs = np.ones(len(mean), dtype=np.int64)
    return Scores(samples, mean, sd, best, incumbent, pool.is_open.ravel(), costs)


def _selectivity(pool: CandidatePool, samples: Array) -> Scores:
    """Lowest value among the spared lines, untreated at most, minus the target's; untreated cells score 0."""
    by_line = samples.reshape(len(samples), -1, pool.n_lines)
    scores = np.minimum(by_line[:, :, 1:].min(axis=2), UNTREATED) - by_line[:, :, 0]
    mean, complete = scores.mean(axis=0), np.all(pool.is_measured, axis=1)
    best = scores[:, complete].max(axis=1) if complete.any() else np.zeros(len(scores))
    incumbent = float(mean[complete].max()) if complete.any() else 0.0
    # A treatment with a cell line that cannot be measured any more will never be a complete comparison.
    allowed = np.asarray((pool.is_measured | pool.is_open).all(axis=1) & pool.is_open.any(axis=1))
    costs = np.maximum(pool.is_open.sum(axis=1), 1).astype(np.int64)
    return Scores(scores, mean, scores.std(axis=0), best, incumbent, allowed, costs)


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
