"""A cell bank's tasks in the calendar: dates with their windows, and flasks that stand in an incubator between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from cellos_nb.operations.banks.tasks import BankTask
from cellos_nb.operations.calendar.load import LabRules
from cellos_nb.operations.calendar.tasks import After, Need, Task


def calendar_tasks(
    name: str, begins: datetime, tasks: Sequence[BankTask], rules: LabRules, cabinets: Sequence[str]
) -> tuple[Task, ...]:
    """The tasks of a bank, and between each two of them the culture that grows.

    Args:
        name: of the bank.
        begins: its first task, in UTC.
        tasks: in order; their hours count from the first.
        rules: who works in this lab, and where cultures grow.
        cabinets: where they are handled.
    """
    found: list[Task] = []
    for number, (one, following) in enumerate(zip(tasks, [*tasks[1:], None], strict=True), start=1):
        minutes = max(1, math.ceil(one.duration_h * 60))
        needs = []
        if one.cabinet_h > 0:
            needs.append(Need(tuple(cabinets), minutes=math.ceil(one.cabinet_h * 60)))
        if one.person_h > 0 and rules.people:
            needs.append(Need(rules.people, minutes=math.ceil(one.person_h * 60)))
        task = Task(
            f"{name}:{number}-{one.name}",
            name,
            name,
            one.name,
            minutes,
            tuple(needs),
            tuple([After(found[-1].task_id, at_most_min=0 if found[-1].is_elastic else None)] if found else []),
            due=begins + timedelta(hours=one.earliest_h),
            later_min=round((one.latest_h - one.earliest_h) * 60),
        )
        found.append(task)
        if following is not None and one.incubator_slots > 0:
            found.append(_growth(task, one, following, rules))
    return tuple(found)


def _growth(task: Task, one: BankTask, following: BankTask, rules: LabRules) -> Task:
    """The flasks between two tasks; they stand there from the end of one to the beginning of the next."""
    gap_h = following.earliest_h - one.earliest_h - one.duration_h
    slack_min = round((one.latest_h - one.earliest_h) * 60) + 60
    later_min = round((following.latest_h - following.earliest_h) * 60) + 60
    minutes = max(1, round(gap_h * 60))
    return Task(
        f"{task.task_id} grow",
        task.job_id,
        task.owner,
        "grow",
        minutes,
        (Need(rules.incubators, amount=one.incubator_slots),),
        (After(task.task_id, at_most_min=rules.bench_min),),
        longer_min=later_min,
        shorter_min=min(slack_min, minutes - 1),
    )
