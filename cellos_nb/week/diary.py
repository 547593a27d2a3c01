"""The diary of a week: what happened, and what had to wait for what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from cellos_nb.operations.calendar.replan import Move, moves_between
from cellos_nb.operations.calendar.resources import Span
from cellos_nb.operations.calendar.schedule import Schedule, bookings_of
from cellos_nb.week.clock import Clock
from cellos_nb.week.roster import Roster


@dataclass(frozen=True, slots=True)
class Hold:
    """A plate, a step or a campaign that had to wait."""

    what: str
    """Plate, step or campaign."""
    cause: str
    """`stock`, `in doubt`, or the name of the person or machine that was not there."""
    reason: str
    since: datetime
    """When it was to begin, or when it was held."""
    until: datetime | None = None
    """When it went on; None when it never did."""


@dataclass(slots=True)
class Diary:
    """What is noted while the week goes on."""

    clock: Clock
    entries: list[tuple[datetime, str]] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    n_plans: int = 0
    doubted_steps: set[tuple[str, str]] = field(default_factory=set)
    """Plate and step of which nobody can tell what became."""
    moves: list[tuple[datetime, Move]] = field(default_factory=list)
    """When it was planned anew, and what that moved."""

    def note(self, text: str) -> None:
        """Notes what happened now."""
        self.entries.append((self.clock(), text))

    def hold(self, what: str, cause: str, reason: str) -> None:
        """Notes that something waits from now on."""
        self.note(f"{what} is held ({cause}): {reason}")
        self.holds.append(Hold(what, cause, reason, self.clock()))

    def release(self, what: str) -> None:
        """Notes that something waits no longer."""
        self.note(f"{what} is no longer held")
        self.holds = [
            replace(one, until=self.clock()) if one.what == what and one.until is None else one for one in self.holds
        ]

    def held_for(self, roster: Roster, name: str, span: Span) -> None:
        """Notes every step that was to use something in a time in which it is not there."""
        schedule = roster.schedule
        for placed in schedule.placements if schedule is not None else ():
            if schedule is None or placed.task_id in roster.begun:
                continue
            task = schedule.task[placed.task_id]
            bookings = (one for one in bookings_of(task, placed) if one.resource == name)
            if not task.is_forecast and any(one.start < span.end and span.start < one.end for one in bookings):
                self.holds.append(Hold(placed.task_id, name, span.reason or "not there", placed.start))

    def planned(self, before: Schedule | None, after: Schedule) -> None:
        """Notes a plan, and what it moved."""
        self.n_plans += 1
        if before is not None:
            self.moves += [(self.clock(), move) for move in moves_between(before, after)]
