"""What really happened in a week, read from the journal, as a schedule in which conflicts can be looked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from cellos_nb.operations.calendar.load import task_id_of
from cellos_nb.operations.calendar.schedule import Placement, Schedule
from cellos_nb.operations.calendar.tasks import Task
from cellos_nb.store.schema import runs, steps
from cellos_nb.store.store import Store
from cellos_nb.week.run import WeekRun


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a step, as the journal has it."""

    task_id: str
    number: int
    machine: str
    start: datetime
    end: datetime
    status: str


def attempts(store: Store) -> tuple[Attempt, ...]:
    """Every attempt at every step, in order of time."""
    query = (
        select(runs.c.plate_id, steps.c.step_uid, steps.c.attempt, steps.c.machine)
        .add_columns(steps.c.started_at, steps.c.finished_at, steps.c.status)
        .join(runs, runs.c.run_id == steps.c.run_id)
        .order_by(steps.c.started_at, steps.c.token)
    )
    with store.read() as tx:
        return tuple(
            Attempt(task_id_of(plate, uid), n, machine, start, end or start, status)
            for plate, uid, n, machine, start, end, status in tx.execute(query)
        )


def what_happened(run: WeekRun) -> Schedule:
    """The week as it was: plates from the journal, their people and places, and the cell banks, from the roster."""
    tasks = {task.task_id: task for task in run.work.tasks(run.roster.begun, with_forecast=False)}
    found: dict[str, tuple[Task, Placement]] = {}
    for one in attempts(run.lab.store):
        task = tasks[one.task_id]
        taken = _resources(run, one)
        if taken is None:
            continue
        name = one.task_id if one.number == 1 else f"{one.task_id} attempt {one.number}"
        # Of one that a person decided about the journal has the time of the decision.
        end = one.end if one.status == "done" else run.roster.end_of(one.task_id, one.number)
        placed = Placement(name, one.start, end, taken)
        found[name] = replace(task, task_id=name), placed
    for task in run.work.banks:
        if task.task_id in run.roster.begun:
            found[task.task_id] = task, run.roster.begun[task.task_id]
    _end_incubations(run, found)
    every = tuple(sorted((placed for _, placed in found.values()), key=lambda placed: (placed.start, placed.task_id)))
    known = tuple(_as_it_was(run, task, placed, found) for task, placed in found.values())
    resources = run.resources()
    return Schedule(run.config.starts_at, run.config.ends_at, resources, known, every, "what happened")


def _resources(run: WeekRun, one: Attempt) -> tuple[str, ...] | None:
    """What an attempt used: the robot by the journal, people and places by the roster. None of one that was refused."""
    placed = run.roster.begun.get(one.task_id)
    before = run.roster.attempts_at(one.task_id)
    taken = before[one.number - 1] if one.number <= len(before) else placed
    if taken is None or one.status == "refused":
        return None
    robots = {handler.name for handler in run.config.handlers}
    return tuple(one.machine if name in robots else name for name in taken.resources)


def _end_incubations(run: WeekRun, found: dict[str, tuple[Task, Placement]]) -> None:
    """An incubation lasted until the plate was taken out."""
    for task, placed in tuple(found.values()):
        for after in task.after:
            if after.at_most_min == 0 and after.task_id in found and found[after.task_id][0].is_elastic:
                before, was = found[after.task_id]
                found[after.task_id] = before, replace(was, end=placed.start)
    for plate in run.work.plates.values():
        last = next((one for one in reversed(plate.tasks) if one.task_id in found), None)
        if plate.is_gone and last is not None and last.is_elastic:
            task, placed = found[last.task_id]
            found[last.task_id] = task, replace(placed, end=run.roster.begun[last.task_id].end)


def _as_it_was(run: WeekRun, task: Task, placed: Placement, found: dict[str, tuple[Task, Placement]]) -> Task:
    """A task with links to what happened alone; one that was cut short is not asked to have lasted."""
    links = tuple(after for after in task.after if after.task_id in found)
    plate = run.work.plates.get(task.job_id)
    if plate is None or not plate.is_gone:
        return replace(task, after=links)
    lasted = int((placed.end - placed.start).total_seconds() // 60)
    return replace(task, after=links, minutes=min(task.minutes, lasted))
