"""What the model of a campaign expects, for people to look at: curves over dose, and every condition at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.planner.acquisition import n_samples_for, sampled_improvement
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.scores import scores_of

_SEED = 20
"""Of the samples behind the expected improvement: the same history shows the same picture."""


@dataclass(frozen=True, slots=True, eq=False)
class PredictedCurve:
    """The model's belief about one compound on one cell line."""

    doses_um: Array
    """Shape (n,), ascending, over the campaign's range of doses."""
    mean: Array
    """Shape (n,): expected measurement."""
    sd: Array
    """Shape (n,): its standard deviation; noise of the measurement left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Expectations:
    """The model's belief about every condition, one number for each in the order of the pool."""

    cell_lines: tuple[str, ...]
    compounds: tuple[str, ...]
    doses_um: Array
    mean: Array
    sd: Array
    improvement: Array
    """By how much the condition is expected to exceed the best so far, 0 or above, in the unit of the campaign's score;
    where cell lines are compared, that of the compound and dose on all of them."""


class CampaignModel:
    """The mechanistic model after a campaign's results, whichever planner asked for them."""

    def __init__(self, config: CampaignConfig, history: History) -> None:
        self._config = config
        self._pool = CandidatePool.of(config, history)
        self._model: DoseResponseGP = fit_results(config, self._pool)
        self._expectations: Expectations | None = None

    def curve(self, cell_line: str, compound: str, n: int = 80) -> PredictedCurve:
        """What is expected of one compound on one cell line, at `n` doses over the campaign's range."""
        doses = np.geomspace(*self._config.dose_range_um, n)
        mean, sd = self._model.predict([cell_line] * n, [compound] * n, doses)
        return PredictedCurve(doses, mean, sd)

    def expectations(self) -> Expectations:
        """What is expected of every condition that the campaign may ask for; computed once."""
        if self._expectations is None:
            self._expectations = self._expected()
        return self._expectations

    def _expected(self) -> Expectations:
        lines, compounds, doses = self._pool.conditions()
        mean, sd = self._model.predict(lines, compounds, doses)
        n = n_samples_for(len(mean))
        samples = self._model.sample(lines, compounds, doses, n, np.random.default_rng(_SEED))
        scores = scores_of(self._config, self._pool, self._model, (samples, mean, sd))
        improvement = sampled_improvement(scores.samples, scores.incumbent_samples)
        if self._pool.is_comparison:
            improvement = np.repeat(improvement, self._pool.n_lines)
        return Expectations(tuple(lines), tuple(compounds), doses, mean, sd, improvement)
