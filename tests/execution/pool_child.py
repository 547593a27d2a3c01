"""A pool of two robots in a process that kills itself right after a step took effect."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from ledger_machine import LedgerMachine
from plates import plate

from cellos_nb.execution.pool import RobotPool
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.store.store import Store


class MortalMachine(LedgerMachine):
    """Ends the whole process after so many effects."""

    n_left = -1

    def execute(self, step, token):
        reading = super().execute(step, token)
        MortalMachine.n_left -= 1
        if MortalMachine.n_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return reading


def robots_in(folder: Path, names: str, *, declares: bool) -> EqualRobots:
    return EqualRobots({name: MortalMachine(folder / f"{name}.ledger", declares=declares) for name in names.split("+")})


def run(folder: str, names: str, declares: str, n_effects: int) -> None:
    MortalMachine.n_left = n_effects
    with Store.open(Path(folder) / "lab.db") as store:
        pool = RobotPool(store, robots_in(Path(folder), names, declares=declares == "grouped"))
        ids = [pool.submit(plate(f"demo/p{k}")) for k in range(1, 4)]
        pool.run(ids)


def serve() -> None:
    """For every line of arguments, runs the pool in a process forked from this one; answers its exit code."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            run(*json.loads(line))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
