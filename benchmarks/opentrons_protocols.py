"""How long it takes to write the protocols of a 96-well plate for an OT-2 and a Flex, and to prove them.

    uv run python benchmarks/opentrons_protocols.py [--rounds 3]

after `cellos hardware install opentrons`. Wall time and CPU time, this process and its worker together; the worker is
running when the clock starts. Minutes are estimated from the analysis, with assumed speeds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, replace

import psutil

from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan, PositiveControl
from cellos_nb.domain.step import StepKind
from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.proof import prove_steps, write_steps
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, capabilities
from cellos_nb.hardware.opentrons.worker import OpentronsWorker
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.workflow import Workflow

ROBOTS = (
    OpentronsSettings(name="OT-2, p20 + p300", robot="OT-2", left="p20_single_gen2", right="p300_single_gen2"),
    OpentronsSettings(name="Flex, p50 + p1000", robot="Flex", left="flex_1channel_50", right="flex_1channel_1000"),
    OpentronsSettings(name="OT-2, p20 + 8 × p300", robot="OT-2", left="p20_single_gen2", right="p300_multi_gen2"),
    OpentronsSettings(
        name="Flex, p1000 + 8 × p1000", robot="Flex", left="flex_1channel_1000", right="flex_8channel_1000"
    ),
)
COMPOUNDS = ("staurosporine", "doxorubicin", "tunicamycin")


@dataclass(frozen=True, slots=True)
class Times:
    """One round, in seconds."""

    compile_s: float
    write_s: float
    prove_s: float
    cpu_s: float


def compiled(robot: OpentronsSettings) -> Workflow:
    """87 experiments in nine doses with nine control wells: all 96 wells."""
    plan = PlatePlan(
        n_wells=96,
        replicates=1,
        controls=ControlSettings(vehicle=6, positive=PositiveControl(compound=COMPOUNDS[0], dose_um=1.0, wells=3)),
        outer_wells="use",
        stocks=tuple(CompoundStock(name=name, stock_mm=10.0) for name in COMPOUNDS),
        max_solvent_percent=0.5,
        assay=AssaySettings(),
    )
    doses = [float(f"{10 ** (-2 + 3 * k / 8):.4g}") for k in range(9)]
    asked = [ExperimentProposal("U2OS", COMPOUNDS[k // 9 % 3], doses[k % 9], "viability", f"e{k}") for k in range(87)]
    able = replace(capabilities(robot), step_kinds=tuple(StepKind))  # another machine incubates and reads
    return compile_plates(asked, plan, able, batch_id="bench/i001", seed=1)[0]


def timed(robot: OpentronsSettings, worker: OpentronsWorker) -> tuple[Times, list[int]]:
    started = time.perf_counter()
    workflow = compiled(robot)
    at_hand = time.perf_counter()
    write_steps(workflow.steps, workflow.sha256, robot)
    written, cpu_before = time.perf_counter(), cpu_s(worker)
    proof = prove_steps(workflow.steps, workflow.sha256, robot, worker)
    proved = time.perf_counter()
    sums = [round(sum(getattr(step, name) for step in proof.steps)) for name in ("n_commands", "n_tips", "duration_s")]
    return Times(at_hand - started, written - at_hand, proved - written, cpu_s(worker) - cpu_before), sums


def cpu_s(worker: OpentronsWorker) -> float:
    spent = psutil.Process(worker.pid).cpu_times()
    return time.process_time() + spent.user + spent.system


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print("| robot | compile | write | prove | of it CPU | commands | tips | minutes |")
    print("|---|---|---|---|---|---|---|---|")
    with OpentronsWorker(environment.require()) as worker:
        worker.analyse("warm.py", "def run(protocol):\n    pass\n")
        for robot in ROBOTS:
            rounds, sums = [], []
            for _ in range(asked.rounds):
                one, sums = timed(robot, worker)
                rounds.append(one)
            middle = {name: statistics.median(getattr(one, name) for one in rounds) for name in Times.__slots__}
            times = f"{middle['compile_s']:.3f} s | {middle['write_s']:.3f} s | {middle['prove_s']:.1f} s"
            figures = f"{times} | {middle['cpu_s']:.1f} s | {sums[0]:,} | {sums[1]} | {sums[2] / 60:.0f}"
            print(f"| {robot.name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
