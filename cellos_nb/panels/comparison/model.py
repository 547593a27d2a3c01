"""Campaigns side by side: what the comparison panel shows, as values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import ScoredCondition, best_condition
from cellos_nb.errors import ScreenError
from cellos_nb.lab import Lab
from cellos_nb.panels.comparison.truth import Truth, true_scores
from cellos_nb.panels.histories import conditions_of, results_of
from cellos_nb.units import counted

Grouping = Literal["compound", "cell_line"]
Abscissa = Literal["iteration", "experiments", "cost_usd"]

ABSCISSAS: dict[Abscissa, str] = {"iteration": "iteration", "experiments": "experiments", "cost_usd": "cost (USD)"}
MAX_GROUPS = 24
"""Boxes beside each other that can still be told apart."""
WHISKER = 1.5
"""A whisker reaches the furthest value within this many interquartile ranges of the box.

Source: Tukey 1977, Exploratory Data Analysis, section 2C."""


MAX_LAPS = 300
"""Iterations of a campaign that have a dot and an interval; more make the page slow."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One campaign as it stood when it was read."""

    campaign_id: str
    config: CampaignConfig
    history: History
    scores: tuple[ScoredCondition, ...]
    truth: Truth | None
    """None where nobody knows the true answer."""
    truth_problem: str = ""
    """Why a truth that should be known could not be read; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Box:
    """The distribution of one campaign's measurements in one group."""

    campaign_id: str
    group: str
    n: int
    low: float
    """End of the lower whisker."""
    quartiles: tuple[float, float, float]
    """First quartile, median, third quartile."""
    high: float
    outliers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of several campaigns over the same groups."""

    groups: tuple[str, ...]
    """From the lowest median of all campaigns to the highest."""
    boxes: tuple[Box, ...]
    n_left_out: int
    """Groups that were not shown, those with the highest medians."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one campaign had come after each of its iterations; all arrays have one entry for each iteration."""

    campaign_id: str
    x: np.ndarray
    best: np.ndarray
    """Best score so far; NaN before there is one."""
    low: np.ndarray
    """Lower end of its 95 % interval; NaN where that is unknown."""
    high: np.ndarray
    regret: np.ndarray | None
    """True score of the best experiment there is, minus that of the best one found; None without a truth."""

    @property
    def step(self) -> int:
        """How many iterations stand for one dot with its interval; the line has all."""
        return max(1, -(-len(self.x) // MAX_LAPS))


def read_campaigns(lab: Lab, campaign_ids: Iterable[str]) -> tuple[Compared, ...]:
    """Campaigns as they stand.

    Raises:
        CampaignError: one does not exist.
    """
    return tuple(_read(lab, campaign_id) for campaign_id in campaign_ids)


def _read(lab: Lab, campaign_id: str) -> Compared:
    campaign = lab.campaign(campaign_id)
    history, problem = results_of(campaign), ""
    try:
        truth = true_scores(campaign.config)
    except ScreenError as error:
        # The screen's file may be gone; the campaign is shown without a regret, and says why.
        truth, problem = None, str(error)
    return Compared(campaign_id, campaign.config, history, conditions_of(campaign), truth, problem)


def group_boxes(campaigns: Sequence[Compared], by: Grouping, max_groups: int = MAX_GROUPS) -> Boxes:
    """Box plots of the measurements that passed quality control, by compound or by cell line."""
    values: dict[str, dict[str, list[float]]] = {}
    for campaign in campaigns:
        for result in campaign.history.learnable:
            group = str(getattr(result.proposal, by))
            if result.measurement is not None:
                values.setdefault(group, {}).setdefault(campaign.campaign_id, []).append(result.measurement)
    medians = {group: float(np.median(np.concatenate([*parts.values()]))) for group, parts in values.items()}
    groups = sorted(medians, key=lambda group: (medians[group], group))
    shown = groups[:max_groups]
    boxes = tuple(_box(campaign_id, group, each) for group in shown for campaign_id, each in values[group].items())
    return Boxes(tuple(shown), boxes, len(groups) - len(shown))


def _box(campaign_id: str, group: str, values: Sequence[float]) -> Box:
    sample = np.sort(np.asarray(values, dtype=float))
    first, median, third = (float(q) for q in np.quantile(sample, (0.25, 0.5, 0.75)))
    reach = WHISKER * (third - first)
    inside = sample[(sample >= first - reach) & (sample <= third + reach)]
    outside = sample[(sample < first - reach) | (sample > third + reach)]
    low, high = float(inside[0]), float(inside[-1])
    return Box(campaign_id, group, len(sample), low, (first, median, third), high, tuple(outside.tolist()))


def progress(campaign: Compared, abscissa: Abscissa) -> Progress:
    """Best so far and regret of one campaign, after each of its iterations."""
    laps = sorted({result.iteration for result in campaign.history})
    best = [best_condition(done for done in campaign.scores if done.iteration <= lap) for lap in laps]
    scores = [None if one is None else one.score for one in best]
    intervals = [(np.nan, np.nan) if one is None or one.interval is None else one.interval for one in scores]
    return Progress(
        campaign_id=campaign.campaign_id,
        x=_along(campaign.history, laps, abscissa),
        best=np.array([np.nan if one is None else one.value for one in scores], dtype=float),
        low=np.array([low for low, _ in intervals], dtype=float),
        high=np.array([high for _, high in intervals], dtype=float),
        regret=None if campaign.truth is None else np.array([_regret(campaign.truth, one) for one in best]),
    )


def _along(history: History, laps: Sequence[int], abscissa: Abscissa) -> np.ndarray:
    if abscissa == "iteration":
        return np.array(laps, dtype=float)
    each = dict.fromkeys(laps, 0.0)
    for result in history:
        each[result.iteration] += 1.0 if abscissa == "experiments" else result.cost_usd
    return np.cumsum([each[lap] for lap in laps])


def _regret(truth: Truth, found: ScoredCondition | None) -> float:
    if found is None:
        return float("nan")
    return truth.best - truth.scores.get((found.cell_line, found.compound, found.dose_um), float("nan"))


def summary(campaigns: Sequence[Compared]) -> str:
    """The comparison in words, for who cannot see the figures."""
    if not campaigns:
        return "No campaign is selected."
    lines = []
    for campaign in campaigns:
        best = best_condition(campaign.scores)
        found = "nothing yet" if best is None else str(best)
        lost = progress(campaign, "iteration").regret
        regret = "" if lost is None or not len(lost) else f"; {lost[-1]:.3f} below the true best"
        lines.append(f"{campaign.campaign_id}: {counted(len(campaign.history), 'experiment')}; best: {found}{regret}.")
    return " ".join(lines)
