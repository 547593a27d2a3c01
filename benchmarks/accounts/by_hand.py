"""The plate by hand: a bench's own book, and the worklists that a person could give to a machine."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml
from accounts.plate import Row, account_of, wells_of

from cellos_nb.domain.plate import PLATE_FORMATS, row_label
from cellos_nb.domain.step import Step, StepKind, TransferList
from cellos_nb.errors import StepUnderWayError
from cellos_nb.hardware.bench.book import Book
from cellos_nb.hardware.bench.desk import Answer, Desk
from cellos_nb.hardware.bench.machine import Bench
from cellos_nb.hardware.bench.settings import BenchFile
from cellos_nb.hardware.bench.worklists import write_worklist
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.registry import template_of

FORMS = ("csv", "hamilton", "gwl", "echo")
BRIM = 1e-5


def bench_of() -> BenchFile:
    return BenchFile.model_validate(yaml.safe_load(template_of("bench")) | {"name": "bench"})


def by_hand(steps: list[Step], tips: int, moves: int) -> Iterator[Row]:
    """A person who does as asked: the bench's own book; and the worklists that they could give to a machine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.bench"
        # A template's bench pipettes the volumes that these plates were compiled for.
        bench, desk = Bench(bench_of(), Book(path)), Desk(Book(path))
        for step in steps:
            with_a_person(bench, desk, step)
        found = wells_of(bench.contents(steps[0].plate_id), steps[0].plate_id)
    minutes = moves * bench_of().seconds_per_transfer / 60
    yield Row("bench, a person", found, len(steps), tips, minutes, "the book's replay of what was reported")
    for form in FORMS:
        # An acoustic dispenser doses; it neither seeds cells nor mixes dilutions.
        written = [step for step in steps if form != "echo" or step.kind is StepKind.DOSE]
        found = account_of([read_back(step, form) if step in written else step for step in steps])
        n_lines = sum(len(write_worklist(step, form).splitlines()) for step in written)
        yield Row(f"bench, {form} worklist", found, n_lines, tips, minutes, "the file read back by its form's rules")


def with_a_person(machine: HardwareInterface, desk: Desk, step: Step) -> None:
    """Executes a step; what is asked of a person is done as asked."""
    try:
        machine.execute(step, step.uid)
    except StepUnderWayError:
        desk.done(desk.open_tasks()[0].number, Answer("ada"))


def read_back(step: Step, form: str) -> Step:
    """A step as its worklist says it, by the rules of the form."""
    text = write_worklist(step, form)
    rows = list(_gwl(step, text)) if form == "gwl" else list(_table(step, text, form))
    columns = tuple(tuple(column) for column in zip(*rows, strict=True))
    assert step.transfers is not None
    # A well that is filled to its brim must not seem to overflow by the last digit of a file.
    labware = tuple(replace(item, well_capacity_ul=item.well_capacity_ul * (1 + BRIM)) for item in step.labware)
    return replace(step, labware=labware, transfers=TransferList(*columns, tip_policy=step.transfers.tip_policy))


def _table(step: Step, text: str, form: str) -> Iterator[tuple[str, str, str, str, float]]:
    names = {
        "csv": ("source_labware", "source_well", "destination_labware", "destination_well", "volume_ul"),
        "echo": (
            *("Source Plate Barcode", "Source Well", "Destination Plate Barcode", "Destination Well"),
            "Transfer Volume",
        ),
        "hamilton": ("SourceLabwareID", "SourcePositionID", "TargetLabwareID", "TargetPositionID", "TransferVolume"),
    }[form]
    by_barcode = {item.barcode: item.name for item in step.labware}
    for row in csv.DictReader(io.StringIO(text)):
        source, source_well, target, target_well = (row[name] for name in names[:4])
        volume_ul = float(row[names[4]]) / (1e3 if form == "echo" else 1)
        if form == "echo":
            source, target = by_barcode[source], by_barcode[target]
        yield source, source_well, target, target_well, volume_ul


def _gwl(step: Step, text: str) -> Iterator[tuple[str, str, str, str, float]]:
    source = ("", "")
    for line in text.splitlines():
        verb, *fields = line.split(";")
        if verb in {"A", "D"}:
            n_rows = PLATE_FORMATS[step.labware_named(fields[0]).n_wells].n_rows
            column, row = divmod(int(fields[3]) - 1, n_rows)
            place = fields[0], f"{row_label(row)}{column + 1}"
            if verb == "D":
                yield (*source, *place, float(fields[5]))
            source = place
