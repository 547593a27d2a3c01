"""Prints how narrow the intervals of EC50s become with each way of filling plates, well for well.

`uv run python benchmarks/plate_design.py`: compounds with EC50s anywhere over five decades of dose, measured with 6 %
noise and 5 % of vehicle, in single wells. Every way has the same wells, the same noise in each well and the same fit
afterwards: `fit_dose_response` with 8 vehicle wells as dose 0 and plateaus within wide bounds. "serial": eight doses
evenly over the range, with replicates; "spread": as many evenly spaced doses as there are wells. The planners work in
rounds of one plate. An open interval counts as ending 3 decades beyond the doses, where the fit gives up.
"""

from __future__ import annotations

import argparse

import numpy as np

from cellos_nb.analysis import fit_dose_response
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.domain.settings import PlannerSettings
from cellos_nb.planner import make_planner

LOW, HIGH, GRID = 1e-3, 100.0, 200
N_VEHICLE = 8


class Truth:
    """Curves of a set of compounds, and a noise for every well that depends on nothing but the well's number."""

    def __init__(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.log10_half = rng.uniform(-2.5, 1.5, n)
        self.hill, self.lower = np.exp(rng.normal(np.log(1.2), 0.35, n)), rng.uniform(0, 0.4, n)
        self.noise = rng.standard_normal((n, 400, 2))
        self.vehicle = 1 + 0.06 * rng.standard_normal((n, N_VEHICLE))

    def measure(self, k: int, doses: np.ndarray, first_well: int = 0) -> np.ndarray:
        half, lower = 10 ** self.log10_half[k], self.lower[k]
        mean = lower + (1 - lower) / (1 + (doses / half) ** self.hill[k])
        noise = self.noise[k, first_well : first_well + len(doses)]
        return mean * (1 + 0.06 * noise[:, 0]) + 0.05 * noise[:, 1]

    def interval(self, k: int, doses: np.ndarray, values: np.ndarray) -> tuple[float, bool]:
        """Width in decades and whether the truth lies inside."""
        dose, value = np.r_[np.zeros(N_VEHICLE), doses], np.r_[self.vehicle[k], values]
        fit = fit_dose_response(dose, value, lower=(-0.1, 0.7), upper=(0.8, 1.2))
        low, high = fit.ec50_interval
        ends = np.log10(np.clip([low, high], LOW / 1e3, HIGH * 1e3))
        return float(ends[1] - ends[0]), bool(low <= 10 ** self.log10_half[k] <= high)


def fixed(truth: Truth, doses: np.ndarray) -> list[tuple[float, bool]]:
    return [truth.interval(k, doses, truth.measure(k, doses)) for k in range(len(truth.hill))]


def planned(kind: str, truth: Truth, rounds: int, n_wells: int, seed: int) -> list[tuple[float, bool]]:
    """All compounds share the plates; a planner may give one more wells than another."""
    names = [f"c{k:02d}" for k in range(len(truth.hill))]
    config = CampaignConfig(
        name="design", cell_lines=["U2OS"], compounds=names, dose_range_um=(LOW, HIGH), n_doses=GRID,
        batch_size=n_wells * len(names) // rounds, planner=kind, seed=seed,
    )  # fmt: skip
    planner, history = make_planner(PlannerSettings(kind=kind)), History()
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for lap in range(1, rounds + 1):
        results = []
        for asked in planner.propose(config, history, lap, config.batch_size):
            k, wells = names.index(asked.compound), measured[asked.compound]
            value = float(truth.measure(k, np.array([asked.dose_um]), len(wells))[0])
            wells.append((asked.dose_um, value))
            results.append(ExperimentResult(asked, ResultStatus.OK, value, iteration=lap))
        history = History(history.results + tuple(results))
    found = []
    for k, name in enumerate(names):
        wells = np.array(measured[name]).reshape(-1, 2)
        enough = len(np.unique(wells[:, 0])) >= 4
        found.append(truth.interval(k, wells[:, 0], wells[:, 1]) if enough else (np.log10(HIGH / LOW) + 6, True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--compounds", type=int, default=10)
    parser.add_argument("--wells", type=int, nargs="+", default=[16, 24, 48], help="for each compound")
    asked = parser.parse_args()
    print(f"{'wells':>6}  {'way':34}{'median width':>13}{'beside serial':>14}{'mean':>8}{'open':>7}{'coverage':>10}")
    for n_wells in asked.wells:
        ways: dict[str, list[tuple[float, bool]]] = {}
        for seed in range(asked.seeds):
            truth = Truth(asked.compounds, seed)
            found = {
                f"serial, 8 doses × {n_wells // 8}": fixed(truth, np.repeat(np.geomspace(LOW, HIGH, 8), n_wells // 8)),
                f"spread, {n_wells} doses": fixed(truth, np.geomspace(LOW, HIGH, n_wells)),
                "random": planned("random", truth, 2, n_wells, seed),
                "mechanistic (nei), point by point": planned("mechanistic", truth, 4, n_wells, seed),
                "plate_design, 1 plate": planned("plate_design", truth, 1, n_wells, seed),
                "plate_design, 2 plates": planned("plate_design", truth, 2, n_wells, seed),
                "plate_design, 4 plates": planned("plate_design", truth, 4, n_wells, seed),
            }
            for name, intervals in found.items():
                ways.setdefault(name, []).extend(intervals)
        base = np.median([width for width, _ in next(iter(ways.values()))])
        for name, intervals in ways.items():
            widths, holds = np.array(intervals).T
            print(
                f"{n_wells:>6}  {name:34}{np.median(widths):>13.3f}{np.median(widths) / base:>14.2f}"
                f"{widths.mean():>8.2f}{np.mean(widths > 3):>7.0%}{holds.mean():>10.1%}"
            )


if __name__ == "__main__":
    main()
