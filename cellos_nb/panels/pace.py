"""How often a panel reads by itself: as often as a page can follow, and never for more than half of its time."""

from __future__ import annotations

from dataclasses import dataclass

PACE_S = 0.2
"""Between two readings on average: a page follows five updates a second."""
AHEAD_S = 0.3
"""How far a panel that had nothing to do may run ahead of that pace: what comes a little early is not held back."""


@dataclass(slots=True)
class Pace:
    """Says when the next reading may be; times are those of `time.monotonic`, in seconds.

    >>> pace = Pace()
    >>> for second in (10.0, 10.05):
    ...     pace.take(second, second + 0.01)
    >>> pace.is_open(10.1), pace.is_open(10.3)
    (False, True)
    """

    _next_at: float = 0.0

    def is_open(self, now: float) -> bool:
        """Whether a reading may begin."""
        return now >= self._next_at

    def take(self, begun: float, ended: float) -> None:
        """Notes a reading."""
        due = max(self._next_at, begun - AHEAD_S) + PACE_S
        self._next_at = max(due, begun + 2.0 * (ended - begun))
