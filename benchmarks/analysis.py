"""Prints how fast and how well dose-response curves are fitted: `uv run python benchmarks/analysis.py`.

On the curves of the shipped screen (doi:10.1038/s44320-023-00004-7; every replicate is one curve) and on simulated
ones, everything in one process on one core, our rounds and scipy's taking turns. Our fits include standard errors,
profile intervals and verdicts; the others give parameters alone. Then the reference fits, and how often the intervals
hold the truth. Give `--curves` for a CSV of your own with one row per curve and columns `d<dose>`.
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
from scipy.optimize import curve_fit, differential_evolution, least_squares

from cellos_nb.analysis import fit_dose_response, fit_dose_responses

ROOT = Path(__file__).parent.parent
SCREEN = ROOT / "cellos_nb" / "hardware" / "screens" / "sarcoma_lee2023.csv.gz"
REFERENCES = ROOT / "tests" / "analysis" / "data"


def real_curves(path: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Doses (M,) and responses (K, M) with NaN where missing."""
    if path is None:
        long = pd.read_csv(SCREEN)
        wide = long.pivot_table(index=["cell_line", "compound", "replicate"], columns="dose_um", values="viability")
        return wide.columns.to_numpy(dtype=float), wide.to_numpy()
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
    return _curve_fit(x, y, [1.0, y.min(), y.max(), np.log(np.median(x))])


def informed(x: np.ndarray, y: np.ndarray) -> float:
    """curve_fit from where the response is half-way, at three slopes."""
    half = np.log(x[np.abs(y - (y.min() + y.max()) / 2).argmin()])
    return min(_curve_fit(x, y, [hill, y.min(), y.max(), half]) for hill in (-1.5, 1.0, 4.0))


def _curve_fit(x: np.ndarray, y: np.ndarray, start: list[float]) -> float:
    try:
        found, _ = curve_fit(sigmoid, x, y, p0=start, maxfev=5000)
    except RuntimeError:
        return np.inf
    return float(((y - sigmoid(x, *found)) ** 2).sum())


def thorough(x: np.ndarray, y: np.ndarray, method: str, loss_scale: float = 0.1) -> float:
    """The best of 12 starts of a bounded least-squares fit; the EC50 within 3 decades beyond the doses."""
    middle = np.log(x)
    low = [-60.0, -np.inf, -np.inf, middle[0] - 3 * np.log(10)]
    high = [60.0, np.inf, np.inf, middle[-1] + 3 * np.log(10)]
    best = np.inf
    for hill in (-1.0, 0.8, 3.0):
        for log_half in np.linspace(middle[0], middle[-1], 4):
            start, scale = [hill, y.min(), y.max(), log_half], [1, loss_scale, loss_scale, 1]
            fit = least_squares(
                lambda p: sigmoid(x, *p) - y, start, bounds=(low, high), x_scale=scale, method=method, max_nfev=400
            )
            best = min(best, 2 * fit.cost)
    return best


def annealed(x: np.ndarray, y: np.ndarray) -> float:
    """Differential evolution over slope and EC50, with the plateaus by regression: a global search."""

    def left(p: np.ndarray) -> float:
        basis = np.stack([np.ones_like(x), sigmoid(x, p[0], 0.0, 1.0, p[1])], axis=1)
        return float(((y - basis @ np.linalg.lstsq(basis, y, rcond=None)[0]) ** 2).sum())

    ends = np.log(x[[0, -1]]) + 3 * np.log(10) * np.array([-1, 1])
    return float(differential_evolution(left, [(0.01, 60.0), tuple(ends)], seed=0, popsize=12, maxiter=120).fun)


FITTERS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "scipy curve_fit": plain,
    "curve_fit, 3 informed starts": informed,
    "least_squares trf, 12 starts": lambda x, y: thorough(x, y, "trf"),
    "least_squares dogbox, 12 starts": lambda x, y: thorough(x, y, "dogbox"),
    "differential evolution": annealed,
}


def seconds(action: Callable[[], object]) -> float:
    """CPU time, so that other work on the machine counts for neither side."""
    started = time.process_time()
    action()
    return time.process_time() - started


def compare(name: str, dose: np.ndarray, response: np.ndarray, *, repeats: int, n_peer: int, n_thorough: int) -> None:
    points = table(dose, response)
    fits = fit_dose_responses(points, "curve")
    held = {"lower": (-0.2, 1.0), "upper": (0.8, 1.3)}
    some = [(dose[~np.isnan(y)], y[~np.isnan(y)]) for y in response]
    chosen = np.random.default_rng(0).permutation([k for k, (x, _) in enumerate(some) if x.size >= 5]).tolist()
    n, loop = len(response), chosen[:n_peer]
    ours, bounded, laps = [], [], []
    for _ in range(repeats):
        ours.append(n / seconds(lambda: fit_dose_responses(points, "curve")))
        laps.append(len(loop) / seconds(lambda: [plain(*some[k]) for k in loop]))
        bounded.append(n / seconds(lambda: fit_dose_responses(points, "curve", **held)))
    ratios = [a / b for a, b in zip(ours, laps, strict=True)]
    print(f"{name}: {n:,} curves of {dose.size} doses, CPU time, {repeats} rounds in turns")
    for what, rates in (("ours", ours), ("ours, plateaus bounded", bounded), ("scipy curve_fit in a loop", laps)):
        print(f"  {what:32}{statistics.median(rates):>10,.0f} fits/s  ({min(rates):,.0f} – {max(rates):,.0f})")
    print(f"  {'ours / curve_fit':32}{statistics.median(ratios):>10.1f} ×  ({min(ratios):.1f} – {max(ratios):.1f})")
    deep = chosen[:n_thorough]
    rss = {what: np.array([fitter(*some[k]) for k in deep]) for what, fitter in FITTERS.items()}
    rss = {"ours": fits.rss.to_numpy()[deep], **rss}
    best = np.min(list(rss.values()), axis=0)
    print(f"  residuals within 1e-4 of the best of all fitters, on {len(deep)} curves")
    for what, values in rss.items():
        print(f"  {what:32}{np.mean(values <= best * (1 + 1e-4) + 1e-15):>10.1%}")


def references() -> None:
    """The fits of R's `drc`, on the standard example and on 67 real curves with pooled replicates."""
    ryegrass = pd.read_csv(REFERENCES / "ryegrass.csv")
    fit = fit_dose_response(ryegrass.iloc[:, 1], ryegrass.iloc[:, 0])
    known = {"hill": 2.98222, "lower": 0.48141, "upper": 7.79296, "ec50": 3.05796, "ec50_se": 0.18573}
    print("ryegrass against drc: " + ", ".join(f"{k} {getattr(fit, k):.5f} ({v})" for k, v in known.items()))
    theirs = pd.read_csv(REFERENCES / "sarcoma_ll4_reference.csv")
    dose, response = real_curves(REFERENCES / "sarcoma_curves.csv")
    names = pd.read_csv(REFERENCES / "sarcoma_curves.csv")
    points = table(dose, response)
    points["group"] = np.repeat(names.cell_line + "|" + names.compound, dose.size).to_numpy()
    both = fit_dose_responses(points, "group").merge(theirs, on="group", suffixes=("", "_r"))
    excess = both.rss / both.rss_r - 1
    same = (excess.abs() < 1e-4) & (both.se_ed50 < 0.25 * both.ed50)
    ed50, error = (both.ec50 / both.ed50 - 1)[same].abs(), (both.ec50_se / both.se_ed50 - 1)[same].abs()
    print(
        f"drc, {len(both)} curves: residuals at most {excess.max():+.1e} of theirs, lower in {(excess < -1e-4).sum()}; "
        f"where the minimum is the same ({same.sum()}): ED50 within {ed50.max():.1e}, SE within {error.max():.1e}"
    )


def coverage(n: int) -> None:
    """How often the 95 % interval holds the EC50 that was simulated."""
    rng = np.random.default_rng(11)
    dose = np.geomspace(0.1, 10_000, 11)
    for name, exponent in (("complete", (0.5, 2.8)), ("incomplete", (3.2, 4.3)), ("both", (-0.5, 4.3))):
        half, hill = 10 ** rng.uniform(*exponent, n), np.exp(rng.uniform(np.log(0.7), np.log(2.5), n))
        lower = rng.uniform(0, 0.4, n)
        mean = lower[:, None] + (1 - lower[:, None]) / (1 + (dose / half[:, None]) ** hill[:, None])
        for replicates in (1, 3):
            doses = np.repeat(dose, replicates)
            y = np.repeat(mean, replicates, axis=1) + 0.05 * rng.standard_normal((n, doses.size))
            fits = fit_dose_responses(table(doses, y), "curve")
            holds = (fits.ec50_low <= half) & (half <= fits.ec50_high)
            open_ = np.isinf(fits.ec50_high) | (fits.ec50_low == 0)
            print(
                f"coverage, {name:11}{replicates} replicates: {holds.mean():.1%} of {n:,}; one-sided {open_.mean():.0%}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=Path, help="a CSV of your own; the shipped screen when left out")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--peer", type=int, default=300, help="curves for the curve_fit loop")
    parser.add_argument("--thorough", type=int, default=100, help="curves for the comparison of residuals")
    parser.add_argument("--coverage", type=int, default=2000, help="simulated curves for each line of coverage")
    asked = parser.parse_args()
    # curve_fit warns of overflow and of covariances that it cannot estimate; both are part of the comparison.
    warnings.simplefilter("ignore")
    for name, (dose, response) in (("real", real_curves(asked.curves)), ("simulated", simulated_curves(2000))):
        n_peer, n_thorough = min(asked.peer, len(response)), min(asked.thorough, len(response))
        compare(name, dose, response, repeats=asked.repeats, n_peer=n_peer, n_thorough=n_thorough)
    references()
    coverage(asked.coverage)


if __name__ == "__main__":
    main()
