"""Occasions: what people may want to be told, each with its urgency and the word for several of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Occasion(StrEnum):
    """One thing that people may want to hear of, by the name that it has in `messages.yaml`."""

    CAMPAIGN_DONE = "campaign done"
    CAMPAIGN_FAILED = "campaign failed"
    CAMPAIGN_WAITS = "campaign waits"
    BUDGET_REACHED = "budget reached"
    PLATE_IN_DOUBT = "plate in doubt"
    PLATE_WAITS = "plate waits"
    PLATE_GIVEN_UP = "plate given up"
    QUALITY_FAILED = "quality failed"
    STOCK_LOW = "stock low"
    LEASE_LOST = "lease lost"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is said of an occasion wherever it is told."""

    level: str
    """`info`, `success`, `warning` or `failure`."""
    several: str
    """What several of it are called, when they are told as one."""
    told_when: str
    """For the reader of the documentation."""


MEANINGS: Mapping[Occasion, Meaning] = {
    Occasion.CAMPAIGN_DONE: Meaning("success", "campaigns done", "a campaign has ended for a reason of its own"),
    Occasion.CAMPAIGN_FAILED: Meaning("failure", "campaigns failed", "a whole iteration of a campaign failed"),
    Occasion.CAMPAIGN_WAITS: Meaning(
        "warning", "campaigns that wait", "a campaign paused by itself: out of stock, to be approved, held"
    ),
    Occasion.BUDGET_REACHED: Meaning(
        "warning", "budgets reached", "a campaign has ended because its next batch would exceed `budget_usd`"
    ),
    Occasion.PLATE_IN_DOUBT: Meaning(
        "warning", "plates in doubt", "nobody can tell whether a step took effect; a person has to look"
    ),
    Occasion.PLATE_WAITS: Meaning("warning", "plates that wait", "a plate waits for a person's approval"),
    Occasion.PLATE_GIVEN_UP: Meaning("failure", "plates given up", "a plate went to the dead letters"),
    Occasion.QUALITY_FAILED: Meaning("warning", "plates condemned", "a plate failed quality control"),
    Occasion.STOCK_LOW: Meaning("warning", "stocks low", "less of a resource is free than its reorder point"),
    Occasion.LEASE_LOST: Meaning("failure", "leases lost", "a daemon found that another process had taken over"),
}
"""Every occasion there is; the settings, the outbox and the documentation are made from it."""
