"""The bench's book: which steps were handed to people, what they answered, and every file they brought.

One SQLite file. The machine writes what is asked, `cellos bench` and the panel write what was answered, each from a
process of its own and each in one transaction that is on the disk when the call returns.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cellos_nb.domain import codec
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step
from cellos_nb.errors import InputError, MachineError
from cellos_nb.hardware.bench.changes import NO_CHANGES, Changes
from cellos_nb.units import now_utc

SUFFIX = ".bench"
_APPLICATION = 0x63656C62
"""Tells the file from every other SQLite database."""
_PATIENCE_S = 30.0

_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION};
CREATE TABLE about (configuration TEXT NOT NULL);
CREATE TABLE tasks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, plate_id TEXT NOT NULL,
    step_uid TEXT NOT NULL, step TEXT NOT NULL, digest TEXT NOT NULL, asked_at TEXT NOT NULL,
    state TEXT NOT NULL, answered_at TEXT, person TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',
    changes TEXT NOT NULL DEFAULT '{{}}', reading TEXT);
CREATE INDEX tasks_of_plate ON tasks (plate_id);
CREATE INDEX tasks_by_state ON tasks (state);
CREATE TABLE barcodes (
    barcode TEXT PRIMARY KEY, plate_id TEXT NOT NULL UNIQUE, person TEXT NOT NULL, bound_at TEXT NOT NULL);
CREATE TABLE files (
    number INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    content BLOB NOT NULL, person TEXT NOT NULL, brought_at TEXT NOT NULL, refusal TEXT);
"""


class TaskState(StrEnum):
    """How far a step in a person's hands is."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """One step that a person is asked to carry out."""

    number: int
    """Short enough to type."""
    token: str
    step: Step
    digest: str
    state: TaskState
    asked_at: datetime
    answered_at: datetime | None = None
    person: str = ""
    note: str = ""
    changes: Changes = NO_CHANGES
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class BroughtFile:
    """A file that a person brought, whether it was accepted or not."""

    name: str
    sha256: str
    person: str
    brought_at: datetime
    refusal: str | None
    """Why it was not taken; None when it was."""
    token: str


class Book:
    """The file of one bench. Several processes may have it open; a connection lasts for one call."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or begins it.

        Raises:
            MachineError: it cannot be written, or is no bench's book.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(f"{path}: the bench's book cannot be written ({error.strerror}).") from error
        with self._open() as tx:
            known = tx.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if known and tx.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
                raise MachineError(f"{path}: this file is not a bench's book. Name another file.")
            if not known:
                for statement in _SCHEMA.split(";"):
                    tx.execute(statement)

    def ask(self, step: Step, token: str, digest: str) -> Task:
        """Hands a step to a person; the same token again gives what is known of it."""
        with self._open() as tx:
            tx.execute(
                "INSERT INTO tasks (token, plate_id, step_uid, step, digest, asked_at, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (token) DO NOTHING",
                (token, step.plate_id, step.uid, codec.to_json(step), digest, _now(), TaskState.OPEN),
            )
            return _task(tx.execute(f"{_TASKS} WHERE token = ?", (token,)).fetchone())

    def task(self, token: str) -> Task | None:
        """What is known of a token; None when it was never handed over."""
        with self._open() as tx:
            row = tx.execute(f"{_TASKS} WHERE token = ?", (token,)).fetchone()
        return None if row is None else _task(row)

    def numbered(self, number: int) -> Task:
        """A task by its number.

        Raises:
            InputError: there is none.
        """
        with self._open() as tx:
            row = tx.execute(f"{_TASKS} WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise InputError(f"There is no task {number} at this bench. List them with `cellos bench`.")
        return _task(row)

    def tasks(self, *, state: TaskState | None = None, plate_id: str | None = None) -> tuple[Task, ...]:
        """Tasks in the order in which they were asked."""
        query = f"{_TASKS} WHERE 1 = 1"
        given: list[str] = []
        for column, value in (("state", state), ("plate_id", plate_id)):
            if value is not None:
                query, given = f"{query} AND {column} = ?", [*given, value]
        with self._open() as tx:
            return tuple(_task(row) for row in tx.execute(f"{query} ORDER BY number", given))

    def mark(self) -> tuple[int, int]:
        """Changes whenever a task is asked or answered."""
        with self._open() as tx:
            row = tx.execute("SELECT count(*), total(state <> 'open') FROM tasks").fetchone()
        return int(row[0]), int(row[1])

    def answer(
        self, number: int, state: TaskState, *, person: str, note: str, changes: Changes, reading: Reading | None
    ) -> Task:
        """Records what became of an open task, once.

        Raises:
            InputError: it was answered before.
        """
        values = (
            *(state, _now(), person, note, _changes_text(changes)),
            *(None if reading is None else codec.to_json(reading), number),
        )
        with self._open() as tx:
            n_changed = tx.execute(
                "UPDATE tasks SET state = ?, answered_at = ?, person = ?, note = ?, changes = ?, reading = ? "
                "WHERE number = ? AND state = 'open'",
                values,
            ).rowcount
            task = _task(tx.execute(f"{_TASKS} WHERE number = ?", (number,)).fetchone())
            if n_changed == 0:
                raise InputError(
                    f"Task {number} ({task.step.plate_id}, step {task.step.uid}) was answered before: {task.state} by "
                    f"{task.person or 'the bench'}. What was done is not done twice; nothing was changed."
                )
        return task

    def barcode_of(self, plate_id: str) -> str | None:
        """The barcode on a plate; None as long as nobody has read it."""
        with self._open() as tx:
            row = tx.execute("SELECT barcode FROM barcodes WHERE plate_id = ?", (plate_id,)).fetchone()
        return None if row is None else str(row[0])

    def plate_with(self, barcode: str) -> str | None:
        """The plate that has a barcode; None when no plate of this bench has it."""
        with self._open() as tx:
            row = tx.execute("SELECT plate_id FROM barcodes WHERE barcode = ?", (barcode,)).fetchone()
        return None if row is None else str(row[0])

    def bind(self, barcode: str, plate_id: str, person: str) -> None:
        """Notes the barcode on a plate; both must be new to the book."""
        with self._open() as tx:
            tx.execute("INSERT INTO barcodes VALUES (?, ?, ?, ?)", (barcode, plate_id, person, _now()))

    def keep(self, token: str, name: str, content: bytes, *, person: str, refusal: str | None) -> BroughtFile:
        """Keeps a file, whether it was taken or refused: nothing that was measured is lost."""
        digest, now = hashlib.sha256(content).hexdigest(), _now()
        with self._open() as tx:
            tx.execute(
                "INSERT INTO files (token, name, sha256, content, person, brought_at, refusal) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (token, name, digest, content, person, now, refusal),
            )
        return BroughtFile(name, digest, person, datetime.fromisoformat(now), refusal, token)

    def files(self, token: str | None = None) -> tuple[BroughtFile, ...]:
        """The files that were brought, in order; those for one task alone when it is named."""
        query = "SELECT name, sha256, person, brought_at, refusal, token FROM files"
        given = () if token is None else (token,)
        with self._open() as tx:
            rows = tx.execute(f"{query}{'' if token is None else ' WHERE token = ?'} ORDER BY number", given).fetchall()
        return tuple(
            BroughtFile(name, digest, who, datetime.fromisoformat(at), refusal, of)
            for name, digest, who, at, refusal, of in rows
        )

    def content_of(self, sha256: str) -> bytes:
        """A file by its hash.

        Raises:
            InputError: nobody brought such a file.
        """
        with self._open() as tx:
            row = tx.execute("SELECT content FROM files WHERE sha256 = ?", (sha256,)).fetchone()
        if row is None:
            raise InputError(f"{sha256[:12]}…: nobody brought such a file to this bench.")
        return bytes(row[0])

    def describe(self, configuration: str) -> None:
        """Keeps the configuration that the machine was opened with, for who answers in another process."""
        with self._open() as tx:
            if tx.execute("SELECT configuration FROM about").fetchone() != (configuration,):
                tx.execute("DELETE FROM about")
                tx.execute("INSERT INTO about VALUES (?)", (configuration,))

    def configuration(self) -> str:
        """What `describe` kept last; empty before."""
        with self._open() as tx:
            row = tx.execute("SELECT configuration FROM about").fetchone()
        return "" if row is None else str(row[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction on a connection of its own."""
        connection = None
        try:
            connection = sqlite3.connect(self.path, timeout=_PATIENCE_S, isolation_level=None)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise MachineError(
                f"{self.path}: the bench's book cannot be used ({error}). Free space, or see who else has it open."
            ) from error
        finally:
            if connection is not None:
                connection.close()


_TASKS = "SELECT number, token, step, digest, state, asked_at, answered_at, person, note, changes, reading FROM tasks"


def _task(row: tuple[Any, ...]) -> Task:
    number, token, step, digest, state, asked_at, answered_at, person, note, changes, reading = row
    return Task(
        number=number,
        token=token,
        step=codec.from_json(Step, step),
        digest=digest,
        state=TaskState(state),
        asked_at=datetime.fromisoformat(asked_at),
        answered_at=None if answered_at is None else datetime.fromisoformat(answered_at),
        person=person,
        note=note,
        changes=_changes(changes),
        reading=None if reading is None else codec.from_json(Reading, reading),
    )


def _changes_text(changes: Changes) -> str:
    return json.dumps({"skipped": changes.skipped, "volumes_ul": dict(changes.volumes_ul)}) if changes else "{}"


def _changes(text: str) -> Changes:
    known = json.loads(text)
    return Changes(tuple(known.get("skipped", ())), known.get("volumes_ul", {}))


def _now() -> str:
    return now_utc().isoformat()
