"""The planner that learns dose-response curves and asks for what improves on the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal, Intent
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.domain.settings import PlannerSettings
from cellos_nb.planner.acquisition import n_samples_for
from cellos_nb.planner.batches import choose_batch
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array
from cellos_nb.planner.doubt import CHECKS, is_denied, is_memory_denied
from cellos_nb.planner.model import DoseResponseGP, candidate_priors
from cellos_nb.planner.outliers import fit_with_outliers
from cellos_nb.planner.prior import prior_named, remembered_by
from cellos_nb.planner.question import Question, question_about
from cellos_nb.planner.remembered import NOTHING, RememberedWells
from cellos_nb.planner.scores import Scores, scores_of
from cellos_nb.planner.uninformed import choose_evenly


@dataclass(frozen=True, slots=True)
class ModelAsked:
    """What the model said of every condition of a pool, and what was chosen by it."""

    model: DoseResponseGP
    mean: Array
    """Shape (n_conditions,): the expected responses."""
    sd: Array
    scores: Scores
    question: Question
    """What the batch was chosen from."""
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
        prior_named(self._settings.prior)  # a prior that is none is refused before anything is asked for

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
        scores = scores_of(config, pool, model, (samples, mean, sd))
        question = question_about(config, pool, model, scores)
        options, values = choose_batch(question, n)
        rows = pool.expand(options, n) if pool.is_comparison else options[:n]
        width = pool.n_lines if pool.is_comparison else 1
        return ModelAsked(
            model, mean, sd, scores, question, dict(zip(options, values, strict=True)), tuple(rows), width
        )


def fit_results(config: CampaignConfig, pool: CandidatePool) -> DoseResponseGP:
    """The model of a campaign after its results; viability falls from 1, other assays may rise as well."""
    return _fitted(config, _believed(config, pool), pool.results)


def _believed(config: CampaignConfig, pool: CandidatePool) -> DoseResponseGP:
    """A model of the prior that the campaign names; of the vague one where it is of the lab's own and denied.

    The shipped one is not put to that test, which takes time: it was compared with the vague one on other data.
    """
    if pool.assay != "viability":
        values = np.array([result.measurement for result in pool.results], dtype=float)
        return DoseResponseGP(candidate_priors(values), config.dose_range_um)
    prior = prior_named(config.planner.prior)
    remembered = remembered_by(config.planner.prior).about(config.compound_names)
    model = DoseResponseGP(prior, config.dose_range_um, remembered=remembered)
    if len(remembered) and _is_forgotten(config, pool, model, remembered):
        remembered, model = NOTHING, DoseResponseGP(prior, config.dose_range_um)
    if config.planner.prior == "default" or not prior.classes:
        return model
    vague = DoseResponseGP(prior.without_classes(), config.dose_range_um, remembered=remembered)
    for n in _checks(pool):
        learnt = _fitted(config, model, pool.results[:n]).posterior
        fit_vague = partial(_fitted, config, vague, pool.results[:n])
        if is_denied(learnt, n, fit_vague):
            return vague
    return model


def _is_forgotten(
    config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, remembered: RememberedWells
) -> bool:
    """Whether the campaign's first results speak against what its model remembers of their compounds."""
    checks = _checks(pool)
    if not checks:
        return False
    alone = DoseResponseGP(model.prior, config.dose_range_um, remembered=remembered).fit([], [], [], [])
    without = DoseResponseGP(model.prior, config.dose_range_um)
    parts = (pool.results[:n] for n in checks)
    return any(is_memory_denied(_fitted(config, model, part), alone, _fitted(config, without, part)) for part in parts)


def _checks(pool: CandidatePool) -> list[int]:
    return [check for check in CHECKS if check <= len(pool.results)]


def _fitted(config: CampaignConfig, model: DoseResponseGP, results: Sequence[ExperimentResult]) -> DoseResponseGP:
    asked = [result.proposal for result in results]
    conditions = (
        [proposal.cell_line for proposal in asked],
        [proposal.compound for proposal in asked],
        [proposal.dose_um for proposal in asked],
    )
    values = np.array([result.measurement for result in results], dtype=float)
    errors = [result.standard_error for result in results]
    if config.planner.noise == "heavy_tailed":
        return fit_with_outliers(model, conditions, values, errors)[0]
    return model.fit(*conditions, values, errors)


def _told(model: DoseResponseGP) -> dict[str, Any]:
    """What the model has fitted: prior of most evidence, noise, and the share of inactive compounds."""
    return {
        "prior": asdict(model.prior),
        "noise_sd": model.noise_sd,
        "inactive_share": model.inactive_share,
        "log_evidence": model.log_evidence,
    }
