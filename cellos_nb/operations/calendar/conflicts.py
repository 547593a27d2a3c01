"""What is wrong with a schedule, whoever made it: also one made by hand, and one read from what happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cellos_nb.operations.calendar.resources import Resource, ResourceKind
from cellos_nb.operations.calendar.schedule import Booking, Placement, Schedule
from cellos_nb.operations.calendar.tasks import After, Task


class ConflictKind(StrEnum):
    """What is wrong."""

    DOUBLE_BOOKED = "double-booked"
    """Two tasks on a resource that serves one."""
    OVER_CAPACITY = "over capacity"
    """More than an incubator holds."""
    PERSON_ABSENT = "person absent"
    CLOSED = "closed"
    """A machine or cabinet is down, or outside its hours."""
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    PRECEDENCE = "before its predecessor"
    WAITED = "waited too long"
    """More time between two tasks than the second allows."""
    OUTSIDE_WINDOW = "outside its window"
    """Before the lab heard of it, or further from its date than it may be."""
    MOVED_ROBOT = "changed robots"
    WRONG_RESOURCE = "wrong resource"
    NOT_PLACED = "not placed"


@dataclass(frozen=True, slots=True)
class Conflict:
    """One thing that is wrong."""

    kind: ConflictKind
    task_ids: tuple[str, ...]
    resource: str | None
    start: datetime
    end: datetime
    message: str
    """What it is and what is possible, for a person."""


def find_conflicts(schedule: Schedule) -> tuple[Conflict, ...]:
    """Everything that is wrong with a schedule, in order of time; empty when nothing is."""
    found = [*_of_tasks(schedule), *_of_resources(schedule), *_of_jobs(schedule)]
    return tuple(sorted(found, key=lambda one: (one.start, one.kind, one.task_ids)))


def _of_tasks(schedule: Schedule) -> Iterator[Conflict]:
    for task in schedule.tasks:
        placed = schedule.placed.get(task.task_id)
        if placed is None:
            begins = schedule.begins
            yield Conflict(
                ConflictKind.NOT_PLACED, (task.task_id,), None, begins, begins, f"{task.task_id} is not planned"
            )
            continue
        yield from _of_duration(task, placed)
        yield from _of_window(task, placed)
        yield from _of_needs(schedule, task, placed)
        for after in task.after:
            before = schedule.placed.get(after.task_id)
            if before is not None:
                yield from _of_order(task, placed, after, before)


def _of_duration(task: Task, placed: Placement) -> Iterator[Conflict]:
    lasts = _minutes(placed.start, placed.end)
    least, most = task.minutes - task.shorter_min, task.minutes + task.longer_min
    if lasts < least:
        text = f"{task.task_id} lasts {_span(lasts)}; at least {_span(least)} are needed"
        yield _about(ConflictKind.TOO_SHORT, task, placed, text)
    if lasts > most and task.is_elastic:
        text = f"{task.task_id} lasts {_span(lasts)}; {_span(most)} at most are allowed"
        yield _about(ConflictKind.TOO_LONG, task, placed, text)


def _of_window(task: Task, placed: Placement) -> Iterator[Conflict]:
    if task.arrived_at is not None and placed.start < task.arrived_at:
        yield _about(ConflictKind.OUTSIDE_WINDOW, task, placed, f"{task.task_id} begins before it was asked for")
    if task.due is None:
        return
    off = _minutes(task.due, placed.start)
    if off < -task.earlier_min or off > task.later_min:
        text = (
            f"{task.task_id} begins {_span(abs(off))} {'before' if off < 0 else 'after'} its date; "
            f"{_span(task.earlier_min)} before to {_span(task.later_min)} after are allowed"
        )
        yield _about(ConflictKind.OUTSIDE_WINDOW, task, placed, text)


def _of_needs(schedule: Schedule, task: Task, placed: Placement) -> Iterator[Conflict]:
    if len(task.needs) != len(placed.resources):
        text = f"{task.task_id} needs {len(task.needs)} resources and has {len(placed.resources)}"
        yield _about(ConflictKind.WRONG_RESOURCE, task, placed, text)
    for need, name in zip(task.needs, placed.resources, strict=False):
        if name not in need.any_of or name not in schedule.resource:
            text = f"{task.task_id} is on {name}; possible: {', '.join(need.any_of)}"
            yield _about(ConflictKind.WRONG_RESOURCE, task, placed, text, resource=name)


def _of_order(task: Task, placed: Placement, after: After, before: Placement) -> Iterator[Conflict]:
    waits = _minutes(before.end, placed.start)
    if waits < after.at_least_min:
        least = f" and {_span(after.at_least_min)}" if after.at_least_min else ""
        text = f"{task.task_id} begins before {after.task_id} is over{least}"
        yield _about(ConflictKind.PRECEDENCE, task, placed, text, also=(after.task_id,))
    elif after.at_most_min is not None and waits > after.at_most_min:
        text = f"{task.task_id} begins {_span(waits)} after {after.task_id}; {_span(after.at_most_min)} are allowed"
        yield _about(ConflictKind.WAITED, task, placed, text, also=(after.task_id,))


def _of_resources(schedule: Schedule) -> Iterator[Conflict]:
    by_resource: dict[str, list[Booking]] = defaultdict(list)
    for booking in schedule.bookings():
        by_resource[booking.resource].append(booking)
    for name, bookings in by_resource.items():
        resource = schedule.resource.get(name)
        if resource is not None:
            yield from _crowded(resource, bookings)
            yield from _unattended(resource, bookings)


def _crowded(resource: Resource, bookings: list[Booking]) -> Iterator[Conflict]:
    """Each moment at which a booking makes it one too many, told once for each such booking."""
    ordered = sorted(bookings, key=lambda one: (one.start, one.task.task_id))
    under_way: list[Booking] = []
    for booking in ordered:
        under_way = [one for one in under_way if one.end > booking.start]
        under_way.append(booking)
        n = sum(one.amount for one in under_way)
        if n <= resource.capacity:
            continue
        ids = tuple(one.task.task_id for one in under_way)
        kind = ConflictKind.DOUBLE_BOOKED if resource.capacity == 1 else ConflictKind.OVER_CAPACITY
        text = f"{resource.name} serves {resource.capacity} and is booked for {n}: {', '.join(ids)}"
        yield Conflict(kind, ids, resource.name, booking.start, min(one.end for one in under_way), text)


def _unattended(resource: Resource, bookings: list[Booking]) -> Iterator[Conflict]:
    start, end = min(one.start for one in bookings), max(one.end for one in bookings)
    closed = resource.closed_spans(start - timedelta(minutes=1), end + timedelta(minutes=1))
    kind = ConflictKind.PERSON_ABSENT if resource.kind is ResourceKind.PERSON else ConflictKind.CLOSED
    for booking in bookings:
        for gone in closed:
            if gone.start < booking.end and booking.start < gone.end:
                text = f"{booking.task.task_id} needs {resource.name}, which is not there: {gone.reason}"
                yield Conflict(kind, (booking.task.task_id,), resource.name, booking.start, booking.end, text)
                break


def _of_jobs(schedule: Schedule) -> Iterator[Conflict]:
    """Plates that change robots."""
    chosen: dict[tuple[str, tuple[str, ...]], tuple[str, str]] = {}
    for placement in sorted(schedule.placements, key=lambda one: one.start):
        task = schedule.task[placement.task_id]
        for need, name in zip(task.needs, placement.resources, strict=False):
            if not need.is_bound:
                continue
            before, first = chosen.setdefault((task.job_id, need.any_of), (name, task.task_id))
            if before != name:
                text = f"{task.task_id} is on {name} and {first} on {before}; a plate stays on its robot"
                yield _about(ConflictKind.MOVED_ROBOT, task, placement, text, resource=name, also=(first,))


def _about(
    kind: ConflictKind,
    task: Task,
    placed: Placement,
    message: str,
    *,
    resource: str | None = None,
    also: tuple[str, ...] = (),
) -> Conflict:
    return Conflict(kind, (task.task_id, *also), resource, placed.start, placed.end, message)


def _minutes(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 60


def _span(minutes: float) -> str:
    """A length of time in words.

    >>> _span(45), _span(1500)
    ('45 min', '25 h')
    """
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.4g} h"
