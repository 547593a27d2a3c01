"""Bench: a person as the machine. A step is handed over, and is over when the person says so, days later perhaps."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path

from cellos_nb.domain import codec
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import MachineRefusedError, StepFailedError, StepUnderWayError
from cellos_nb.hardware.bench.account import account_of
from cellos_nb.hardware.bench.book import SUFFIX, Book, Task, TaskState
from cellos_nb.hardware.bench.changes import NO_CHANGES, as_done
from cellos_nb.hardware.bench.settings import BenchFile
from cellos_nb.hardware.checks import check_shape
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.units import format_volume

NOBODY = "the clock"
"""Who does an incubation."""
MAX_ACCOUNTS = 64
"""Plates whose contents are kept in mind; others are replayed from the book."""


class Bench:
    """A bench with a person at it, through its book.

    execute ──► open: the person reads it ──► done, with what they did otherwise ──► reconcile gives the reading
                                        └───► failed, with the reason
    An incubation is nobody's work: it is done at once, and its hours are waited for by who executes the plate.
    """

    def __init__(self, settings: BenchFile, book: Book | None = None) -> None:
        """A bench; without a book it describes and checks, and executes nothing."""
        self._settings, self._book = settings, book
        self._accounts: OrderedDict[str, tuple[int, VirtualMachine]] = OrderedDict()
        self._knows_wells = True
        if book is not None:
            book.describe(settings.model_dump_json())

    def describe(self) -> Capabilities:
        """What can be done here."""
        return self._settings.capabilities

    def share_plates(self) -> None:
        """Has it reckon with others that fill its plates: what stands in their wells is not known here from now on."""
        self._knows_wells = False

    def preflight(self, step: Step) -> None:
        """Checks a step against the pipettes, the stocks, and what stands in the wells after what was done so far.

        Raises:
            MachineRefusedError: the step cannot be carried out; says what to change.
        """
        check_shape(step, self._settings.capabilities)
        self._check_pipettes(step)
        self._check_stocks(step)
        tasks = self._book.tasks(plate_id=step.plate_id) if self._book is not None else ()
        has_gap = any(task.state is TaskState.FAILED for task in tasks)
        is_altered = any(task.changes for task in tasks) and not step.kind.moves_liquid
        if self._knows_wells and not (has_gap or is_altered):  # nobody knows what a failed step left behind
            self._account(step.plate_id, tasks).preflight(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        """Hands a step to the person, once for each token, and does not wait for them.

        Raises:
            MachineRefusedError: the step cannot be carried out; nobody was asked.
            StepUnderWayError: it is in the person's hands.
            StepFailedError: the person reported that it failed.
        """
        book = self._need_book(step)
        digest = hashlib.blake2b(codec.to_json(step).encode(), digest_size=16).hexdigest()
        task = book.task(token)
        if task is None:
            self.preflight(step)
            task = book.ask(step, token, digest)
        if task.digest != digest:
            raise MachineRefusedError(
                f"Step {step.uid}: the token {token} was used for another step. Give each step its own token."
            )
        if task.state is TaskState.OPEN and step.kind is StepKind.INCUBATE:
            task = book.answer(task.number, TaskState.DONE, person=NOBODY, note="", changes=NO_CHANGES, reading=None)
        if task.state is TaskState.FAILED:
            raise StepFailedError(_failure(task))
        if task.state is TaskState.OPEN:
            raise StepUnderWayError(self._whose(task))
        return task.reading

    def reconcile(self, token: str) -> Outcome:
        """What the book knows of a step."""
        task = self._book.task(token) if self._book is not None else None
        if task is None:
            return Outcome(OutcomeState.NEVER_STARTED, detail="nobody was asked")
        match task.state:
            case TaskState.OPEN if task.step.kind is StepKind.INCUBATE:
                return Outcome(OutcomeState.NEVER_STARTED, detail="not begun")
            case TaskState.OPEN:
                return Outcome(OutcomeState.RUNNING, detail=self._whose(task))
            case TaskState.FAILED:
                return Outcome(OutcomeState.FAILED, detail=_failure(task))
            case TaskState.DONE:
                return Outcome(OutcomeState.DONE, task.reading, f"done by {task.person}")

    def stop(self) -> None:
        """Forgets nothing: the book is on the disk. May be called twice."""
        self._accounts.clear()

    def contents(self, plate_id: str) -> VirtualMachine:
        """The bench's own account of a plate: what its wells hold after what was done."""
        book = self._book
        return self._account(plate_id, book.tasks(plate_id=plate_id) if book is not None else ())

    def _account(self, plate_id: str, tasks: tuple[Task, ...]) -> VirtualMachine:
        done = done_steps(tasks)
        known = self._accounts.get(plate_id)
        if known is None or known[0] != len(done):
            known = len(done), account_of(done)
            self._accounts[plate_id] = known
            if len(self._accounts) > MAX_ACCOUNTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(plate_id)
        return known[1]

    def _check_pipettes(self, step: Step) -> None:
        for transfer in step.transfers or ():
            if self._settings.pipette_for(transfer.volume_ul) is None:
                ranges = ", ".join(f"{p.name} {p.min_ul:g} to {p.max_ul:g} µL" for p in self._settings.pipettes)
                raise MachineRefusedError(
                    f"Step {step.uid}, {transfer.destination_labware} {transfer.destination_well}: "
                    f"{format_volume(transfer.volume_ul)} is asked for, but {self._settings.name} has {ranges}. Add a "
                    "pipette for it to the machine file, or change the dose or the stock."
                )

    def _check_stocks(self, step: Step) -> None:
        for fill in step.fills:
            compound = fill.liquid.compound
            known = self._settings.stocks.get(compound) if compound is not None else None
            if known is None or known.stock_mm is None or fill.labware.partition("-")[0] != "stocks":
                continue
            asked_mm = fill.liquid.concentration_um / 1e3
            if abs(asked_mm - known.stock_mm) > 1e-6 * known.stock_mm:
                raise MachineRefusedError(
                    f"Step {step.uid}, {fill.labware} {fill.well}: the workflow reckons with {compound} of "
                    f"{asked_mm:g} mM, but {self._settings.name} has it at {known.stock_mm:g} mM. Set the campaign's "
                    "stock_mm, or correct the machine file."
                )

    def _whose(self, task: Task) -> str:
        return f"step {task.step.uid} is with a person: task {task.number} of {self._settings.name}, see `cellos bench`"

    def _need_book(self, step: Step) -> Book:
        if self._book is None:
            raise MachineRefusedError(
                f"Step {step.uid}: {self._settings.name} was opened to be looked at, without a book. Open it through a "
                "lab's database."
            )
        return self._book


def done_steps(tasks: tuple[Task, ...]) -> tuple[Step, ...]:
    """The steps that changed what stands in the wells, as they were done, in their order."""
    reads = {StepKind.READ, StepKind.IMAGE}
    over = (task for task in tasks if task.state is TaskState.DONE and task.step.kind not in reads)
    return tuple(as_done(task.step, task.changes) for task in over)


def _failure(task: Task) -> str:
    return f"{task.person} reported that step {task.step.uid} failed: {task.note}"


def open_bench(settings: BenchFile, ledger: Path | None) -> Bench:
    """A bench with its book beside the ledgers of other machines; without one it can be described alone.

    Raises:
        MachineError: the book cannot be used.
    """
    return Bench(settings, None if ledger is None else Book(ledger.with_suffix(SUFFIX)))
