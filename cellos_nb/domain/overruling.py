"""A person's decision that a quarantined plate counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Overruling:
    """Who let a quarantined plate count, when and why; and who took it back."""

    plate_id: str
    person: str
    reason: str
    decided_at: datetime
    from_iteration: int
    """The first iteration that learns from the plate."""
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_from: int | None = None
    """The first iteration that no longer does."""

    @property
    def is_in_force(self) -> bool:
        """Whether the plate counts by this decision now."""
        return self.withdrawn_at is None

    def __str__(self) -> str:
        text = f"{self.plate_id} counts, by {self.person} {self.decided_at:%Y-%m-%d %H:%M} UTC: {self.reason}"
        if self.withdrawn_at is None:
            return text
        why = f": {self.withdrawn_reason}" if self.withdrawn_reason else ""
        return f"{text}; withdrawn by {self.withdrawn_by} {self.withdrawn_at:%Y-%m-%d %H:%M} UTC{why}"
