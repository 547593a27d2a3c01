"""A schedule: which task begins when, on what. It can be made by a solver, by hand, or read from what happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from cellos_nb.domain import codec
from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED
from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.resources import Resource, ResourceKind
from cellos_nb.operations.calendar.tasks import Task


@dataclass(frozen=True, slots=True)
class Placement:
    """When one task is done, and with what."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    task_id: str
    start: datetime
    end: datetime
    resources: tuple[str, ...] = ()
    """One for each need of the task, in the same order."""


@dataclass(frozen=True, slots=True)
class Booking:
    """The use of one resource by one task."""

    task: Task
    resource: str
    start: datetime
    end: datetime
    amount: int = 1


@dataclass(frozen=True)
class Schedule:
    """A plan in time over all resources."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    begins: datetime
    """Nothing is planned before, in UTC."""
    ends: datetime
    """Up to when hours were looked at."""
    resources: tuple[Resource, ...]
    tasks: tuple[Task, ...]
    placements: tuple[Placement, ...]
    made_by: str = "hand"
    """`first come, first served`, `CP-SAT` or `hand`."""
    gap: float | None = None
    """How far the solver's result may be from the best possible, as a fraction; None when nobody knows."""

    @cached_property
    def task(self) -> Mapping[str, Task]:
        """Tasks by name."""
        return {task.task_id: task for task in self.tasks}

    @cached_property
    def resource(self) -> Mapping[str, Resource]:
        """Resources by name."""
        return {resource.name: resource for resource in self.resources}

    @cached_property
    def placed(self) -> Mapping[str, Placement]:
        """Placements by task."""
        return {placement.task_id: placement for placement in self.placements}

    @property
    def people(self) -> tuple[Resource, ...]:
        """The people among the resources."""
        return tuple(one for one in self.resources if one.kind is ResourceKind.PERSON)

    @property
    def zone(self) -> str:
        """The lab's time zone: that of its people, or UTC."""
        return next((one.zone for one in self.resources if one.shifts), "UTC")

    def local(self, moment: datetime) -> str:
        """A moment as the lab's clock has it."""
        return f"{moment.astimezone(ZoneInfo(self.zone)):%a %d %b %H:%M}"

    @property
    def makespan_h(self) -> float:
        """Hours from the beginning to the end of the last task that no calendar fixes; 0 when there is none."""
        return hours_to_last(self.begins, self.placements, self.task)

    def bookings(self) -> Iterator[Booking]:
        """Every use of every resource, in the order of the placements."""
        for placement in self.placements:
            yield from bookings_of(self.task[placement.task_id], placement)

    def utilisation(self) -> dict[str, float]:
        """By resource: the part of its open hours, up to the end of the last task, in which it is used."""
        if not self.placements:
            return {resource.name: 0.0 for resource in self.resources}
        last = max(placement.end for placement in self.placements)
        used: dict[str, float] = defaultdict(float)
        for booking in self.bookings():
            used[booking.resource] += booking.amount * _hours(booking.start, booking.end)
        found = {}
        for resource in self.resources:
            open_h = sum(_hours(span.start, span.end) for span in resource.open_spans(self.begins, last))
            found[resource.name] = used[resource.name] / (open_h * resource.capacity) if open_h else 0.0
        return found

    def to_json(self) -> str:
        """The schedule as JSON text."""
        return codec.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """The schedule that `to_json` wrote.

        Raises:
            InputError: the text is no schedule; says where.
        """
        try:
            return codec.from_json(cls, text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "its beginning"
            raise InputError(
                f"This is no schedule: at {where}: {first['msg']}. Write one with `cellos calendar plan`."
            ) from None


def bookings_of(task: Task, placement: Placement) -> Iterator[Booking]:
    """What one placement uses."""
    for need, name in zip(task.needs, placement.resources, strict=False):
        end = placement.end
        if need.minutes is not None:
            end = min(end, placement.start + timedelta(minutes=need.minutes))
        if placement.start < end:
            yield Booking(task, name, placement.start, end, need.amount)


def dated_jobs(tasks: Iterable[Task]) -> frozenset[str]:
    """Jobs that go by the calendar, as a cell bank does: they end when they end, however well is planned."""
    return frozenset(task.job_id for task in tasks if task.due is not None)


def hours_to_last(begins: datetime, placements: Sequence[Placement], task: Mapping[str, Task]) -> float:
    """Hours from a moment to the end of the last task of a job without dates of its own; 0 when there is none."""
    dated = dated_jobs(task.values())
    ends = [one.end for one in placements if one.task_id in task and task[one.task_id].job_id not in dated]
    return _hours(begins, max(ends, default=begins))


def _hours(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 3600
