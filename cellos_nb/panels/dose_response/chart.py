"""The curves as bqplot marks: log10 of the dose on a linear scale, one set of marks for each cell line."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellos_nb.analysis.curves import Array
from cellos_nb.panels.dose_response.model import Curve, LineCurves, value_range
from cellos_nb.panels.scales import round_ticks
from cellos_nb.panels.theme import SEQUENTIAL, series_colour

with warnings.catch_warnings():
    # bqplot 0.13 meets a deprecation of traitlets while it is imported; nobody here can act on it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bqplot as bq

MARKERS = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""By cell line, since the colour of a point tells its iteration."""
_NOTHING = np.array([np.nan])
_NO_POINTS = np.array([], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _LineMarks:
    band: Any
    model_band: Any
    curve: Any
    model: Any
    intervals: Any
    points: Any

    def all(self) -> list[Any]:
        return [self.model_band, self.band, self.model, self.curve, self.intervals, self.points]


class DoseResponseChart:
    """A figure whose marks are made once; `show` writes into them."""

    def __init__(self, cell_lines: tuple[str, ...], dose_range_um: tuple[float, float], label: str) -> None:
        low, high = (float(np.log10(dose)) for dose in dose_range_um)
        margin = max(0.04 * (high - low), 0.1)
        self.x = bq.LinearScale(min=low - margin, max=high + margin)
        self.y = bq.LinearScale(min=0.0, max=1.2)
        self.iterations = bq.ColorScale(colors=list(SEQUENTIAL), min=1, max=2)
        self.lines = {line: self._marks(i) for i, line in enumerate(cell_lines)}
        decades = np.arange(np.ceil(low - margin), np.floor(high + margin) + 1)
        names = {f"{decade:g}": f"{10.0**decade:g}" for decade in decades.tolist()}
        across = bq.Axis(scale=self.x, label="dose (µM)", label_offset="2.6em", tick_values=decades, grid_lines="none")
        # The labels by value: a log scale of bqplot crowds its own.
        across.tick_labels = names
        upward = bq.Axis(scale=self.y, side="left", label=label, tick_format=".2~f")
        upward.label_offset, upward.grid_color = "44px", "rgba(128,128,128,.25)"
        self._upward = upward
        self.figure = bq.Figure(
            marks=[mark for marks in self.lines.values() for mark in marks.all()],
            axes=[across, upward],
            fig_margin={"top": 12, "bottom": 50, "left": 62, "right": 16},
            background_style={"fill": "transparent"},
            title="",
            animation_duration=0,
        )
        self.figure.layout.width, self.figure.layout.height = "auto", "340px"

    def show(self, lines: tuple[LineCurves, ...], n_iterations: int) -> None:
        """Draws every line; a line that is not among them is empty."""
        given = {line.cell_line: line for line in lines}
        with self.iterations.hold_sync():
            self.iterations.min, self.iterations.max = 1.0, float(max(n_iterations, 2))
        with self.y.hold_sync():
            self.y.min, self.y.max = value_range(lines)
        self._upward.tick_values = round_ticks(self.y.min, self.y.max)
        for name, marks in self.lines.items():
            line = given.get(name)
            _show_points(marks, line)
            _show_curve(marks.curve, marks.band, line.fit if line else None)
            _show_curve(marks.model, marks.model_band, line.expected if line else None)

    def _marks(self, index: int) -> _LineMarks:
        scales, colour = {"x": self.x, "y": self.y}, series_colour(index)
        thin: dict[str, Any] = {"x": _NOTHING, "scales": scales, "colors": [colour]}
        band: dict[str, Any] = {"y": [_NOTHING, _NOTHING], "fill": "between", "fill_colors": [colour, colour]}
        return _LineMarks(
            band=bq.Lines(**thin | band | {"opacities": [0.0, 0.0], "fill_opacities": [0.22, 0.22]}),
            model_band=bq.Lines(**thin | band | {"opacities": [0.0, 0.0], "fill_opacities": [0.1, 0.1]}),
            curve=bq.Lines(**thin, y=_NOTHING, stroke_width=2),
            model=bq.Lines(**thin, y=_NOTHING, stroke_width=1.6, line_style="dashed"),
            intervals=bq.Lines(**thin, y=_NOTHING, stroke_width=1.1, opacities=[0.6]),
            points=bq.Scatter(
                x=_NO_POINTS,
                y=_NO_POINTS,
                color=_NO_POINTS,
                scales=scales | {"color": self.iterations},
                marker=MARKERS[index % len(MARKERS)],
                stroke=colour,
                stroke_width=1.6,
                default_size=54,
            ),
        )


def _show_points(marks: _LineMarks, line: LineCurves | None) -> None:
    is_empty = line is None or not line.points.value.size
    points = None if is_empty or line is None else line.points
    with marks.points.hold_sync():
        marks.points.x = _NO_POINTS if points is None else points.log10_dose
        marks.points.y = _NO_POINTS if points is None else points.value
        marks.points.color = _NO_POINTS if points is None else points.iteration
    with marks.intervals.hold_sync():
        if points is None:
            marks.intervals.x = marks.intervals.y = _NOTHING
        else:
            marks.intervals.x = with_gaps(points.log10_dose, points.log10_dose)
            marks.intervals.y = with_gaps(points.low, points.high)


def _show_curve(mark: Any, band: Any, curve: Curve | None) -> None:
    with mark.hold_sync():
        mark.x = _NOTHING if curve is None else curve.log10_dose
        mark.y = _NOTHING if curve is None else curve.value
    with band.hold_sync():
        band.x = _NOTHING if curve is None else curve.log10_dose
        band.y = np.array([_NOTHING, _NOTHING]) if curve is None else np.stack([curve.low, curve.high])


def with_gaps(first: Array, second: Array) -> Array:
    """Pairs as one line that is interrupted between them, shape (3 n,): a stroke for each pair."""
    return np.column_stack([first, second, np.full(len(first), np.nan)]).ravel()
