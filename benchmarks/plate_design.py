"""Prints how narrow the intervals of EC50s become with each way of filling plates, well for well.

`uv run python benchmarks/plate_design.py`: compounds with EC50s anywhere over four decades of a range of five, measured
with 6 % noise and 5 % of vehicle, in single wells. Every way has the same wells, the same noise in each well and the
same fit afterwards: `fit_dose_response` with 8 vehicle wells as dose 0 and plateaus within wide bounds. "serial": eight
doses evenly over the range, with replicates; "spread": as many evenly spaced doses as there are wells. The planners
work in rounds of one plate, all compounds together; a first plate of 8 wells is `n_initial`. "known on another line": 8
wells of each compound were measured before on a line whose EC50 is 0.4 decades off (standard deviation); a serial
dilution may then be drawn around that EC50. "The best one plate" says what one plate could gain: an exchange search
over all designs that knows how the curves are distributed. "Beside serial" is the median, over curves, of the width
beside that of the serial dilution of the same curve. An open interval counts as ending 3 decades beyond the doses,
where the fit gives up.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from functools import cache
from typing import Any

import numpy as np

from cellos_nb.analysis import fit_dose_response
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.planner import make_planner
from cellos_nb.planner.plate_design import response_gradient

LOW, HIGH, GRID = 1e-3, 100.0, 200
N_VEHICLE = 8
LINE, OTHER_LINE, OTHER_LINE_SD = "U2OS", "SW982", 0.4
Intervals = list[tuple[float, bool]]


class Truth:
    """Curves of a set of compounds, and a noise for every well that depends on nothing but the well's number."""

    def __init__(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.log10_half = rng.uniform(-2.5, 1.5, n)
        self.hill, self.lower = np.exp(rng.normal(np.log(1.2), 0.35, n)), rng.uniform(0, 0.4, n)
        self.noise = rng.standard_normal((n, 400, 2))
        self.vehicle = 1 + 0.06 * rng.standard_normal((n, N_VEHICLE))
        self.off = OTHER_LINE_SD * rng.standard_normal(n)

    @property
    def n(self) -> int:
        return len(self.hill)

    def measure(self, k: int, doses: np.ndarray, first_well: int = 0, off: float = 0.0) -> np.ndarray:
        half, lower = 10 ** (self.log10_half[k] + off), self.lower[k]
        mean = lower + (1 - lower) / (1 + (doses / half) ** self.hill[k])
        noise = self.noise[k, first_well : first_well + len(doses)]
        return mean * (1 + 0.06 * noise[:, 0]) + 0.05 * noise[:, 1]

    def on_other_line(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Eight wells that were measured before."""
        doses = np.geomspace(LOW, HIGH, 8)
        return doses, self.measure(k, doses, 300, self.off[k])

    def interval(self, k: int, doses: np.ndarray, values: np.ndarray) -> tuple[float, bool]:
        """Width in decades and whether the truth lies inside."""
        dose, value = np.r_[np.zeros(N_VEHICLE), doses], np.r_[self.vehicle[k], values]
        fit = fit_dose_response(dose, value, lower=(-0.1, 0.7), upper=(0.8, 1.2))
        low, high = fit.ec50_interval
        ends = np.log10(np.clip([low, high], LOW / 1e3, HIGH * 1e3))
        return float(ends[1] - ends[0]), bool(low <= 10 ** self.log10_half[k] <= high)


def fixed(truth: Truth, doses: np.ndarray) -> Intervals:
    return [truth.interval(k, doses, truth.measure(k, doses)) for k in range(truth.n)]


def serial_around(truth: Truth, n_wells: int) -> Intervals:
    """Eight doses over three decades around the EC50 that the other line showed, within the range."""
    found = []
    for k in range(truth.n):
        centre = np.clip(np.log10(fit_dose_response(*truth.on_other_line(k)).ec50), -1.5, 0.5)
        doses = np.repeat(np.logspace(centre - 1.5, centre + 1.5, 8), n_wells // 8)
        found.append(truth.interval(k, doses, truth.measure(k, doses)))
    return found


def planned(kind: Any, truth: Truth, plates: list[int], seed: int, *, knows_other: bool = False) -> Intervals:
    """Plates of so many wells for each compound; a planner may give one compound more wells than another."""
    names = [f"c{k:02d}" for k in range(truth.n)]
    exclude = [{"compound": name, "cell_line": OTHER_LINE} for name in names] if knows_other else []
    config = CampaignConfig(
        name="design", cell_lines=[LINE, OTHER_LINE] if knows_other else [LINE], compounds=names,
        dose_range_um=(LOW, HIGH), n_doses=GRID, batch_size=max(plates) * truth.n, seed=seed,
        planner={"kind": kind, "constraints": {"exclude": exclude}},
    )  # fmt: skip
    planner, history = make_planner(config.planner), History()
    if knows_other:
        told = [
            ExperimentResult(ExperimentProposal(OTHER_LINE, name, float(dose)), ResultStatus.OK, float(y), iteration=0)
            for k, name in enumerate(names)
            for dose, y in zip(*truth.on_other_line(k), strict=True)
        ]
        history = History(tuple(told))
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for lap, n_wells in enumerate(plates, start=1):
        results = []
        for asked in planner.propose(config, history, lap, n_wells * truth.n):
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


class Designs:
    """What Fisher information says of designs when the distribution of the curves is known."""

    def __init__(self, log10_half: np.ndarray, hill: np.ndarray, lower: np.ndarray) -> None:
        self.log10_doses = np.linspace(np.log10(LOW), np.log10(HIGH), 61)
        never, ones = np.full(len(hill), 1e3), np.ones(len(hill))
        parameters = np.column_stack([log10_half, hill, lower - 1, never, ones])
        mean = 1 + parameters[:, 2:3] / (1 + 10 ** (hill[:, None] * (log10_half[:, None] - self.log10_doses)))
        noise = np.sqrt((0.06 * mean) ** 2 + 0.05**2)
        self.gradient = response_gradient(parameters, self.log10_doses) / noise[:, :, None]
        # The fit knows next to nothing of slope and plateaus but what the wells say, the vehicle wells among them.
        self.least = np.diag(np.array([3.0, 3.0, 1.0, 0.12]) ** -2.0)
        self.least[3, 3] += N_VEHICLE / 0.06**2

    def variances(self, counts: np.ndarray) -> np.ndarray:
        """Shape (n_curves, n_doses): of log10 EC50 with one well more at each dose."""
        design = np.einsum("srj,srk,r->sjk", self.gradient, self.gradient, counts)
        covariance = np.linalg.inv(self.least + design)
        along = np.einsum("sij,srj->sri", covariance, self.gradient)
        noisy = 1 + np.einsum("sri,sri->sr", along, self.gradient)
        return covariance[:, :1, 0] - along[:, :, 0] ** 2 / noisy

    def one_plate(self, n_wells: int) -> np.ndarray:
        """Doses of the plate with the least mean width, by exchanging one well for another until none helps."""
        counts = np.zeros(len(self.log10_doses))
        for _ in range(n_wells):
            counts[np.sqrt(self.variances(counts)).mean(axis=0).argmin()] += 1
        for _ in range(5 * n_wells):
            best = counts.copy()
            for place in np.flatnonzero(counts):
                counts[place] -= 1
                counts[np.sqrt(self.variances(counts)).mean(axis=0).argmin()] += 1
            if (best == counts).all():
                break
        return 10 ** np.repeat(self.log10_doses, counts.astype(int))


@cache
def best_plate(n_wells: int) -> np.ndarray:
    curves = Truth(300, 12345)
    return Designs(curves.log10_half, curves.hill, curves.lower).one_plate(n_wells)


def ways(truth: Truth, n: int, seed: int) -> dict[str, Intervals]:
    """Every way of filling `n` wells for each compound."""
    quarters, halves = [n // 4] * 4, [n // 2] * 2
    return {
        f"serial, 8 doses × {n // 8}": fixed(truth, np.repeat(np.geomspace(LOW, HIGH, 8), n // 8)),
        f"spread, {n} doses": fixed(truth, np.geomspace(LOW, HIGH, n)),
        "random": planned("random", truth, halves, seed),
        "mechanistic (nei), point by point": planned("mechanistic", truth, quarters, seed),
        "plate_design, 1 plate": planned("plate_design", truth, [n], seed),
        "plate_design, 2 equal plates": planned("plate_design", truth, halves, seed),
        f"plate_design, plates of 8 and {n - 8}": planned("plate_design", truth, [8, n - 8], seed),
        "plate_design, 4 equal plates": planned("plate_design", truth, quarters, seed),
        "known on another line: serial around it": serial_around(truth, n),
        "known on another line: plate_design, 1 plate": planned("plate_design", truth, [n], seed, knows_other=True),
        "the best one plate, by exchange": fixed(truth, best_plate(n)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--compounds", type=int, default=10)
    parser.add_argument("--wells", type=int, nargs="+", default=[16, 24, 48], help="for each compound")
    asked = parser.parse_args()
    print(
        f"{'wells':>6}  {'way':45}{'median':>8}{'beside serial':>15}{'[IQR]':>14}{'narrower in':>13}{'open':>6}"
        f"{'coverage':>10}"
    )
    for n_wells in asked.wells:
        found: dict[str, Intervals] = {}
        for seed in range(asked.seeds):
            for name, intervals in ways(Truth(asked.compounds, seed), n_wells, seed).items():
                found.setdefault(name, []).extend(intervals)
        serial = np.array(next(iter(found.values())))[:, 0]
        for name, intervals in found.items():
            widths, holds = np.array(intervals).T
            low, middle, high = np.percentile(widths / serial, [25, 50, 75])
            print(
                f"{n_wells:>6}  {name:45}{np.median(widths):>8.3f}{middle:>15.2f}{f'{low:.2f}–{high:.2f}':>14}"
                f"{np.mean(widths < serial):>13.0%}{np.mean(widths > 3):>6.0%}{holds.mean():>10.1%}"
            )


if __name__ == "__main__":
    main()
