"""What a database says is queued, running and done, beside a plan; and what happened, where there is no plan."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select

from cellos_nb.operations.calendar.load import task_id_of
from cellos_nb.operations.calendar.resources import Resource, ResourceKind
from cellos_nb.operations.calendar.schedule import Placement, Schedule
from cellos_nb.operations.calendar.tasks import Need, Task
from cellos_nb.store.schema import actions, iterations, runs, steps
from cellos_nb.store.store import Store

LATE_MIN = 5
"""Minutes after its planned time from which a step counts as late."""
_OVER = ("succeeded", "cancelled", "dead_letter")
_HELD = ("in_doubt", "paused")


class State(StrEnum):
    """Where a task stands."""

    DONE = "done"
    RUNNING = "running"
    QUEUED = "queued"
    """Its plate is in the queue or under way, and this step has not begun."""
    HELD = "held"
    """Its plate waits for a person."""
    GIVEN_UP = "given up"
    NOT_SUBMITTED = "not submitted"


@dataclass(frozen=True, slots=True)
class Standing:
    """One task of a plan, and where it stands."""

    task_id: str
    state: State
    late_min: float
    """How much later than planned it began, ended or still has not; 0 when it is in time."""

    @property
    def is_late(self) -> bool:
        """Whether a person should know."""
        return self.late_min > LATE_MIN

    def __str__(self) -> str:
        return f"{self.state}, {_in_words(self.late_min)} late" if self.is_late else self.state.value


@dataclass(frozen=True, slots=True)
class _Seen:
    status: str
    start: datetime
    end: datetime | None
    machine: str


def live_mark(store: Store) -> Hashable:
    """Changes whenever a step begins or ends, or a run changes its status; costs a few rows."""
    with store.read() as tx:
        journal = tx.execute(select(func.count(), func.max(steps.c.started_at), func.max(steps.c.finished_at))).one()
        queue = tx.execute(select(actions.c.status, func.count()).group_by(actions.c.status)).all()
    return tuple(journal), tuple(sorted(map(tuple, queue)))


def standings(schedule: Schedule, store: Store, now: datetime) -> tuple[Standing, ...]:
    """Where each task of a plan stands, in the order of the plan.

    Of a plate that hangs, the step that it hangs at is late; those after it wait for that one.
    """
    seen, plates = _seen(store), _plates(store)
    hanging: set[str] = set()
    found = []
    for placed in schedule.placements:
        job = schedule.task[placed.task_id].job_id
        one = _standing(placed, seen.get(placed.task_id), plates.get(job), now)
        if job in hanging and one.state is not State.DONE:
            one = replace(one, late_min=0.0)
        elif one.is_late and one.state is not State.DONE:
            hanging.add(job)
        found.append(one)
    return tuple(found)


def unplanned(schedule: Schedule, store: Store) -> tuple[str, ...]:
    """Plates that are queued or under way and are in no plan: others share the machines."""
    planned = {task.job_id for task in schedule.tasks}
    return tuple(plate for plate, status in _plates(store).items() if plate not in planned and status not in _OVER)


def schedule_of_store(store: Store, now: datetime) -> Schedule:
    """What a database says was done and is being done, by machine, as a schedule that nobody made."""
    owners, found, machines = _owners(store), [], set()
    for task_id, one in _seen(store).items():
        plate, _, uid = task_id.rpartition(":")
        # A step that takes no time is shown for a moment all the same.
        end = max(one.end or now, one.start + timedelta(seconds=1))
        machines.add(one.machine)
        minutes = round((end - one.start).total_seconds() / 60)
        owner = owners.get(plate) or "outside campaigns"
        task = Task(task_id, plate, owner, uid.partition("-")[2] or uid, minutes, (Need((one.machine,)),))
        found.append((task, Placement(task_id, one.start, end, (one.machine,))))
    begins = min((placed.start for _, placed in found), default=now)
    # How many plates a machine has at once is its own affair; nothing is over-booked by what happened.
    resources = tuple(Resource(name, ResourceKind.LIQUID_HANDLER, len(found) or 1) for name in sorted(machines))
    tasks = tuple(task for task, _ in found)
    ends = max((placed.end for _, placed in found), default=now + timedelta(hours=1))
    return Schedule(begins, ends, resources, tasks, tuple(placed for _, placed in found), "what happened")


def _standing(placed: Placement, seen: _Seen | None, plate: str | None, now: datetime) -> Standing:
    if seen is not None and seen.status == "done":
        return Standing(placed.task_id, State.DONE, _late(placed.start, seen.start))
    if seen is not None and seen.status == "started":
        over = _late(placed.end, now)
        return Standing(placed.task_id, State.RUNNING, max(over, _late(placed.start, seen.start)))
    late = _late(placed.start, now)
    if plate is None:
        return Standing(placed.task_id, State.NOT_SUBMITTED, late)
    if plate in _HELD:
        return Standing(placed.task_id, State.HELD, late)
    if plate in _OVER:
        return Standing(placed.task_id, State.GIVEN_UP, 0.0)
    return Standing(placed.task_id, State.QUEUED, late)


def _in_words(minutes: float) -> str:
    """A delay for people.

    >>> _in_words(45), _in_words(300), _in_words(20_000)
    ('45 min', '5 h', '14 days')
    """
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 2 * 24 * 60 else f"{minutes / 1440:.0f} days"


def _late(planned: datetime, real: datetime) -> float:
    return max(0.0, (real - planned).total_seconds() / 60)


def _seen(store: Store) -> dict[str, _Seen]:
    """The last attempt at each step."""
    query = (
        select(runs.c.plate_id, steps.c.step_uid, steps.c.status, steps.c.started_at, steps.c.finished_at)
        .add_columns(steps.c.machine)
        .join(runs, runs.c.run_id == steps.c.run_id)
        .order_by(steps.c.started_at, steps.c.attempt)
    )
    with store.read() as tx:
        return {
            task_id_of(plate, uid): _Seen(status, start, end, machine)
            for plate, uid, status, start, end, machine in tx.execute(query)
        }


def _plates(store: Store) -> dict[str, str]:
    query = select(runs.c.plate_id, actions.c.status).join(actions, actions.c.action_id == runs.c.run_id)
    with store.read() as tx:
        return {plate: str(status) for plate, status in tx.execute(query)}


def _owners(store: Store) -> dict[str, str | None]:
    query = select(runs.c.plate_id, iterations.c.campaign_id).join(
        iterations, iterations.c.batch_id == runs.c.batch_id, isouter=True
    )
    with store.read() as tx:
        return {plate: owner for plate, owner in tx.execute(query)}  # noqa: C416 — rows are no pairs to mypy
