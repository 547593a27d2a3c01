"""Desk: where people read what is asked of them and answer, in any process; the bench finds the answers in the book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cellos_nb.domain.reading import Reading
from cellos_nb.errors import InputError, MachineError, MachineRefusedError, ReaderFileError
from cellos_nb.hardware.bench.account import account_of, altered_wells
from cellos_nb.hardware.bench.book import Book, Task, TaskState
from cellos_nb.hardware.bench.changes import NO_CHANGES, Changes, as_done, check_changes
from cellos_nb.hardware.bench.entries import Export
from cellos_nb.hardware.bench.exports import read_export
from cellos_nb.hardware.bench.machine import done_steps
from cellos_nb.hardware.bench.protocol import protocol_page
from cellos_nb.hardware.bench.readings import check_plate, reading_of
from cellos_nb.hardware.bench.settings import BenchFile
from cellos_nb.hardware.bench.worklists import worklist_name, write_worklist

MAX_FILE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class ReaderFile:
    """A file as a person brings it."""

    name: str
    content: bytes

    @classmethod
    def at(cls, path: Path) -> ReaderFile:
        """A file on the disk.

        Raises:
            InputError: it cannot be read, or is larger than any plate.
        """
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise InputError(f"{path}: has more than {MAX_FILE_BYTES // 10**6} MB; no plate's export is so large.")
            return cls(path.name, path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says about a task that is done."""

    person: str
    barcode: str | None = None
    note: str = ""
    changes: Changes = NO_CHANGES
    file: ReaderFile | None = None


class Desk:
    """The open tasks of one bench, and the answers to them. Every check is made before anything is recorded."""

    def __init__(self, book: Book) -> None:
        """A desk on a book that a bench has begun.

        Raises:
            MachineError: no bench was ever opened on it.
        """
        self.book = book
        text = book.configuration()
        if not text:
            raise MachineError(f"{book.path}: no bench has used this book yet. Submit a campaign to it first.")
        self.bench = BenchFile.model_validate_json(text)

    def open_tasks(self) -> tuple[Task, ...]:
        """What waits for a person, in the order asked."""
        return self.book.tasks(state=TaskState.OPEN)

    def done(self, number: int, answer: Answer) -> Task:
        """Records that a task is done, with what was done otherwise, and takes the reader's file.

        Raises:
            InputError: the plate is another one, the changes are not of this step, the file cannot be taken, or the
                task was answered before; nothing was recorded but the file, which is always kept.
        """
        task = self.book.numbered(number)
        _need_open(task)
        _need_person(answer.person)
        check_changes(task.step, answer.changes)
        if answer.file is None:
            if task.step.readout is not None:
                raise InputError(
                    f"Task {number}: step {task.step.uid} reads the plate, so it is done with the reader's file. Bring "
                    "it with --file."
                )
            barcode = self._check_barcode(task, answer.barcode)
            self._check_contents(task, answer.changes)
            reading = None
        else:
            barcode, reading = self._take_file(task, answer, answer.file)
        if barcode is not None and self.book.barcode_of(task.step.plate_id) is None:
            self.book.bind(barcode, task.step.plate_id, answer.person)
        return self.book.answer(
            *(number, TaskState.DONE), person=answer.person, note=answer.note, changes=answer.changes, reading=reading
        )

    def failed(self, number: int, *, person: str, reason: str) -> Task:
        """Records that a task could not be done, or not as it should have been.

        Raises:
            InputError: no person or reason is named, or it was answered before.
        """
        _need_person(person)
        if not reason.strip():
            raise InputError(f"Task {number}: say why it failed; whoever decides about the plate has only that.")
        return self.book.answer(
            number, TaskState.FAILED, person=person, note=reason.strip(), changes=NO_CHANGES, reading=None
        )

    def page(self, task: Task) -> str:
        """What is asked, as a page that prints."""
        return protocol_page(f"{task.step.plate_id}, task {task.number}", (task.step,), self.bench)

    def worklists(self, task: Task) -> Mapping[str, str]:
        """The worklists of a task that moves liquid, by file name, in the forms that the machine file asks for.

        Raises:
            MachineRefusedError: a form cannot say what the step asks for.
        """
        if task.step.transfers is None:
            return {}
        return {worklist_name(task.step, form): write_worklist(task.step, form) for form in self.bench.worklists}

    def altered(self, plate_id: str) -> Mapping[str, str]:
        """The wells of a plate that do not hold what was asked for, and what differs."""
        tasks = self.book.tasks(plate_id=plate_id)
        if not any(task.changes for task in tasks):
            return {}
        if any(task.state is TaskState.FAILED for task in tasks):
            # What that step left behind is not known, so nothing can be reckoned from it.
            changed = {place.rpartition(":")[2].rpartition(">")[2] for task in tasks for place in task.changes.places}
            return dict.fromkeys(sorted(changed), "done otherwise, on a plate with a failed step")
        done = [task for task in tasks if task.state is TaskState.DONE and task.step.readout is None]
        wells = {well for t in done for well in (t.step.transfers.destination_well if t.step.transfers else ())}
        planned, really = account_of(task.step for task in done), account_of(done_steps(tasks))
        return altered_wells(plate_id, sorted(wells & planned.volumes(plate_id).keys()), planned, really)

    def _take_file(self, task: Task, answer: Answer, file: ReaderFile) -> tuple[str | None, Reading]:
        """The reading in a file, and the plate's barcode where it became known; keeps the file whatever comes of it."""
        step = task.step
        try:
            if step.readout is None:
                raise InputError(f"Task {task.number}: step {step.uid} reads nothing, so it needs no file.")
            barcode = self._check_barcode(task, answer.barcode)
            export = read_export(file.name, file.content, step.readout.channels, self.bench.reader)
            barcode = self._check_file_plate(task, export, barcode)
            reading = reading_of(
                export, step, self.bench.reader, skipped=answer.changes.skipped, altered=self.altered(step.plate_id)
            )
        except InputError as error:
            kept = self.book.keep(task.token, file.name, file.content, person=answer.person, refusal=str(error))
            if isinstance(error, ReaderFileError):
                raise ReaderFileError(f"{error}\nNothing was taken; the file is kept as {kept.sha256[:12]}.") from error
            raise
        self.book.keep(task.token, file.name, file.content, person=answer.person, refusal=None)
        return barcode, reading

    def _check_file_plate(self, task: Task, export: Export, barcode: str | None) -> str | None:
        """The plate's barcode, when the file may be of this plate."""
        plate_id = task.step.plate_id
        known = self.book.barcode_of(plate_id) or barcode
        if known is None and export.barcode not in {None, plate_id}:
            # Nobody has read this plate's barcode before: the file's may be it, unless it is another plate's.
            return self._check_barcode(task, export.barcode)
        check_plate(export, plate_id, known)
        return barcode

    def _check_barcode(self, task: Task, given: str | None) -> str | None:
        """The barcode that a person read on the plate, when it may be this plate's.

        Raises:
            InputError: it is another plate's, or is missing where it is required.
        """
        plate_id, barcode = task.step.plate_id, (given or "").strip()
        known = self.book.barcode_of(plate_id)
        if not barcode:
            if self.bench.barcode == "required":
                asked = f"it should be {known}" if known else "read it from the plate"
                raise InputError(f"Task {task.number}: give the plate's barcode with --barcode; {asked}.")
            return None
        owner = self.book.plate_with(barcode)
        if plate_id in {barcode, owner}:
            return None if barcode == plate_id else barcode
        if owner is not None:
            raise InputError(
                f"Task {task.number}: wrong plate. {barcode} is the barcode of {owner}, but this step is for "
                f"{plate_id}{f' ({known})' if known else ''}."
            )
        if known is not None:
            raise InputError(
                f"Task {task.number}: wrong plate. {plate_id} has the barcode {known}, not {barcode}. Take that plate."
            )
        return barcode

    def _check_contents(self, task: Task, changes: Changes) -> None:
        """Returns when what was done otherwise can have been done."""
        if not changes or task.step.transfers is None:
            return
        try:
            account_of((*done_steps(self.book.tasks(plate_id=task.step.plate_id)), as_done(task.step, changes)))
        except MachineRefusedError as error:
            raise InputError(f"Task {task.number}: this cannot have been done. {error}") from error


def _need_open(task: Task) -> None:
    if task.state is not TaskState.OPEN:
        raise InputError(
            f"Task {task.number} ({task.step.plate_id}, step {task.step.uid}) was answered before: {task.state} by "
            f"{task.person}. Nothing was changed."
        )


def _need_person(person: str) -> None:
    if not person.strip():
        raise InputError("person: an answer needs the name of who gives it; use --person.")
