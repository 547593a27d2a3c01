"""What each iteration found: every condition's score with its interval, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass

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
        return np.array([i for i, one in enumerate(self.intents) if one == intent], dtype=int)


class Trail:
    """The trajectory of a campaign that goes on: what was looked at before costs next to nothing."""

    def __init__(self, config: CampaignConfig) -> None:
        """The trail of a campaign that has found nothing yet."""
        self._config = config
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._seen: tuple[ExperimentResult, ...] = ()
        self._intents: dict[_Key, Intent] = {}
        self._said: dict[_Key, _Said] = {}

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
        return self._drawn(conditions)

    def _drawn(self, conditions: tuple[ScoredCondition, ...]) -> Trajectory:
        goal = self._config.objective.goal
        is_selectivity = goal == "selectivity"
        scores = np.array([one.score.value for one in conditions], dtype=float)
        values = scores if is_selectivity else np.array([one.measurement.value for one in conditions], dtype=float)
        x = _places([one.iteration for one in conditions])
        records = _records(scores)
        kept = _kept(len(conditions), records)
        said = [self._say(conditions[i]) for i in kept]
        ends = np.array([one.ends for one in said], dtype=float).reshape(-1, 2)
        last = [float(x[-1])] if len(x) else []
        return Trajectory(
            x=x[kept],
            value=values[kept],
            low=ends[:, 0],
            high=ends[:, 1],
            intents=tuple(self._intents.get(_key(one.condition), "initial") for one in said),
            names=tuple(one.name for one in said),
            best_x=np.array([*x[records], *last]),
            best=np.array([*values[records], *values[records[-1:]]]),
            n_conditions=len(conditions),
            label=score_label(self._config) if is_selectivity else value_label(self._config),
            is_lower_better=goal == "minimise",
        )

    def _say(self, condition: ScoredCondition) -> _Said:
        """Name and interval of a condition, which are made anew only when it was measured again."""
        known = self._said.get(_key(condition))
        if known is None or known.condition is not condition:
            is_selectivity = self._config.objective.goal == "selectivity"
            ends = _ends(condition.score if is_selectivity else condition.measurement)
            known = _Said(condition, f"iteration {condition.iteration}: {condition}", ends)
            self._said[_key(condition)] = known
        return known


def trajectory(config: CampaignConfig, history: History) -> Trajectory:
    """What a history found, iteration by iteration."""
    return Trail(config).follow(history, score_conditions(config, history))


_Key = tuple[str, str, float]


@dataclass(frozen=True, slots=True)
class _Said:
    """What costs most of a condition that is drawn."""

    condition: ScoredCondition
    name: str
    ends: tuple[float, float]


def _key(condition: ScoredCondition) -> _Key:
    return condition.cell_line, condition.compound, condition.dose_um


def _places(iterations: list[int]) -> np.ndarray:
    """Where conditions stand on the axis: those of one iteration beside each other, around its number."""
    laps, counts = np.unique(np.array(iterations, dtype=int), return_counts=True)
    # Conditions come in the order of their iterations.
    spread = [lap + _WIDTH * (np.arange(n) + 0.5 - n / 2) / n for lap, n in zip(laps, counts, strict=True)]
    return np.concatenate(spread) if spread else np.array([], dtype=float)


def _records(scores: np.ndarray) -> np.ndarray:
    """The places of those that were better than all before."""
    if not len(scores):
        return np.array([], dtype=int)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(scores)[:-1]])
    return np.flatnonzero(scores > before)


def _kept(n: int, records: np.ndarray) -> np.ndarray:
    """The places of what is drawn: the records, and the others at equal distances when there are too many."""
    if n <= MAX_DOTS:
        return np.arange(n)
    step = -(-n // max(MAX_DOTS - len(records), 1))
    return np.union1d(records, np.arange(n)[::-1][::step])


def _ends(estimate: Estimate) -> tuple[float, float]:
    return estimate.interval or (np.nan, np.nan)
