"""How planners compare: `uv run --group peers python benchmarks/planner/run.py`.

Every planner gets the same table, the same 8 random wells, then asks for batches of 4 until 60 wells are run. A
measurement is one replicate of the well. The score is normalised regret after 20, 40 and 60 wells: (best − best found)
/ (best − median), on true means; for IC50s the root mean square error of log10 EC50. On the screen our planner's prior
is learnt without the cell lines in question, and without the compounds but for the task that shows all 72. Peers that
are not installed are left out. One thread each.

`--out` gathers one JSON line per run and leaves out what stands there already, so a long comparison can be resumed;
`--table` prints what stands there, and `--write` puts it into docs/benchmarks.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from peers import PLANNERS, installed
from results import PAGE, done, keep
from tables import page_with, tables
from task import Task
from tasks import TASKS

AT = (20, 40, 60)
N_FIRST, BATCH = 8, 4


def campaign(task: Task, planner: Any, seed: int) -> dict[str, Any]:
    """One campaign of 60 wells."""
    noise = np.random.default_rng([7, seed])
    place = {well: i for i, well in enumerate(task.wells)}
    run = np.random.default_rng([8, seed]).choice(len(task.wells), N_FIRST, replace=False).tolist()
    planner.tell([task.row(i) for i in run], [task.measure(i, noise) for i in run])
    seconds = []
    while len(run) < AT[-1]:
        start = time.process_time()
        rows = planner.ask(min(BATCH, AT[-1] - len(run)))
        seconds.append(time.process_time() - start)
        chosen = [place[tuple(row[name] for name in task.types)] for row in rows]
        planner.tell(rows, [task.measure(i, noise) for i in chosen])
        run += chosen
    result: dict[str, Any] = {"regret": {str(n): task.regret(run[:n]) for n in AT}, "ask_s": float(np.median(seconds))}
    if task.log10_ec50:
        result["rmse"] = ec50_error(task, planner)
    return result


def ec50_error(task: Task, planner: Any) -> float | None:
    """Of a planner that estimates EC50s; one that does not know a curve is taken to say the middle of the doses."""
    if not hasattr(planner, "estimate"):
        return None
    doses = [well[-1] for well in task.wells]
    low, high = min(doses), max(doses)
    estimates = planner.estimate()
    errors = [
        np.clip(estimates.get(pair, (low + high) / 2), low, high) - true for pair, true in task.log10_ec50.items()
    ]
    return float(np.sqrt(np.mean(np.square(errors))))


def seeds_of(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--planners", default=",".join(installed()).replace("cellos, vague prior", "cellos; vague prior")
    )
    parser.add_argument("--tasks", default=";".join(TASKS), help="names, separated by semicolons")
    parser.add_argument("--seeds", type=seeds_of, default=range(20), help="as 0-19")
    parser.add_argument("--out", type=Path, default=Path("planners.jsonl"))
    parser.add_argument("--table", action="store_true", help="print the tables of --out and run nothing")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    options = parser.parse_args()
    if not (options.table or options.write):
        run_all(options)
    found = tables(done(options.out), list(TASKS), list(PLANNERS))
    print(found)
    if options.write:
        PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


def run_all(options: argparse.Namespace) -> None:
    planners = [name.replace(";", ",") for name in options.planners.split(",")]
    known = {(row["task"], row["planner"], row["seed"]) for row in done(options.out)}
    for task_name in options.tasks.split(";"):
        for seed in options.seeds:
            task = None
            for name in planners:
                if (task_name, name, seed) in known:
                    continue
                task = task or TASKS[task_name](seed)
                result = campaign(task, PLANNERS[name](task, seed), seed)
                row = {"task": task_name, "planner": name, "seed": seed, **result}
                keep(options.out, row)
                print(task_name, name, seed, {n: round(r, 3) for n, r in result["regret"].items()}, file=sys.stderr)


if __name__ == "__main__":
    main()
