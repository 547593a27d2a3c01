"""The trajectory as a chart: intents by shape and colour, intervals as strokes, the best so far as a staircase."""

from __future__ import annotations

import numpy as np

from cellos_nb.panels.chart.marks import Array, Dots, Line, Mark, Strokes, fitted
from cellos_nb.panels.chart.widget import Chart
from cellos_nb.panels.live.trajectory import Trajectory
from cellos_nb.panels.live.words import LOOKS
from cellos_nb.panels.theme import GREY

_MAX_TICKS = 12


class TrajectoryFigure:
    """A chart of what each iteration found."""

    def __init__(self) -> None:
        """An empty chart."""
        self.figure = Chart()

    def draw(self, found: Trajectory) -> None:
        """Shows what was found so far."""
        at = {intent: found.of(intent) for intent in LOOKS}
        best = Line(found.best_x, found.best, GREY, width_px=2.5, is_step=True)
        strokes: list[Mark] = [
            Strokes(found.x[at[intent]], found.low[at[intent]], found.high[at[intent]], look.colour)
            for intent, look in LOOKS.items()
        ]
        dots: list[Mark] = [
            Dots(found.x[here], found.value[here], look.colour, look.shape, names=found.names[here].tolist())
            for (_, look), here in zip(LOOKS.items(), at.values(), strict=True)
        ]
        self.figure.show(
            [best, *strokes, *dots],
            fitted("iteration", found.x, found.best_x, ticks=_iterations(found.x)),
            fitted(found.label, found.value, found.low, found.high, has_grid=True),
            caption=f"What each iteration found: {found.label} of {found.n_drawn:,} conditions, and the best so far",
        )


def _iterations(x: Array) -> list[float]:
    """Whole numbers for the axis, a dozen at most."""
    if not len(x):
        return []
    laps = np.arange(np.ceil(x.min() - 0.5), np.floor(x.max() + 0.5) + 1)
    kept: list[float] = laps[:: -(-len(laps) // _MAX_TICKS)].tolist()
    return kept
