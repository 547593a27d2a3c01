"""What a bank's outcome depends on: one number at a time, and all at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cellos_nb.errors import InputError
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.inputs import Floats, Number, inputs_of
from cellos_nb.operations.banks.outcome import MEASURES
from cellos_nb.operations.banks.parameters import load_bank_parameters
from cellos_nb.operations.banks.ranges import Range, typical_ranges
from cellos_nb.operations.banks.simulate import simulate

Z95 = 1.959964
"""Of the standard normal: 95 % lie within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one number does when it is set low and high, all others as they are."""

    range: Range
    at_low: float
    """Mean change of the measure against the base, over runs with the same luck; nan where none has both."""
    at_high: float
    low_half_width: float
    """Half of the 95 % interval of `at_low`, by chance of the runs."""
    high_half_width: float

    @property
    def swing(self) -> float:
        """How far apart the two are."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True)
class Correlation:
    """How a measure goes with one number when all numbers vary at once."""

    range: Range
    rho: float
    """Spearman's rank correlation over the runs; 0 where the measure never changed."""
    low: float
    """95 % interval."""
    high: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Both views of one measure."""

    measure: str
    base: float
    """Its mean with all numbers as they are."""
    n_runs: int
    effects: tuple[Effect, ...]
    """The largest first: a tornado."""
    correlations: tuple[Correlation, ...]
    """The strongest first."""


def sensitivity(
    config: BankConfig,
    measure: str,
    *,
    n_runs: int = 1000,
    seed: int = 1,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Sensitivity:
    """What a measure depends on.

    One at a time: every number is set to the ends of its range in copies of the same runs. All at once: every run
    draws all numbers from their ranges (a Latin hypercube), and ranks are correlated.

    Args:
        config: the bank.
        measure: one of `MEASURES`.
        n_runs: of each copy, and of the second view.
        seed: of chance.
        ranges: lowest and highest values in place of the typical ones, by field of `Inputs`.

    Raises:
        InputError: no such measure or number, or a range that cannot be.
        ConfigError: as `simulate`.
    """
    if measure not in MEASURES:
        raise InputError(f"{measure}: is not measured; possible: {', '.join(MEASURES)}.")
    base = inputs_of(config, load_bank_parameters(config.parameters))
    varied = typical_ranges(base, ranges)
    values: dict[str, Number] = {
        one.name: np.repeat(_column(one, number, len(varied)), n_runs) for number, one in enumerate(varied)
    }
    copies = 1 + 2 * len(varied)
    runs = simulate(config, n_runs=n_runs, seed=seed, inputs=base.with_values(values), copies=copies)
    by_copy = runs.measures[measure].reshape(copies, n_runs)
    effects = [_effect(one, by_copy[0], *by_copy[2 * i + 1 : 2 * i + 3]) for i, one in enumerate(varied)]
    shares = stats.qmc.LatinHypercube(len(varied), rng=np.random.default_rng(seed)).random(n_runs)
    drawn: dict[str, Number] = {one.name: one.at(shares[:, i]) for i, one in enumerate(varied)}
    outcome = simulate(config, n_runs=n_runs, seed=seed, inputs=base.with_values(drawn)).measures[measure]
    correlations = [_correlation(one, shares[:, i], outcome) for i, one in enumerate(varied)]
    return Sensitivity(
        measure,
        float(np.nanmean(by_copy[0])) if np.isfinite(by_copy[0]).any() else math.nan,
        n_runs,
        tuple(sorted(effects, key=lambda effect: -np.nan_to_num(effect.swing))),
        tuple(sorted(correlations, key=lambda one: -abs(one.rho))),
    )


def paired_difference(before: Floats, after: Floats) -> tuple[float, float]:
    """Mean difference over the runs in which both are numbers, and half of its 95 % interval; nan without any."""
    difference = (after - before)[np.isfinite(before) & np.isfinite(after)]
    if not len(difference):
        return math.nan, math.nan
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return float(difference.mean()), Z95 * spread / float(np.sqrt(len(difference)))


def _column(one: Range, number: int, n_ranges: int) -> Floats:
    """The values of one number in all copies: as it is, but low in one and high in the next."""
    column = np.full(1 + 2 * n_ranges, one.base)
    column[2 * number + 1 : 2 * number + 3] = one.low, one.high
    return column


def _effect(one: Range, base: Floats, low: Floats, high: Floats) -> Effect:
    (at_low, low_half), (at_high, high_half) = paired_difference(base, low), paired_difference(base, high)
    return Effect(one, at_low, at_high, low_half, high_half)


def _correlation(one: Range, shares: Floats, outcome: Floats) -> Correlation:
    """Spearman's rho with its interval.

    Source: Bonett & Wright 2000, Psychometrika 65, 23-28, doi:10.1007/BF02294183: variance (1 + rho²/2) / (n − 3) of
    Fisher's z.
    """
    is_there = np.isfinite(outcome)
    x, y = shares[is_there], outcome[is_there]
    if len(y) <= 3 or np.ptp(y) == 0:
        return Correlation(one, 0.0, 0.0, 0.0)
    rho = float(stats.spearmanr(x, y).statistic)
    z = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    half = Z95 * np.sqrt((1.0 + rho**2 / 2.0) / (len(y) - 3))
    return Correlation(one, rho, float(np.tanh(z - half)), float(np.tanh(z + half)))
