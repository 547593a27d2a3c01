"""Work as tasks: the steps of a workflow, with what each needs and how far it may move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.operations.calendar.tasks import After, Need, Task
from cellos_nb.workflow.estimate import step_seconds
from cellos_nb.workflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class LabRules:
    """Which resources the steps of a lab need."""

    handlers: tuple[str, ...]
    readers: tuple[str, ...]
    incubators: tuple[str, ...]
    people: tuple[str, ...] = ()
    """Who loads decks and carries plates; nobody is needed where plates move by themselves."""
    loading_min: int = 10
    """Minutes of a person at the beginning of a step that moves liquid."""
    carrying_min: int = 5
    """Minutes of a person at the beginning of a reading."""
    longer_fraction: float = 0.1
    """How much longer an incubation may last, as a part of it."""
    longer_at_least_min: int = 120
    """The same in minutes, at least: an attachment of 4 h may last 6."""
    bench_min: int = 30
    """Minutes that a plate may stand between two steps outside the incubator."""

    def attended_min(self, kind: StepKind) -> int:
        """Minutes that a person needs before a machine can begin, which is occupied meanwhile."""
        if not self.people or kind is StepKind.INCUBATE:
            return 0
        return self.loading_min if kind.moves_liquid else self.carrying_min


def tasks_of(
    workflow: Workflow,
    capabilities: Capabilities,
    rules: LabRules,
    *,
    owner: str,
    arrived_at: datetime | None = None,
    after: Sequence[After] = (),
) -> tuple[Task, ...]:
    """The steps of one plate as tasks, in order.

    Args:
        workflow: the plate.
        capabilities: of its machine, which say how long each step takes.
        rules: what steps need in this lab.
        owner: the campaign.
        arrived_at: when it was asked for.
        after: what its first step waits for.
    """
    found: list[Task] = []
    for step in workflow.steps:
        links = tuple(after)
        if found:
            links = (After(found[-1].task_id, at_most_min=0 if found[-1].is_elastic else rules.bench_min),)
        found.append(_task(step, capabilities, rules, owner=owner, after=links, arrived_at=arrived_at))
    return tuple(found)


def expected_again(
    tasks: Sequence[Task], *, job_id: str, after: Sequence[After], arrived_at: datetime | None = None
) -> tuple[Task, ...]:
    """The same plate once more, for an iteration to come that nobody has proposed yet."""
    names = {task.task_id: f"{job_id}:{task.task_id.rpartition(':')[2]}" for task in tasks}
    return tuple(
        replace(
            task,
            task_id=names[task.task_id],
            job_id=job_id,
            after=tuple(after) if k == 0 else tuple(replace(a, task_id=names[a.task_id]) for a in task.after),
            arrived_at=arrived_at,
            is_forecast=True,
        )
        for k, task in enumerate(tasks)
    )


def task_id_of(plate_id: str, step_uid: str) -> str:
    """The name of a plate's step as a task."""
    return f"{plate_id}:{step_uid}"


def _task(
    step: Step,
    capabilities: Capabilities,
    rules: LabRules,
    *,
    owner: str,
    after: tuple[After, ...],
    arrived_at: datetime | None,
) -> Task:
    common = {"owner": owner, "name": step.name, "after": after, "arrived_at": arrived_at}
    name = task_id_of(step.plate_id, step.uid)
    if step.kind is StepKind.INCUBATE:
        minutes = round((step.duration_h or 0.0) * 60)
        longer = max(rules.longer_at_least_min, round(minutes * rules.longer_fraction))
        needs = (Need(rules.incubators),)
        return Task(name, step.plate_id, minutes=minutes, needs=needs, longer_min=longer, **common)  # type: ignore[arg-type]
    attended = rules.attended_min(step.kind)
    minutes = attended + max(1, math.ceil(step_seconds(step, capabilities) / 60))
    device = Need(rules.handlers, is_bound=True) if step.kind.moves_liquid else Need(rules.readers)
    by_hand = (Need(rules.people, minutes=attended),) if attended else ()
    return Task(name, step.plate_id, minutes=minutes, needs=(device, *by_hand), **common)  # type: ignore[arg-type]
