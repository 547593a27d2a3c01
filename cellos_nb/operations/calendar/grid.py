"""Time in cells of five minutes, and what of each resource is still free in each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from cellos_nb.operations.calendar.problem import CELL_MIN, Problem
from cellos_nb.operations.calendar.schedule import Placement, bookings_of
from cellos_nb.operations.calendar.tasks import Need, Task


def cells(minutes: float) -> int:
    """How many cells hold so many minutes."""
    return math.ceil(minutes / CELL_MIN)


class Grid:
    """The free capacity of every resource over the time to plan; what was begun is taken off."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.n = self.cell(problem.ends)
        self._free: dict[str, NDArray[np.int64]] = {}
        self._blocked_at: dict[tuple[str, int], NDArray[np.int64]] = {}
        for resource in problem.resources:
            free = np.zeros(self.n, dtype=np.int64)
            for span in resource.open_spans(problem.begins, problem.ends):
                free[self.cell(span.start) : self.cell(span.end, up=False)] = resource.capacity
            self._free[resource.name] = free
        for placement in problem.fixed:
            task = problem.task[placement.task_id]
            if not problem.is_open_ended(task):
                for booking in bookings_of(task, placement):
                    first, last = self.cell(booking.start, up=False), self.cell(booking.end)
                    self.take(booking.resource, first, last, booking.amount)

    def cell(self, at: datetime, *, up: bool = True) -> int:
        """The first cell that begins at a moment or after it, or the last that begins at it or before."""
        minutes = (at - self.problem.begins).total_seconds() / 60
        return math.ceil(minutes / CELL_MIN) if up else math.floor(minutes / CELL_MIN)

    def moment(self, cell: int) -> datetime:
        """When a cell begins."""
        return self.problem.begins + timedelta(minutes=cell * CELL_MIN)

    def take(self, resource: str, start: int, end: int, amount: int = 1) -> None:
        """Takes so much of a resource from one cell to another."""
        self._free[resource][max(start, 0) : max(end, 0)] -= amount
        for key in [key for key in self._blocked_at if key[0] == resource]:
            del self._blocked_at[key]

    def is_free(self, resource: str, start: int, end: int, amount: int = 1) -> bool:
        """Whether so much of a resource is free all the while; time before the plan counts as free."""
        if start >= end:
            return True
        return 0 <= max(start, 0) < self.n and end <= int(self._blocked(resource, amount)[max(start, 0)])

    def taken(self, resource: str) -> NDArray[np.int64]:
        """How much of a resource cannot be had, by cell."""
        capacity = next(one.capacity for one in self.problem.resources if one.name == resource)
        return np.clip(capacity - self._free[resource], 0, capacity)

    def choose(self, task: Task, start: int, end: int, bound: Mapping[tuple[str, ...], str]) -> tuple[str, ...] | None:
        """The first free resource for each need of a task; None when one has none."""
        found = []
        for need in task.needs:
            until = end if need.minutes is None else min(end, start + cells(need.minutes))
            possible = _possible(need, bound)
            name = next((one for one in possible if self.is_free(one, start, until, need.amount)), None)
            if name is None:
                return None
            found.append(name)
        return tuple(found)

    def book(self, task: Task, start: int, end: int, resources: Sequence[str]) -> Placement:
        """Takes what a task uses."""
        for need, name in zip(task.needs, resources, strict=True):
            until = end if need.minutes is None else min(end, start + cells(need.minutes))
            self.take(name, start, until, need.amount)
        return Placement(task.task_id, self.moment(start), self.moment(end), tuple(resources))

    def _blocked(self, resource: str, amount: int) -> NDArray[np.int64]:
        """For each cell the first one, from it on, in which less than an amount is free."""
        key = resource, amount
        if key not in self._blocked_at:
            places = np.where(self._free[resource] < amount, np.arange(self.n), self.n)
            self._blocked_at[key] = np.minimum.accumulate(places[::-1])[::-1]
        return self._blocked_at[key]


def _possible(need: Need, bound: Mapping[tuple[str, ...], str]) -> tuple[str, ...]:
    if need.is_bound and need.any_of in bound:
        return (bound[need.any_of],)
    return need.any_of
