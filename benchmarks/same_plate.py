"""The same dose plate on every machine kind: wells, volumes and doses by each machine's own account.

    uv run python benchmarks/same_plate.py

A virtual machine, the worklists of a bench read back by the rules of each form, and PyLabRobot's stand-in of a Hamilton
STAR with its own volume trackers. Printed as the table of docs/how-to/machines.md.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import yaml

from cellos_nb.domain.plate import PLATE_FORMATS, row_label
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan
from cellos_nb.domain.step import Step, TransferList
from cellos_nb.hardware.bench.settings import BenchFile
from cellos_nb.hardware.bench.worklists import write_worklist
from cellos_nb.hardware.pylabrobot.hamilton import Hamilton
from cellos_nb.hardware.pylabrobot.machine import InstrumentLine
from cellos_nb.hardware.pylabrobot.settings import PyLabRobotFile
from cellos_nb.hardware.registry import template_of
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.estimate import count_tips

DOSES_UM = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def bench_of() -> BenchFile:
    return BenchFile.model_validate(yaml.safe_load(template_of("bench")) | {"name": "bench"})


def line_of() -> PyLabRobotFile:
    content = yaml.safe_load(template_of("pylabrobot"))
    handler = content["liquid_handler"]
    tips, plates, more = handler["carriers"]
    tips["holds"] = ["hamilton_96_tiprack_50uL"] * 4 + ["hamilton_96_tiprack_300uL"]
    spare = [{"rails": rails, "type": tips["type"], "holds": tips["holds"]} for rails in (23, 29)]
    handler |= {"deck": "STAR", "carriers": [tips, plates, more, *spare]}
    handler["limits"] = {"min_volume_ul": 0.2, "max_volume_ul": 300}
    return PyLabRobotFile.model_validate({"kind": "pylabrobot", "name": "star", "liquid_handler": handler})


def plate_for(n_wells: int) -> tuple[Step, ...]:
    """Two compounds in eight doses: compiled once, for pipettes from 0.2 µL."""
    n_replicates = 2 if n_wells == 96 else 6
    plan = PlatePlan(
        n_wells=n_wells,
        replicates=n_replicates,
        controls=ControlSettings(vehicle=6),
        outer_wells="use",
        stocks=(CompoundStock(name="staurosporine", stock_mm=10.0), CompoundStock(name="doxorubicin", stock_mm=10.0)),
        max_solvent_percent=0.5,
        assay=AssaySettings(),
    )
    asked = [
        ExperimentProposal(
            cell_line="U2OS", compound=compound, dose_um=dose, assay="viability", proposal_id=f"{compound}{i}"
        )
        for compound in ("staurosporine", "doxorubicin")
        for i, dose in enumerate(DOSES_UM)
    ]
    can = replace(bench_of().capabilities, max_volume_ul=300.0)
    (workflow,) = compile_plates(asked, plan, can, batch_id=f"same-{n_wells}", seed=1)
    return workflow.steps


Account = dict[str, tuple[float, dict[str, float]]]
"""By well: µL, and µM of each compound."""


def account_of(steps: list[Step]) -> Account:
    machine = VirtualMachine(min_volume_ul=1e-4, max_volume_ul=1e6)
    for number, step in enumerate(steps):
        machine.execute(step, str(number))
    plate_id = steps[0].plate_id
    wells = [well for well, volume in machine.volumes(plate_id).items() if volume > 0]
    held = {well: machine.contents(plate_id, well) for well in wells}
    return {well: (one.volume_ul, dict(one.dose_um)) for well, one in held.items()}


def read_back(step: Step, form: str) -> Step:
    """A step as its worklist says it, by the rules of the form."""
    text = write_worklist(step, form)
    rows = list(_gwl(step, text)) if form == "gwl" else list(_table(text, form))
    columns = tuple(tuple(column) for column in zip(*rows, strict=True))
    assert step.transfers is not None
    return replace(step, transfers=TransferList(*columns, tip_policy=step.transfers.tip_policy))


def _table(text: str, form: str):
    names = {
        "csv": ("source_labware", "source_well", "destination_labware", "destination_well", "volume_ul"),
        "hamilton": ("SourceLabwareID", "SourcePositionID", "TargetLabwareID", "TargetPositionID", "TransferVolume"),
    }[form]
    for row in csv.DictReader(io.StringIO(text)):
        yield (*(row[name] for name in names[:4]), float(row[names[4]]))


def _gwl(step: Step, text: str):
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
    """In percent, over volumes and doses of all wells."""
    assert planned.keys() == found.keys()
    worst = 0.0
    for well, (volume, doses) in planned.items():
        other, others = found[well]
        assert doses.keys() == others.keys(), well
        pairs = [(volume, other), *((doses[name], others[name]) for name in doses)]
        worst = max(worst, *(abs(b - a) / a * 100 for a, b in pairs))
    return worst


def hamilton(steps: list[Step]) -> tuple[Account, int, int]:
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
                if step.transfers is not None:
                    told["rehearsed"] = told["commands"]
                    line.execute(step, step.uid)
        finally:
            Hamilton.commands = run  # type: ignore[method-assign]
            line.stop()
        own = {well: line.account.contents(steps[0].plate_id, well) for well, ul in tracked.items() if ul > 0}
    # Each step was rehearsed once before it was executed.
    return {w: (tracked[w], dict(c.dose_um)) for w, c in own.items()}, told["commands"] // 2, told["tips"] // 2


def main() -> None:
    print("| plate | machine | wells | largest difference | commands | tips | minutes |")
    print("|---|---|---|---|---|---|---|")
    for n_wells in (96, 384):
        steps = [step for step in plate_for(n_wells) if step.transfers is not None]
        planned = account_of(steps)
        tips = sum(count_tips(step.transfers) for step in steps)
        moves = sum(len(step.transfers) for step in steps)
        rows = [("virtual", planned, moves, tips, moves * 0.5 / 60)]
        for form in ("csv", "hamilton", "gwl"):
            found = account_of([read_back(step, form) for step in steps])
            lines = sum(len(write_worklist(step, form).splitlines()) for step in steps)
            rows.append((f"bench, {form} worklist", found, lines, tips, moves * bench_of().seconds_per_transfer / 60))
        found, commands, used = hamilton(steps)
        rows.append(("Hamilton STAR, PyLabRobot's stand-in", found, commands, used, moves * 12.0 / 60))
        for name, account, n_commands, n_tips, minutes in rows:
            worst = largest_difference(planned, account)
            print(
                f"| {n_wells} | {name} | {len(account)} | {worst:.4f} % | {n_commands} | {n_tips} | {minutes:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
