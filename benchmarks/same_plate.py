"""One dose plate on every machine kind: wells, volumes and doses by each machine's own account.

    uv run python benchmarks/same_plate.py [--plates 96 384]

after `cellos hardware install opentrons`. Every well of the plate is in use; it is compiled once, for pipettes from
5 to 300 µL, which all of these machines have. The accounts: the virtual machine's wells; a bench's book, and its
worklists read back by the rules of each form; the volume trackers of PyLabRobot's stand-in of a Hamilton STAR; and the
commands that a simulated OT-2 and Flex say they carried out, as their driver has copied them. Printed as the table of
docs/how-to/machines.md; a difference above 0.1 % ends with exit code 1.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from cellos_nb.domain.plate import PLATE_FORMATS, row_label
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan
from cellos_nb.domain.step import Step, StepKind, TransferList
from cellos_nb.errors import StepUnderWayError
from cellos_nb.hardware.bench.book import Book
from cellos_nb.hardware.bench.desk import Answer, Desk
from cellos_nb.hardware.bench.machine import Bench
from cellos_nb.hardware.bench.settings import BenchFile
from cellos_nb.hardware.bench.worklists import write_worklist
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.deck import Deck, physical
from cellos_nb.hardware.opentrons.machine import OpentronsMachine
from cellos_nb.hardware.opentrons.progress import account_of as commands_of
from cellos_nb.hardware.opentrons.proof import MANIFEST, prove_steps, write_steps
from cellos_nb.hardware.opentrons.readback import Pipetted, read_analysis
from cellos_nb.hardware.opentrons.run_log import RunLog
from cellos_nb.hardware.opentrons.settings import OpentronsSettings
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
from cellos_nb.hardware.opentrons.simulated.server import RobotServer
from cellos_nb.hardware.opentrons.worker import OpentronsWorker
from cellos_nb.hardware.pylabrobot.hamilton import Hamilton
from cellos_nb.hardware.pylabrobot.machine import InstrumentLine
from cellos_nb.hardware.pylabrobot.settings import PyLabRobotFile
from cellos_nb.hardware.registry import template_of
from cellos_nb.hardware.transfers import VolumeLimits, simulate
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.estimate import count_tips
from cellos_nb.workflow.workflow import Workflow

TOLERANCE_PERCENT = 0.1
COMPOUNDS = ("staurosporine", "doxorubicin")
FULL = {96: (8, 5, 16), 384: (16, 11, 32)}
"""Doses of each compound, wells of each dose, vehicle wells: together all wells."""
ROBOTS = (
    OpentronsSettings(
        name="OT-2, p20 + p300", robot="OT-2", left="p20_single_gen2", right="p300_single_gen2", deck_check="none"
    ),
    OpentronsSettings(
        name="OT-2, p20 + 8 × p300", robot="OT-2", left="p20_single_gen2", right="p300_multi_gen2", deck_check="none"
    ),
    OpentronsSettings(
        name="Flex, p50 + p1000", robot="Flex", left="flex_1channel_50", right="flex_1channel_1000", deck_check="none"
    ),
    OpentronsSettings(
        name="Flex, p1000 + 8 × p1000",
        robot="Flex",
        left="flex_1channel_1000",
        right="flex_8channel_1000",
        deck_check="none",
    ),
)
FORMS = ("csv", "hamilton", "gwl", "echo")
BRIM = 1e-5

Account = dict[str, tuple[float, dict[str, float]]]
"""By well: µL, and µM of each compound."""


@dataclass(frozen=True)
class Row:
    """One machine's plate."""

    machine: str
    account: Account
    commands: int
    tips: int
    minutes: float
    checks: str


def bench_of() -> BenchFile:
    return BenchFile.model_validate(yaml.safe_load(template_of("bench")) | {"name": "bench"})


def line_of() -> PyLabRobotFile:
    content = yaml.safe_load(template_of("pylabrobot"))
    handler = content["liquid_handler"]
    tips, plates, more = handler["carriers"]
    tips["holds"] = ["hamilton_96_tiprack_50uL"] * 3 + ["hamilton_96_tiprack_300uL"] * 2
    spare = [{"rails": rails, "type": tips["type"], "holds": tips["holds"]} for rails in (23, 29)]
    handler |= {"deck": "STAR", "carriers": [tips, plates, more, *spare]}
    handler["labware"]["plate"] = ["cor_96_wellplate_360uL_Fb", "biorad_384_wellplate_50uL_Vb"]
    handler["labware"]["vehicle"] = handler["labware"]["vehicle"] + ["cor_cos_6_wellplate_16800uL_Fb"]
    handler["limits"] = {"min_volume_ul": 1, "max_volume_ul": 300}
    return PyLabRobotFile.model_validate({"kind": "pylabrobot", "name": "star", "liquid_handler": handler})


def compiled(n_wells: int) -> Workflow:
    """Two compounds in two-fold dilution from 10 µM, every well in use."""
    n_doses, n_replicates, n_vehicle = FULL[n_wells]
    plan = PlatePlan(
        n_wells=n_wells,
        replicates=n_replicates,
        controls=ControlSettings(vehicle=n_vehicle),
        outer_wells="use",
        stocks=tuple(CompoundStock(name=name, stock_mm=10.0) for name in COMPOUNDS),
        max_solvent_percent=0.5,
        assay=AssaySettings(),
    )
    doses = [float(f"{10 * 2.0**-k:.4g}") for k in range(n_doses)]
    asked = [
        ExperimentProposal("U2OS", compound, dose, "viability", f"{compound}{number}")
        for compound in COMPOUNDS
        for number, dose in enumerate(doses)
    ]
    can = replace(VirtualMachine(min_volume_ul=5.0, max_volume_ul=300.0).describe(), step_kinds=tuple(StepKind))
    (workflow,) = compile_plates(asked, plan, can, batch_id=f"same-{n_wells}", seed=1)
    return workflow


def account_of(steps: list[Step]) -> Account:
    machine = VirtualMachine(min_volume_ul=1e-4, max_volume_ul=1e6)
    for number, step in enumerate(steps):
        machine.execute(step, str(number))
    return wells_of(machine, steps[0].plate_id)


def wells_of(machine: VirtualMachine, plate_id: str) -> Account:
    wells = [well for well, volume in machine.volumes(plate_id).items() if volume > 0]
    held = {well: machine.contents(plate_id, well) for well in wells}
    return {well: (one.volume_ul, dict(one.dose_um)) for well, one in held.items()}


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


def largest_difference(planned: Account, found: Account) -> float:
    """In percent, over volumes and doses of all wells; the wells and their compounds are the same."""
    assert planned.keys() == found.keys()
    worst = 0.0
    for well, (volume, doses) in planned.items():
        other, others = found[well]
        assert doses.keys() == others.keys(), well
        pairs = [(volume, other), *((doses[name], others[name]) for name in doses)]
        worst = max(worst, *(abs(b - a) / a * 100 for a, b in pairs))
    return worst


def by_hand(steps: list[Step], tips: int, moves: int) -> Iterator[Row]:
    """A person who does as asked: the bench's own book; and the worklists that they could give to a machine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.bench"
        # A template's bench pipettes the volumes that these plates were compiled for.
        bench, desk = Bench(bench_of(), Book(path)), Desk(Book(path))
        for step in steps:
            try:
                bench.execute(step, step.uid)
            except StepUnderWayError:
                desk.done(desk.open_tasks()[0].number, Answer("ada"))
        found = wells_of(bench.contents(steps[0].plate_id), steps[0].plate_id)
    minutes = moves * bench_of().seconds_per_transfer / 60
    yield Row("bench, a person", found, len(steps), tips, minutes, "the book's replay of what was reported")
    for form in FORMS:
        # An acoustic dispenser doses; it neither seeds cells nor mixes dilutions.
        written = [step for step in steps if form != "echo" or step.kind is StepKind.DOSE]
        found = account_of([read_back(step, form) if step in written else step for step in steps])
        n_lines = sum(len(write_worklist(step, form).splitlines()) for step in written)
        yield Row(f"bench, {form} worklist", found, n_lines, tips, minutes, "the file read back by its form's rules")


def hamilton(steps: list[Step]) -> Row:
    """The plate on PyLabRobot's stand-in: volumes by its trackers, commands and tips as it was told."""
    told: dict[str, int] = defaultdict(int)
    tracked: dict[str, float] = {}
    run = Hamilton.commands

    def watched(self):
        for command in run(self):
            told["commands"] += 1
            told["tips"] += command.text.startswith("pick up")
            yield command
        if "plate" in self._labware:
            tracked.update(self.volumes("plate"))

    with tempfile.TemporaryDirectory() as folder:
        line = InstrumentLine(line_of(), Path(folder) / "star.ledger")
        Hamilton.commands = watched  # type: ignore[method-assign]
        try:
            for step in steps:
                line.execute(step, step.uid)
        finally:
            Hamilton.commands = run  # type: ignore[method-assign]
            line.stop()
        own = {well: line.account.contents(steps[0].plate_id, well) for well, ul in tracked.items() if ul > 0}
    account = {well: (tracked[well], dict(held.dose_um)) for well, held in own.items()}
    minutes = sum(len(step.transfers or ()) for step in steps) * 12.0 / 60
    # Each step was rehearsed once before it was executed.
    commands, tips = told["commands"] // 2, told["tips"] // 2
    return Row("Hamilton STAR (stand-in)", account, commands, tips, minutes, "PyLabRobot's tip and volume trackers")


def opentrons(robot: OpentronsSettings, workflow: Workflow, worker: OpentronsWorker) -> Row:
    """The plate on a simulated robot behind its HTTP API, by the commands that the driver has copied from it."""
    files = {file.name: file.content for file in prove_steps(workflow.steps, workflow.sha256, robot, worker).files}
    proofs = json.loads(files[MANIFEST])["steps"]
    decks = {written.step.uid: written.deck for written in write_steps(workflow.steps, workflow.sha256, robot)}
    account: dict[str, Contents] = {}
    n_commands = n_tips = 0
    for step, pipetted in carried_out(robot, workflow, files, worker):
        as_done = replace(step, transfers=transfers_of(step, decks[step.uid], pipetted))
        account |= simulate(as_done, account, VolumeLimits(1e-4, 1e5))
        n_commands, n_tips = n_commands + pipetted.n_commands, n_tips + pipetted.n_tips
    held = account[workflow.plate_id]
    wells = {well: held.well(well) for well in held.wells}
    found = {well: (one.volume_ul, dict(one.dose_um)) for well, one in wells.items() if one.volume_ul > 0}
    minutes = sum(proof["duration_s"] for proof in proofs) / 60
    return Row(
        robot.name,
        found,
        n_commands,
        n_tips,
        minutes,
        "analysis here and on the robot equal, key by key; its commands by the driver's copy",
    )


def carried_out(
    robot: OpentronsSettings, workflow: Workflow, files: dict[str, bytes], worker: OpentronsWorker
) -> Iterator[tuple[Step, Pipetted]]:
    """Every wet step with the robot's account of it, as the driver has kept it."""
    wet = [step for step in workflow.steps if step.transfers is not None]
    with (
        RobotServer(SimulatedRobot(robot, worker.analyse_alone)) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        log = Path(folder) / "robot.log"
        machine = OpentronsMachine(robot.model_copy(update={"address": server.address, "poll_s": 0.5}), log)
        machine.load(workflow.steps, workflow.sha256, files)
        for step in wet:
            machine.execute(step, step.uid)
        machine.stop()
        with closing(RunLog(log)) as kept:
            for step in wet:
                entry = kept.entry(step.uid)
                assert entry is not None
                with closing(kept.commands(entry.run_id)) as archive:
                    commands = commands_of(archive.commands, kept.analysis(entry.protocol_id))
                yield step, read_analysis({"commands": commands})


def transfers_of(step: Step, deck: Deck, pipetted: Pipetted) -> TransferList:
    """What a robot did, by the workflow's names of wells."""
    moves = step.transfers
    assert moves is not None
    sources = zip(moves.source_labware, moves.source_well, strict=True)
    places = {*sources, *zip(moves.destination_labware, moves.destination_well, strict=True)}
    names = {physical(deck, place): place for place in places}
    rows = [(*names[source], *names[target], ul) for (source, target), ul in pipetted.moved_ul.items()]
    return TransferList(*zip(*rows, strict=True))


def rows_of(n_wells: int, worker: OpentronsWorker) -> Iterator[Row]:
    workflow = compiled(n_wells)
    steps = [step for step in workflow.steps if step.transfers is not None]
    planned = account_of(steps)
    assert len(planned) == n_wells
    tips = sum(count_tips(step.transfers) for step in steps if step.transfers)
    moves = sum(len(step.transfers or ()) for step in steps)
    yield Row("virtual", planned, moves, tips, moves * 0.5 / 60, "what the others are compared with")
    yield from by_hand(steps, tips, moves)
    yield hamilton(steps)
    for robot in ROBOTS:
        yield opentrons(robot, workflow, worker)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plates", type=int, nargs="+", default=sorted(FULL), choices=sorted(FULL))
    asked, worst = parser.parse_args(), 0.0
    print("| plate | machine | wells | largest difference | commands | tips | minutes | by |")
    print("|---|---|---|---|---|---|---|---|")
    with OpentronsWorker(environment.require()) as worker:
        for n_wells in asked.plates:
            planned: Account = {}
            for row in rows_of(n_wells, worker):
                planned = planned or row.account
                difference = largest_difference(planned, row.account)
                worst = max(worst, difference)
                figures = f"{len(row.account)} | {difference:.1g} % | {row.commands:,} | {row.tips} | {row.minutes:.0f}"
                print(f"| {n_wells} | {row.machine} | {figures} | {row.checks} |", flush=True)
    if worst > TOLERANCE_PERCENT:
        sys.exit(f"a difference of {worst:g} % is above {TOLERANCE_PERCENT:g} %")


if __name__ == "__main__":
    main()
