"""Handwork: the steps that people carry out at the benches of one database, and what follows from their answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from cellos_nb.domain.audit import Act
from cellos_nb.errors import InputError
from cellos_nb.execution.process import person
from cellos_nb.execution.runs import run_of_plate, write_log
from cellos_nb.execution.waiting import hurry
from cellos_nb.hardware.bench.book import SUFFIX, Book, Task
from cellos_nb.hardware.bench.desk import Answer, Desk
from cellos_nb.store.audit import note
from cellos_nb.store.store import Store


class Handwork:
    """What waits for people, and their answers: each goes into the bench's book, into the log, and wakes the run."""

    def __init__(self, store: Store, folder: Path) -> None:
        """The benches that have their books in a folder, beside the ledgers of other machines."""
        self._store, self._folder = store, folder

    def desks(self) -> Mapping[str, Desk]:
        """The benches by name; none before a campaign was given to one."""
        found = (Desk(Book(path)) for path in sorted(self._folder.glob(f"*{SUFFIX}")))
        return {desk.bench.name: desk for desk in found}

    def desk(self, name: str | None = None) -> Desk:
        """One bench; the only one there is when none is named.

        Raises:
            InputError: there is none of that name, or several and none is named.
        """
        desks = self.desks()
        if not desks:
            raise InputError(f"{self._store.where}: no bench has been used yet. Submit a campaign with a bench first.")
        if name is None and len(desks) == 1:
            return next(iter(desks.values()))
        if name is None or name not in desks:
            problem = f"there is no bench {name!r}" if name else "there are several benches; name one with --bench"
            raise InputError(f"{self._store.where}: {problem}. Possible: {', '.join(desks)}.")
        return desks[name]

    def done(self, desk: Desk, number: int, answer: Answer) -> Task:
        """Records that a task is done; its plate goes on at once where somebody executes it.

        Raises:
            InputError: as `Desk.done`; nothing was recorded but a file that was brought.
        """
        task = desk.done(number, answer)
        said = "; ".join(part for part in (task.changes.text, task.note) if part)
        self._follow(
            task, f"did step {task.step.uid}{f' ({said})' if said else ''}", Act.BENCH_DONE, is_odd=bool(task.changes)
        )
        return task

    def failed(self, desk: Desk, number: int, *, person: str, reason: str) -> Task:
        """Records that a task failed. Raises as `Desk.failed`."""
        task = desk.failed(number, person=person, reason=reason)
        self._follow(task, f"reported that step {task.step.uid} failed: {task.note}", Act.BENCH_FAILED, is_odd=True)
        return task

    def _follow(self, task: Task, what: str, act: Act, *, is_odd: bool) -> None:
        """Wakes the run and keeps what was said. The book has it already, so a crash before this loses only time."""
        run = run_of_plate(self._store, task.step.plate_id)
        with self._store.write(durable=True) as tx:
            hurry(tx, run.run_id)
            level = logging.WARNING if is_odd else logging.INFO
            write_log(tx, level, f"{run.plate_id}: {task.person} {what}", run.run_id)
            facts = {"task": task.number, "step": task.step.uid, "changes": task.changes.text}
            note(tx, act, run.plate_id, who=task.person or person(), why=task.note, facts=facts)
