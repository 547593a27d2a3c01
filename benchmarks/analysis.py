"""Prints how fast and how well dose-response curves are fitted: `uv run python benchmarks/analysis.py CURVES.csv`.

CURVES.csv has one row per curve and columns `d<dose>`, as tests/analysis/data/sarcoma_curves.csv (the default, a part
of the screen of doi:10.1038/s44320-023-00004-7). Every row is one curve without replicates; then simulated curves. All
of it runs on one core. Our fits include standard errors, profile intervals and verdicts; curve_fit gives errors alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit, least_squares

from cellos_nb.analysis import fit_dose_responses

DEFAULT = Path(__file__).parent.parent / "tests" / "analysis" / "data" / "sarcoma_curves.csv"


def real_curves(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Doses (M,) and responses (K, M) with NaN where missing."""
    wide = pd.read_csv(path)
    columns = [name for name in wide.columns if name.startswith("d") and name[1:].replace(".", "").isdigit()]
    return np.array([float(name[1:]) for name in columns]), wide[columns].to_numpy()


def simulated_curves(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    dose = np.geomspace(0.1, 10_000, 11)
    half, hill = 10 ** rng.uniform(-0.5, 4.5, n), np.exp(rng.uniform(np.log(0.6), np.log(3.0), n))
    lower = rng.uniform(0, 0.5, n)
    mean = lower[:, None] + (1 - lower[:, None]) / (1 + (dose / half[:, None]) ** hill[:, None])
    return dose, mean + 0.05 * rng.standard_normal(mean.shape)


def table(dose: np.ndarray, response: np.ndarray) -> pd.DataFrame:
    n, m = response.shape
    return pd.DataFrame({"curve": np.repeat(np.arange(n), m), "dose_um": np.tile(dose, n), "value": response.ravel()})


def sigmoid(x: np.ndarray, hill: float, lower: float, upper: float, log_half: float) -> np.ndarray:
    return lower + (upper - lower) / (1 + np.exp(hill * (np.log(x) - log_half)))


def plain(x: np.ndarray, y: np.ndarray) -> float:
    """The loop that everybody writes first; infinite where it does not converge."""
    start = [1.0, y.min(), y.max(), np.log(np.median(x))]
    try:
        found, _ = curve_fit(sigmoid, x, y, p0=start, maxfev=5000)
    except RuntimeError:
        return np.inf
    return float(((y - sigmoid(x, *found)) ** 2).sum())


def thorough(x: np.ndarray, y: np.ndarray) -> float:
    """The best of 12 starts of a trust-region fit within the ranges that ours searches."""
    middle = np.log(x)
    low = [-60.0, -np.inf, -np.inf, middle[0] - 3 * np.log(10)]
    high = [60.0, np.inf, np.inf, middle[-1] + 3 * np.log(10)]
    best = np.inf
    for hill in (-1.0, 0.8, 3.0):
        for log_half in np.linspace(middle[0], middle[-1], 4):
            start = [hill, y.min(), y.max(), log_half]
            fit = least_squares(lambda p: sigmoid(x, *p) - y, start, bounds=(low, high), x_scale=[1, 0.1, 0.1, 1])
            best = min(best, 2 * fit.cost)
    return best


def seconds(action: Callable[[], object], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return taken


def compare(name: str, dose: np.ndarray, response: np.ndarray, *, repeats: int, n_peer: int, n_thorough: int) -> None:
    points = table(dose, response)
    fits = fit_dose_responses(points, "curve")
    ours = [len(response) / s for s in seconds(lambda: fit_dose_responses(points, "curve"), repeats)]
    held = {"lower": (-0.2, 1.0), "upper": (0.8, 1.3)}
    bounded = [len(response) / s for s in seconds(lambda: fit_dose_responses(points, "curve", **held), repeats)]
    some = [(dose[~np.isnan(y)], y[~np.isnan(y)]) for y in response]
    chosen = np.random.default_rng(0).permutation([k for k, (x, _) in enumerate(some) if x.size >= 5])
    loop = chosen[:n_peer].tolist()
    laps = [n_peer / s for s in seconds(lambda: [plain(*some[k]) for k in loop], max(repeats // 2, 1))]
    deep = chosen[:n_thorough].tolist()
    best = np.array([min(thorough(*some[k]), plain(*some[k]), fits.rss[k]) for k in deep])
    peer = np.array([plain(*some[k]) for k in deep])
    rss = fits.rss.to_numpy()[deep]
    ratio = statistics.median(ours) / statistics.median(laps)
    print(f"{name}: {len(response):,} curves of {dose.size} doses")
    for what, rates in (("ours", ours), ("ours, plateaus bounded", bounded), ("scipy curve_fit in a loop", laps)):
        print(f"  {what:28}{statistics.median(rates):>10,.0f} fits/s  ({min(rates):,.0f} – {max(rates):,.0f})")
    print(f"  ours / curve_fit            {ratio:>10.1f} ×")
    for what, values in (("ours", rss), ("curve_fit", peer)):
        share = np.mean(values <= best * (1 + 1e-4) + 1e-15)
        print(
            f"  within 1e-4 of the best     {share:>10.1%}  {what} (of {len(deep)} curves, 12 starts and all fitters)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--peer", type=int, default=300, help="curves for the curve_fit loop")
    parser.add_argument("--thorough", type=int, default=40, help="curves for the search from 12 starts")
    asked = parser.parse_args()
    # curve_fit warns of overflow and of covariances that it cannot estimate; both are part of the comparison.
    warnings.simplefilter("ignore")
    for name, (dose, response) in (("real", real_curves(asked.curves)), ("simulated", simulated_curves(2000))):
        n_peer, n_thorough = min(asked.peer, len(response)), min(asked.thorough, len(response))
        compare(name, dose, response, repeats=asked.repeats, n_peer=n_peer, n_thorough=n_thorough)


if __name__ == "__main__":
    main()
