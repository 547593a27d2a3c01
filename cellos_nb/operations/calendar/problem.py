"""What a scheduler is given: tasks, resources, what was begun already, and the stretch of time to plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.resources import Resource
from cellos_nb.operations.calendar.schedule import Placement, Schedule
from cellos_nb.operations.calendar.tasks import Task

CELL_MIN = 5
"""Schedulers plan in steps of five minutes: what a person still calls punctual."""


@dataclass(frozen=True)
class Problem:
    """One question to a scheduler."""

    begins: datetime
    """Nothing that was not begun is planned before."""
    ends: datetime
    """Nothing is planned after."""
    resources: tuple[Resource, ...]
    tasks: tuple[Task, ...]
    """In the order in which they were asked for."""
    fixed: tuple[Placement, ...] = ()
    """What was done or is under way; an incubation under way ends when what follows it begins."""
    started_at: datetime | None = None
    """When the schedule as a whole began, if that was before `begins`."""

    def __post_init__(self) -> None:
        if self.begins.tzinfo is None or self.ends.tzinfo is None or self.begins >= self.ends:
            raise InputError(f"calendar: {self.begins} to {self.ends} is no stretch of time in UTC to plan.")
        known = {resource.name for resource in self.resources}
        names = {task.task_id for task in self.tasks}
        if len(names) < len(self.tasks):
            twice = sorted({t.task_id for t in self.tasks if sum(t.task_id == o.task_id for o in self.tasks) > 1})
            raise InputError(f"calendar: the task {twice[0]} stands twice; name each once.")
        for task in self.tasks:
            for need in task.needs:
                if not need.any_of or not set(need.any_of) <= known:
                    lacking = ", ".join(sorted(set(need.any_of) - known)) or "nothing by name"
                    there = ", ".join(sorted(known)) or "no resources"
                    raise InputError(f"calendar: {task.task_id} needs {lacking}; there are {there}.")
            for after in task.after:
                if after.task_id not in names:
                    raise InputError(f"calendar: {task.task_id} comes after {after.task_id}, which is no task.")
        try:
            tuple(TopologicalSorter({t.task_id: [a.task_id for a in t.after] for t in self.tasks}).static_order())
        except CycleError as error:
            circle = " → ".join(error.args[1])
            raise InputError(f"calendar: {circle} wait for one another; take one link away.") from None

    @cached_property
    def task(self) -> Mapping[str, Task]:
        """Tasks by name."""
        return {task.task_id: task for task in self.tasks}

    @cached_property
    def begun(self) -> Mapping[str, Placement]:
        """What was done or is under way, by task."""
        return {placement.task_id: placement for placement in self.fixed}

    @cached_property
    def ended_by(self) -> Mapping[str, Task]:
        """By incubation: the task whose beginning ends it."""
        return {
            after.task_id: task
            for task in self.tasks
            for after in task.after
            if after.at_most_min == 0 and self.task[after.task_id].is_elastic
        }

    def is_open_ended(self, task: Task) -> bool:
        """Whether an incubation is under way whose end is still to be planned."""
        follower = self.ended_by.get(task.task_id)
        return task.task_id in self.begun and follower is not None and follower.task_id not in self.begun

    @cached_property
    def open_tasks(self) -> tuple[Task, ...]:
        """What is to be planned: what was not begun."""
        return tuple(task for task in self.tasks if task.task_id not in self.begun)

    @cached_property
    def jobs(self) -> Mapping[str, tuple[Task, ...]]:
        """Tasks to be planned by job, in the order in which they follow one another."""
        by_id = {task.task_id: task for task in self.open_tasks}
        graph = {name: [a.task_id for a in task.after if a.task_id in by_id] for name, task in by_id.items()}
        found: dict[str, list[Task]] = defaultdict(list)
        for task in self.open_tasks:
            found[task.job_id] = []
        for name in TopologicalSorter(graph).static_order():
            found[by_id[name].job_id].append(by_id[name])
        return {job: tuple(tasks) for job, tasks in found.items()}

    def schedule(self, placements: Sequence[Placement], made_by: str, gap: float | None = None) -> Schedule:
        """The answer, together with what was begun."""
        ends = {one.task_id: one for one in placements}
        fixed = []
        for placement in self.fixed:
            follower = self.ended_by.get(placement.task_id)
            if follower is not None and follower.task_id in ends and follower.task_id not in self.begun:
                placement = replace(placement, end=max(placement.start, ends[follower.task_id].start))  # noqa: PLW2901
            fixed.append(placement)
        every = sorted((*fixed, *placements), key=lambda one: (one.start, one.task_id))
        begins = self.started_at or self.begins
        return Schedule(begins, self.ends, self.resources, self.tasks, tuple(every), made_by, gap)
