"""The pictures of the bank panel: the same in a live panel and where nobody can click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellos_nb.operations.banks.outcome import MEASURES, BankRuns
from cellos_nb.operations.banks.sensitivity import Sensitivity
from cellos_nb.operations.banks.summary import CrashTest
from cellos_nb.panels.static import new_figure
from cellos_nb.panels.svg_figure import INK, plain_axes
from cellos_nb.panels.theme import SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BARS = 9
"""Of a tornado: what comes after hardly matters."""
_BLUE, _ORANGE = SERIES[0], SERIES[1]


def fan_figure(runs: BankRuns) -> Figure:
    """How many vials the cells of each bank are worth, day by day: median, half and nine tenths of the runs."""
    figure = new_figure(7.2, 3.2)
    axes = figure.subplots(1, len(runs.stages), squeeze=False)[0]
    for place, stage in zip(axes, runs.stages, strict=True):
        plain_axes(place)
        days, quantiles = stage.fan.days, stage.fan.quantiles
        place.fill_between(days, quantiles[:, 0], quantiles[:, 4], color=_BLUE, alpha=0.25, label="5 to 95 %")
        place.fill_between(days, quantiles[:, 1], quantiles[:, 3], color=_BLUE, alpha=0.45, label="25 to 75 %")
        place.plot(days, quantiles[:, 2], color=_BLUE, label="median")
        place.axhline(stage.wanted, color=_ORANGE, linestyle="--", linewidth=1.2, label="wanted")
        place.set(title=f"{stage.name} bank", xlabel="days since its first thaw")
    axes[0].set_ylabel("vials' worth of cells")
    axes[0].legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def histogram_figure(runs: BankRuns) -> Figure:
    """How many vials are released, and after how many days."""
    figure = new_figure(7.2, 2.8)
    left, right = figure.subplots(1, 2)
    vials, days = runs.last.vials, runs.measures["days"]
    days = days[np.isfinite(days)]
    for axes, values in ((left, vials), (right, days)):
        plain_axes(axes)
        if len(values):
            low, high = int(values.min()), int(values.max())
            width = max(1, -(-(high - low) // 40))
            axes.hist(values, bins=np.arange(low, high + 2 * width, width) - width / 2, color=_BLUE)
    left.axvline(runs.last.wanted, color=_ORANGE, linestyle="--", linewidth=1.2)
    left.set(xlabel=f"vials of the {runs.last.name} bank (0: failed)", ylabel="runs")
    right.set(xlabel="days to release")
    return figure


def tornado_figure(found: Sensitivity) -> Figure:
    """What each number does by itself, the largest at the top."""
    shown = [effect for effect in found.effects if effect.swing > 0][:MAX_BARS]
    figure = new_figure(7.2, 1.1 + 0.32 * max(len(shown), 2))
    axes = figure.subplots()
    plain_axes(axes)
    for colour, label, values, errors in (
        (_BLUE, "number low", [e.at_low for e in shown], [e.low_half_width for e in shown]),
        (_ORANGE, "number high", [e.at_high for e in shown], [e.high_half_width for e in shown]),
    ):
        style = {"elinewidth": 1, "ecolor": INK, "capsize": 2}
        axes.barh(range(len(shown)), values, 0.7, xerr=errors, color=colour, alpha=0.85, label=label, error_kw=style)
    names = [f"{effect.range.label}  ({effect.range.low:.3g} to {effect.range.high:.3g})" for effect in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.invert_yaxis()
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel(f"change of the mean of {MEASURES[found.measure]} ({found.base:.4g})")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def crash_figure(test: CrashTest) -> Figure:
    """Vials with and without the trouble, as shares of the runs that have at most so many."""
    figure = new_figure(7.2, 2.8)
    left, right = figure.subplots(1, 2)
    for axes, name in ((left, "vials"), (right, "days")):
        plain_axes(axes)
        for runs, colour, label in ((test.before, _BLUE, "as planned"), (test.after, _ORANGE, "with the trouble")):
            values = runs.measures[name]
            there = np.sort(values[np.isfinite(values)])
            if len(there):
                axes.step(there, np.arange(1, len(there) + 1) / runs.n_runs, where="post", color=colour, label=label)
        axes.set(ylim=(0, 1.02), xlabel=MEASURES[name])
    left.set_ylabel("share of the runs, at most")
    left.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure
