"""One compound over dose: points, fitted curves with their bands, and what the model expects; no toolkit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cellos_nb.analysis.band import confidence_band
from cellos_nb.analysis.curves import Array
from cellos_nb.analysis.fit import DoseResponseFit, fit_dose_response
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.result import ExperimentResult, QCFlag
from cellos_nb.errors import AnalysisError
from cellos_nb.planner.prediction import CampaignModel
from cellos_nb.units import counted, format_dose

MAX_POINTS = 1000
"""Points of one cell line that a chart shows; an SVG with more is slow. The latest are kept."""
_N_CURVE = 120
_DROPPED = {QCFlag.MISSING, QCFlag.SATURATED, QCFlag.OUTLIER}
_VERDICTS = {
    "fitted": "fitted",
    "incomplete": "a plateau was not reached",
    "flat": "no effect beyond noise",
    "hook": "turns back: no single sigmoid",
}


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The experiments of one compound on one cell line; arrays of one length."""

    log10_dose: Array
    value: Array
    """Fractions of vehicle."""
    low: Array
    """Lower end of the 95 % interval; NaN without one."""
    high: Array
    iteration: Array


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve with its band; arrays of one length, all finite."""

    log10_dose: Array
    value: Array
    low: Array
    """Equal to `value` where there is no band."""
    high: Array


@dataclass(frozen=True, slots=True, eq=False)
class LineCurves:
    """One cell line."""

    cell_line: str
    points: Points
    n_hidden: int
    """Points beyond `MAX_POINTS`, which are not shown."""
    fit: Curve | None
    """None where there are too few points, or the response is flat."""
    verdict: str
    """In words."""
    ec50: str
    """With its 95 % interval, in words; empty without a fit."""
    expected: Curve | None
    """The model's mean, plus and minus one standard deviation; None when it was not asked for."""


def line_curves(
    config: CampaignConfig, history: History, compound: str, model: CampaignModel | None = None
) -> tuple[LineCurves, ...]:
    """Every cell line of a campaign, for one compound."""
    by_line: dict[str, list[ExperimentResult]] = {line: [] for line in config.cell_lines}
    for result in history.learnable:
        if result.proposal.compound == compound and result.proposal.cell_line in by_line:
            by_line[result.proposal.cell_line].append(result)
    return tuple(_line(line, results, compound, model) for line, results in by_line.items())


def _line(line: str, results: list[ExperimentResult], compound: str, model: CampaignModel | None) -> LineCurves:
    shown = results[-MAX_POINTS:]
    curve, verdict, ec50 = _fitted(results)
    expected = None
    if model is not None:
        found = model.curve(line, compound, _N_CURVE)
        expected = Curve(np.log10(found.doses_um), found.mean, found.mean - found.sd, found.mean + found.sd)
    return LineCurves(line, _points(shown), len(results) - len(shown), curve, verdict, ec50, expected)


def _points(results: Iterable[ExperimentResult]) -> Points:
    rows = [
        (math.log10(r.proposal.dose_um), r.measurement, *(r.interval or (math.nan, math.nan)), r.iteration)
        for r in results
    ]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return Points(*columns)


def _fitted(results: list[ExperimentResult]) -> tuple[Curve | None, str, str]:
    """The curve through all wells that passed, with a verdict and an EC50 in words."""
    wells = [
        (r.proposal.dose_um, well.value)
        for r in results
        for well in r.wells
        if well.value is not None and not _DROPPED.intersection(well.qc_flags)
    ]
    doses, values = np.array(wells, dtype=np.float64).reshape(-1, 2).T
    try:
        fit = fit_dose_response(doses, values)
    except AnalysisError:
        n = len(set(doses.tolist()))
        return None, f"too few to fit: {counted(len(wells), 'well')} at {counted(n, 'dose')}", ""
    verdict = _VERDICTS[fit.verdict]
    if fit.verdict == "flat":
        return None, verdict, ""
    at = np.geomspace(doses.min(), doses.max(), _N_CURVE)
    value = fit.predict(at)
    low, high = confidence_band(fit, doses, at) or (value, value)
    return Curve(np.log10(at), value, low, high), verdict, _ec50(fit)


def _ec50(fit: DoseResponseFit) -> str:
    """The EC50 as far as the doses determine it.

    An EC50 stands alone only behind the verdict `fitted`; otherwise its interval says what is known.
    """
    low, high = fit.ec50_interval
    if fit.is_bounded:
        between = f"{format_dose(low)} to {format_dose(high)}"
        return f"{format_dose(fit.ec50)} ({between})" if fit.verdict == "fitted" else between
    if low > 0:
        return f"above {format_dose(low)}"
    return f"below {format_dose(high)}" if math.isfinite(high) else "not determined"


def compounds_by_interest(config: CampaignConfig, history: History) -> tuple[str, ...]:
    """The campaign's compounds, those with the most experiments first."""
    counts = dict.fromkeys(config.compound_names, 0)
    for result in history.learnable:
        if result.proposal.compound in counts:
            counts[result.proposal.compound] += 1
    return tuple(sorted(counts, key=lambda name: -counts[name]))


def value_range(lines: tuple[LineCurves, ...]) -> tuple[float, float]:
    """The ends of the vertical axis: all points and curves, with vehicle (1) and nothing (0) in sight."""
    parts = [part for line in lines for part in (line.points.value, line.points.low, line.points.high)]
    parts += [end for line in lines for curve in (line.fit, line.expected) if curve for end in (curve.low, curve.high)]
    values = np.concatenate([*parts, [0.0, 1.0]])
    # A band of a hardly determined plateau must not squeeze everything else flat.
    reach = np.clip(values[np.isfinite(values)], -0.5, max(1.5, _top(lines)))
    low, high = float(reach.min()), float(reach.max())
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _top(lines: tuple[LineCurves, ...]) -> float:
    values = [line.points.value for line in lines if line.points.value.size]
    return 1.3 * float(np.nanmax(np.concatenate(values))) if values else 1.5
