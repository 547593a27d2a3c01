"""What the model of a campaign expects, for people to look at: curves over dose, and every condition at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import UNTREATED
from cellos_nb.planner.acquisition import n_samples_for
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.model import DoseResponseGP

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
        improvement = self._of_treatments(samples) if self._pool.is_comparison else self._of_conditions(samples)
        return Expectations(tuple(lines), tuple(compounds), doses, mean, sd, improvement)

    def _of_conditions(self, samples: Array) -> Array:
        scores = samples if self._config.objective.goal == "maximise" else -samples
        untreated = UNTREATED if self._config.objective.goal == "maximise" else -UNTREATED
        return _improvement(scores, self._pool.is_measured.ravel(), untreated)

    def _of_treatments(self, samples: Array) -> Array:
        # As the objective scores them: the worst of the spared lines, untreated at most, less the target.
        by_line = samples.reshape(len(samples), -1, self._pool.n_lines)
        scores = np.minimum(by_line[:, :, 1:].min(axis=2), UNTREATED) - by_line[:, :, 0]
        gain = _improvement(scores, np.all(self._pool.is_measured, axis=1), 0.0)
        return np.repeat(gain, self._pool.n_lines)


def _improvement(scores: Array, is_measured: np.ndarray, untreated: float) -> Array:
    """Expected improvement on the best measured score, in the same joint samples.

    Source: Balandat et al. 2020, arXiv:1910.06403, noisy expected improvement of a single candidate.
    """
    best = scores[:, is_measured].max(axis=1) if is_measured.any() else np.full(len(scores), untreated)
    gain: Array = np.maximum(scores - best[:, None], 0.0).mean(axis=0)
    return gain
