"""Counts what faults of a robot, of its network and of our own process do to wells.

    uv run python benchmarks/robot_faults.py

after `cellos hardware install opentrons`. A step of three doses is carried out on a simulated OT-2 and Flex over real
HTTP, as execution does it: a refused step is tried again, one in doubt is asked about, one of unknown end is held. At
each of its requests in turn, one thing goes wrong; our process dies by a real SIGKILL; the robot restarts in mid-run.
The robot counts how often each command took effect, and knows nothing of the driver. Printed as the table of
docs/benchmarks.md; exit code 1 when anything took effect twice, or what was said of a step is not what happened.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "hardware_opentrons"))

import json
import logging

from robot_child import children, killed_at, places_of, save
from robot_faults import (
    COPY,
    LOOK,
    PLAY,
    Bench,
    Fault,
    FaultyServer,
    as_files,
    carry_out,
    go_on,
    n_commands,
    requests_of,
    restart_when_seen,
)
from robots import FLEX, OT2, WORKFLOW_SHA256, dose_step

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.proof import prove_steps
from cellos_nb.hardware.opentrons.settings import OpentronsSettings
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
from cellos_nb.hardware.opentrons.worker import OpentronsWorker

HELD_BEFORE = 5
"""The command at which a robot stands when our process dies in mid-run."""
PARTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""How far a run had come when the robot restarts."""


@dataclass
class Counted:
    """Outcomes of one kind of fault on one robot."""

    robot: str
    fault: str
    outcomes: list[OutcomeState] = field(default_factory=list)
    twice: int = 0
    """Commands that took effect more than once."""
    false: int = 0
    """Steps said to be done, or never begun, that were not."""

    def add(self, state: OutcomeState, robot: SimulatedRobot, n: int) -> None:
        """One step, as it was ended, and as the robot counted."""
        effects = list(robot.effects())
        self.outcomes.append(state)
        self.twice += sum(times > 1 for times in effects)
        is_false = (state is OutcomeState.DONE and len(effects) != n) or (
            state is OutcomeState.NEVER_STARTED and bool(effects)
        )
        self.false += is_false

    def row(self) -> str:
        """As a line of the table."""
        n = {state: self.outcomes.count(state) for state in OutcomeState}
        other = len(self.outcomes) - n[OutcomeState.DONE] - n[OutcomeState.UNKNOWN]
        counts = f"{len(self.outcomes)} | {n[OutcomeState.DONE]} | {n[OutcomeState.UNKNOWN]} | {other}"
        return f"| {self.robot} | {self.fault} | {counts} | {self.twice} | {self.false} |"


def bench_of(settings: OpentronsSettings, worker: OpentronsWorker) -> Bench:
    settings = settings.model_copy(update={"deck_check": "none"})
    steps = (dose_step([("A1", "B1", 5.0), ("A2", "C1", 8.0), ("A2", "C2", 25.0)]),)
    files = as_files(prove_steps(steps, WORKFLOW_SHA256, settings, worker).files)
    known = json.dumps(worker.analyse(*next((n, b.decode()) for n, b in files.items() if n.endswith(".py"))).analysis)
    return Bench(settings, steps, WORKFLOW_SHA256, files, lambda _name, _text: json.loads(known))


def at_every_request(bench: Bench, fault: Fault, folder: Path) -> Counted:
    """One thing goes wrong at each request in turn, and late requests arrive after all."""
    counted = Counted(bench.settings.robot, fault)
    for number, at in enumerate(requests_of(bench, folder / "clean")):
        if fault is Fault.SLOW and at[0] == "GET":
            continue  # asked again, as where an answer is lost
        with FaultyServer(bench.robot(), at, fault) as server:
            with bench.machine(server, folder / f"{number}.log") as machine:
                state = carry_out(machine, bench.step)
                server.deliver()
            counted.add(state, server.robot, n_commands(bench))
    return counted


def killed(bench: Bench, folder: Path, *, is_restarted: bool) -> Counted:
    """Our process dies at each request, before and after it took effect; another one takes over."""
    what = "our process killed" + (", the robot restarted before it is back" if is_restarted else "")
    counted = Counted(bench.settings.robot, what)
    with children() as child:
        job = save(bench, folder / "job")
        places = places_of(bench, folder, child, job)
        for fault in (Fault.REQUEST_LOST, Fault.ANSWER_LOST):
            for number, at in enumerate(places):
                robot, log = bench.robot(), folder / f"{fault.name}-{number}.log"
                is_under_way = at in {LOOK, COPY} or (at == PLAY and fault is Fault.ANSWER_LOST)
                robot.hold_before = HELD_BEFORE if is_under_way else None
                with FaultyServer(robot, at, fault) as server:
                    killed_at(server, fault, child, job, log)
                    if is_under_way:
                        robot.wait_until_held()
                    if is_restarted:
                        robot.restart()
                    robot.let_go()
                    with bench.machine(server, log) as machine:
                        state = go_on(machine, bench.step)
                counted.add(state, robot, n_commands(bench))
    return counted


def restarted_in_mid_run(bench: Bench, folder: Path) -> Counted:
    """The robot's server dies in mid-run, and has no record of what it did."""
    counted = Counted(bench.settings.robot, "the robot restarts in mid-run")
    n = n_commands(bench)
    for number, part in enumerate(PARTS):
        robot = bench.robot()
        robot.hold_before = hold = min(round(part * n), n - 1)
        with FaultyServer(robot) as server, bench.machine(server, folder / f"{number}.log") as machine:
            restart_when_seen(server, robot, hold)
            counted.add(carry_out(machine, bench.step), robot, n)
    return counted


def forgotten(bench: Bench, folder: Path) -> Counted:
    """The robot deletes its runs while one is under way, or after it has ended."""
    counted = Counted(bench.settings.robot, "the robot forgets its runs")
    for at in (LOOK, COPY):
        robot = bench.robot()
        robot.hold_before = 3
        with FaultyServer(robot) as server, bench.machine(server, folder / f"{at[1:]}.log".replace("/", "")) as machine:
            server.at, server.before = at, robot.forget_runs
            counted.add(carry_out(machine, bench.step), robot, n_commands(bench))
            robot.restart()
    return counted


def rows_of(bench: Bench, folder: Path) -> Iterator[Counted]:
    def new(name: str) -> Path:
        made = folder / f"{bench.settings.robot}-{name}"
        made.mkdir()
        return made

    for fault in Fault:
        yield at_every_request(bench, fault, new(fault.name))
    yield restarted_in_mid_run(bench, new("mid"))
    yield forgotten(bench, new("forgotten"))
    yield killed(bench, new("killed"), is_restarted=False)
    yield killed(bench, new("killed-restarted"), is_restarted=True)


def total(rows: Iterable[Counted]) -> Counted:
    whole = Counted("both", "all")
    for row in rows:
        whole.outcomes += row.outcomes
        whole.twice, whole.false = whole.twice + row.twice, whole.false + row.false
    return whole


def main() -> int:
    logging.disable(logging.WARNING)  # each fault is warned about, as it should be
    print("| robot | what goes wrong | times | done | held for a person | failed or refused | twice | falsely said |")
    print("|---|---|---|---|---|---|---|---|")
    rows: list[Counted] = []
    with OpentronsWorker(environment.require()) as worker, tempfile.TemporaryDirectory() as name:
        for settings in (OT2, FLEX):
            for row in rows_of(bench_of(settings, worker), Path(name)):
                rows.append(row)
                print(row.row(), flush=True)
    whole = total(rows)
    print(whole.row())
    return 1 if whole.twice or whole.false else 0


if __name__ == "__main__":
    raise SystemExit(main())
