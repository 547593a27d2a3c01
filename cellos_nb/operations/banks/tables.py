"""Simulated banks as data frames, for panels, templates and notebooks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cellos_nb.operations.banks.outcome import MEASURES
from cellos_nb.operations.banks.sensitivity import Sensitivity
from cellos_nb.operations.banks.summary import BankSummary, CrashTest

if TYPE_CHECKING:
    import pandas as pd


def measure_table(summary: BankSummary) -> pd.DataFrame:
    """Quantiles and mean of every measure but success."""
    import pandas as pd

    rows = [(MEASURES[name], one.p5, one.p50, one.p95, one.mean) for name, one in summary.measures.items()]
    return pd.DataFrame(rows, columns=["", "p5", "p50", "p95", "mean"]).round(3)


def ending_table(summary: BankSummary) -> pd.DataFrame:
    """How many runs of each bank ended how."""
    import pandas as pd

    rows = [(stage.name, ending, n) for stage in summary.stages for ending, n in stage.endings]
    return pd.DataFrame(rows, columns=["bank", "ended", "runs"])


def crash_table(test: CrashTest) -> pd.DataFrame:
    """Means with and without the trouble, and their difference with half of its 95 % interval."""
    import pandas as pd

    rows = [
        (MEASURES[one.measure], one.before, one.after, difference_text(one.difference, one.half_width))
        for one in test.changes
    ]
    return pd.DataFrame(rows, columns=["mean of", "as planned", "with the trouble", "difference"]).round(3)


def sensitivity_table(found: Sensitivity) -> pd.DataFrame:
    """One row for each number, that with the largest effect first."""
    import pandas as pd

    rho = {one.range.name: one for one in found.correlations}
    rows = []
    for effect in found.effects:
        one, its = effect.range, rho[effect.range.name]
        low = difference_text(effect.at_low, effect.low_half_width)
        high = difference_text(effect.at_high, effect.high_half_width)
        rank = f"{its.rho:+.2f} ({its.low:+.2f} to {its.high:+.2f})"
        rows.append((one.name, float(f"{one.low:.4g}"), float(f"{one.high:.4g}"), low, high, rank))
    return pd.DataFrame(rows, columns=["number", "low", "high", "at low", "at high", "rank correlation"])


def difference_text(mean: float, half_width: float) -> str:
    """With half of its 95 % interval; a bar where no run has both."""
    return "-" if math.isnan(mean) else f"{mean:+.3g} ± {half_width:.2g}"
