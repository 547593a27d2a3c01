"""How often a panel reads by itself: as often as a page can follow, and never for more than half of its time."""

from __future__ import annotations

from dataclasses import dataclass

PACE_S = 0.2
"""Between two readings on average: a page follows five updates a second."""
AHEAD_S = 0.3
"""How far a panel that had nothing to do may run ahead of that pace: what comes a little early is not held back."""
SETTLE_S = 0.01
"""Without a further commit, after which a burst is over."""
LONGEST_BURST_S = 0.05
"""After which what was stored is read though more is coming."""


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


@dataclass(slots=True)
class Burst:
    """Says when what was stored may be read: an iteration comes in several commits, which are worth one reading.

    >>> burst = Burst()
    >>> [burst.is_over(mark, second) for mark, second in (("a", 1.0), ("b", 1.01), ("b", 1.02))]
    [False, False, True]
    """

    _mark: str | None = None
    _begun: float = 0.0
    _changed: float = 0.0

    def is_over(self, mark: str, now: float) -> bool:
        """Whether to read, where the store's mark is another one than at the last reading."""
        if self._mark is None:
            self._begun = now
        if mark != self._mark:
            self._mark, self._changed = mark, now
        # Clocks are no exact sums: a look after just so long counts.
        is_over = now >= self._changed + 0.9 * SETTLE_S or now >= self._begun + LONGEST_BURST_S
        if is_over:
            self._mark = None
        return is_over
