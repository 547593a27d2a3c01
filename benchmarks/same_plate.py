"""One dose plate on every machine kind: wells, volumes and doses by each machine's own account.

    uv run python benchmarks/same_plate.py [--plates 96 384] [--only TEXT]

after `cellos hardware install opentrons`. Every well of the plate is in use; it is compiled once, for pipettes from
5 to 300 µL, which all of these machines have. The accounts: the simulated machines' wells, in a workcell and on a
cluster's host, too; a bench's book, and its worklists read back by the rules of each form; the volume trackers of
PyLabRobot's stand-in of a Hamilton STAR; and the commands that a simulated OT-2 and Flex say they carried out, as
their driver has copied them. Printed as the table of docs/how-to/machines.md; a difference above 0.1 % ends with exit
code 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from accounts import by_hand, robots, simulated
from accounts.plate import FULL, Account, Row, compiled, largest_difference, wet_steps

from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.worker import OpentronsWorker
from cellos_nb.workflow.workflow import Workflow

TOLERANCE_PERCENT = 0.1
WAIT_S = 3600.0
"""For one answer, on a machine that is busy with other work."""


def rows_of(n_wells: int, worker: OpentronsWorker, only: str = "") -> Iterator[Row]:
    """What the others are compared with, then the others; of robots those alone whose name has a text in it."""
    workflow = compiled(n_wells)
    first = simulated.virtual(workflow)
    assert len(first.account) == n_wells
    yield first
    if not only:
        yield from without_hands(n_wells, workflow, first)
    for robot in robots.ROBOTS:
        if only in robot.name:
            yield robots.opentrons(robot, workflow, worker)


def without_hands(n_wells: int, workflow: Workflow, first: Row) -> Iterator[Row]:
    steps = wet_steps(workflow)
    yield simulated.biology(workflow)
    yield simulated.replay(n_wells)
    yield simulated.workcell(n_wells)
    yield simulated.cluster(workflow)
    yield from by_hand.by_hand(steps, first.tips, first.commands)
    yield robots.hamilton(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plates", type=int, nargs="+", default=sorted(FULL), choices=sorted(FULL))
    parser.add_argument("--only", default="", help="of an OT-2 and a Flex those alone with this text in their name")
    asked, worst = parser.parse_args(), 0.0
    print("| plate | machine | wells | largest difference | commands | tips | minutes | checks |")
    print("|---|---|---|---|---|---|---|---|")
    with OpentronsWorker(environment.require(), timeout_s=WAIT_S) as worker:
        for n_wells in asked.plates:
            planned: Account = {}
            for row in rows_of(n_wells, worker, asked.only):
                planned = planned or row.account
                difference = largest_difference(row.planned or planned, row.account)
                worst = max(worst, difference)
                figures = f"{len(row.account)} | {difference:.1g} % | {row.commands:,} | {row.tips} | {row.minutes:.0f}"
                print(f"| {n_wells} | {row.machine} | {figures} | {row.checks} |", flush=True)
    if worst > TOLERANCE_PERCENT:
        sys.exit(f"a difference of {worst:g} % is above {TOLERANCE_PERCENT:g} %")


if __name__ == "__main__":
    main()
