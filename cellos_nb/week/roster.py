"""The roster: what the calendar gives to whom, and what is really in use; it says of each step whether it is time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cellos_nb.operations.calendar.load import task_id_of
from cellos_nb.operations.calendar.resources import Resource
from cellos_nb.operations.calendar.schedule import Placement, Schedule, bookings_of
from cellos_nb.operations.calendar.tasks import Task
from cellos_nb.week.clock import Clock


@dataclass(slots=True)
class Roster:
    """Follows a schedule, and never gives away what is in use."""

    clock: Clock
    schedule: Schedule | None = None
    begun: dict[str, Placement] = field(default_factory=dict)
    """What was really done or is under way, by task; of what is under way the end is expected."""
    under_way: set[str] = field(default_factory=set)
    attempts: list[tuple[Task, Placement]] = field(default_factory=list)
    """What was begun and is to be done again: refused or failed."""

    def follow(self, schedule: Schedule) -> None:
        """Follows another schedule from now on, and wakes whoever waits at its times."""
        self.schedule = schedule
        for placed in schedule.placements:
            if placed.task_id not in self.begun:
                self.clock.wake_at(placed.start)

    def is_time(self, plate_id: str, step_uid: str) -> bool:
        """Whether a step begins now: its time has come, and all that it needs is there and free. Then it is taken."""
        return self.begin(task_id_of(plate_id, step_uid))

    def is_due(self, task_id: str) -> bool:
        """Whether the schedule has a task begin now, or had it begin before."""
        placed = self.schedule.placed.get(task_id) if self.schedule else None
        if self.schedule is None or placed is None:
            return False
        # A plate goes into its incubator as soon as the step before is over.
        before = [after.task_id for after in self.schedule.task[task_id].after]
        is_put_away = self.schedule.task[task_id].is_elastic and all(
            name in self.begun and name not in self.under_way for name in before
        )
        return placed.start <= self.clock() or is_put_away

    def begin(self, task_id: str) -> bool:
        """Takes what a task needs, if it is due and that is free; False otherwise."""
        if self.schedule is None or not self.is_due(task_id):
            return False
        task, placed, now = self.schedule.task[task_id], self.schedule.placed[task_id], self.clock()
        expected = Placement(task_id, now, now + timedelta(minutes=task.minutes), placed.resources)
        # The incubation that this ends gives its place back in the same moment.
        ended = self._ended_by(task)
        for booking in bookings_of(task, expected):
            resource = self.schedule.resource[booking.resource]
            if not _is_open(resource, now, booking.end):
                return False
            if self._in_use(resource, now, without=ended) + booking.amount > resource.capacity:
                return False
        for name in ended:
            self.end(name)
        self.begun[task_id] = expected
        self.under_way.add(task_id)
        return True

    def end(self, task_id: str) -> None:
        """Notes that a task is over."""
        if task_id in self.under_way:
            self.under_way.discard(task_id)
            self.begun[task_id] = replace(self.begun[task_id], end=self.clock())

    def take_back(self, task_id: str) -> None:
        """Notes that a task came to nothing and is to be planned again."""
        self.end(task_id)
        if self.schedule is not None and task_id in self.begun:
            self.attempts.append((self.schedule.task[task_id], self.begun.pop(task_id)))

    def attempts_at(self, task_id: str) -> list[Placement]:
        """What was begun of a task and came to nothing."""
        return [placed for task, placed in self.attempts if task.task_id == task_id]

    def end_of(self, task_id: str, number: int) -> datetime:
        """When an attempt at a task, counted from 1, was over."""
        before = self.attempts_at(task_id)
        return before[number - 1].end if number <= len(before) else self.begun[task_id].end

    def drop(self, task_ids: Sequence[str]) -> None:
        """Frees what a plate that was thrown away has in use."""
        for task_id in task_ids:
            self.end(task_id)

    def expect(self, now: datetime) -> dict[str, Placement]:
        """What was begun, as a scheduler is told of it: nothing that is under way is over yet."""
        return {
            name: replace(one, end=max(one.end, now)) if name in self.under_way else one
            for name, one in self.begun.items()
        }

    def busy_until(self, name: str) -> datetime:
        """Until when a person has something in their hands; now for who has not, and for machines."""
        ends = [self.clock()]
        for task_id in self.under_way:
            task = self.schedule.task.get(task_id) if self.schedule is not None else None
            if task is None:
                continue
            for need, booking in zip(task.needs, bookings_of(task, self.begun[task_id]), strict=False):
                if booking.resource == name and need.minutes is not None:
                    ends.append(booking.end)
        return max(ends)

    def _ended_by(self, task: Task) -> tuple[str, ...]:
        """The incubations that end when a task begins."""
        return tuple(after.task_id for after in task.after if after.task_id in self.under_way)

    def _in_use(self, resource: Resource, now: datetime, *, without: Sequence[str]) -> int:
        if self.schedule is None:
            return 0
        used = 0
        for name in self.under_way.difference(without):
            task, placed = self.schedule.task.get(name), self.begun[name]
            if task is None:
                continue
            # An incubation goes on for as long as nothing ended it; a person is free again after their minutes.
            placed = replace(placed, end=max(placed.end, now + timedelta(minutes=1)))
            bookings = (one for one in bookings_of(task, placed) if one.resource == resource.name)
            used += sum(one.amount for one in bookings if one.start <= now < one.end)
        return used


def _is_open(resource: Resource, start: datetime, end: datetime) -> bool:
    return any(span.start <= start and end <= span.end for span in resource.open_spans(start, end))
