"""The tasks of people at the benches of one database, as a panel shows them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from markupsafe import Markup

from cellos_nb.execution.handwork import Handwork
from cellos_nb.hardware.bench.desk import Desk
from cellos_nb.hardware.bench.protocol import step_html

TaskKey = tuple[str, int]
"""Bench and number."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One task that waits for a person."""

    key: TaskKey
    plate_id: str
    step_uid: str
    barcode: str | None
    asked: str
    reads: bool
    """Whether it is done with a reader's file."""

    @property
    def label(self) -> str:
        """As the list shows it."""
        return f"{self.key[1]}: {self.plate_id}, {self.step_uid}"


@dataclass(frozen=True, slots=True)
class BenchShown:
    """What waits, and the page of the task in view."""

    waiting: tuple[Waiting, ...]
    chosen: Waiting | None
    page: Markup


def mark_of(work: Handwork) -> Hashable:
    """Changes whenever a task is asked or answered."""
    return tuple((name, desk.book.mark()) for name, desk in work.desks().items())


def read(work: Handwork, wanted: TaskKey | None) -> BenchShown:
    """The tasks, and the page of the one that is wanted; of the oldest when that was answered."""
    desks = work.desks()
    waiting = tuple(one for name, desk in desks.items() for one in _of(name, desk))
    chosen = next((one for one in waiting if one.key == wanted), waiting[0] if waiting else None)
    if chosen is None:
        return BenchShown(waiting, None, Markup())
    name, number = chosen.key
    page = step_html(desks[name].book.numbered(number).step, desks[name].bench)
    return BenchShown(waiting, chosen, page)


def _of(name: str, desk: Desk) -> tuple[Waiting, ...]:
    return tuple(
        Waiting(
            (name, task.number),
            task.step.plate_id,
            task.step.uid,
            desk.book.barcode_of(task.step.plate_id),
            f"{task.asked_at:%Y-%m-%d %H:%M} UTC",
            task.step.readout is not None,
        )
        for task in desk.open_tasks()
    )
