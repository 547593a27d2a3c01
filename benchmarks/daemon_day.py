"""Prints the memory of a daemon through a day of work and waiting, without the day.

`uv run python benchmarks/daemon_day.py`: as many ticks as a day has, each of which begins as many runs as a tick may,
and as many looks at an empty queue; one life of one process. What a day of real time would add is the waiting itself.
The machine does nothing and keeps nothing; with `--machine virtual` it is the virtual one, which remembers the token of
every step that it ever executed, as it must, and so grows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from cellos_nb import ExperimentProposal
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.step import Step
from cellos_nb.execution import daemon
from cellos_nb.execution.autonomous import default_plan
from cellos_nb.execution.events import Event
from cellos_nb.execution.queue import JobQueue, JobStatus
from cellos_nb.execution.runs import add_run
from cellos_nb.execution.ticks import ticks
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store.store import Store
from cellos_nb.workflow.compile import compile_plates

PARTS = 10


class Nothing:
    """A machine whose steps do nothing, and that keeps nothing."""

    def __init__(self) -> None:
        self._facts = replace(VirtualMachine().describe(), machine="nothing", can_reconcile=True)

    def describe(self) -> Capabilities:
        return self._facts

    def preflight(self, step: Step) -> None:
        """Has no objection."""

    def execute(self, step: Step, token: str) -> None:
        """Does nothing."""

    def reconcile(self, token: str) -> Outcome:  # noqa: ARG002 — asked only before a step
        return Outcome(OutcomeState.NEVER_STARTED)

    def stop(self) -> None:
        """Holds nothing."""


class OneMachine:
    """All experiments go to one machine, which stays open."""

    def __init__(self, machine: HardwareInterface) -> None:
        self.machine = machine

    def machine_of(self, campaign_id: str | None) -> tuple[str, HardwareInterface]:  # noqa: ARG002 — one for all
        return "virtual", self.machine

    def close_machine(self, name: str) -> None:
        """Keeps it open."""

    def hear(self, event: Event) -> None:
        """Tells nobody."""

    def go_on(self, campaign_id: str, iteration: int) -> None:
        """There are no campaigns."""


class Day(daemon.Daemon):
    """Gets its next part of the day's work when it has looked at an empty queue often enough."""

    def __init__(self, store: Store, crew: OneMachine, *, hours: float, looks: int | None) -> None:
        super().__init__(store, crew)
        self.store, self.crew = store, crew
        self.looks_a_part = round((hours * 3600 / daemon.LOOK_S if looks is None else looks) / PARTS)
        self.runs_a_part = round(hours * 3600 / daemon.TICK_S / PARTS) * daemon.MAX_RUNS
        self.n_looks, self.n_parts, self.began = 0, 0, time.monotonic()

    def begin_part(self) -> None:
        self.n_looks = 0
        facts = self.crew.machine.describe()
        for k in range(self.runs_a_part):
            proposal = ExperimentProposal("U2OS", "staurosporine", 1 + k / self.runs_a_part, proposal_id=f"e{k}")
            plan, name = default_plan([proposal], 96), f"part{self.n_parts}-{k}"
            (workflow,) = compile_plates([proposal], plan, facts, batch_id=name, seed=k)
            add_run(self.store, workflow, resources=("virtual",))

    def _is_still(self, nothing: daemon.Nothing, stamp: str) -> bool:
        """A look that its stamp saves is one as well, except the last of a part, which has to see what is begun."""
        is_still = super()._is_still(nothing, stamp) and self.n_looks + 1 < self.looks_a_part
        self.n_looks += is_still
        return is_still

    def _rest(self, stamp: str, *, is_paused: bool) -> None:
        super()._rest(stamp, is_paused=is_paused)
        self.n_looks += 1
        if self.n_looks == self.looks_a_part:
            self.n_parts += 1
            print(self.row(), flush=True)
            self.stop() if self.n_parts == PARTS else self.begin_part()

    def row(self) -> str:
        done = JobQueue(self.store).stats()[JobStatus.SUCCEEDED]
        n_ticks, seconds = ticks(self.store, last=1)[0].tick_id, time.monotonic() - self.began
        return f"{self.n_parts * 100 // PARTS:>10} %{n_ticks:>8}{done:>8}{resident_mb():>10.1f} MB{seconds:>10.0f} s"


def resident_mb() -> float:
    """Memory of this process that is in use now, from the system."""
    line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--looks", type=int, help="at an empty queue; as many as fit into the hours when left out")
    parser.add_argument("--machine", choices=["nothing", "virtual"], default="nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "lab.db") as store:
        machine = VirtualMachine(Path(folder) / "machine.ledger") if args.machine == "virtual" else Nothing()
        day = Day(store, OneMachine(machine), hours=args.hours, looks=args.looks)
        print(f"{args.hours:g} h: {PARTS} times {day.runs_a_part} runs and {day.looks_a_part} looks at an empty queue")
        print(f"{'':>12}{'ticks':>8}{'runs':>8}{'resident':>13}{'clock':>12}")
        day.begin_part()
        daemon.LOOK_S = 0.0  # the waiting itself is left out
        day.run()
        machine.stop()


if __name__ == "__main__":
    main()
