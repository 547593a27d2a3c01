"""The trajectory in bqplot: intents by shape and colour, intervals as strokes, the best so far as a staircase."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from cellos_nb.panels.dose_response.chart import with_gaps
from cellos_nb.panels.live.trajectory import Trajectory
from cellos_nb.panels.live.words import LOOKS
from cellos_nb.panels.scales import finite_scale, fit_scale, round_ticks
from cellos_nb.panels.theme import GREY

with warnings.catch_warnings():
    # bqplot 0.13 meets a deprecation of traitlets while it is imported; nobody here can act on it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bqplot as bq

_GAP = np.array([np.nan, np.nan])
_NO_DOTS = np.array([], dtype=np.float64)
_MAX_TICKS = 12


class TrajectoryFigure:
    """A figure whose marks are made once; `draw` writes into them."""

    def __init__(self) -> None:
        """An empty figure."""
        self._x, self._y = finite_scale(), finite_scale()
        scales = {"x": self._x, "y": self._y}
        self._best = bq.Lines(x=_GAP, y=_GAP, scales=scales, colors=[GREY], stroke_width=2.5)
        self._best.interpolation = "step-after"
        self._intervals, self._dots = {}, {}
        for intent, look in LOOKS.items():
            self._intervals[intent] = bq.Lines(
                x=_GAP, y=_GAP, scales=scales, colors=[look.colour], stroke_width=1.2, opacities=[0.5]
            )
            self._dots[intent] = bq.Scatter(
                x=_NO_DOTS,
                y=_NO_DOTS,
                scales=scales,
                colors=[look.colour],
                marker=look.marker,
                default_size=46,
                display_names=False,
                tooltip=bq.Tooltip(fields=["name"], labels=["condition"]),
            )
        self._across = bq.Axis(
            scale=self._x, label="iteration", label_offset="2.6em", grid_lines="none", tick_format="d"
        )
        self._up = bq.Axis(
            scale=self._y, side="left", label_offset="4.2em", grid_color="rgba(128,128,128,.25)", tick_format=".3~f"
        )
        self.figure = bq.Figure(
            marks=[self._best, *self._intervals.values(), *self._dots.values()],
            axes=[self._across, self._up],
            fig_margin={"top": 8, "bottom": 50, "left": 76, "right": 16},
            background_style={"fill": "transparent"},
            animation_duration=0,
            layout={"width": "100%", "height": "320px"},
        )

    def draw(self, found: Trajectory) -> None:
        """Shows what was found so far."""
        for intent in LOOKS:
            here = found.of(intent)
            self._draw_intent(intent, found, here)
        with self._best.hold_sync():
            self._best.x = found.best_x if len(found.best_x) > 1 else _GAP
            self._best.y = found.best if len(found.best) > 1 else _GAP
        self._up.label = found.label
        if not found.n_drawn:
            return
        fit_scale(self._x, found.x, found.best_x)
        fit_scale(self._y, found.value, found.low, found.high)
        laps = np.arange(np.ceil(found.x.min() - 0.5), np.floor(found.x.max() + 0.5) + 1)
        self._across.tick_values = laps[:: -(-len(laps) // _MAX_TICKS)]
        self._up.tick_values = round_ticks(self._y.min, self._y.max)

    def _draw_intent(self, intent: Any, found: Trajectory, here: np.ndarray) -> None:
        dots, strokes = self._dots[intent], self._intervals[intent]
        with dots.hold_sync():
            # A mark without dots is hidden: bqplot draws a missing one in the corner.
            dots.visible = len(here) > 0
            if len(here):
                dots.x, dots.y = found.x[here], found.value[here]
                dots.names = np.array([found.names[i] for i in here])
        with strokes.hold_sync():
            strokes.x = with_gaps(found.x[here], found.x[here]) if len(here) else _GAP
            strokes.y = with_gaps(found.low[here], found.high[here]) if len(here) else _GAP
