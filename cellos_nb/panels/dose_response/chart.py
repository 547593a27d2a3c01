"""The curves of one compound: a colour and a shape for each cell line, points filled by iteration."""

from __future__ import annotations

import numpy as np

from cellos_nb.panels.chart.marks import Axis, Dots, Line, Mark, Shape, Strokes, band, over_decades
from cellos_nb.panels.chart.widget import Chart
from cellos_nb.panels.dose_response.model import LineCurves, Points, value_range
from cellos_nb.panels.scales import round_ticks
from cellos_nb.panels.theme import sequential_colour, series_colour
from cellos_nb.units import format_dose

MARKERS: tuple[Shape, ...] = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""By cell line, since the colour of a point tells its iteration."""
_N_SHADES = 12
"""Colours of iterations; each is a path of its own in the page."""


class DoseResponseChart:
    """The chart of one campaign, whatever compound it shows."""

    def __init__(self, cell_lines: tuple[str, ...], dose_range_um: tuple[float, float], label: str) -> None:
        """An empty chart.

        Args:
            cell_lines: those that have a colour and a shape, in order.
            dose_range_um: in µM.
            label: what is measured.
        """
        self.figure = Chart(height=340)
        self._lines, self._label = cell_lines, label
        low, high = (float(np.log10(dose)) for dose in dose_range_um)
        margin = max(0.04 * (high - low), 0.1)
        self._across = over_decades("dose (µM)", low - margin, high + margin)

    def show(self, compound: str, lines: tuple[LineCurves, ...], n_iterations: int) -> None:
        """Draws every line that has something to draw."""
        areas, curves, dots = list[Mark](), list[Mark](), list[Mark]()
        for line in lines:
            index = self._lines.index(line.cell_line)
            colour = series_colour(index)
            for curve, opacity, width, is_dashed in ((line.expected, 0.1, 1.6, True), (line.fit, 0.22, 2.0, False)):
                if curve is not None:
                    areas.append(band(curve.log10_dose, curve.low, curve.high, colour, opacity))
                    curves.append(Line(curve.log10_dose, curve.value, colour, width, is_dashed=is_dashed))
            points = line.points
            curves.append(Strokes(points.log10_dose, points.low, points.high, colour, 1.1, 0.6))
            dots += _dots(line.cell_line, points, colour, MARKERS[index % len(MARKERS)], n_iterations)
        low, high = value_range(lines)
        self.figure.show(
            [*areas, *curves, *dots],
            self._across,
            Axis(self._label, low, high, tuple(round_ticks(low, high)), has_grid=True),
            caption=f"{compound}: {self._label} over dose on {', '.join(line.cell_line for line in lines)}",
        )


def _dots(cell_line: str, points: Points, colour: str, shape: Shape, n_iterations: int) -> list[Mark]:
    """The points, those of one shade together, the latest on top."""
    shares = (points.iteration - 1.0) / max(n_iterations - 1, 1)
    shades = np.round(np.clip(shares, 0.0, 1.0) * (_N_SHADES - 1)).astype(int)
    found: list[Mark] = []
    for shade in np.unique(shades).tolist():
        at = np.flatnonzero(shades == shade)
        doses, values, laps = points.log10_dose[at], points.value[at], points.iteration[at]
        names = [
            f"{cell_line}, {format_dose(10.0**dose)}: {value:.3g}, iteration {lap:.0f}"
            for dose, value, lap in zip(doses.tolist(), values.tolist(), laps.tolist(), strict=True)
        ]
        fill = sequential_colour(shade / (_N_SHADES - 1))
        found.append(Dots(doses, values, fill, shape, 54.0, rim=colour, names=names))
    return found
