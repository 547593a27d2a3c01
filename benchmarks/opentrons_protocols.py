"""Random workflows compiled for an OT-2 and a Flex, each protocol analysed by the real package and read back.

`uv run python benchmarks/opentrons_protocols.py [--workflows 500] [--seed 0] [--minutes 60]`, after
`cellos hardware install opentrons`. Half of the workflows go to each kind of robot; when the minutes are over, it says
how many it was. A workflow that a robot refuses
before anything is written is drawn again and counted; one that the package refuses, or whose volumes differ, ends the
run with exit code 1. Then one full 96-well plate for each robot: time to write, time to prove. Then a 96-well and a
384-well dose plate carried out by each robot, simulated behind its HTTP API: what stands in the wells by the commands
that the driver has copied, against what the virtual machine has there.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan, PositiveControl
from cellos_nb.domain.step import Step, StepKind, TransferList
from cellos_nb.errors import CompileError, MachineRefusedError, ProtocolRefusedError
from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.deck import physical
from cellos_nb.hardware.opentrons.machine import OpentronsMachine
from cellos_nb.hardware.opentrons.progress import account_of
from cellos_nb.hardware.opentrons.proof import prove_steps, write_steps
from cellos_nb.hardware.opentrons.readback import Pipetted, read_analysis
from cellos_nb.hardware.opentrons.run_log import RunLog
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, capabilities
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
from cellos_nb.hardware.opentrons.simulated.server import RobotServer
from cellos_nb.hardware.opentrons.worker import OpentronsWorker
from cellos_nb.hardware.transfers import VolumeLimits, simulate
from cellos_nb.hardware.virtual import VirtualMachine
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
ASSAYS = ("viability", "reporter", "imaging")


def plan(n_wells: int, *, vehicle: int, positive: int, solvent: float, outer: str) -> PlatePlan:
    control = PositiveControl(compound=COMPOUNDS[0], dose_um=1.0, wells=positive) if positive else None
    return PlatePlan(
        n_wells=n_wells,
        replicates=1,
        controls=ControlSettings(vehicle=vehicle, positive=control),
        outer_wells=outer,
        stocks=tuple(CompoundStock(name=name, stock_mm=10.0) for name in COMPOUNDS),
        max_solvent_percent=solvent,
        assay=AssaySettings(),
    )


def compiled(robot: OpentronsSettings, chosen: PlatePlan, proposals: list[ExperimentProposal], seed: int) -> Workflow:
    able = replace(capabilities(robot), step_kinds=tuple(StepKind))  # another machine incubates and reads
    return compile_plates(proposals, chosen, able, batch_id=f"bench/i{seed:03d}", seed=seed)[0]


def random_workflow(robot: OpentronsSettings, chance: random.Random) -> Workflow:
    n_wells = chance.choice((6, 12, 24, 48, 96, 384))
    chosen = plan(
        n_wells,
        vehicle=chance.randint(1, 3),
        positive=chance.randint(0, 2),
        solvent=chance.choice((0.1, 0.5, 1.0)),
        outer=chance.choice(("use", "medium")) if n_wells >= 96 else "use",
    )
    lines = chance.sample(["U2OS", "A549"], chance.randint(1, 2))
    assay = chance.choice(ASSAYS)
    proposals = [
        ExperimentProposal(
            chance.choice(lines), chance.choice(COMPOUNDS), float(f"{10 ** chance.uniform(-3, 1):.4g}"), assay, f"e{k}"
        )
        for k in range(chance.randint(1, 6))
    ]
    return compiled(robot, chosen, proposals, chance.randrange(10**6))


def prove_random(n: int, chance: random.Random, worker: OpentronsWorker, *, minutes: float) -> None:
    end = time.monotonic() + 60 * minutes
    refused: Counter[str] = Counter()
    seconds, commands, files = [], 0, 0
    done, progress = 0, tqdm(total=n, unit="workflow", mininterval=5.0)
    while done < n and time.monotonic() < end:
        robot = ROBOTS[done % len(ROBOTS)]
        try:
            workflow = random_workflow(robot, chance)
            write_steps(workflow.steps, workflow.sha256, robot)
        except (CompileError, MachineRefusedError) as error:
            refused[f"{type(error).__name__}, {robot.robot}"] += 1
            continue
        started = time.perf_counter()
        try:
            proof = prove_steps(workflow.steps, workflow.sha256, robot, worker)
        except ProtocolRefusedError as error:
            print(f"REFUSED by the package after {done} workflows, {robot.name}: {error}\n{workflow.canonical_json()}")
            sys.exit(1)
        seconds.append(time.perf_counter() - started)
        commands += sum(step.n_commands for step in proof.steps)
        files += len(proof.steps)
        done += 1
        progress.update()
    progress.close()
    print(f"{done} random workflows, {files} protocols, {commands:,} commands: all accepted, every well as compiled")
    print(f"  {statistics.median(seconds):.2f} s a workflow to prove (longest {max(seconds):.2f} s)")
    for what, times in sorted(refused.items()):
        print(f"  drawn again, refused before anything was written: {times} × {what}")


def prove_plates(worker: OpentronsWorker) -> None:
    doses = [float(f"{10 ** (-2 + 3 * k / 8):.4g}") for k in range(9)]
    proposals = [
        ExperimentProposal("U2OS", COMPOUNDS[k // 9 % 3], doses[k % 9], "viability", f"e{k}") for k in range(87)
    ]
    print(f"\n{'96-well plate':26} {'write s':>8} {'prove s':>8} {'commands':>9} {'tips':>6} {'minutes':>8}")
    for robot in ROBOTS:
        workflow = compiled(robot, plan(96, vehicle=6, positive=3, solvent=0.5, outer="use"), proposals, 1)
        started = time.perf_counter()
        write_steps(workflow.steps, workflow.sha256, robot)
        written = time.perf_counter()
        proof = prove_steps(workflow.steps, workflow.sha256, robot, worker)
        proved = time.perf_counter()
        sums = [sum(getattr(step, name) for step in proof.steps) for name in ("n_commands", "n_tips", "duration_s")]
        times = f"{written - started:8.3f} {proved - written:8.2f}"
        print(f"{robot.name:26} {times} {sums[0]:9} {sums[1]:6} {sums[2] / 60:8.0f}")


def carry_out(robot: OpentronsSettings, workflow: Workflow, worker: OpentronsWorker) -> list[tuple[Step, Pipetted]]:
    """Every wet step on a simulated robot, with the robot's account of it as the driver has kept it."""
    files = {file.name: file.content for file in prove_steps(workflow.steps, workflow.sha256, robot, worker).files}
    stand_in = SimulatedRobot(robot, worker.analyse_alone)
    done = []
    with RobotServer(stand_in) as server, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "robot.log"
        machine = OpentronsMachine(robot.model_copy(update={"address": server.address, "poll_s": 0.05}), log)
        machine.load(workflow.steps, workflow.sha256, files)
        wet = [step for step in workflow.steps if step.kind.moves_liquid]
        for step in wet:
            machine.execute(step, f"{step.plate_id}:{step.uid}:1")
        machine.stop()
        kept = RunLog(log)
        for step in wet:
            entry = kept.entry(f"{step.plate_id}:{step.uid}:1")
            with closing(kept.commands(entry.run_id)) as archive:
                account = account_of(archive.commands, kept.analysis(entry.protocol_id))
            done.append((step, read_analysis({"commands": account})))
        kept.close()
    return done


def deviation(robot: OpentronsSettings, workflow: Workflow, done: list[tuple[Step, Pipetted]]) -> tuple[float, int]:
    """The largest difference of a volume or a dose from the virtual machine's, as a fraction, and wells compared."""
    decks = {written.step.uid: written.deck for written in write_steps(workflow.steps, workflow.sha256, robot)}
    virtual, account, by_robot = VirtualMachine(), {}, VolumeLimits(1e-4, 1e5)
    for step, pipetted in done:
        virtual.execute(step, step.uid)
        names = {physical(decks[step.uid], (i, w)): (i, w) for i, w in places(step)}
        rows = [(*names[source], *names[target], ul) for (source, target), ul in pipetted.moved_ul.items()]
        columns = tuple(zip(*rows, strict=True))
        account |= simulate(replace(step, transfers=TransferList(*columns)), account, by_robot)
    held, worst = account[workflow.plate_id], 0.0
    for well in held.wells:
        mine, its = virtual.contents(workflow.plate_id, well), held.well(well)
        pairs = [
            (mine.volume_ul, its.volume_ul),
            *((dose, its.dose_um.get(n, 0.0)) for n, dose in mine.dose_um.items()),
        ]
        worst = max(worst, *(abs(b - a) / a for a, b in pairs if a > 0), 0.0)
        assert mine.dose_um.keys() == its.dose_um.keys()
    return worst, len(held.wells)


def places(step: Step) -> set[tuple[str, str]]:
    moves = step.transfers
    sources = zip(moves.source_labware, moves.source_well, strict=True)
    return {*sources, *zip(moves.destination_labware, moves.destination_well, strict=True)}


def carry_out_plates(worker: OpentronsWorker) -> None:
    doses = [float(f"{10 ** (-2 + 3 * k / 8):.4g}") for k in range(9)]
    print(
        f"\n{'carried out':26} {'wells':>6} {'commands':>9} {'tips':>6} {'largest deviation of a volume or dose':>40}"
    )
    for n_wells, n in ((96, 87), (384, 180)):
        proposals = [
            ExperimentProposal("U2OS", COMPOUNDS[k // 9 % 3], doses[k % 9], "viability", f"e{k}") for k in range(n)
        ]
        for robot in ROBOTS:
            plate = plan(n_wells, vehicle=6, positive=3, solvent=0.5, outer="use")
            workflow = compiled(robot, plate, proposals, 1)
            done = carry_out(robot.model_copy(update={"deck_check": "none"}), workflow, worker)
            worst, wells = deviation(robot, workflow, done)
            n_commands, n_tips = (sum(getattr(each, what) for _, each in done) for what in ("n_commands", "n_tips"))
            print(f"{robot.name:26} {wells:6} {n_commands:9} {n_tips:6} {worst:40.2e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workflows", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    with OpentronsWorker(environment.require()) as worker:
        if asked.workflows:
            prove_random(asked.workflows, random.Random(asked.seed), worker, minutes=asked.minutes)
        prove_plates(worker)
        carry_out_plates(worker)


if __name__ == "__main__":
    main()
