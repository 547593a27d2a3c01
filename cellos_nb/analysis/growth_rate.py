"""Growth-rate inhibition: what a compound does to the rate of division, whatever the length of the assay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.analysis.area import area_under_curve
from cellos_nb.analysis.curves import Array
from cellos_nb.analysis.fit import DoseResponseFit, fit_dose_response
from cellos_nb.analysis.growth_interval import BestSigmoid, gr50_interval
from cellos_nb.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

GR_COLUMNS = (
    "gr50",
    "gr50_low",
    "gr50_high",
    "gr_max",
    "gr_inf",
    "gr_aoc",
    "gec50",
    "gec50_low",
    "gec50_high",
    "hill",
    "n",
    "verdict",
)
"""The columns that `growth_rate_table` adds to those that tell the curves apart."""


@dataclass(frozen=True, slots=True)
class GrowthRateMetrics:
    """The growth-rate metrics of one dose-response curve."""

    gr50: float
    """Dose at which the rate of division is half the untreated one; inf where even the fitted plateau stays above."""
    gr50_interval: tuple[float, float]
    """Profile-likelihood 95 % interval of GR50; the upper end is inf where the curve may never come down so far."""
    gr_max: float
    """Mean GR value at the highest dose: above 0 partial, 0 complete cytostasis, below 0 death."""
    gr_inf: float
    """The fitted plateau at infinite dose."""
    gr_aoc: float
    """Mean of 1 - GR over the log doses: 0 for an inert compound."""
    fit: DoseResponseFit
    """The sigmoid through the GR values, its plateau at dose zero held at 1; its EC50 is GEC50, with an interval."""


def growth_rate_values(treated: ArrayLike, untreated: ArrayLike, at_start: ArrayLike) -> Array:
    """GR values: 2^(log2(treated / start) / log2(untreated / start)) - 1, between -1 and 1 but for noise.

    Args:
        treated: signals (cell counts or a surrogate) at the end, in any unit.
        untreated: of vehicle wells at the end, same unit; one number, or one for each treated.
        at_start: when the compound was given, same unit; one number, or one for each treated.

    Returns:
        An array in the broadcast shape; NaN where a signal is NaN.

    Raises:
        AnalysisError: a signal is negative, a start is not above 0, or untreated cells did not grow.

    Source: Hafner et al. 2016, doi:10.1038/nmeth.3853, equation 1 (end-point form).
    """
    x, control, start = (np.asarray(values, dtype=np.float64) for values in (treated, untreated, at_start))
    if np.any(x < 0):
        raise AnalysisError(
            f"treated: {np.nanmin(x):g} is no signal of cells; subtract less background or give counts."
        )
    if np.any(start <= 0):
        raise AnalysisError(f"at_start: {np.nanmin(start):g} cells at the start; give a signal above 0.")
    if np.any(control <= start):
        raise AnalysisError(
            "untreated: the untreated cells did not grow between start and end, so there is no rate to compare with; "
            "give the signal of vehicle wells at the end, or a longer assay."
        )
    with np.errstate(divide="ignore"):
        gr: Array = np.exp2(np.log2(x / start) / np.log2(control / start)) - 1.0
    return gr


def growth_rate_metrics(dose: ArrayLike, gr: ArrayLike) -> GrowthRateMetrics:
    """GR50, GRmax, GR∞ and GRAOC of one curve; replicates are points at the same dose.

    Args:
        dose: doses in any unit, above 0 (0 for untreated points is allowed).
        gr: GR values, as `growth_rate_values` gives them; NaN is left out.

    Raises:
        AnalysisError: as for `fit_dose_response`, or a GR value below -1.

    Source: Hafner et al. 2016, doi:10.1038/nmeth.3853 (equation 2, with the plateau at dose zero held at 1).
    """
    doses, values = np.asarray(dose, dtype=np.float64), np.asarray(gr, dtype=np.float64)
    if np.any(values < -1):
        raise AnalysisError(f"gr: {np.nanmin(values):g} is below -1, where all cells are dead; give GR values.")
    fit = fit_dose_response(doses, values, upper=(1.0, 1.0))
    present = ~np.isnan(values)
    top = doses[present].max()
    gr_max = float(values[present & (doses == top)].mean())
    gr50 = fit.ec50 * _from_ec50_to_half(fit)
    above = fit if math.isinf(gr50) else fit_dose_response(doses, values, lower=(0.5, 1.0), upper=(1.0, 1.0))
    best = BestSigmoid(fit.rss, fit.hill, fit.lower, gr50, above.rss)
    interval = gr50_interval(doses[present], values[present], best)
    return GrowthRateMetrics(gr50, interval, gr_max, fit.lower, 1.0 - area_under_curve(doses, values), fit)


def growth_rate_table(
    frame: pd.DataFrame, by: str | Sequence[str], *, dose: str = "dose_um", gr: str = "gr"
) -> pd.DataFrame:
    """One row of growth-rate metrics per curve of a table of GR values, in the order of first appearance.

    Raises:
        AnalysisError: a column is missing, or a curve cannot be analysed; the message names it.
    """
    import pandas as pd

    keys = [by] if isinstance(by, str) else list(by)
    absent = [name for name in (*keys, dose, gr) if name not in frame.columns]
    if absent or not keys:
        raise AnalysisError(
            f"{', '.join(absent) or 'by'}: no such column to analyse; "
            f"the table has {', '.join(map(str, frame.columns))}."
        )
    rows = []
    for key, points in frame.groupby(keys, sort=False, dropna=False, observed=True):
        try:
            found = growth_rate_metrics(points[dose], points[gr])
        except AnalysisError as error:
            raise AnalysisError(f"{', '.join(map(str, key))}: {error}") from error
        numbers = (found.gr50, *found.gr50_interval, found.gr_max, found.gr_inf, found.gr_aoc)
        rows.append(
            (*key, *numbers, found.fit.ec50, *found.fit.ec50_interval, found.fit.hill, found.fit.n, found.fit.verdict)
        )
    return pd.DataFrame(rows, columns=[*keys, *GR_COLUMNS])


def _from_ec50_to_half(fit: DoseResponseFit) -> float:
    """The factor from the EC50 to where the fit crosses 0.5; inf where it does not."""
    if fit.verdict == "flat" or fit.hill <= 0 or fit.lower >= 0.5:
        return math.inf
    return math.exp(math.log(0.5 / (0.5 - fit.lower)) / fit.hill)
