"""Cell banks simulated: all runs at once beside a plain loop over the same model, and whether both say the same.

    uv run python benchmarks/banks.py [--runs 1000] [--plain-runs 1000]

Times are the median of five for the arrays and of one for the loop. The loop (`plain_bank.py`) is written separately
and has luck of its own; a two-sample test compares what comes out.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

import numpy as np
from plain_bank import plain_run
from scipy import stats

from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.sensitivity import sensitivity
from cellos_nb.operations.banks.simulate import simulate
from cellos_nb.operations.banks.summary import crash_test
from cellos_nb.operations.banks.trouble import Trouble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--plain-runs", type=int, default=1000)
    asked = parser.parse_args()
    config = BankConfig.shipped()
    simulate(config, n_runs=10)

    print(f"{'seconds':<52}{'median':>10}")
    for n in (asked.runs, 10 * asked.runs, 100 * asked.runs):
        _line(f"{n:,} runs of a master and a working bank", lambda n=n: simulate(config, n_runs=n))
    trouble = Trouble(incubator_fails=(9,))
    _line(f"crash test, 2 x {asked.runs:,} runs", lambda: crash_test(config, trouble, n_runs=asked.runs))
    _line(f"sensitivity, 34 x {asked.runs:,} runs", lambda: sensitivity(config, "days", n_runs=asked.runs))
    luck = random.Random(7)
    began = time.perf_counter()
    plain = [plain_run(config, luck) for _ in range(asked.plain_runs)]
    took = time.perf_counter() - began
    print(f"{f'plain loop, {asked.plain_runs:,} runs':<52}{took:>10.2f}")

    runs = simulate(config, n_runs=10 * asked.runs)
    print(f"\n{'the same model':<26}{'arrays':>24}{'plain loop':>24}{'p (same)':>10}")
    released = (runs.last.is_released.mean(), np.mean([one.is_released for one in plain]))
    table = [
        [round(share * n), n - round(share * n)] for share, n in zip(released, (runs.n_runs, len(plain)), strict=True)
    ]
    print(f"{'released':<26}{released[0]:>24.3f}{released[1]:>24.3f}{stats.fisher_exact(table).pvalue:>10.2f}")
    for name, mine, theirs in (
        ("vials, p5 p50 p95", runs.last.vials[runs.last.is_released], [one.vials for one in plain if one.is_released]),
        (
            "days, p5 p50 p95",
            runs.measures["days"][runs.last.is_released],
            [one.days for one in plain if one.is_released],
        ),
    ):
        text = ["  ".join(f"{value:.1f}" for value in np.quantile(each, (0.05, 0.5, 0.95))) for each in (mine, theirs)]
        print(f"{name:<26}{text[0]:>24}{text[1]:>24}{stats.ks_2samp(mine, theirs).pvalue:>10.2f}")


def _line(what: str, action) -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    print(f"{what:<52}{statistics.median(seconds):>10.2f}")


if __name__ == "__main__":
    main()
