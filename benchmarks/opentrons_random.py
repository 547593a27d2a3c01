"""Random workflows compiled for an OT-2 and a Flex: each protocol analysed by the real package, and read back.

    uv run python benchmarks/opentrons_random.py [--workflows 500] [--minutes 60] [--record FILE] [--kinds OT-2 Flex]

after `cellos hardware install opentrons`. Hypothesis draws plates of 6 to 384 wells with one to eight experiments, 20
for each seed, from seed 0 on: even seeds for an OT-2, odd ones for a Flex, each with two pairs of pipettes, until there
are as many different workflows as asked for, half for each kind of robot. Each is a line of the record
as soon as it is proved, so that a run that was cut short is taken up where it stopped; two runs may share the kinds,
each with a record of its own, and the lines of both are one record. `--summary` prints what a record holds. A workflow
that the package refuses, or of which a well gets another volume than was compiled, is made as small as it goes and ends
the run with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan, PositiveControl
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import CompileError, MachineRefusedError, ProtocolRefusedError
from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.proof import prove_steps, write_steps
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, capabilities
from cellos_nb.hardware.opentrons.worker import Answer, OpentronsWorker
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.workflow import Workflow

ROBOTS = (
    OpentronsSettings(name="OT-2, p20 + p300", robot="OT-2", left="p20_single_gen2", right="p300_single_gen2"),
    OpentronsSettings(name="OT-2, p20 + 8 × p300", robot="OT-2", left="p20_single_gen2", right="p300_multi_gen2"),
    OpentronsSettings(name="Flex, p50 + p1000", robot="Flex", left="flex_1channel_50", right="flex_1channel_1000"),
    OpentronsSettings(
        name="Flex, p1000 + 8 × p1000", robot="Flex", left="flex_1channel_1000", right="flex_8channel_1000"
    ),
)
COMPOUNDS = ("staurosporine", "doxorubicin", "tunicamycin")
PER_SEED = 20
KINDS = ("OT-2", "Flex")


@dataclass(frozen=True)
class Drawn:
    """One random plate: what is asked, and for which robot."""

    robot: OpentronsSettings
    plan: PlatePlan
    proposals: tuple[ExperimentProposal, ...]
    seed: int

    def compiled(self) -> Workflow:
        able = replace(capabilities(self.robot), step_kinds=tuple(StepKind))  # another machine incubates and reads
        return compile_plates(list(self.proposals), self.plan, able, batch_id="random/i001", seed=self.seed)[0]


@st.composite
def plates(draw: st.DrawFn, kind: str) -> Drawn:
    n_wells = draw(st.sampled_from((6, 12, 24, 48, 96, 384)))
    n_positive = draw(st.integers(0, 2))
    control = PositiveControl(compound=COMPOUNDS[0], dose_um=1.0, wells=n_positive) if n_positive else None
    plan = PlatePlan(
        n_wells=n_wells,
        replicates=draw(st.integers(1, 2)),
        controls=ControlSettings(vehicle=draw(st.integers(1, 3)), positive=control),
        outer_wells=draw(st.sampled_from(("use", "medium"))) if n_wells >= 96 else "use",
        stocks=tuple(CompoundStock(name=name, stock_mm=10.0) for name in COMPOUNDS),
        max_solvent_percent=draw(st.sampled_from((0.1, 0.5, 1.0))),
        assay=AssaySettings(),
    )
    assay = draw(st.sampled_from(("viability", "reporter", "imaging")))
    doses = st.floats(-3.0, 1.0).map(lambda exponent: float(f"{10**exponent:.4g}"))
    asked = st.tuples(st.sampled_from(("U2OS", "A549")), st.sampled_from(COMPOUNDS), doses)
    rows = draw(st.lists(asked, min_size=1, max_size=8))
    proposals = tuple(ExperimentProposal(*row, assay, f"e{number}") for number, row in enumerate(rows))
    robot = draw(st.sampled_from([robot for robot in ROBOTS if robot.robot == kind]))
    return Drawn(robot, plan, proposals, draw(st.integers(0, 10**6)))


@dataclass
class Record:
    """What was proved so far, in a file of one line for each workflow and each seed that is through."""

    path: Path
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                self._take(json.loads(line))

    def _take(self, row: dict[str, Any]) -> None:
        if "robot" in row:
            self.rows[row["robot"], row["workflow_sha256"]] = row
        else:
            self.seeds.append(row["seed"])
            self.refused += Counter(row["refused"])

    def add(self, row: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._take(row)

    def n_for(self, kind: str) -> int:
        return sum(row["kind"] == kind for row in self.rows.values())


def prove(drawn: Drawn, number: int, record: Record, refused: Counter[str], worker: OpentronsWorker) -> None:
    robot = drawn.robot
    try:
        workflow = drawn.compiled()
        if (robot.name, workflow.sha256) in record.rows:
            return
        write_steps(workflow.steps, workflow.sha256, robot)
    except (CompileError, MachineRefusedError) as error:
        refused[f"{type(error).__name__}, {robot.robot}"] += 1
        return
    started = time.perf_counter()
    try:
        proof = prove_steps(workflow.steps, workflow.sha256, robot, worker)
    except ProtocolRefusedError:
        print(f"seed {number}, {robot.name}: {workflow.canonical_json()}", file=sys.stderr)
        raise
    row = {
        "seed": number,
        "robot": robot.name,
        "kind": robot.robot,
        "n_wells": drawn.plan.n_wells,
        "workflow_sha256": workflow.sha256,
        "protocols": len(proof.steps),
        "commands": sum(step.n_commands for step in proof.steps),
        "seconds": round(time.perf_counter() - started, 2),
    }
    record.add(row)


class AnalysisWorker(OpentronsWorker):
    """Leaves out the run log, for which the package would go through each protocol a second time."""

    def analyse(self, name: str, text: str, *, with_run_log: bool = False) -> Answer:
        return super().analyse(name, text, with_run_log=with_run_log)


def prove_seed(number: int, record: Record, worker: OpentronsWorker) -> None:
    refused: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=PER_SEED,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=tuple(HealthCheck),
    )
    @given(plates(kind_of(number)))
    def run(drawn: Drawn) -> None:
        prove(drawn, number, record, refused, worker)

    run()
    record.add({"seed": number, "refused": dict(refused)})


def kind_of(number: int) -> str:
    """The kind of robot that a seed draws plates for."""
    return "Flex" if number % 2 else "OT-2"


def seeds_to_do(record: Record, n_workflows: int, kinds: list[str]) -> Iterator[int]:
    """Seeds that are not through yet, of kinds of which there are too few workflows."""
    for number in range(10**6):
        if all(record.n_for(kind) >= n_workflows / 2 for kind in kinds):
            return
        is_wanted = kind_of(number) in kinds and record.n_for(kind_of(number)) < n_workflows / 2
        if is_wanted and number not in record.seeds:
            yield number


def summary(record: Record) -> None:
    rows = record.rows.values()
    seeds = f"{len(record.seeds)} seeds up to {max(record.seeds, default=-1)}, {PER_SEED} draws each"
    print(f"{seeds}: all accepted, every well as compiled\n")
    print("| robot | different workflows | protocols | commands |")
    print("|---|---|---|---|")
    for robot in ROBOTS:
        mine = [row for row in rows if row["robot"] == robot.name]
        sums = [sum(row[key] for row in mine) for key in ("protocols", "commands")]
        print(f"| {robot.name} | {len(mine)} | {sums[0]} | {sums[1]:,} |")
    sums = [sum(row[key] for row in rows) for key in ("protocols", "commands")]
    print(f"| all | {len(rows)} | {sums[0]} | {sums[1]:,} |\n")
    print(f"plates: {dict(sorted(Counter(row['n_wells'] for row in rows).items()))}")
    for what, times in sorted(record.refused.items()):
        print(f"refused before anything was written: {times} × {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workflows", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--record", type=Path, default=Path("opentrons_random.jsonl"))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--summary", action="store_true", help="print what the record holds, and do nothing")
    asked = parser.parse_args()
    record, end = Record(asked.record), time.monotonic() + 60 * asked.minutes
    if not asked.summary:
        with AnalysisWorker(environment.require(), timeout_s=3600.0) as worker:
            for number in seeds_to_do(record, asked.workflows, asked.kinds):
                if time.monotonic() > end:
                    break
                prove_seed(number, record, worker)
                print(f"seed {number}: {len(record.rows)} workflows", file=sys.stderr, flush=True)
    summary(record)


if __name__ == "__main__":
    main()
