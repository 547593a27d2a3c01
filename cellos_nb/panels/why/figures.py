"""The two figures of a proposal in bqplot, one above the other on the same doses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellos_nb.domain.result import ExperimentResult
from cellos_nb.panels.scales import finite_scale, fit_scale, round_ticks
from cellos_nb.panels.theme import GREY, SERIES
from cellos_nb.panels.why.model import ACQUISITIONS
from cellos_nb.planner.explanation import Choice, Explanation

if TYPE_CHECKING:
    from bqplot import Figure, LinearScale

MODEL, DATA, CHOSEN = SERIES[0], SERIES[2], SERIES[1]
"""Colours of the model's curve, of measurements on the same cell line, and of what was proposed."""
_EMPTY = np.array([np.nan, np.nan])
_NO_DOTS = np.array([], dtype=np.float64)
_MAX_DOTS = 500
_MARGIN = {"top": 10, "bottom": 50, "left": 76, "right": 20}
_GRID = "rgba(128,128,128,.25)"


class CurveFigure:
    """What the model expected over dose, and what was known."""

    def __init__(self) -> None:
        """An empty figure."""
        from bqplot import Figure, Lines, Scatter

        self.x: LinearScale = finite_scale()
        y = finite_scale()
        scales = {"x": self.x, "y": y}
        line: dict[str, Any] = {"x": _EMPTY, "y": _EMPTY, "scales": scales}
        dots = line | {"x": _NO_DOTS, "y": _NO_DOTS}
        band: dict[str, Any] = {"opacities": [0.0] * 2, "fill": "between", "fill_colors": [MODEL] * 2}
        self.bands = tuple(Lines(**line | band, fill_opacities=[0.16] * 2) for _ in range(2))
        self.mean = Lines(**line, colors=[MODEL], stroke_width=2.5)
        self.proposed = Lines(**line, colors=[CHOSEN], stroke_width=1.5, line_style="dashed")
        self.others = Scatter(**dots, colors=[GREY], default_size=26, marker="cross")
        self.same = Scatter(**dots, colors=[DATA], default_size=46)
        self.interval = Lines(**line, colors=[CHOSEN], stroke_width=2)
        self.measured = Scatter(**dots, colors=[CHOSEN], default_size=90, marker="diamond")
        self.across, self.up = _axes(self.x, y)
        self.figure: Figure = Figure(
            marks=[
                *self.bands, self.proposed, self.mean, self.others, self.same, self.interval, self.measured
            ],
            axes=[self.across, self.up],
            fig_margin=_MARGIN,
            background_style={"fill": "transparent"},
            layout={"width": "100%", "height": "340px"},
        )  # fmt: skip

    def draw(self, told: Explanation, result: ExperimentResult | None, label: str) -> None:
        """Shows an explanation and what was measured since."""
        x, here = np.log10(told.doses_um), float(np.log10(told.proposal.dose_um))
        for band, width in zip(self.bands, (1.0, 2.0), strict=True):
            with band.hold_sync():
                band.x, band.y = x, np.stack([told.mean - width * told.sd, told.mean + width * told.sd])
        _write(self.mean, x, told.mean)
        known = [(one.is_same_line, one.result) for one in told.neighbours[:_MAX_DOTS]]
        for mark, is_same in ((self.same, True), (self.others, False)):
            shown = [one for same, one in known if same == is_same]
            _write(
                mark,
                np.log10([one.proposal.dose_um for one in shown]),
                np.array([one.measurement for one in shown], dtype=float),
            )
        values = [told.mean - 2 * told.sd, told.mean + 2 * told.sd, [one.measurement or 0.0 for _, one in known]]
        ends = np.concatenate([np.asarray(part, dtype=float) for part in values])
        _write(self.proposed, np.array([here, here]), np.array([ends.min(), ends.max()]))
        measured = None if result is None else result.measurement
        _write(self.measured, *(np.array([] if measured is None else [part]) for part in (here, measured)))
        interval = None if result is None else result.interval
        _write(self.interval, np.full(2 if interval else 0, here), np.array(interval or ()))
        fit_scale(self.up.scale, ends, [] if measured is None else [measured], interval or [])
        self.up.tick_values = round_ticks(self.up.scale.min, self.up.scale.max)
        _mark_decades(self.across, x)
        self.up.label = label


class AcquisitionFigure:
    """What every dose of the same compound and cell line promised at that moment."""

    def __init__(self, x: LinearScale) -> None:
        """An empty figure on the dose scale of another one."""
        from bqplot import Figure, Lines, Scatter

        y = finite_scale()
        line: dict[str, Any] = {"x": _EMPTY, "y": _EMPTY, "scales": {"x": x, "y": y}}
        dots = line | {"x": _NO_DOTS, "y": _NO_DOTS}
        self.stems = Lines(**line, colors=[GREY], stroke_width=1.2)
        self.open = Scatter(**dots, colors=[MODEL], default_size=46)
        self.taken = Scatter(**dots, colors=[GREY], default_size=40, fill=False, stroke_width=1.5)
        self.chosen = Scatter(**dots, colors=[CHOSEN], default_size=110, marker="diamond")
        self.across, self.up = _axes(x, y)
        self.figure: Figure = Figure(
            marks=[self.stems, self.taken, self.open, self.chosen],
            axes=[self.across, self.up],
            fig_margin=_MARGIN,
            background_style={"fill": "transparent"},
            layout={"width": "100%", "height": "300px"},
        )

    def draw(self, choice: Choice | None, log10_range: np.ndarray) -> None:
        """Shows a choice; without one the figure is hidden."""
        self.figure.layout.display = "none" if choice is None else ""
        if choice is None:
            return
        x, y = np.log10(choice.doses_um), np.asarray(choice.acquisition, dtype=float)
        here = np.arange(len(x)) == choice.here
        gaps = np.full(len(x), np.nan)
        _write(self.stems, np.repeat(x, 3), np.stack([np.zeros(len(x)), y, gaps], axis=1).ravel())
        for mark, which in (
            (self.open, choice.is_open & ~here),
            (self.taken, ~choice.is_open & ~here),
            (self.chosen, here),
        ):
            _write(mark, x[which], y[which])
        lowest, highest = min(0.0, float(y.min())), float(y.max())
        with self.up.scale.hold_sync():
            # Room above, so that the chosen dose is not cut in half.
            room = 0.12 * (highest - lowest or 1.0)
            self.up.scale.min, self.up.scale.max = lowest, highest + room
        self.up.tick_values = round_ticks(self.up.scale.min, self.up.scale.max)[::2]
        _mark_decades(self.across, log10_range)
        self.up.label = ACQUISITIONS[choice.name]


def _axes(x: Any, y: Any) -> tuple[Any, Any]:
    from bqplot import Axis

    across = Axis(scale=x, label="dose (µM)", label_offset="2.6em", grid_lines="none")
    up = Axis(scale=y, side="left", label_offset="4.2em", grid_color=_GRID)
    return across, up


def _mark_decades(axis: Any, log10_doses: np.ndarray) -> None:
    """Ticks at powers of ten, since a log scale of bqplot crowds its own."""
    low, high = float(log10_doses.min()), float(log10_doses.max())
    decades = np.arange(np.ceil(low), np.floor(high) + 1) if high - low >= 1 else np.array([low, high])
    with axis.scale.hold_sync():
        axis.scale.min, axis.scale.max = low - 0.1, high + 0.1
    with axis.hold_sync():
        axis.tick_values = decades.astype(float)
        axis.tick_labels = {f"{decade:g}": f"{10.0**decade:.3g}" for decade in decades.tolist()}


def _write(mark: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Writes points; without any the mark is hidden, since bqplot draws a missing dot in the corner."""
    with mark.hold_sync():
        mark.visible = len(x) > 0
        if mark.visible:
            mark.x, mark.y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
