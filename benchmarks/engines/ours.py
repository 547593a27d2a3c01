"""cellos_nb: workflows of one proposal, five steps each, compiled beforehand, through the full journal.

A function for each setting opens what is measured. Run by `run.py`, or alone: `ours.py --setting grouped --profile`
prints where the time of a run goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import cycle
from pathlib import Path

from measure import N_STEPS, measured
from sqlalchemy import Connection, delete, insert

from cellos_nb import ExperimentProposal
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.domain.step import Step
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.autonomous import default_plan
from cellos_nb.execution.pool import executor_for
from cellos_nb.execution.proof import prove
from cellos_nb.execution.queue import JobQueue
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store.schema import actions
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.workflow import Workflow


class DurableStore(Store):
    """Every transaction is on the disk before it returns: synchronous=FULL, synchronous_commit=on."""

    def write(self, *, durable: bool = False) -> AbstractContextManager[Connection]:  # noqa: ARG002 — it always is
        return super().write(durable=True)


class Instant:
    """A machine whose steps do nothing, as those of the engines beside it; it remembers which ones it was asked for."""

    def __init__(self) -> None:
        self._facts = replace(VirtualMachine().describe(), machine="instant", can_reconcile=True)
        self._known: dict[str, Reading | None] = {}

    def describe(self) -> Capabilities:
        return self._facts

    def preflight(self, step: Step) -> None:
        """Has no objection."""

    def execute(self, step: Step, token: str) -> Reading | None:
        wells = step.readout.wells if step.readout else ()
        channel = Channel("luminescence", "RLU", (1.0,) * len(wells))
        reading = Reading(step.plate_id, step.uid, wells, (channel,)) if wells else None
        self._known[token] = reading
        return reading

    def reconcile(self, token: str) -> Outcome:
        if token in self._known:
            return Outcome(OutcomeState.DONE, self._known[token])
        return Outcome(OutcomeState.NEVER_STARTED)

    def stop(self) -> None:
        """Holds nothing."""


class Physical:
    """A machine that counts as real and moves nothing: every intent is committed before a step, and each approved.

    Its incubations take no time, so that the engine is measured.
    """

    def __init__(self, within: HardwareInterface) -> None:
        self._within = within

    def describe(self) -> Capabilities:
        return replace(self._within.describe(), is_simulated=False, can_reconcile=False, hour_s=0.0)

    def preflight(self, step: Step) -> None:
        self._within.preflight(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        return self._within.execute(step, token)

    def reconcile(self, token: str) -> Outcome:  # noqa: ARG002 — it cannot tell
        return Outcome(OutcomeState.UNKNOWN)

    def stop(self) -> None:
        self._within.stop()


def machine_of(args: argparse.Namespace) -> HardwareInterface:
    """What executes the steps: one machine, or several equal robots."""
    if args.robots == 1:
        return SETTINGS[args.setting].machine(args, "machine")
    names = [f"robot-{k}" for k in range(1, args.robots + 1)]
    return EqualRobots({name: SETTINGS[args.setting].machine(args, name) for name in names})


def simulated(args: argparse.Namespace, name: str) -> HardwareInterface:
    return Instant() if args.machine == "instant" else VirtualMachine(args.folder / f"{name}.ledger")


def physical(args: argparse.Namespace, name: str) -> HardwareInterface:  # noqa: ARG001 — it keeps no ledger
    return Physical(Instant() if args.machine == "instant" else VirtualMachine())


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of keeping what is known."""

    store: type[Store]
    machine: Callable[[argparse.Namespace, str], HardwareInterface]


SETTINGS = {
    # Journal entries share commits, and every commit is on the disk.
    "grouped": Setting(DurableStore, simulated),
    # The same as shipped: a crash of the computer may take the last moment, a crash of the process nothing.
    "grouped_as_shipped": Setting(Store, simulated),
    # The intent on the disk before each step, what came of it after.
    "strict": Setting(Store, physical),
}


def compiled(n: int, machine: Capabilities, name: str) -> list[Workflow]:
    """Workflows of five steps, one proposal each."""
    proposals = [ExperimentProposal("U2OS", "staurosporine", 1 + 9 * k / n, proposal_id=f"e{k}") for k in range(n)]
    plan, made = default_plan(proposals[:1], 96), []
    for k, proposal in enumerate(proposals):
        (workflow,) = compile_plates([proposal], plan, machine, batch_id=f"{name}{k}", seed=k)
        if len(workflow.steps) != N_STEPS:
            raise SystemExit(
                f"{workflow.plate_id} has {len(workflow.steps)} steps; the engines beside it have {N_STEPS}."
            )
        made.append(workflow)
    return made


def allowed(store: Store, machine: HardwareInterface, workflows: list[Workflow]) -> list[Workflow]:
    """Approved, where the machine counts as real; each workflow for one of several robots."""
    robots = list(machine.machines.values()) if isinstance(machine, EqualRobots) else [machine]
    for workflow, facts in zip(workflows, cycle([robot.describe() for robot in robots])):
        if facts.is_simulated:
            break
        prove(store, workflow, facts)
        until = now_utc() + timedelta(days=1)
        approve(store, workflow.sha256, machine=facts.machine, person="benchmark", expires_at=until)
    return workflows


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[tuple[Store, HardwareInterface]]:
    machine = machine_of(args)
    with SETTINGS[args.setting].store.open(args.url or str(args.folder / "lab.db")) as store:
        yield store, machine
        machine.stop()


def run(args: argparse.Namespace) -> None:
    with opened(args) as (store, machine):
        facts = machine.describe()
        many = allowed(store, machine, compiled(args.runs, facts, "many"))
        single = allowed(store, machine, compiled(args.single + 1, facts, "single"))
        executor = executor_for(store, machine)

        def together(_: int) -> None:
            if args.in_one:
                with store.write():
                    run_ids = [executor.submit(workflow) for workflow in many]
            else:
                run_ids = [executor.submit(workflow) for workflow in many]
            ended(executor.run(), run_ids)

        def one(k: int) -> None:
            run_id = executor.submit(single[k])
            ended(executor.run([run_id]), [run_id])

        if args.profile:
            one(0)
            profile(lambda: together(args.runs), args.runs)
        else:
            measured(together, one, args.runs, args.single)


def ended(records: dict, run_ids: list[int]) -> None:
    """Stops the benchmark when a run did not succeed: nothing would have been measured."""
    for run_id in run_ids:
        if records[run_id].status != "succeeded":
            raise SystemExit(f"run {run_id}: {records[run_id].status}, {records[run_id].error}")


def profile(action: Callable[[], None], n_runs: int) -> None:
    """Prints what a run costs, by function, in µs; the profiler itself makes everything two to three times slower."""
    profiler = cProfile.Profile()
    profiler.runcall(action)
    stats = pstats.Stats(profiler)
    print(f"{stats.total_tt / n_runs * 1e6:,.0f} µs a run under the profiler")
    for column, title in ((3, "with what it calls"), (2, "by itself")):
        print(f"\n{title}\n{'µs a run':>10} {'calls a run':>12}")
        costs = sorted(stats.stats.items(), key=lambda item: item[1][column], reverse=True)
        for (file, line, name), figures in costs[:40]:
            where = "/".join(Path(file).parts[-2:])
            print(f"{figures[column] / n_runs * 1e6:10.1f} {figures[1] / n_runs:12.2f}  {where}:{line} {name}")


def claims(args: argparse.Namespace) -> None:
    """Prints how long a claim takes with more and more jobs waiting."""
    medians = {}
    for later in (False, True):
        for n in (100, 10_000, 100_000):
            with Store.open(args.url or str(args.folder / f"claims{n}{later}.db")) as store:
                queue = JobQueue(store)
                fill(store, n, later=later, name=f"{n}{later}")
                queue.claim(kind=f"k{n}{later}", start=True)
                seconds = []
                for _ in range(min(50, n // 10) - 1):
                    started = time.perf_counter()
                    job = queue.claim(kind=f"k{n}{later}", start=True)
                    seconds.append(time.perf_counter() - started)
                    if job is None:
                        raise SystemExit("nothing was claimed")
                medians[f"{n}{' later' if later else ''}"] = statistics.median(seconds)
                with store.write() as tx:  # a server's next amount comes into the same database
                    tx.execute(delete(actions))
    print(json.dumps(medians))


def fill(store: Store, n: int, *, later: bool, name: str) -> None:
    """Queues n jobs of ten priorities; `later`: nine of ten wait for tomorrow and come first by priority."""
    now = now_utc()
    job = {"kind": f"k{name}", "payload": "{}", "status": "queued", "attempts": 0, "max_attempts": 3, "created_at": now}
    when = [now + timedelta(days=1) if later and k % 10 else None for k in range(n)]
    keys = [{"idempotency_key": f"{name}-{k}", "priority": k % 10, "not_before": when[k]} for k in range(n)]
    with store.write() as tx:
        tx.execute(insert(actions), [job | key for key in keys])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setting", choices=list(SETTINGS), required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--url", help="a PostgreSQL database in place of an SQLite file")
    parser.add_argument("--machine", choices=["instant", "virtual"], default="instant")
    parser.add_argument("--robots", type=int, default=1, help="equal machines that share the work")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--single", type=int, default=50)
    parser.add_argument("--in-one", action="store_true", help="submit in one transaction, as a batch is submitted")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--claims", action="store_true")
    args = parser.parse_args()
    (claims if args.claims else run)(args)


if __name__ == "__main__":
    main()
