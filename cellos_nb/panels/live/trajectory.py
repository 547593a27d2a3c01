"""What each iteration found: every condition's score with its interval, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from operator import is_

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import Estimate, ScoredCondition, score_conditions
from cellos_nb.domain.proposal import Intent
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.panels.histories import beyond
from cellos_nb.records.figures import score_label, value_label

MAX_DOTS = 600
"""Conditions drawn; more make the page slow. Those that were the best when they were found are never left out."""
_WIDTH = 0.6
"""Share of an iteration's place on the axis over which its conditions are spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """The conditions that are drawn; all arrays have one entry for each, in the order of their completion."""

    x: np.ndarray
    """Iteration, spread so that conditions of one iteration stand beside each other."""
    value: np.ndarray
    """What is measured; for a selectivity the score."""
    low: np.ndarray
    """Lower end of the 95 % interval; NaN where it is unknown."""
    high: np.ndarray
    intents: tuple[Intent, ...]
    names: tuple[str, ...]
    """Each condition in words."""
    best_x: np.ndarray
    """Where the best so far changes, and the end: its own points, of all conditions."""
    best: np.ndarray
    n_conditions: int
    """Drawn or not."""
    label: str
    """Of the vertical axis."""
    is_lower_better: bool

    @property
    def n_drawn(self) -> int:
        """Conditions that are drawn."""
        return len(self.intents)

    def of(self, intent: Intent) -> np.ndarray:
        """The places of the conditions that were asked for with an intent."""
        return np.flatnonzero(np.array(self.intents) == intent)


class Trail:
    """The trajectory of a campaign that goes on: what was looked at before costs next to nothing."""

    def __init__(self, config: CampaignConfig) -> None:
        """The trail of a campaign that has found nothing yet."""
        self._config = config
        self._is_selectivity = config.objective.goal == "selectivity"
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._seen: tuple[ExperimentResult, ...] = ()
        self._intents: dict[_Key, Intent] = {}
        self._forget_conditions()

    def _forget_conditions(self) -> None:
        self._conditions: tuple[ScoredCondition, ...] = ()
        self._said: list[_Said | None] = []
        self._numbers = np.empty((0, len(_NUMBERS)))

    def follow(self, history: History, conditions: tuple[ScoredCondition, ...]) -> Trajectory:
        """What a history found, iteration by iteration; `conditions` are those that it answers, scored."""
        new = beyond(self._seen, history.results)
        if new is None:
            self._begin_anew()
            new = history.results
        self._seen = history.results
        for result in new:
            if result.proposal.reason is not None:
                cell_line, compound, dose_um, _ = result.proposal.condition
                self._intents.setdefault((cell_line, compound, dose_um), result.proposal.reason.intent)
        self._take(conditions)
        return self._drawn()

    def _take(self, conditions: tuple[ScoredCondition, ...]) -> None:
        """Notes the numbers of conditions that are new or were measured again."""
        if len(conditions) < len(self._conditions):
            self._forget_conditions()
        known, n_new = self._conditions, len(conditions) - len(self._conditions)
        changed: list[int] = []
        if not all(map(is_, known, conditions)):
            changed = [i for i, (one, other) in enumerate(zip(known, conditions, strict=False)) if one is not other]
        changed += range(len(known), len(conditions))
        self._conditions = conditions
        self._said += [None] * n_new
        self._numbers = np.concatenate([self._numbers, np.empty((n_new, len(_NUMBERS)))])
        for i in changed:
            self._said[i] = None
        if changed:
            self._numbers[changed] = [
                (one.iteration, one.score.value, one.measurement.value) for one in map(conditions.__getitem__, changed)
            ]

    def _drawn(self) -> Trajectory:
        iterations, scores, measured = self._numbers.T
        values = scores if self._is_selectivity else measured
        x, records = _places(iterations), _records(scores)
        kept = _kept(len(x), records)
        said = [self._said[i] or self._say(i) for i in kept.tolist()]
        ends = np.array([one.ends for one in said], dtype=float).reshape(-1, 2)
        last = [float(x[-1])] if len(x) else []
        return Trajectory(
            x=x[kept],
            value=values[kept],
            low=ends[:, 0],
            high=ends[:, 1],
            intents=tuple(one.intent for one in said),
            names=tuple(one.name for one in said),
            best_x=np.array([*x[records], *last]),
            best=np.array([*values[records], *values[records[-1:]]]),
            n_conditions=len(x),
            label=score_label(self._config) if self._is_selectivity else value_label(self._config),
            is_lower_better=self._config.objective.goal == "minimise",
        )

    def _say(self, i: int) -> _Said:
        """A condition in words, which are made anew only when it was measured again."""
        one = self._conditions[i]
        ends = _ends(one.score if self._is_selectivity else one.measurement)
        intent = self._intents.get((one.cell_line, one.compound, one.dose_um), "initial")
        said = self._said[i] = _Said(f"iteration {one.iteration}: {one}", ends, intent)
        return said


def trajectory(config: CampaignConfig, history: History) -> Trajectory:
    """What a history found, iteration by iteration."""
    return Trail(config).follow(history, score_conditions(config, history))


_Key = tuple[str, str, float]
_NUMBERS = ("iteration", "score", "measurement")
"""What is kept of each condition."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What costs most of a condition that is drawn."""

    name: str
    ends: tuple[float, float]
    intent: Intent


def _places(iterations: np.ndarray) -> np.ndarray:
    """Where conditions stand on the axis: those of one iteration beside each other, around its number."""
    # Conditions come in the order of their iterations.
    firsts = np.flatnonzero(np.diff(iterations, prepend=-1))
    counts = np.diff(firsts, append=len(iterations))
    place, n = np.arange(len(iterations)) - np.repeat(firsts, counts), np.repeat(counts, counts)
    spread: np.ndarray = iterations + _WIDTH * (place + 0.5 - n / 2) / n
    return spread


def _records(scores: np.ndarray) -> np.ndarray:
    """The places of those that were better than all before."""
    if not len(scores):
        return np.array([], dtype=int)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(scores)[:-1]])
    return np.flatnonzero(scores > before)


def _kept(n: int, records: np.ndarray) -> np.ndarray:
    """The places of what is drawn: records, the last, and the others at equal distances when there are too many.

    Counted from the first, so that a further condition leaves those that are drawn where they are.
    """
    if n <= MAX_DOTS:
        return np.arange(n)
    step = -(-n // max(MAX_DOTS - len(records) - 1, 1))
    return np.union1d(np.append(records, n - 1), np.arange(0, n, step))


def _ends(estimate: Estimate) -> tuple[float, float]:
    return estimate.interval or (np.nan, np.nan)
