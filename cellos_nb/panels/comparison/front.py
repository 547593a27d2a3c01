"""The Pareto front of two objectives over the conditions that campaigns measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.pareto import pareto_front
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.objective import UNTREATED, ScoredCondition
from cellos_nb.panels.comparison.model import Compared
from cellos_nb.units import format_dose

MAX_DOTS = 1000
"""Dots that the browser draws without delay; beyond, some that are not on the front are left out."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One thing to make large."""

    key: str
    label: str
    """Short enough for an axis."""
    value: Callable[[CampaignConfig, ScoredCondition], float]
    """NaN where a campaign does not answer it."""


def _effect(config: CampaignConfig, condition: ScoredCondition) -> float:
    """Change of the measured line from its vehicle."""
    value = condition.measurement.value
    return value if config.objective.goal == "maximise" else UNTREATED - value


def _sparing(_: CampaignConfig, condition: ScoredCondition) -> float:
    """Lowest value among the other lines, that of untreated cells at most."""
    if not condition.others:
        return float("nan")
    return min(UNTREATED, *(estimate.value for _, estimate in condition.others))


def _low_dose(_: CampaignConfig, condition: ScoredCondition) -> float:
    return -float(np.log10(condition.dose_um))


def _certainty(_: CampaignConfig, condition: ScoredCondition) -> float:
    error = condition.score.standard_error
    return float("nan") if error is None else -error


OBJECTIVES = (
    Objective("effect", "effect on the target line", _effect),
    Objective("sparing", "sparing of the other lines", _sparing),
    Objective("low_dose", "low dose (−log10 µM)", _low_dose),
    Objective("certainty", "certainty (−standard error)", _certainty),
)


@dataclass(frozen=True, slots=True)
class Front:
    """Conditions in the plane of two objectives; arrays have one entry for each condition."""

    x_label: str
    y_label: str
    conditions: tuple[tuple[str, ScoredCondition], ...]
    """Campaign and condition."""
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    is_front: NDArray[np.bool_]
    n_left_out: int
    """Conditions off the front that are not shown, so that the figure stays quick."""
    n_unanswered: int
    """Conditions that do not answer both objectives."""

    def name(self, index: int) -> str:
        """One condition, as short as a line of a list has to be."""
        campaign_id, condition = self.conditions[index]
        return f"{condition.compound} at {format_dose(condition.dose_um)} on {condition.cell_line} ({campaign_id})"

    def describe(self, index: int) -> str:
        """One condition in words."""
        _, condition = self.conditions[index]
        standing = "on the front" if self.is_front[index] else "dominated"
        return f"{self.name(index)}, iteration {condition.iteration}: {condition.measurement}; {standing}"


def answered(campaigns: Sequence[Compared]) -> tuple[Objective, ...]:
    """The objectives that at least one measured condition answers."""
    return tuple(
        objective
        for objective in OBJECTIVES
        if any(np.isfinite(objective.value(c.config, condition)) for c in campaigns for condition in c.scores)
    )


def make_front(campaigns: Sequence[Compared], x: Objective, y: Objective, max_dots: int = MAX_DOTS) -> Front:
    """The conditions of all campaigns in the plane of two objectives, and which of them nothing dominates."""
    everything = [(campaign, condition) for campaign in campaigns for condition in campaign.scores]
    xs = np.array([x.value(campaign.config, condition) for campaign, condition in everything], dtype=float)
    ys = np.array([y.value(campaign.config, condition) for campaign, condition in everything], dtype=float)
    is_front = pareto_front(xs, ys)
    usable = np.isfinite(xs) & np.isfinite(ys)
    others = np.flatnonzero(usable & ~is_front)
    room = max(max_dots - int(is_front.sum()), 0)
    if len(others) > room:
        # Evenly through the order of completion, so that no iteration vanishes.
        others = others[np.linspace(0, len(others) - 1, room).astype(int)] if room else others[:0]
    kept = np.sort(np.concatenate([np.flatnonzero(is_front), others])).astype(int)
    return Front(
        x_label=x.label,
        y_label=y.label,
        conditions=tuple((everything[i][0].campaign_id, everything[i][1]) for i in kept.tolist()),
        x=xs[kept],
        y=ys[kept],
        is_front=is_front[kept],
        n_left_out=int(usable.sum()) - len(kept),
        n_unanswered=int((~usable).sum()),
    )
