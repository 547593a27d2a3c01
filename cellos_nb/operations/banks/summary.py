"""Simulated banks in a few numbers, and beside the same banks in trouble."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.inputs import Floats
from cellos_nb.operations.banks.outcome import MEASURES, BankRuns, Ending, StageRuns
from cellos_nb.operations.banks.sensitivity import paired_difference
from cellos_nb.operations.banks.simulate import simulate
from cellos_nb.operations.banks.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread over the runs; not a number where no run has it."""

    p5: float
    p50: float
    p95: float
    mean: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """Over the runs that have a value."""
        there = values[np.isfinite(values)]
        if not len(there):
            return cls(*[float("nan")] * 4)
        p5, p50, p95 = np.quantile(there, (0.05, 0.5, 0.95))
        return cls(float(p5), float(p50), float(p95), float(there.mean()))


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the runs with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, is_so: Floats) -> Share:
        """Of a 0 or 1 for each run.

        Source: Wilson 1927, J. Am. Stat. Assoc. 22, 209-212, doi:10.1080/01621459.1927.10502953.
        """
        n_so, n = round(float(is_so.sum())), len(is_so)
        interval = stats.binomtest(n_so, n).proportion_ci(method="wilson")
        return cls(n_so / n, float(interval.low), float(interval.high))


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One bank in a few numbers."""

    name: str
    released: Share
    """With however many vials."""
    success: Share
    """With all the vials wanted, and clean."""
    vials: Spread
    """0 where it was not released."""
    culture_days: Spread
    """Until frozen, of the runs that got there."""
    passage: Spread
    """On the vials, of the runs that were released."""
    endings: tuple[tuple[str, int], ...]
    """How many runs ended how, the most frequent first."""
    n_anew: int
    """Runs that were begun more than once."""
    n_tainted: int
    """Runs released although contaminated or mixed up."""


@dataclass(frozen=True, slots=True)
class BankSummary:
    """All runs in a few numbers."""

    success: Share
    measures: dict[str, Spread]
    """By name, without success."""
    stages: tuple[StageSummary, ...]


def summarise(runs: BankRuns) -> BankSummary:
    """The runs in a few numbers."""
    measures = dict(runs.measures)
    success = Share.of(measures.pop("success"))
    spreads = {name: Spread.of(values) for name, values in measures.items()}
    return BankSummary(success, spreads, tuple(_stage(stage) for stage in runs.stages))


def _stage(stage: StageRuns) -> StageSummary:
    is_frozen = stage.filled > 0
    endings = Counter(str(Ending(one)) for one in stage.ending)
    return StageSummary(
        stage.name,
        Share.of(stage.is_released.astype(float)),
        Share.of(stage.is_success.astype(float)),
        Spread.of(stage.vials),
        Spread.of(stage.culture_days[is_frozen]),
        Spread.of(stage.passage[stage.is_released].astype(float)),
        tuple(endings.most_common()),
        int((stage.attempts > 1).sum()),
        int(stage.is_tainted.sum()),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What a trouble does to one measure: means, and the mean difference of runs with the same luck.

    What no run has, such as days to a release that never comes, is not a number.
    """

    measure: str
    before: float
    after: float
    difference: float
    half_width: float
    """Half of its 95 % interval."""


@dataclass(frozen=True, slots=True)
class CrashTest:
    """A bank as planned, and with a trouble."""

    trouble: Trouble
    stage: str
    """The bank that it befalls."""
    in_culture: Share
    """Runs that had cells in flasks when it began; to the others it did nothing."""
    saved: float
    """Of the runs in culture that would have succeeded without it, those that still do; not a number without any."""
    changes: tuple[Change, ...]
    before: BankRuns
    after: BankRuns


def crash_test(
    config: BankConfig, trouble: Trouble, *, stage: str | None = None, n_runs: int = 1000, seed: int = 1
) -> CrashTest:
    """Makes a bank with and without a trouble, each run with the same luck in both.

    Args:
        config: the bank.
        trouble: what goes wrong.
        stage: in which bank, `master` or `working`; the first that is made when left out.
        n_runs: how often.
        seed: of chance.

    Raises:
        InputError: no such bank, or a number of runs that cannot be.
        ConfigError: as `simulate`.
    """
    before = simulate(config, n_runs=n_runs, seed=seed)
    after = simulate(config, n_runs=n_runs, seed=seed, trouble=trouble, trouble_in=stage)
    number = next((i for i, (name, _) in enumerate(config.stages) if name == stage), 0)
    there = before.stages[number]
    begins = trouble.days[0] if trouble.days else 0
    is_in_culture = (there.attempts > 0) & (there.culture_days > begins)
    would = is_in_culture & (before.measures["success"] > 0)
    saved = float(after.measures["success"][would].mean()) if would.any() else float("nan")
    changes = []
    for name in MEASURES:
        old, new = before.measures[name], after.measures[name]
        difference, half = paired_difference(old, new)
        changes.append(Change(name, Spread.of(old).mean, Spread.of(new).mean, difference, half))
    in_culture = Share.of(is_in_culture.astype(float))
    return CrashTest(trouble, there.name, in_culture, saved, tuple(changes), before, after)
