"""What a person chose in the panel, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain.result import ExperimentResult
from cellos_nb.panels.why.model import Asked
from cellos_nb.planner.explanation import Explanation


@dataclass(frozen=True, slots=True)
class WhyChoice:
    """Which experiment is asked about."""

    proposal_id: str = ""
    """The best found, or else the last proposed, when empty."""


@dataclass(frozen=True, slots=True)
class WhyShown:
    """An experiment and its explanation."""

    asked: tuple[Asked, ...]
    """Every experiment of the campaign, in order."""
    chosen: Asked | None
    """None while nothing was proposed; then nothing of what follows is there either."""
    told: Explanation | None
    """None also while the planner is being asked."""
    result: ExperimentResult | None
    """None while it is not measured."""
    words: tuple[str, ...]
    value_label: str
