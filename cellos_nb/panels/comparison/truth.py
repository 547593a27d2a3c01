"""The true score of every experiment of a campaign, where somebody knows it: on a replayed screen."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.objective import UNTREATED
from cellos_nb.hardware.screen import Screen, load_screen

Condition = tuple[str, str, float]
"""Cell line (for selectivity the target), compound, dose in µM."""


@dataclass(frozen=True, slots=True)
class Truth:
    """True scores as the campaign counts them; larger is better."""

    scores: dict[Condition, float]
    best: float
    """The best of them."""


def true_scores(config: CampaignConfig) -> Truth | None:
    """The truth about a campaign: the mean of the screen's replicates; None when its machine replays no screen.

    Raises:
        ScreenError: the screen cannot be read any more.
    """
    if config.machine.kind != "replay" or config.assay.name != "viability":
        return None
    screen = load_screen(config.machine.screen)
    values = {
        (line, compound, dose): value
        for line in config.cell_lines
        for compound in config.compound_names
        for dose in config.doses_um(compound)
        if (value := _mean(screen, line, compound, dose)) is not None
    }
    scores = _selectivities(config, values) if config.objective.goal == "selectivity" else _signed(config, values)
    return Truth(scores, max(scores.values())) if scores else None


def _mean(screen: Screen, line: str, compound: str, dose_um: float) -> float | None:
    curves = screen.curves.get((line, compound))
    if curves is None or not curves.holds(dose_um):
        return None
    return fmean(curves.at(dose_um, replicate) for replicate in range(len(curves.viability)))


def _signed(config: CampaignConfig, values: dict[Condition, float]) -> dict[Condition, float]:
    sign = 1.0 if config.objective.goal == "maximise" else -1.0
    return {condition: sign * value for condition, value in values.items()}


def _selectivities(config: CampaignConfig, values: dict[Condition, float]) -> dict[Condition, float]:
    target = config.target_line
    spared = [line for line in config.cell_lines if line != target]
    scores = {}
    for (line, compound, dose), value in values.items():
        others = [values[other, compound, dose] for other in spared if (other, compound, dose) in values]
        if line == target and len(others) == len(spared):
            scores[line, compound, dose] = min(*others, UNTREATED) - value
    return scores
