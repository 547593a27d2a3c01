"""List scheduling: plates one after another, each as early as it fits; first come, first served is one order of them.

A plate is given its whole way at once: its first step begins only where all that follow it find their resources in
time, as a person would look before seeding cells that nobody could dose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cellos_nb.operations.calendar.grid import Grid, cells
from cellos_nb.operations.calendar.problem import Problem
from cellos_nb.operations.calendar.schedule import Placement, Schedule
from cellos_nb.operations.calendar.tasks import Task

FIRST_COME = "first come, first served"
_Bound = Mapping[tuple[str, ...], str]
_Way = list[tuple[Task, int, int, tuple[str, ...]]]
"""Tasks with first cell, last cell and resources."""


def first_come_first_served(problem: Problem) -> Schedule:
    """The schedule in which whoever came first chooses first."""
    return problem.schedule(list_schedule(problem, problem.jobs), FIRST_COME)


def list_schedule(problem: Problem, order: Iterable[str]) -> list[Placement]:
    """Places jobs in an order; one whose predecessors are not placed yet waits for them. Placements of open tasks."""
    listing = _Listing(problem)
    # What was begun goes first: it holds its robot and its place already.
    begun = {problem.task[name].job_id for name in problem.begun}
    waiting = sorted((job for job in order if problem.jobs[job]), key=lambda job: job not in begun)
    while waiting:
        ready = next((job for job in waiting if listing.is_ready(job)), waiting[0])
        waiting.remove(ready)
        listing.place(ready)
    return list(listing.placements.values())


@dataclass(slots=True)
class _Listing:
    """Jobs placed so far."""

    problem: Problem
    grid: Grid = field(init=False)
    placements: dict[str, Placement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.grid = Grid(self.problem)

    def is_ready(self, job: str) -> bool:
        """Whether all that the job comes after is placed."""
        own = {task.task_id for task in self.problem.jobs[job]}
        before = (after.task_id for task in self.problem.jobs[job] for after in task.after)
        return all(name in own or name in self.placements or name in self.problem.begun for name in before)

    def place(self, job: str) -> None:
        """Books the earliest way of a job: within all tolerances if there is one, else the earliest outside them."""
        tasks = self.problem.jobs[job]
        way = self._earliest(tasks, is_strict=True) or self._earliest(tasks, is_strict=False) or []
        for task, start, end, resources in way:
            self.placements[task.task_id] = self.grid.book(task, start, end, resources)
        self._end_what_was_under_way(way)

    def _end_what_was_under_way(self, way: _Way) -> None:
        for task, start, _, _ in way:
            for after in task.after:
                begun = self.problem.begun.get(after.task_id)
                if begun is not None and self.problem.is_open_ended(self.problem.task[after.task_id]):
                    for need, name in zip(self.problem.task[after.task_id].needs, begun.resources, strict=False):
                        self.grid.take(name, 0, start, need.amount)

    def _earliest(self, tasks: Sequence[Task], *, is_strict: bool) -> _Way | None:
        """Of all ways, one for each choice of what is bound, the one that begins first."""
        found = [way for bound in self._choices(tasks) if (way := self._way(tasks, bound, is_strict=is_strict))]
        return min(found, key=lambda way: way[0][1], default=None)

    def _choices(self, tasks: Sequence[Task]) -> list[_Bound]:
        kept = self._kept(tasks[0].job_id)
        groups = {need.any_of for task in tasks for need in task.needs if need.is_bound} - kept.keys()
        choices: list[_Bound] = [kept]
        for group in sorted(groups):
            choices = [{**choice, group: name} for choice in choices for name in group]
        return choices

    def _kept(self, job: str) -> dict[tuple[str, ...], str]:
        """What a job that was begun is bound to."""
        return kept_of(self.problem, job)

    def _way(self, tasks: Sequence[Task], bound: _Bound, *, is_strict: bool) -> _Way | None:
        low, high = self._window(tasks[0], {}, is_strict=is_strict)
        for start in range(low, high + 1):
            way = self._from(tasks, start, bound, is_strict=is_strict)
            if way is not None:
                return way
        return None

    def _from(self, tasks: Sequence[Task], first: int, bound: _Bound, *, is_strict: bool) -> _Way | None:
        """The way whose first task begins in a cell; each other task as early as it can."""
        way: _Way = []
        starts: dict[str, int] = {}
        ends: dict[str, int] = {}
        for index, task in enumerate(tasks):
            low, high = (first, first) if index == 0 else self._window(task, ends, starts, is_strict=is_strict)
            fits = self._fit(task, low, high, bound, ends=ends, way=way)
            if fits is None:
                return None
            starts[task.task_id], ends[task.task_id] = fits
        return way

    def _fit(
        self, task: Task, low: int, high: int, bound: _Bound, *, ends: dict[str, int], way: _Way
    ) -> tuple[int, int] | None:
        """Puts a task where it fits first between two cells, and lets the incubation before it last until then."""
        ended = {after.task_id for after in task.after if after.at_most_min == 0}
        before = way[-1] if way and way[-1][0].task_id in ended else None
        for start in range(low, high + 1):
            end = start + cells(task.minutes - task.shorter_min)
            chosen = self.grid.choose(task, start, end, bound)
            if chosen is None:
                continue
            if before is not None and before[0].is_elastic:
                kept = self.grid.choose(before[0], before[1], start, bound)
                if kept is None:
                    return None  # the incubator is full from here on
                way[-1] = (before[0], before[1], start, kept)
                ends[before[0].task_id] = start
            way.append((task, start, end, chosen))
            return start, end
        return None

    def _window(
        self, task: Task, ends: Mapping[str, int], starts: Mapping[str, int] | None = None, *, is_strict: bool
    ) -> tuple[int, int]:
        """The first and the last cell in which a task may begin, after what is placed."""
        grid = self.grid
        low, high = 0, grid.n
        if task.arrived_at is not None:
            low = max(low, grid.cell(task.arrived_at))
        if task.due is not None:
            low = max(low, grid.cell(task.due - timedelta(minutes=task.earlier_min)))
            high = grid.cell(task.due + timedelta(minutes=task.later_min), up=False) if is_strict else high
        for after in task.after:
            before = self.problem.task[after.task_id]
            begins, ended = self._times(before, ends, starts or {})
            is_end = before.is_elastic and self.problem.ended_by.get(before.task_id) is task
            first = begins + _minutes(before.minutes - before.shorter_min) if is_end else ended
            last = begins + _minutes(before.minutes + before.longer_min) if is_end else ended
            low = max(low, grid.cell(first + _minutes(after.at_least_min)))
            if after.at_most_min is not None and (is_strict or not is_end):
                high = min(high, grid.cell(last + _minutes(after.at_most_min), up=False))
        return low, high

    def _times(self, task: Task, ends: Mapping[str, int], starts: Mapping[str, int]) -> tuple[datetime, datetime]:
        if task.task_id in starts:
            return self.grid.moment(starts[task.task_id]), self.grid.moment(ends[task.task_id])
        placed = self.placements.get(task.task_id) or self.problem.begun.get(task.task_id)
        if placed is None:
            # Its job found no place at all, which is told as a conflict.
            return self.problem.begins, self.problem.begins
        return placed.start, placed.end


def _minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def kept_of(problem: Problem, job: str) -> dict[tuple[str, ...], str]:
    """What a job that was begun is bound to: its robot, by the alternatives there were."""
    kept = {}
    for placement in problem.fixed:
        task = problem.task[placement.task_id]
        if task.job_id == job:
            for need, name in zip(task.needs, placement.resources, strict=False):
                if need.is_bound:
                    kept[need.any_of] = name
    return kept


def orders(problem: Problem) -> dict[str, Sequence[str]]:
    """Orders worth trying before a solver is asked: as they came, and by what still follows a job."""
    tail = _tails(problem)

    def by(key: Callable[[str], float]) -> list[str]:
        return sorted(problem.jobs, key=key)

    return {"as they came": list(problem.jobs), "longest way first": by(lambda job: -tail[job])}


def _tails(problem: Problem) -> dict[str, float]:
    """By job: minutes from its beginning to the end of all that follows it."""
    follows: dict[str, set[str]] = {job: set() for job in problem.jobs}
    for job, tasks in problem.jobs.items():
        for task in tasks:
            for after in task.after:
                other = problem.task[after.task_id].job_id
                if other != job and other in follows:
                    follows[other].add(job)
    found: dict[str, float] = {}

    def tail(job: str) -> float:
        if job not in found:
            own = sum(task.minutes for task in problem.jobs[job])
            found[job] = own + max((tail(other) for other in follows[job]), default=0.0)
        return found[job]

    return {job: tail(job) for job in problem.jobs}
