"""Four-parameter log-logistic dose-response fits: one curve, or a table of thousands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.analysis.curves import MIN_DOSES, MIN_POINTS, Array, CurveBatch, IntArray, chunks, pool_replicates
from cellos_nb.analysis.logistic import covariance, log_logistic, project
from cellos_nb.analysis.profile import ec50_intervals
from cellos_nb.analysis.search import minimise, scan
from cellos_nb.analysis.verdict import Verdict, judge
from cellos_nb.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

Bounds = tuple[float, float]
"""Lowest and highest value of a plateau."""
_CHUNK_ENTRIES = 30000
"""Doses times curves worked on at once: few enough for the processor's cache, many enough for numpy."""
COLUMNS = (
    "ec50",
    "ec50_se",
    "ec50_low",
    "ec50_high",
    "hill",
    "hill_se",
    "lower",
    "lower_se",
    "upper",
    "upper_se",
    "rss",
)
"""The numbers of a fit, as the columns of `fit_dose_responses` name them; `n`, `n_doses` and `verdict` follow."""


@dataclass(frozen=True, slots=True)
class DoseResponseFit:
    """A least-squares fit of response = lower + (upper - lower) / (1 + (dose / ec50)^hill).

    The numbers are those of the optimum whatever the verdict: an EC50 is to be quoted with its interval, and alone only
    when the verdict is `fitted`.

    Source: Ritz et al. 2015, doi:10.1371/journal.pone.0146021 (model, as `drc` LL.4).
    """

    ec50: float
    """Dose at the middle of the plateaus, in the unit of the doses."""
    ec50_se: float
    """Standard error by the delta method; NaN where the points do not determine it."""
    ec50_interval: tuple[float, float]
    """Profile-likelihood 95 % interval; the end is inf (or 0) where the doses do not reach far enough to bound it."""
    hill: float
    """Positive where the response falls with the dose."""
    hill_se: float
    lower: float
    """The smaller of the two plateaus, in the unit of the response."""
    lower_se: float
    upper: float
    """The larger of the two plateaus."""
    upper_se: float
    rss: float
    """Residual sum of squares over all points."""
    n: int
    """Points used."""
    n_doses: int
    """Distinct doses used."""
    verdict: Verdict
    """`fitted`, `incomplete` (a plateau not reached: see the interval), `flat` (no effect beyond noise) or `hook` (the
    response turns back: no single sigmoid)."""

    @property
    def degrees_of_freedom(self) -> int:
        """Points less the four parameters."""
        return self.n - 4

    @property
    def is_bounded(self) -> bool:
        """Whether the interval of the EC50 has two ends."""
        return self.ec50_interval[0] > 0 and math.isfinite(self.ec50_interval[1])

    def predict(self, dose: ArrayLike) -> Array:
        """The fitted response at doses of zero and above."""
        return log_logistic(np.asarray(dose, dtype=np.float64), self.ec50, self.hill, self.lower, self.upper)


def fit_dose_response(
    dose: ArrayLike, response: ArrayLike, *, lower: Bounds | None = None, upper: Bounds | None = None
) -> DoseResponseFit:
    """Fits one dose-response curve; replicates are points at the same dose, untreated controls have dose 0.

    Args:
        dose: doses in any unit, finite and not negative, 1-D.
        response: one response for each dose; NaN stands for a missing one and is left out.
        lower: lowest and highest value of the lower plateau, in the unit of the response; two equal numbers fix it,
            -inf or inf leave one side free. None: free.
        upper: the same for the upper plateau.

    Raises:
        AnalysisError: bounds that contradict one another, the lengths differ, a dose is negative or not finite, a
            response is infinite, or there are fewer than 4 distinct doses or 5 points.
    """
    doses, responses = _numbers(dose, "dose"), _numbers(response, "response")
    if doses.size != responses.size:
        raise AnalysisError(f"dose and response: {doses.size} doses but {responses.size} responses; give one for each.")
    _check(doses, responses)
    fits = _fit(np.zeros(doses.size, dtype=np.intp), doses, responses, 1, _bounds(lower, upper))
    n, n_doses = int(fits["n"][0]), int(fits["n_doses"][0])
    if fits["verdict"][0] == "too_few":
        n_positive = np.unique(doses[~np.isnan(responses) & (doses > 0)]).size
        raise AnalysisError(
            f"dose: {n} points at {n_doses} distinct doses ({n_positive} above 0) cannot determine four parameters; "
            f"give at least {MIN_POINTS} points at {MIN_DOSES} doses, {MIN_DOSES - 1} of them above 0."
        )
    number = {name: float(fits[name][0]) for name in COLUMNS}
    interval = (number.pop("ec50_low"), number.pop("ec50_high"))
    return DoseResponseFit(ec50_interval=interval, n=n, n_doses=n_doses, verdict=fits["verdict"][0], **number)


def fit_dose_responses(
    frame: pd.DataFrame,
    by: str | Sequence[str],
    *,
    dose: str = "dose_um",
    response: str = "value",
    lower: Bounds | None = None,
    upper: Bounds | None = None,
) -> pd.DataFrame:
    """Fits every curve of a table of points; one row per curve, in the order of first appearance.

    Args:
        frame: one row per point.
        by: the columns that tell the curves apart, such as `["cell_line", "compound"]`.
        dose: the column of doses; finite and not negative.
        response: the column of responses; missing ones are left out.
        lower: bounds of the lower plateau of every curve, as in `fit_dose_response`.
        upper: bounds of the upper plateau.

    Returns:
        The `by` columns, then `COLUMNS`, `n`, `n_doses` and `verdict`, as in `DoseResponseFit`; the interval is
        `ec50_low` to `ec50_high`. A curve with too few doses or points has the verdict `too_few` and NaN for numbers.

    Raises:
        AnalysisError: a column is missing or holds text, a dose is negative or not finite, a response is infinite, or
            the bounds contradict one another.
    """
    import pandas as pd

    keys = [by] if isinstance(by, str) else list(by)
    absent = [name for name in (*keys, dose, response) if name not in frame.columns]
    if absent or not keys:
        asked = ", ".join(repr(name) for name in absent) or "by"
        raise AnalysisError(
            f"{asked}: no such column to fit by; the table has {', '.join(map(str, frame.columns)) or 'none'}."
        )
    taken = sorted(set(keys) & {*COLUMNS, "n", "n_doses", "verdict"})
    if taken:
        raise AnalysisError(f"by: {', '.join(taken)} would stand twice in the result; rename the column.")
    doses, responses = _numbers(frame[dose], dose), _numbers(frame[response], response)
    _check(doses, responses)
    groups = frame.groupby(keys, sort=False, dropna=False, observed=True)
    curve = np.asarray(groups.ngroup(), dtype=np.intp)
    n_curves = int(curve.max(initial=-1)) + 1
    _, first = np.unique(curve, return_index=True)
    table = frame[keys].iloc[first].reset_index(drop=True)
    fits = _fit(curve, doses, responses, n_curves, _bounds(lower, upper))
    return pd.concat([table, pd.DataFrame(fits)], axis=1)


def _numbers(values: Any, name: str) -> Array:
    try:
        if hasattr(values, "to_numpy"):
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AnalysisError(f"{name}: holds something that is not a number ({error}); give numbers.") from error
    if numbers.ndim != 1:
        raise AnalysisError(f"{name}: has {numbers.ndim} dimensions; give one list of numbers.")
    return np.asarray(numbers, dtype=np.float64)


def _check(doses: Array, responses: Array) -> None:
    wrong = ~(np.isfinite(doses) & (doses >= 0))
    if wrong.any():
        at = int(wrong.argmax())
        raise AnalysisError(
            f"dose: {doses[at]:g} at position {at} is no dose; give finite numbers of 0 (untreated) or above."
        )
    infinite = np.isinf(responses)
    if infinite.any():
        at = int(infinite.argmax())
        raise AnalysisError(
            f"response: {responses[at]:g} at position {at}; give a finite number, or NaN where missing."
        )


def _bounds(lower: Bounds | None, upper: Bounds | None) -> tuple[Bounds, Bounds] | None:
    if lower is None and upper is None:
        return None
    both = []
    for name, given in (("lower", lower), ("upper", upper)):
        low, high = (-math.inf, math.inf) if given is None else (float(given[0]), float(given[1]))
        if not low <= high or low == math.inf or high == -math.inf:
            raise AnalysisError(f"{name}: {low:g} to {high:g} is no range; give the lowest value, then the highest.")
        both.append((low, high))
    (low, high), (bottom, top) = both
    if low > top or (bottom > -math.inf and low > bottom) or (high < math.inf and high > top):
        raise AnalysisError(
            f"lower and upper: the lower plateau's bounds, {low:g} to {high:g}, exceed the upper one's, {bottom:g} to "
            f"{top:g}; neither end of the first may lie above that of the second."
        )
    # The lower plateau cannot exceed the upper one, whatever was left free.
    return (low, min(high, top)), (max(bottom, low), top)


def _fit(
    curve: IntArray, dose: Array, response: Array, n_curves: int, bounds: tuple[Bounds, Bounds] | None
) -> dict[str, Any]:
    """The columns of the result for every curve; NaN and `too_few` where a fit is impossible."""
    pooled = pool_replicates(curve, dose, response, n_curves)
    batch = pooled.batch if bounds is None else pooled.batch.bounded(*bounds)
    numbers = np.full((len(COLUMNS), n_curves), np.nan)
    verdict = np.full(n_curves, "too_few", dtype=object)
    size = max(_CHUNK_ENTRIES // max(batch.weight.shape[0], 1), 1)
    for part in chunks(pooled.fitted.size, size):
        where = pooled.fitted[part]
        numbers[:, where], verdict[where] = _fit_batch(batch.take(part))
    columns: dict[str, Any] = dict(zip(COLUMNS, numbers, strict=True))
    return {**columns, "n": pooled.n_points, "n_doses": pooled.n_doses, "verdict": verdict}


def _fit_batch(batch: CurveBatch) -> tuple[Array, Any]:
    """The numbers of `COLUMNS`, shape (11, K), and the verdicts."""
    grid = scan(batch)
    optimum = minimise(batch, grid)
    best = project(batch, optimum.log_ec50, optimum.log_hill)
    ec50, size = np.exp(optimum.log_ec50), np.exp(optimum.log_hill)
    rss = optimum.rss + batch.ss_within
    spread = covariance(batch, ec50=ec50, hill=size, at_zero=best.at_zero, at_infinity=best.at_infinity, rss=rss)
    error_zero, error_infinity, error_hill, error_ec50 = np.sqrt(np.diagonal(spread, axis1=1, axis2=2)).T
    interval = ec50_intervals(batch, grid, optimum, error_ec50 / ec50)
    falls = best.at_zero >= best.at_infinity
    lower, upper = np.minimum(best.at_zero, best.at_infinity), np.maximum(best.at_zero, best.at_infinity)
    numbers = np.stack(
        [
            ec50,
            error_ec50,
            np.exp(interval[0]),
            np.exp(interval[1]),
            np.where(falls, size, -size),
            error_hill,
            lower * batch.scale + batch.centre,
            np.where(falls, error_infinity, error_zero) * batch.scale,
            upper * batch.scale + batch.centre,
            np.where(falls, error_zero, error_infinity) * batch.scale,
            rss * batch.scale**2,
        ]
    )
    return numbers, judge(batch, optimum, interval)
