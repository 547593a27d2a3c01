"""What each iteration found: every condition's score with its interval, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from operator import is_
from typing import get_args

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
INTENTS: tuple[Intent, ...] = get_args(Intent)
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
    intents: np.ndarray
    """The place of each intent in `INTENTS`."""
    names: np.ndarray
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
        return len(self.x)

    def of(self, intent: Intent) -> np.ndarray:
        """The places of the conditions that were asked for with an intent."""
        return np.flatnonzero(self.intents == INTENTS.index(intent))


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
        self._numbers = np.empty((0, len(_NUMBERS)))
        self._names = np.empty(0, dtype=object)

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
        self._names = np.concatenate([self._names, np.empty(n_new, dtype=object)])
        self._numbers = np.concatenate([self._numbers, np.empty((n_new, len(_NUMBERS)))])
        if changed:
            self._names[changed] = None
            self._numbers[changed, :3] = [
                (one.iteration, one.score.value, one.measurement.value) for one in map(conditions.__getitem__, changed)
            ]

    def _drawn(self) -> Trajectory:
        iterations, scores, measured, *_ = self._numbers.T
        values = scores if self._is_selectivity else measured
        x, records = _places(iterations), _records(scores)
        kept = _kept(len(x), records)
        for i in kept[self._names[kept] == None].tolist():  # noqa: E711 - of an array, entry by entry
            self._say(i)
        low, high, intents = self._numbers[kept, 3:].T
        last = [float(x[-1])] if len(x) else []
        return Trajectory(
            x=x[kept],
            value=values[kept],
            low=low,
            high=high,
            intents=intents.astype(int),
            names=self._names[kept],
            best_x=np.array([*x[records], *last]),
            best=np.array([*values[records], *values[records[-1:]]]),
            n_conditions=len(x),
            label=score_label(self._config) if self._is_selectivity else value_label(self._config),
            is_lower_better=self._config.objective.goal == "minimise",
        )

    def _say(self, i: int) -> None:
        """Notes what only those conditions need that are drawn: name, interval and intent."""
        one = self._conditions[i]
        intent = self._intents.get((one.cell_line, one.compound, one.dose_um), "initial")
        self._names[i] = f"iteration {one.iteration}: {one}"
        self._numbers[i, 3:] = *_ends(one.score if self._is_selectivity else one.measurement), INTENTS.index(intent)


def trajectory(config: CampaignConfig, history: History) -> Trajectory:
    """What a history found, iteration by iteration."""
    return Trail(config).follow(history, score_conditions(config, history))


_Key = tuple[str, str, float]
_NUMBERS = ("iteration", "score", "measurement", "low", "high", "intent")
"""What is kept of each condition; the last three once it is drawn."""


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
