"""What an ask costs beside its peers: `uv run --group peers python benchmarks/planner/ask_cost.py`.

CPU seconds of an ask for 4 wells of the potent pair on the screen, each planner in a process of its own, on one thread.
"Told all at once": the first ask of a planner that was just told n random wells. "In a campaign": the asks after it,
each after the wells of the one before were told; peers fit anew for each, ours only what has grown. One ask on 12 wells
comes first and is not counted, since it imports and compiles. Medians.

`--out` gathers one JSON line per planner and leaves out what stands there already, so that the slow ones can be run
apart; `--table` prints what stands there.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from peers import PLANNERS, installed
from results import done, keep
from tasks import TASKS, Task

TASK = "potent pair (screen)"
AT = (60, 200)
BATCH = 4
OURS, PEERS = "cellos", ("optuna TPE", "optuna GP", "BoTorch", "BayBE", "Ax", "emukit + GPy")
REPEATS = {OURS: (9, 5), "optuna GP": (3, 3)}
"""Planners told all at once, and asks after each, for every number of wells; one and two of the others."""


def told(task: Task, name: str, n: int, seed: int, noise: np.random.Generator) -> Any:
    """A planner that knows n random wells."""
    planner = PLANNERS[name](task, seed)
    rows = np.random.default_rng([12, seed]).choice(len(task.wells), n, replace=False).tolist()
    planner.tell([task.row(i) for i in rows], [task.measure(i, noise) for i in rows])
    return planner


def asked(task: Task, planner: Any, n_asks: int, noise: np.random.Generator) -> list[float]:
    """CPU seconds of asks in sequence, each answered."""
    place, seconds = {well: i for i, well in enumerate(task.wells)}, []
    for _ in range(n_asks):
        start = time.process_time()
        rows = planner.ask(BATCH)
        seconds.append(time.process_time() - start)
        chosen = [place[tuple(row[name] for name in task.types)] for row in rows]
        planner.tell(rows, [task.measure(i, noise) for i in chosen])
    return seconds


def one(name: str) -> dict[str, Any]:
    """Costs of one planner, in this process."""
    task, noise = TASKS[TASK](0), np.random.default_rng(3)
    asked(task, told(task, name, 12, 0, noise), 1, noise)
    n_planners, n_asks = REPEATS.get(name, (1, 2))
    result: dict[str, Any] = {"planner": name, "n_wells": len(task.wells)}
    for n in AT:
        runs = [asked(task, told(task, name, n, 1 + turn, noise), 1 + n_asks, noise) for turn in range(n_planners)]
        result[f"at_once_{n}"] = statistics.median(run[0] for run in runs)
        result[f"campaign_{n}"] = statistics.median(seconds for run in runs for seconds in run[1:])
    return result


def table(runs: list[dict[str, Any]]) -> str:
    """Seconds, and how many times those of ours they are."""
    columns = [f"{kind}_{n}" for n in AT for kind in ("at_once", "campaign")]
    names = [f"n = {n}, {kind}" for n in AT for kind in ("told all at once", "in a campaign")]
    ours = next(run for run in runs if run["planner"] == OURS)
    lines = [f"| planner | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for run in runs:
        cells = [f"{run[key]:.2g} ({run[key] / ours[key]:.0f} ×)" for key in columns]
        lines.append(f"| {run['planner']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planners", default=",".join([OURS, *(name for name in PEERS if name in installed())]))
    parser.add_argument("--out", type=Path, default=Path("ask_cost.jsonl"))
    parser.add_argument("--table", action="store_true", help="print the table of --out and run nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        warnings.simplefilter("ignore")
        print(json.dumps(one(options.one)))
        return
    found = done(options.out)
    for name in [] if options.table else options.planners.split(","):
        if name in {run["planner"] for run in found}:
            continue
        command = [sys.executable, __file__, "--one", name]
        line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        found.append(json.loads(line))
        keep(options.out, found[-1])
    order = [OURS, *PEERS]
    print(table(sorted(found, key=lambda run: order.index(run["planner"]))))


if __name__ == "__main__":
    main()
