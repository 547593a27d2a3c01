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
class _Scores:
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
        pool = CandidatePool.of(config, history)
        n_initial = self._settings.n_initial or config.batch_size
        n_first = min(n, max(n_initial - len(pool.results), 0))
        first = choose_evenly(pool, n_first, np.random.default_rng([config.seed, iteration, 3]))
        proposals = [pool.proposal(row, self.name, "initial") for row in first]
        pool = pool.without(first)
        if n <= len(first) or not pool.is_open.any():
            return tuple(proposals), {}
        rng = np.random.default_rng([config.seed, iteration, 4])
        model = fit_results(config, pool)
        proposals += self._by_model(config, pool, model, n - len(first), rng)
        return tuple(proposals), _told(model)

    def _by_model(
        self, config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, n: int, rng: np.random.Generator
    ) -> list[ExperimentProposal]:
        conditions = pool.conditions()
        mean, sd = model.predict(*conditions)
        samples = model.sample(*conditions, n_samples_for(len(mean)), rng)
        baseline = model.prior.baseline
        if pool.is_comparison:
            scores = _selectivity(pool, samples)
        else:
            sign = 1.0 if config.objective.goal == "maximise" else -1.0
            scores = _extreme(pool, sign * samples, sign * mean, sd, sign * baseline)
        options, values = self._choose(pool, model, scores, n)
        value_of = dict(zip(options, values, strict=True))
        rows = pool.expand(options, n) if pool.is_comparison else options[:n]
        proposals = []
        for row in rows:
            option = row // pool.n_lines if pool.is_comparison else row
            intent: Intent = "exploit" if scores.mean[option] >= scores.incumbent else "explore"
            numbers = (float(mean[row]), float(sd[row]), value_of[option])
            proposals.append(pool.proposal(row, self.name, intent, numbers))
        return proposals

    def _choose(
        self, pool: CandidatePool, model: DoseResponseGP, scores: _Scores, n: int
    ) -> tuple[list[int], list[float]]:
        acquisition = self._settings.acquisition
        if acquisition == "nei":
            return choose_by_sampling(scores.samples, scores.incumbent_samples, n, scores.allowed, scores.costs)
        from cellos_nb.planner.emukit_bridge import choose_by_acquisition

        beliefs = _beliefs(pool, model, scores)
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


def _told(model: DoseResponseGP) -> dict[str, Any]:
    """What the model has fitted: prior of most evidence, noise, and the share of inactive compounds."""
    return {
        "prior": asdict(model.prior),
        "noise_sd": model.noise_sd,
        "inactive_share": model.inactive_share,
        "log_evidence": model.log_evidence,
    }


def _extreme(pool: CandidatePool, samples: Array, mean: Array, sd: Array, untreated: float) -> _Scores:
    measured = pool.is_measured.ravel()
    best = samples[:, measured].max(axis=1) if measured.any() else np.full(len(samples), untreated)
    incumbent = float(mean[measured].max()) if measured.any() else untreated
    costs = np.ones(len(mean), dtype=np.int64)
    return _Scores(samples, mean, sd, best, incumbent, pool.is_open.ravel(), costs)


def _selectivity(pool: CandidatePool, samples: Array) -> _Scores:
    """Lowest value among the spared lines, untreated at most, minus the target's; untreated cells score 0."""
    by_line = samples.reshape(len(samples), -1, pool.n_lines)
    scores = np.minimum(by_line[:, :, 1:].min(axis=2), UNTREATED) - by_line[:, :, 0]
    mean, complete = scores.mean(axis=0), np.all(pool.is_measured, axis=1)
    best = scores[:, complete].max(axis=1) if complete.any() else np.zeros(len(scores))
    incumbent = float(mean[complete].max()) if complete.any() else 0.0
    # A treatment with a cell line that cannot be measured any more will never be a complete comparison.
    allowed = np.asarray((pool.is_measured | pool.is_open).all(axis=1) & pool.is_open.any(axis=1))
    costs = np.maximum(pool.is_open.sum(axis=1), 1).astype(np.int64)
    return _Scores(scores, mean, scores.std(axis=0), best, incumbent, allowed, costs)


def _beliefs(pool: CandidatePool, model: DoseResponseGP, scores: _Scores) -> Beliefs:
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
