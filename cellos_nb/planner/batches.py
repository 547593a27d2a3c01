"""One batch, chosen greedily: what every option promises, what the choices before it change, and what is still open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.objective import UNTREATED
from cellos_nb.planner.acquisition import choose_by_sampling, log_expected_improvement, sampled_improvement
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.curves import Array
from cellos_nb.planner.entropy import max_value_information
from cellos_nb.planner.hypervolume import sampled_hypervolume_gain
from cellos_nb.planner.question import Question

_LEAST = 1e-12
"""A promise below this counts as none."""
_N_FRONTS = 128
"""Posterior samples whose fronts are compared; each costs as much as all candidates."""


class _State:
    """The batch so far: what was chosen, what is believed, and the best score in each sample."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.chosen: list[int] = []
        """Without what was under way before."""
        self.best = question.scores.incumbent_samples
        self._beliefs: Beliefs | None = None
        for option in question.pending:
            self._take_for_granted(option)

    @property
    def beliefs(self) -> Beliefs:
        """The Gaussian beliefs, for the acquisitions that ask for them."""
        if self._beliefs is None:
            self._beliefs = self.question.believe()
        return self._beliefs

    @property
    def known(self) -> list[int]:
        """Options measured, under way, or chosen."""
        measured: list[int] = np.flatnonzero(self.question.scores.is_known).tolist()
        return [*measured, *self.question.pending, *self.chosen]

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """Shape (n_options,): what may still be chosen."""
        return self.question.scores.allowed & is_open_after(self.question, self.chosen)

    def take(self, option: int) -> None:
        """Adds an option to the batch."""
        self.chosen.append(option)
        self._take_for_granted(option)

    def _take_for_granted(self, option: int) -> None:
        if self.question.batch == "joint":
            self.best = np.maximum(self.best, self.question.scores.samples[:, option])
        elif self.question.batch == "believer":
            self.beliefs.believe(option)


class _Acquisition(Protocol):
    """Shape (n_options,), larger is better: what every option promises at one moment of a batch."""

    def __call__(self, state: _State) -> Array: ...


def _noisy_improvement(state: _State) -> Array:
    return sampled_improvement(state.question.scores.samples, state.best)


def _log_improvement(state: _State) -> Array:
    beliefs = state.beliefs
    return log_expected_improvement(beliefs.mean, np.sqrt(beliefs.variance), beliefs.incumbent)


def _through_emukit(state: _State) -> Array:
    from cellos_nb.planner.emukit_bridge import promises

    name = state.question.acquisition
    assert name in {"ei", "ucb", "pi"}  # noqa: S101 - the table below
    return promises(state.beliefs, name)


def _thompson(state: _State) -> Array:
    """One posterior sample for each place in the batch.

    Source: Kandasamy et al. 2018, http://proceedings.mlr.press/v84/kandasamy18a.html, section 2: synchronous batches.
    """
    samples = state.question.scores.samples
    drawn: Array = samples[len(state.chosen) % len(samples)]
    return drawn


def _information(state: _State) -> Array:
    beliefs, scores = state.beliefs, state.question.scores
    maxima = scores.samples.max(axis=1)
    correlation = np.sqrt(beliefs.variance / (beliefs.variance + beliefs.noise_variance))
    return max_value_information(beliefs.mean, np.sqrt(beliefs.variance), correlation, maxima)


def _covered(state: _State) -> Array:
    objectives = state.question.scores.objectives
    assert objectives is not None  # noqa: S101 - the configuration refuses this acquisition without a comparison
    return sampled_hypervolume_gain(objectives[:_N_FRONTS], state.known, np.array([-UNTREATED, 0.0]))


_ACQUISITIONS: dict[str, _Acquisition] = {
    "nei": _noisy_improvement,
    "ei": _through_emukit,
    "log_ei": _log_improvement,
    "ucb": _through_emukit,
    "pi": _through_emukit,
    "thompson": _thompson,
    "entropy": _information,
    "hypervolume": _covered,
}
_SCORES = {"ucb", "thompson"}
"""Acquisitions that promise a score, not a gain: they rank by themselves, and become a gain to be weighted."""


@dataclass(frozen=True, slots=True, eq=False)
class Promises:
    """What every option promised at one moment of a batch."""

    values: Array
    """Shape (n_options,): the acquisition, as proposals state it."""
    ranks: Array
    """Shape (n_options,): what is compared, constraints, costs and the batch so far taken into account."""
    is_open: NDArray[np.bool_]


def choose_batch(question: Question, n: int) -> tuple[list[int], list[float]]:
    """The best options one after another, until they hold `n` experiments; the last may exceed it.

    Where nothing promises anything any more, mean plus standard deviation decides.

    Returns:
        Numbers of the options, and the acquisition of each when it was chosen; fewer when fewer are open.
    """
    state, scores = _State(question), question.scores
    if question.acquisition == "nei" and question.batch == "joint":
        return choose_by_sampling(
            scores.samples,
            state.best,
            n,
            state.is_open,
            scores.costs,
            weight=question.weight,
            still_open=lambda chosen: is_open_after(question, chosen),
        )
    values: list[float] = []
    spent = 0
    while spent < n:
        now = _promises(state)
        if not now.is_open.any():
            break
        ranked = np.where(now.is_open, now.ranks, -np.inf)
        if not np.isfinite(ranked).any():
            ranked = np.where(now.is_open, scores.mean + scores.sd, -np.inf)
        pick = int(np.argmax(ranked))
        values.append(float(now.values[pick]))
        state.take(pick)
        spent += int(scores.costs[pick])
    return state.chosen, values


def promises_after(question: Question, chosen: list[int]) -> Promises:
    """What every option promises once the first choices of a batch are taken for granted."""
    state = _State(question)
    for option in chosen:
        state.take(option)
    return _promises(state)


def is_open_after(question: Question, chosen: list[int]) -> NDArray[np.bool_]:
    """Shape (n_options,): what the first choices of a batch leave open: not chosen, and its compound has wells left."""
    is_open = np.ones(question.n_options, dtype=bool)
    is_open[list(question.pending)] = False
    is_open[chosen] = False
    if np.isfinite(question.room).any():
        costs = question.scores.costs
        used = np.bincount(question.compound[chosen], weights=costs[chosen], minlength=int(question.compound.max()) + 1)
        is_open &= used[question.compound] + costs <= question.room
    return is_open


def _promises(state: _State) -> Promises:
    question = state.question
    values = _ACQUISITIONS[question.acquisition](state)
    is_penalised = question.batch == "penalise"
    if question.acquisition in _SCORES and question.weight is None and not is_penalised:
        return Promises(values, values, state.is_open)
    ranks = _log_gain(question, values) + np.log(
        1 / question.scores.costs if question.weight is None else question.weight
    )
    if is_penalised:
        for option in (*question.pending, *state.chosen):
            ranks = ranks + _log_penalty(question, option)
    return Promises(values, ranks, state.is_open)


def _log_gain(question: Question, values: Array) -> Array:
    """The logarithm of an acquisition, made a gain where it is a score; -inf where nothing is gained."""
    if question.acquisition == "log_ei":
        return values
    if question.acquisition in _SCORES:
        scale = max(float(question.scores.sd.mean()), _LEAST)
        # Source: González et al. 2016, arXiv:1505.08052, section 3: a soft plus makes any acquisition positive.
        soft: Array = np.log(np.logaddexp(0.0, (values - question.scores.incumbent) / scale))
        return soft
    with np.errstate(divide="ignore"):
        logarithm: Array = np.log(np.where(values > _LEAST, values, 0.0))
    return logarithm


def _log_penalty(question: Question, option: int) -> Array:
    """How much less is promised around an option in the batch: the probability that it leaves a place for the best.

    The distance is one for another compound or cell line and the share of the range for a dose; the steepest step
    between neighbouring doses stands for the Lipschitz constant.

    Source: González et al. 2016, arXiv:1505.08052, equation 9.
    """
    from scipy.special import log_ndtr

    scores, position = question.scores, question.position
    apart = position - position[option]
    apart[:, :2] = apart[:, :2] != 0
    distance = np.sqrt((apart**2).sum(axis=1))
    best = max(scores.incumbent, float(scores.mean.max()))
    z = (_steepest(question) * distance - best + scores.mean[option]) / max(float(scores.sd[option]), 1e-9)
    penalty: Array = log_ndtr(z)
    return penalty


def _steepest(question: Question) -> float:
    line, compound, dose = question.position.T
    order = np.lexsort((dose, line, compound))
    same = (np.diff(compound[order]) == 0) & (np.diff(line[order]) == 0) & (np.diff(dose[order]) > 0)
    if not same.any():
        return 1.0
    slopes = np.abs(np.diff(question.scores.mean[order])[same] / np.diff(dose[order])[same])
    return max(float(slopes.max()), _LEAST)
