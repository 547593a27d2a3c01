"""Prints, in one run, how fast the loop's parts are: `uv run python benchmarks/run.py`.

Every figure is the median over repeats, with the spread beside it. Databases lie in a temporary folder on the disk
that holds it, so set TMPDIR to measure another disk. Nothing here is a test: no figure makes the run fail.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cellos_nb import AutonomousExecutor, CampaignConfig, ExperimentProposal, Lab
from cellos_nb.analysis.conclude import conclude
from cellos_nb.domain.history import History
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.domain.settings import MachineSettings, PlannerSettings, PlatePlan
from cellos_nb.execution.autonomous import default_plan
from cellos_nb.hardware.registry import open_machine
from cellos_nb.planner.registry import make_planner
from cellos_nb.workflow.compile import compile_plates

Row = tuple[str, str, str, str]


def timed(action: Callable[[], object], repeats: int) -> list[float]:
    """Wall-clock seconds of each repeat, after one that is not counted."""
    action()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return seconds


def row(what: str, figures: list[float], unit: str, aim: str = "") -> Row:
    middle = statistics.median(figures)
    return what, f"{figure(middle)} {unit}", f"{figure(min(figures))} – {figure(max(figures))}", aim


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def proposals(n: int, seed: int = 0) -> list[ExperimentProposal]:
    """Experiments over the simulated biology's own lines and compounds."""
    machine = open_machine(MachineSettings(kind="biology"), ledger=None).describe()
    rng = np.random.default_rng(seed)
    lines, compounds = machine.cell_lines, machine.compounds
    return [
        ExperimentProposal(
            str(rng.choice(lines[:2])), str(rng.choice(compounds)), float(f"{10 ** rng.uniform(-3, 1):.6g}")
        )
        for _ in range(n)
    ]


def single_proposals(repeats: int) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder, Lab.open(Path(folder) / "lab.db") as lab:
        executor = AutonomousExecutor(lab)
        for n in (1, 30, 100, 1000):
            batch = proposals(n)
            seconds = timed(lambda batch=batch: executor.execute_batch(batch, wait=True), repeats)
            aim = "≥ 500" if n == 100 else ""
            rows.append(row(f"execute_batch of {n}", [n / s for s in seconds], "experiments/s", aim))
        one = proposals(1)
        laps = [timed(lambda: [executor.execute_batch(one, wait=True) for _ in range(100)], 1)[0] for _ in range(3)]
        rows.append(row("100 batches of 1, one after another", [100 / s for s in laps], "experiments/s", "≥ 500"))
    return rows


def plates(repeats: int) -> list[Row]:
    return [each for n_wells in (96, 384) for each in plates_of(n_wells, repeats)]


def plates_of(n_wells: int, repeats: int) -> list[Row]:
    """The durable path, and what it costs beyond compiling, simulating and concluding the same plate bare."""
    n = n_wells - 8 - 4
    one_line = [ExperimentProposal("U2OS", p.compound, p.dose_um, p.assay) for p in proposals(n, seed=n_wells)]
    named = [replace(p, proposal_id=f"e{k}") for k, p in enumerate(one_line)]
    with tempfile.TemporaryDirectory() as folder, Lab.open(Path(folder) / "lab.db") as lab:
        executor, plan = AutonomousExecutor(lab), default_plan(named, n_wells)
        whole = timed(lambda: executor.execute_batch(one_line, wait=True, plan=plan), repeats)
    alone = timed(lambda: bare(named, plan), repeats)
    aim = "≥ 10,000" if n_wells == 384 else ""
    overhead = [(w - statistics.median(alone)) / n * 1e3 for w in whole]
    return [
        row(f"plates of {n_wells}, durable path", [n_wells / s for s in whole], "wells/s", aim),
        row(f"overhead per experiment, plates of {n_wells}", overhead, "ms", "< 2"),
    ]


def bare(named: list[ExperimentProposal], plan: PlatePlan) -> None:
    """Compiles, simulates and concludes without a database, ledger or journal."""
    machine = open_machine(MachineSettings(kind="biology"), ledger=None)
    for workflow in compile_plates(named, plan, machine.describe(), batch_id="bare", seed=0):
        for step in workflow.steps:
            reading = machine.execute(step, f"{workflow.plate_id}/{step.uid}")
        here = {well.proposal_id for well in workflow.layout}
        asked = [proposal for proposal in named if proposal.proposal_id in here]
        conclude(asked, workflow.layout, reading, plate_id=workflow.plate_id, assay=workflow.assay)


def simulator(repeats: int) -> list[Row]:
    settings = MachineSettings(kind="biology")
    named = [ExperimentProposal("U2OS", p.compound, p.dose_um, p.assay, f"e{k}") for k, p in enumerate(proposals(370))]
    facts = open_machine(settings, ledger=None).describe()
    workflows = compile_plates(named, default_plan(named, 384), facts, batch_id="simulator", seed=0)
    n_wells = sum(len(workflow.layout.with_cells) for workflow in workflows)

    def simulate() -> None:
        machine = open_machine(settings, ledger=None)
        for workflow in workflows:
            for step in workflow.steps:
                machine.execute(step, f"{workflow.plate_id}/{step.uid}")

    seconds = timed(simulate, repeats)
    return [row("simulated biology, 384 wells, seed to read", [n_wells / s for s in seconds], "wells/s")]


def ask(repeats: int) -> list[Row]:
    config = CampaignConfig(
        name="ask",
        cell_lines=[f"L{i}" for i in range(6)],
        compounds=[f"C{i}" for i in range(46)],
        dose_range_um=[0.001, 10],
        n_doses=11,
        batch_size=4,
        max_iterations=100,
        planner="mechanistic",
    )
    rng = np.random.default_rng(0)
    everything = [(c, p, d) for c in config.cell_lines for p in config.compound_names for d in config.doses_um(p)]
    order = rng.permutation(len(everything))
    rows = []
    for kind, acquisition in (
        ("mechanistic", "nei"),
        ("mechanistic", "ei"),
        ("mechanistic", "log_ei"),
        ("mechanistic", "thompson"),
        ("mechanistic", "entropy"),
        ("random", "nei"),
        ("space_filling", "nei"),
    ):
        planner = make_planner(PlannerSettings(kind=kind, acquisition=acquisition))
        for n in (20, 60, 200):
            results = []
            for k, index in enumerate(order[:n]):
                line, compound, dose = everything[index]
                half = 10 ** (hash(compound) % 7 / 2 - 2)
                value = 1 / (1 + dose / half) + rng.normal(0, 0.03)
                proposal = ExperimentProposal(line, compound, dose, proposal_id=f"e{k}")
                results.append(ExperimentResult(proposal, ResultStatus.OK, value, 0.03, 20, value, iteration=1))
            history = History(tuple(results))
            seconds = timed(lambda p=planner, h=history: p.propose(config, h, 2, 4), repeats)
            name = f"{kind}, {acquisition}" if kind == "mechanistic" else kind
            aim = "< 0.5 s" if (kind, acquisition, n) == ("mechanistic", "nei", 200) else ""
            rows.append(row(f"ask 4 of {len(everything):,}, n = {n}: {name}", seconds, "s", aim))
    return rows


def imports(repeats: int) -> list[Row]:
    rows = []
    for what, aim in (("cellos_nb", "< 0.6 s"), ("from cellos_nb import Lab", "")):
        code = f"import {what}" if " " not in what else what
        seconds = timed(lambda code=code: subprocess.run([sys.executable, "-c", code], check=True), repeats)
        rows.append(row(code, seconds, "s, Python's start included", aim))
    rows.append(
        row("an empty Python", timed(lambda: subprocess.run([sys.executable, "-c", ""], check=True), repeats), "s")
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, median of {repeats} repeats\n")
    rows: list[Row] = [("what", "median", "min – max", "aim")]
    for part in (single_proposals, plates, simulator, ask, imports):
        rows += part(repeats)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append(("peak memory of this process", f"{peak_mb:,.0f} MB", "", "< 300 MB"))
    widths = [max(len(r[i]) for r in rows) for i in range(4)]
    for r in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(r, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
