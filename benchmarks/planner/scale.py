"""What an ask costs as campaigns grow: `OMP_NUM_THREADS=1 uv run python benchmarks/planner/scale.py [--peers]`.

CPU seconds of one ask, median of three, on one thread, and the peak memory of a process that does nothing else. Ours on
9 lines × 72 compounds × 11 doses with the curves' model, on a table of 7,463 mixed rows with the plain process (exact
up to 2,000 observations, 400 inducing points beyond), and on 100,000 such rows. `--peers` adds the planners installed,
on the 7,463 rows.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
from peers import PLANNERS, installed
from task import DOSES, Task

CURVES, MIXED, LARGE = "curves, 7,128 wells", "mixed, 7,463 rows", "mixed, 100,000 rows"
OURS = [(CURVES, n, q) for n, q in ((60, 4), (200, 4), (1000, 4), (1000, 96), (1000, 384), (5000, 4), (5000, 96))]
OURS += [(MIXED, n, q) for n, q in ((60, 4), (200, 4), (1000, 4), (1000, 96), (2000, 4), (5000, 4), (5000, 96))]
OURS += [(LARGE, 1000, 96), (LARGE, 5000, 384)]


def table(name: str) -> Task:
    rng = np.random.default_rng(0)
    if name == CURVES:
        doses = np.linspace(-9.8, -5, 11).round(3).tolist()
        wells = [(f"L{i}", f"C{j}", x) for i in range(9) for j in range(72) for x in doses]
        middle, dose = rng.normal(-6.5, 1, 648).repeat(11), np.array([well[2] for well in wells])
        truth = 1 / (1 + 10 ** (1.2 * (middle - dose))) - 0.1 * (dose + 9.8)
        objective = {"kind": "inhibition_minus_dose_cost", "per_decade": 0.1, "log10_dose_ref": -9.8}
        return Task(DOSES, wells, truth[:, None] + 0.05 * rng.normal(size=(len(truth), 4)), truth, objective)
    n = 7463 if name == MIXED else 100_000
    x, medium = rng.random((n, 3)).round(5), rng.integers(0, 6, n)
    truth = np.sin(4 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * (medium == 1)
    types = {"medium": "categorical", "a": "float", "b": "float", "c": "float"}
    wells = [(f"m{m}", *row) for m, row in zip(medium.tolist(), x.tolist(), strict=True)]
    return Task(types, wells, truth[:, None] + 0.1 * rng.normal(size=(n, 4)), truth, {"kind": "response"})


def one(planner_name: str, task_name: str, n: int, q: int) -> dict[str, Any]:
    """Median CPU seconds of an ask after n observations, in this process."""
    task, rng = table(task_name), np.random.default_rng(1)
    seconds = []
    for turn in range(4):
        planner = PLANNERS[planner_name](task, turn)
        rows = rng.choice(len(task.wells), min(n, len(task.wells) - q), replace=False).tolist()
        planner.tell([task.row(i) for i in rows], [task.measure(i, rng) for i in rows])
        start = time.process_time()
        planner.ask(q)
        seconds.append(time.process_time() - start)
    # The first ask imports and draws libraries.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first_s": seconds[0], "ask_s": statistics.median(seconds[1:]), "peak_mb": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        planner, task, n, q = options.one
        print(json.dumps(one(planner, task, int(n), int(q))))
        return
    cases = [("cellos", *case) for case in OURS]
    if options.peers:
        cases += [
            (name, MIXED, n, 4) for name in installed() if name[:6] not in {"random", "cellos"} for n in (60, 200)
        ]
    print("| planner | table | observations | batch | ask, CPU s | first ask, CPU s | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        command = [sys.executable, __file__, "--one", *map(str, case)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ask, first, peak = found["ask_s"], found["first_s"], found["peak_mb"]
        print("|", " | ".join(map(str, case)), f"| {ask:.3f} | {first:.2f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
