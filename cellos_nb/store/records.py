"""What the store says about campaigns and iterations."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.proposal import ExperimentProposal


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """One campaign as it stands."""

    campaign_id: str
    config: CampaignConfig
    status: CampaignStatus
    stop_reason: str | None
    """Why it has this status, in words."""
    created_at: datetime
    changed_at: datetime
    """When the status last changed."""
    n_iterations: int
    """Own iterations proposed that count, the running one among them."""
    n_experiments: int
    """Experiments concluded in them."""
    parent: Parent | None = None
    """The campaign that this one was forked from."""
    stop_request: str | None = None
    """Why a person wants no further iteration."""


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a campaign was forked from."""

    campaign_id: str
    iteration: int
    """The last one whose results it began with."""

    def __str__(self) -> str:
        return f"{self.campaign_id} at iteration {self.iteration}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What must be known of a campaign before each of its iterations, and no more."""

    config: CampaignConfig
    status: CampaignStatus
    reason: str | None
    """Why it has this status, in words."""
    stop_request: str | None
    next_iteration: int
    """The number that the next new iteration gets: one that was never used."""
    parent: Parent | None = None
    """The campaign that this one was forked from."""

    @property
    def parent_iteration(self) -> int:
        """The last iteration inherited from a parent; 0 without one."""
        return 0 if self.parent is None else self.parent.iteration


@dataclass(frozen=True, slots=True)
class Supersession:
    """That an iteration no longer counts: who decided it, when and why."""

    at: datetime
    by: str
    reason: str
    since_iteration: int
    """The first iteration that no longer sees it."""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"superseded {self.at:%Y-%m-%d %H:%M} UTC by {self.by}{why}"


@dataclass(frozen=True, slots=True)
class IterationRecord:
    """One lap of a campaign."""

    batch_id: str
    iteration: int
    """Counted from 1."""
    proposals: tuple[ExperimentProposal, ...]
    """In the order asked."""
    created_at: datetime
    concluded_at: datetime | None
    """When the last of its results was stored; None before."""
    superseded: Supersession | None = None
    """Set when the campaign was rolled back to before it; None while it counts."""

    @property
    def is_concluded(self) -> bool:
        """Whether every proposal has its result."""
        return self.concluded_at is not None

    @property
    def duration_s(self) -> float | None:
        """Wall-clock seconds from the beginning of its planning to its conclusion, pauses included; None before."""
        return None if self.concluded_at is None else (self.concluded_at - self.created_at).total_seconds()


def slug(name: str) -> str:
    """A campaign's name as an identifier that is safe in a path: lower-case letters, digits and dashes.

    >>> slug("Sarcoma: LMS → selectivity (β)"), slug("…")
    ('sarcoma-lms-selectivity', 'campaign')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-") or "campaign"
