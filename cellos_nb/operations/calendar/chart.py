"""A schedule as a chart: a row for each resource, a bar for each use of it, in as many lanes as there are at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cellos_nb.operations.calendar.conflicts import Conflict
from cellos_nb.operations.calendar.resources import ResourceKind, Span, presence
from cellos_nb.operations.calendar.schedule import Booking, Schedule

ORDER = tuple(ResourceKind)


@dataclass(frozen=True, slots=True)
class Bar:
    """One use of one resource."""

    task_id: str
    owner: str
    name: str
    start: datetime
    end: datetime
    lane: int
    is_forecast: bool
    note: str
    """What is wrong with it, or where it stands; empty when nothing is."""
    is_wrong: bool
    """Whether it is part of a conflict, or late."""


@dataclass(frozen=True, slots=True)
class Row:
    """One resource."""

    name: str
    kind: ResourceKind
    n_lanes: int
    bars: tuple[Bar, ...]
    closed: tuple[Span, ...]
    """When it is down or away; hours without anybody are the chart's nights."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that a picture shows."""

    begins: datetime
    ends: datetime
    zone: str
    owners: tuple[str, ...]
    """Campaigns and cell banks, in the order of their first task."""
    rows: tuple[Row, ...]
    nights: tuple[Span, ...]
    """When nobody is there."""

    def local(self, moment: datetime) -> str:
        """A moment as the lab's clock has it."""
        return f"{moment.astimezone(ZoneInfo(self.zone)):%a %d %b %H:%M}"


def chart_of(
    schedule: Schedule,
    *,
    zone: str = "UTC",
    conflicts: Collection[Conflict] = (),
    notes: Mapping[str, tuple[str, bool]] | None = None,
) -> Chart:
    """The chart of a schedule.

    Args:
        schedule: what to draw.
        zone: of the times in it.
        conflicts: what is wrong with it.
        notes: by task, where it stands in words, and whether that is wrong.
    """
    wrong: dict[str, list[str]] = defaultdict(list)
    for conflict in conflicts:
        for task_id in conflict.task_ids:
            wrong[task_id].append(conflict.message)
    last = max((one.end for one in schedule.placements), default=schedule.ends)
    by_resource: dict[str, list[Booking]] = defaultdict(list)
    for booking in schedule.bookings():
        by_resource[booking.resource].append(booking)
    rows = []
    for resource in sorted(schedule.resources, key=lambda one: ORDER.index(one.kind)):
        bookings = by_resource[resource.name]
        lanes = _lanes(bookings)
        bars = tuple(_bar(booking, lane, wrong, (notes or {}).get(booking.task.task_id)) for booking, lane in lanes)
        away = tuple(span for span in resource.away if span.start < last and schedule.begins < span.end)
        rows.append(Row(resource.name, resource.kind, 1 + max((lane for _, lane in lanes), default=0), bars, away))
    owners = dict.fromkeys(schedule.task[one.task_id].owner for one in schedule.placements)
    return Chart(schedule.begins, last, zone, tuple(owners), tuple(rows), _nights(schedule, last))


def _bar(booking: Booking, lane: int, wrong: Mapping[str, list[str]], standing: tuple[str, bool] | None) -> Bar:
    task = booking.task
    said = [*wrong.get(task.task_id, ()), *([standing[0]] if standing and standing[0] else [])]
    is_wrong = task.task_id in wrong or bool(standing and standing[1])
    return Bar(
        task.task_id,
        task.owner,
        task.name,
        booking.start,
        booking.end,
        lane,
        task.is_forecast,
        "; ".join(said),
        is_wrong,
    )


def _lanes(bookings: list[Booking]) -> list[tuple[Booking, int]]:
    """Bookings in order of time, each in the first lane that is free."""
    ends: list[datetime] = []
    found = []
    for booking in sorted(bookings, key=lambda one: (one.start, one.task.task_id)):
        lane = next((k for k, end in enumerate(ends) if end <= booking.start), len(ends))
        ends[lane : lane + 1] = [booking.end]
        found.append((booking, lane))
    return found


def _nights(schedule: Schedule, last: datetime) -> tuple[Span, ...]:
    if not schedule.people or last <= schedule.begins:
        return ()
    found, at = [], schedule.begins
    for span in (*presence(schedule.people, schedule.begins, last), Span(last, last)):
        if at < span.start:
            found.append(Span(at, span.start))
        at = max(at, span.end)
    return tuple(found)
