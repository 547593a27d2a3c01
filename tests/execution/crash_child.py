"""A small campaign in a process that kills itself at a chosen point: around a commit, or after a device call.

Wraps the database driver's commit and the machine's execute from outside; the product knows nothing of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger_machine import LedgerMachine
from sqlalchemy.engine.default import DefaultDialect

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.execution import places
from cellos_nb.execution.batch import Batch, run_batch
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.ledger import read_ledger
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store

MACHINES = {
    "grouped": {},
    "strict": {"declares": False},
    "forgetful": {"remembers": False},
    "shipped": None,
    "pool": {"declares": False},
    "forgetful pool": {"remembers": False},
}
"""Simulated with memory; asked to be journaled step by step; a bare pump that cannot say what it did; the real one;
three robots of the second sort, and of the third, which share the commits of their intents.
"""
N_ROBOTS = 3


class ShippedMachine(VirtualMachine):
    """The virtual machine, which tracks every well, with its own ledger counted."""

    def effects(self) -> Counter[tuple[str, str]]:
        entries = read_ledger(self.path)
        return Counter((entry.plate_id, entry.step_uid) for entry in entries if entry.kind.moves_liquid)


@dataclass
class Killer:
    """Counts points and sends the process a signal at one of them."""

    at: int | None
    signal: int = signal.SIGKILL
    points: count = field(default_factory=count)
    passed: int = 0

    def point(self):
        number = next(self.points)
        if number == self.at:
            os.kill(os.getpid(), self.signal)
        self.passed = number + 1


def config(n_plates):
    return CampaignConfig(
        name="Crash",
        cell_lines=["U2OS"],
        compounds=["drug"],
        dose_range_um=(0.1, 10.0),
        n_doses=10 * n_plates,
        batch_size=3 * n_plates,
        plate_format=6,
        controls={"vehicle": 3},
        stock_mm=10.0,
    )


def batch(campaign_id, n_plates):
    one = config(n_plates)
    doses = one.doses_um("drug")[: one.batch_size]
    asked = tuple(
        ExperimentProposal("U2OS", "drug", dose, proposal_id=f"i001-e{k:03d}") for k, dose in enumerate(doses, 1)
    )
    return Batch(f"{campaign_id}/i001", campaign_id, 1, asked, one.plate_plan(), seed=1)


def machines_of(folder: Path, mode: str) -> list[LedgerMachine | ShippedMachine]:
    """What executes the campaign, each with a ledger of its own."""
    if mode == "shipped":
        machine = ShippedMachine(folder / "ledger")
        machine.path = folder / "ledger"
        return [machine]
    n_machines = N_ROBOTS if mode.endswith("pool") else 1
    return [LedgerMachine(folder / f"ledger-{k}", **MACHINES[mode]) for k in range(n_machines)]


def as_one(machines: list[LedgerMachine | ShippedMachine]) -> HardwareInterface:
    """The machine itself, or several as equal robots."""
    return machines[0] if len(machines) == 1 else EqualRobots({f"r{k}": one for k, one in enumerate(machines)})


def campaign(folder: Path, mode: str, n_plates: int, kill_at: int | None = None, database: str | None = None) -> int:
    """Begins or continues the campaign, in a file in the folder unless a database is named.

    Returns how many points there were to be killed at.
    """
    killer = Killer(kill_at)
    commit, machines = DefaultDialect.do_commit, machines_of(folder, mode)

    def commit_between_points(dialect, connection):
        killer.point()
        commit(dialect, connection)
        killer.point()

    def deadly(execute):
        def execute_and_die(step, token):
            # Before the call nothing has happened since the last commit or the last call.
            reading = execute(step, token)
            killer.point()
            return reading

        return execute_and_die

    DefaultDialect.do_commit = commit_between_points
    for machine in machines:
        machine.execute = deadly(machine.execute)
    try:
        with Store.open(database or folder / "lab.db") as store:
            known = store.campaigns()
            campaign_id = known[0].campaign_id if known else store.add_campaign(config(n_plates))
            if known and known[0].status is CampaignStatus.FINISHED:
                return killer.passed
            asked = batch(campaign_id, n_plates)
            store.add_iteration(campaign_id, 1, asked.proposals)
            run_batch(store, as_one(machines), asked)
            store.set_campaign_status(campaign_id, CampaignStatus.FINISHED, "done")
    finally:
        DefaultDialect.do_commit = commit
        for machine in machines:
            machine.stop()
    return killer.passed


def warm_up(live: Callable[[Path], object]):
    """Runs one campaign in this process, so that each fork of it has everything imported, compiled and prepared.

    Returns when no thread of it is left, since a fork would not have it but any lock that it holds.
    """
    idle_s, places.IDLE_S = places.IDLE_S, 0.0
    with TemporaryDirectory() as folder:
        live(Path(folder))
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        thread.join()
    places.IDLE_S = idle_s


def serve():
    """For every line `folder mode n_plates kill_at database`, runs the campaign in a process; answers its exit code.

    Forked from one that has done all of it before, so that a real process with a real death costs milliseconds.
    """
    warm = set()
    for line in sys.stdin:
        folder, mode, n_plates, kill_at, database = json.loads(line)
        if mode not in warm:
            warm_up(lambda here, mode=mode: campaign(here, mode, 1))
            warm.add(mode)
        pid = os.fork()
        if pid == 0:
            campaign(Path(folder), mode, n_plates, kill_at, database)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
