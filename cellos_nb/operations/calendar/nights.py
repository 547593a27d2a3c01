"""Feeds and readings whose hour falls when nobody is there: which were moved, and which were left as they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cellos_nb.operations.calendar.resources import ResourceKind, Span, presence
from cellos_nb.operations.calendar.schedule import Schedule
from cellos_nb.operations.calendar.tasks import Task


@dataclass(frozen=True, slots=True)
class NightNote:
    """A task whose nominal hour falls when nobody is there."""

    task_id: str
    nominal: datetime
    """When it would begin by its date, or by the nominal length of the incubation before it."""
    planned: datetime
    is_within: bool
    """Whether what it was moved by is within its tolerance."""
    is_attended: bool
    """Whether it is planned for when somebody is there, or needs nobody."""

    @property
    def moved_min(self) -> float:
        """By how many minutes it begins later; negative when earlier."""
        return (self.planned - self.nominal).total_seconds() / 60

    def __str__(self) -> str:
        hours = self.moved_min / 60
        if not self.is_attended:
            return f"{self.task_id} falls when nobody is there and could not be moved"
        if not hours:
            return f"{self.task_id} falls when nobody is there; it needs nobody"
        verdict = "within its tolerance" if self.is_within else "beyond its tolerance"
        way = "later" if hours > 0 else "earlier"
        return f"{self.task_id} would fall when nobody is there; moved {abs(hours):.1f} h {way}, {verdict}"


def night_notes(schedule: Schedule) -> tuple[NightNote, ...]:
    """One note for each task whose nominal hour falls when nobody is there, in order of time."""
    spans = presence(schedule.people, schedule.begins, schedule.ends)
    found = []
    for placed in schedule.placements:
        task = schedule.task[placed.task_id]
        nominal = _nominal(schedule, task)
        if nominal is None or _is_in(nominal, spans):
            continue
        used = (schedule.resource.get(name) for name in placed.resources)
        needs_people = any(one is not None and one.kind is ResourceKind.PERSON for one in used)
        is_attended = not needs_people or _is_in(placed.start, spans)
        off = (placed.start - nominal).total_seconds() / 60
        earlier, later = _tolerance(schedule, task)
        found.append(NightNote(task.task_id, nominal, placed.start, -earlier <= off <= later, is_attended))
    return tuple(sorted(found, key=lambda note: note.planned))


def _nominal(schedule: Schedule, task: Task) -> datetime | None:
    """When a task would begin if nobody slept; None where nothing says."""
    if task.due is not None:
        return task.due
    before = _incubation_before(schedule, task)
    placed = schedule.placed.get(before.task_id) if before else None
    return placed.start + timedelta(minutes=before.minutes) if before and placed else None


def _tolerance(schedule: Schedule, task: Task) -> tuple[int, int]:
    """Minutes by which a task may begin earlier and later."""
    before = _incubation_before(schedule, task)
    if task.due is not None or before is None:
        return task.earlier_min, task.later_min
    return before.shorter_min, before.longer_min


def _incubation_before(schedule: Schedule, task: Task) -> Task | None:
    found = (schedule.task.get(after.task_id) for after in task.after if after.at_most_min == 0)
    return next((before for before in found if before is not None and before.is_elastic), None)


def _is_in(moment: datetime, spans: tuple[Span, ...]) -> bool:
    return any(span.start <= moment < span.end for span in spans)
