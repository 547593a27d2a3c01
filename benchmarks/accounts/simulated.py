"""The plate on machines without hands: simulated ones, alone, in a workcell and on the host of a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accounts.by_hand import bench_of, with_a_person
from accounts.plate import VOLUMES_UL, Row, account_of, carried_out_on, compiled, wells_of, wet_steps

from cellos_nb.domain.step import StepKind
from cellos_nb.hardware.bench.book import Book
from cellos_nb.hardware.bench.desk import Desk
from cellos_nb.hardware.bench.machine import Bench
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.cluster.machine import open_cluster
from cellos_nb.hardware.replay import ReplayMachine
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.hardware.workcell.machine import Workcell
from cellos_nb.hardware.workcell.settings import WorkcellFile
from cellos_nb.workflow.estimate import count_tips
from cellos_nb.workflow.workflow import Workflow

TRANSFER_S = 0.5
SCREENED = ("G401", ("Afatinib", "Alectinib"))
"""A cell line and two compounds of the shipped screen."""


def figures(workflow: Workflow) -> tuple[int, int, float]:
    """Transfers, tips and minutes of a simulated machine."""
    steps = wet_steps(workflow)
    n_moves = sum(len(step.transfers or ()) for step in steps)
    tips = sum(count_tips(step.transfers) for step in steps if step.transfers)
    return n_moves, tips, n_moves * TRANSFER_S / 60


def virtual(workflow: Workflow) -> Row:
    """What the others are compared with."""
    low_ul, high_ul = VOLUMES_UL
    machine = VirtualMachine(min_volume_ul=low_ul, max_volume_ul=high_ul)
    found = carried_out_on(machine, wet_steps(workflow))
    return Row("virtual", found, *figures(workflow), "its wells; the others are compared with them")


def biology(workflow: Workflow) -> Row:
    """The machine with cells, of which only wells are asked here."""
    low_ul, high_ul = VOLUMES_UL
    machine = BiologicalVirtualMachine(min_volume_ul=low_ul, max_volume_ul=high_ul)
    return Row("biology", carried_out_on(machine, wet_steps(workflow)), *figures(workflow), "its wells")


def replay(n_wells: int) -> Row:
    """A plate of what the screen has: other compounds, the same doses."""
    line, compounds = SCREENED
    workflow = compiled(n_wells, line, compounds)
    low_ul, high_ul = VOLUMES_UL
    machine = ReplayMachine(min_volume_ul=low_ul, max_volume_ul=high_ul)
    steps = wet_steps(workflow)
    found, planned = carried_out_on(machine, steps), account_of(steps)
    return Row("replay", found, *figures(workflow), "its wells; with a line and compounds of its screen", planned)


def workcell(n_wells: int) -> Row:
    """A handler, and a person who carries the plate to the incubator and back."""
    file = WorkcellFile.model_validate(
        {
            "kind": "workcell",
            "name": "cell",
            "parts": {
                "handler": {"machine": "virtual", "does": ["seed", "dilute", "dose", "stain"]},
                "incubator": {"machine": "bench.yaml", "does": ["incubate"]},
                "reader": {"machine": "bench.yaml", "does": ["read"]},
                "hands": {"machine": "bench.yaml", "does": ["transport"]},
            },
        }
    )
    low_ul, high_ul = VOLUMES_UL
    handler = VirtualMachine(min_volume_ul=low_ul, max_volume_ul=high_ul)
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "bench.bench"
        bench, desk = Bench(bench_of(), Book(book)), Desk(Book(book))
        cell = Workcell(file, {"handler": handler, "incubator": bench, "reader": bench, "hands": bench})
        workflow = compiled(n_wells, places=cell.describe().places)
        before_reading = [step for step in workflow.steps if step.kind is not StepKind.READ]
        for step in before_reading:
            with_a_person(cell, desk, step)
        cell.stop()
    n_ways = sum(step.kind is StepKind.TRANSPORT for step in before_reading)
    commands, tips, minutes = figures(workflow)
    found = wells_of(handler, workflow.plate_id)
    checks = f"the handler's wells, after {n_ways} ways by hand"
    return Row("workcell, a handler and a person", found, commands + n_ways, tips, minutes, checks)


def cluster(workflow: Workflow) -> Row:
    """A virtual machine that a worker owns, in a process of its own; read from its ledger afterwards."""
    steps = wet_steps(workflow)
    with tempfile.TemporaryDirectory() as folder:
        with _process(folder, "scheduler", "--port", "0") as scheduler:
            own = ("--robot", "left", "--machine", "virtual", "--ledger", "left.ledger", "--log", "left.steps")
            with _process(folder, "worker", "--scheduler", scheduler, *own):
                robots = open_cluster(scheduler, ["left"])
                for step in steps:
                    robots.machines["left"].execute(step, step.uid)
                robots.stop()
        again = VirtualMachine(Path(folder) / "left.ledger")
        found = wells_of(again, workflow.plate_id)
        again.stop()
    return Row("cluster, a worker's robot", found, *figures(workflow), "the ledger on the robot's host")


@contextmanager
def _process(folder: str, *words: str) -> Iterator[str]:
    """A command of ours for the block; gives the address that it says."""
    command = [sys.executable, "-u", "-c", "from cellos_nb.cli import main; main()", *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if " at tcp://" in line)
            yield next(word for word in line.split() if word.startswith("tcp://"))
        finally:
            os.kill(process.pid, signal.SIGTERM)
