"""What every engine is asked: many runs at once, then one after another. The standard library alone, for any engine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

N_STEPS = 5


def measured(together: Callable[[int], object], one: Callable[[int], object], n_runs: int, n_single: int) -> None:
    """Prints runs a second, CPU seconds of each of them, and the seconds of each single run as one line of JSON.

    Args:
        together: submits that many runs and returns when all have ended.
        one: submits one run, the k-th, and returns when its result is there.
        n_runs: how many are submitted together.
        n_single: how many are submitted one after another.
    """
    one(-1)  # not counted: what is imported, prepared or opened at the first call
    started, cpu_started = time.perf_counter(), time.process_time()
    together(n_runs)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    single = []
    for k in range(n_single):
        started = time.perf_counter()
        one(k)
        single.append(time.perf_counter() - started)
    print(json.dumps({"runs_per_s": n_runs / seconds, "cpu_s": cpu_s / n_runs, "single_s": single}))
