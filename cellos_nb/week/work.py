"""The work of a week: plates of campaigns and tasks of cell banks, and the question that they put to the calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cellos_nb.domain.machine import Capabilities
from cellos_nb.operations.calendar.load import LabRules, expected_again, tasks_of
from cellos_nb.operations.calendar.problem import Problem
from cellos_nb.operations.calendar.resources import Resource
from cellos_nb.operations.calendar.schedule import Placement
from cellos_nb.operations.calendar.tasks import After, Task
from cellos_nb.workflow.workflow import Workflow


@dataclass(slots=True)
class Plate:
    """One plate that was submitted."""

    run_id: int
    workflow: Workflow
    owner: str
    iteration: int
    tasks: tuple[Task, ...]
    is_gone: bool = False
    """Whether nothing more is done with it: it is held for a person to decide, or was thrown away."""

    @property
    def plate_id(self) -> str:
        """Its barcode."""
        return self.workflow.plate_id


@dataclass(slots=True)
class Work:
    """Everything that was asked for so far, in the order in which it was."""

    rules: LabRules
    capabilities: Capabilities
    plates: dict[str, Plate] = field(default_factory=dict)
    """By barcode."""
    banks: list[Task] = field(default_factory=list)
    n_iterations: dict[str, int] = field(default_factory=dict)
    """By campaign: how many it may make in all."""

    def add(self, run_id: int, workflow: Workflow, owner: str, iteration: int, at: datetime) -> None:
        """Takes up a plate that was submitted."""
        tasks = tasks_of(workflow, self.capabilities, self.rules, owner=owner, arrived_at=at)
        self.plates[workflow.plate_id] = Plate(run_id, workflow, owner, iteration, tasks)

    def tasks(self, begun: Iterable[str], *, with_forecast: bool) -> tuple[Task, ...]:
        """All tasks in order of arrival; of a plate that is gone only what was begun."""
        known = set(begun)
        found = [*self.banks]
        for plate in self.plates.values():
            found += [task for task in plate.tasks if not plate.is_gone or task.task_id in known]
        if with_forecast:
            for owner in self.n_iterations:
                found += self._expected(owner)
        return tuple(found)

    def problem(
        self,
        begins: datetime,
        ends: datetime,
        resources: tuple[Resource, ...],
        begun: Mapping[str, Placement],
        *,
        started_at: datetime,
        with_forecast: bool,
    ) -> Problem:
        """What the calendar is asked now."""
        tasks = self.tasks(begun, with_forecast=with_forecast)
        names = {task.task_id for task in tasks}
        fixed = tuple(one for name, one in begun.items() if name in names)
        return Problem(begins, ends, resources, tasks, fixed, started_at)

    def _expected(self, owner: str) -> list[Task]:
        """The plates of iterations to come: like those of the last one, each after all of the one before."""
        mine = [plate for plate in self.plates.values() if plate.owner == owner]
        last = max((plate.iteration for plate in mine), default=0)
        group = [plate.tasks for plate in mine if plate.iteration == last]
        alive = [plate.tasks for plate in mine if plate.iteration == last and not plate.is_gone]
        links = [After(tasks[-1].task_id) for tasks in alive]
        found: list[Task] = []
        for number in range(last + 1, self.n_iterations[owner] + 1):
            names = [f"{owner}/i{number:03d}-p{k} expected" for k in range(1, len(group) + 1)]
            again = [expected_again(tasks, job_id=name, after=links) for name, tasks in zip(names, group, strict=True)]
            links = [After(tasks[-1].task_id) for tasks in again]
            found += [task for tasks in again for task in tasks]
        return found
