"""Replanning: what was done stays, what runs stays, the rest is planned again; and what that moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.problem import CELL_MIN, Problem
from cellos_nb.operations.calendar.resources import Resource, Span
from cellos_nb.operations.calendar.schedule import Placement, Schedule
from cellos_nb.operations.calendar.solver import plan
from cellos_nb.operations.calendar.tasks import Task

Planner = Callable[[Problem], Schedule]


@dataclass(frozen=True, slots=True)
class Move:
    """A task that is planned for another time, or on something else."""

    task_id: str
    owner: str
    before: datetime
    """When it was to begin."""
    after: datetime
    resources_before: tuple[str, ...]
    resources_after: tuple[str, ...]

    @property
    def minutes(self) -> float:
        """By how much it begins later; negative when earlier."""
        return (self.after - self.before).total_seconds() / 60


@dataclass(frozen=True, slots=True)
class Replanned:
    """A new schedule, and how it differs."""

    schedule: Schedule
    moves: tuple[Move, ...]
    """In the order of the new times."""
    makespan_before_h: float

    @property
    def slip_h(self) -> float:
        """By how much the whole ends later, in hours."""
        return self.schedule.makespan_h - self.makespan_before_h


def replan(
    schedule: Schedule,
    *,
    at: datetime,
    late: Mapping[str, float] | None = None,
    away: Mapping[str, Sequence[Span]] | None = None,
    planner: Planner = plan,
) -> Replanned:
    """Plans anew what was not begun by a moment.

    Args:
        schedule: the plan so far. What it has before `at` counts as begun as planned.
        at: now.
        late: by task, minutes: one under way ends so much later, one not begun cannot begin until so much later.
        away: by resource: when it cannot be used beside what the schedule knows: a machine that is down, a person ill.
        planner: `solve`, `first_come_first_served`, or the one that is installed.

    Raises:
        InputError: a task or resource that the schedule does not have, or a task that is over and late.
    """
    late, away = dict(late or {}), dict(away or {})
    _check_names(schedule, late, away, at)
    fixed = tuple(_delayed(schedule, one, late) for one in schedule.placements if one.start < at)
    begun = {one.task_id for one in fixed}
    tasks = tuple(_not_before(task, schedule, late) if task.task_id not in begun else task for task in schedule.tasks)
    resources = tuple(_without(resource, away.get(resource.name, ())) for resource in schedule.resources)
    # On the same five minutes as before, so that what nothing delays stays where it is.
    step = timedelta(minutes=CELL_MIN)
    begins = schedule.begins + -((schedule.begins - at) // step) * step
    problem = Problem(begins, schedule.ends, resources, tasks, fixed, schedule.begins)
    after = planner(problem)
    return Replanned(after, moves_between(schedule, after), schedule.makespan_h)


def moves_between(before: Schedule, after: Schedule) -> tuple[Move, ...]:
    """The tasks of both that begin at another time or use something else, in the order of the new times."""
    found = [
        Move(now.task_id, after.task[now.task_id].owner, was.start, now.start, was.resources, now.resources)
        for now in after.placements
        if (was := before.placed.get(now.task_id)) is not None
        and (was.start != now.start or was.resources != now.resources)
    ]
    return tuple(sorted(found, key=lambda move: (move.after, move.task_id)))


def _check_names(
    schedule: Schedule, late: Mapping[str, float], away: Mapping[str, Sequence[Span]], at: datetime
) -> None:
    for name in late:
        placed = schedule.placed.get(name)
        if placed is None:
            near = [one for one in schedule.placed if one.startswith(name)] or list(schedule.placed)
            raise InputError(f"late: {name} is no task of this schedule; possible: {', '.join(near[:6])} …")
        if placed.end <= at and not schedule.task[name].is_elastic:
            raise InputError(f"late: {name} was over at {placed.end:%Y-%m-%d %H:%M} UTC; name one that is not.")
    for name in away:
        if name not in schedule.resource:
            raise InputError(f"away: there is no {name}; possible: {', '.join(schedule.resource)}.")


def _delayed(schedule: Schedule, placed: Placement, late: Mapping[str, float]) -> Placement:
    if placed.task_id not in late or schedule.task[placed.task_id].is_elastic:
        return placed
    return replace(placed, end=placed.end + timedelta(minutes=late[placed.task_id]))


def _not_before(task: Task, schedule: Schedule, late: Mapping[str, float]) -> Task:
    if task.task_id not in late:
        return task
    earliest = schedule.placed[task.task_id].start + timedelta(minutes=late[task.task_id])
    return replace(task, arrived_at=max(earliest, task.arrived_at or earliest))


def _without(resource: Resource, spans: Sequence[Span]) -> Resource:
    return replace(resource, away=(*resource.away, *spans)) if spans else resource
