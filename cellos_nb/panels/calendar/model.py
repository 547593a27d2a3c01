"""What the calendar panel shows: a plan with its conflicts, and where each of its tasks stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.chart import Chart, chart_of
from cellos_nb.operations.calendar.conflicts import Conflict, find_conflicts
from cellos_nb.operations.calendar.live import Standing, schedule_of_store, standings, unplanned
from cellos_nb.operations.calendar.nights import NightNote, night_notes
from cellos_nb.operations.calendar.schedule import Schedule
from cellos_nb.store.store import Store

EVERYTHING = ""
"""In place of one campaign or bank."""


@dataclass(frozen=True, slots=True)
class CalendarChoice:
    """What a person chose."""

    owner: str = EVERYTHING
    """Only this campaign or bank in the table."""


@dataclass(frozen=True, slots=True)
class CalendarShown:
    """What the panel shows."""

    schedule: Schedule
    is_planned: bool
    """Whether there is a plan; otherwise it shows what happened."""
    chart: Chart
    now: datetime
    standings: tuple[Standing, ...]
    """Of the plan's tasks; empty without a plan."""
    unplanned: tuple[str, ...]
    """Plates that are queued or under way and in no plan."""
    conflicts: tuple[Conflict, ...]
    nights: tuple[NightNote, ...]

    @property
    def late(self) -> tuple[Standing, ...]:
        """The tasks that are late."""
        return tuple(one for one in self.standings if one.is_late)

    def rows(self, owner: str) -> list[tuple[str, str, str, str, str]]:
        """When, until when, what, on what, and where it stands; in order of time."""
        states = {one.task_id: str(one) for one in self.standings}
        return [
            (
                self.chart.local(placed.start),
                self.chart.local(placed.end),
                placed.task_id,
                ", ".join(placed.resources),
                states.get(placed.task_id, "expected" if self.schedule.task[placed.task_id].is_forecast else ""),
            )
            for placed in self.schedule.placements
            if owner in {EVERYTHING, self.schedule.task[placed.task_id].owner}
        ]


def load_schedule(plan: Schedule | str | Path | None) -> Schedule | None:
    """A plan, or the one in a file.

    Raises:
        InputError: there is no such file, or it is no schedule.
    """
    if plan is None or isinstance(plan, Schedule):
        return plan
    try:
        return Schedule.from_json(Path(plan).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{plan}: cannot be read ({error}). Write a plan with `cellos calendar plan --out`.") from None


def look(store: Store, plan: Schedule | None, now: datetime) -> CalendarShown:
    """The plan, if there is one, beside what a database says; otherwise what happened."""
    schedule = plan or schedule_of_store(store, now)
    stands = standings(schedule, store, now) if plan is not None else ()
    conflicts = find_conflicts(schedule) if plan is not None else ()
    notes = {one.task_id: (str(one), one.is_late) for one in stands}
    return CalendarShown(
        schedule,
        plan is not None,
        chart_of(schedule, zone=schedule.zone, conflicts=conflicts, notes=notes),
        now,
        stands,
        unplanned(schedule, store),
        conflicts,
        night_notes(schedule) if plan is not None else (),
    )
