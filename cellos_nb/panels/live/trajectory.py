"""What each iteration found: every condition's score with its interval, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import Estimate, ScoredCondition, score_conditions
from cellos_nb.domain.proposal import Intent
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


def trajectory(
    config: CampaignConfig, history: History, conditions: tuple[ScoredCondition, ...] | None = None
) -> Trajectory:
    """What a history found, iteration by iteration; its `conditions` are scored unless the caller has done so."""
    conditions = score_conditions(config, history) if conditions is None else conditions
    goal = config.objective.goal
    scores = np.array([one.score.value for one in conditions], dtype=float)
    shown = [one.score if goal == "selectivity" else one.measurement for one in conditions]
    values = np.array([one.value for one in shown], dtype=float)
    x = _places([one.iteration for one in conditions])
    records = _records(scores)
    kept = _kept(len(conditions), records)
    ends = np.array([_ends(shown[i]) for i in kept], dtype=float).reshape(-1, 2)
    last = [float(x[-1])] if len(x) else []
    intents = _intents(history)
    return Trajectory(
        x=x[kept],
        value=values[kept],
        low=ends[:, 0],
        high=ends[:, 1],
        intents=tuple(intents.get(_key(conditions[i]), "initial") for i in kept),
        names=tuple(f"iteration {conditions[i].iteration}: {conditions[i]}" for i in kept),
        best_x=np.array([*x[records], *last]),
        best=np.array([*values[records], *values[records[-1:]]]),
        n_conditions=len(conditions),
        label=score_label(config) if goal == "selectivity" else value_label(config),
        is_lower_better=goal == "minimise",
    )


def _key(condition: ScoredCondition) -> tuple[str, str, float]:
    return condition.cell_line, condition.compound, condition.dose_um


def _intents(history: History) -> dict[tuple[str, str, float], Intent]:
    """Why each condition was asked for, the first time."""
    found: dict[tuple[str, str, float], Intent] = {}
    for result in history:
        reason = result.proposal.reason
        if reason is not None:
            cell_line, compound, dose_um, _ = result.proposal.condition
            found.setdefault((cell_line, compound, dose_um), reason.intent)
    return found


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
