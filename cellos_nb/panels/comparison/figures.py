"""The comparison's figures in bqplot: each is made once and told what to draw; none decides anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cellos_nb.panels.comparison.front import Front
from cellos_nb.panels.comparison.model import Boxes, Progress
from cellos_nb.panels.dose_response.chart import with_gaps
from cellos_nb.panels.envelope import envelope
from cellos_nb.panels.scales import finite_scale, fit_scale, round_ticks
from cellos_nb.panels.theme import GREY

if TYPE_CHECKING:
    from bqplot import Figure

Colours = Mapping[str, str]
"""Of each campaign."""

Numbers = Sequence[float] | np.ndarray

_GROUP_HEIGHT_PX, _BOX_FRAME_PX = 30, 90
_GRID = "rgba(128,128,128,.25)"
_LABEL_OFFSET = "4.2em"
"""Of the vertical axes, clear of numbers with two decimals."""
_BELOW = "2.6em"
"""Of the horizontal axes, clear of their numbers."""
_LONGEST_NAME = 20
_BOX_WIDTH = 0.8
"""Share of a group's height that its boxes take together."""
_MAX_OUTLIERS = 600
"""Dots beyond which the box plot becomes slow."""
_EMPTY = np.array([np.nan, np.nan])
_NO_DOTS = np.array([], dtype=np.float64)


class BoxFigure:
    """Box plots that lie: groups from top to bottom, so that long names can be read.

    Drawn from lines, since bqplot's own box plot takes no groups of different size.
    """

    def __init__(self) -> None:
        """An empty figure."""
        from bqplot import Axis, Figure, LinearScale, Lines, Scatter

        self._x, self._y = finite_scale(), LinearScale(min=0.0, max=1.0, reverse=True)
        scales = {"x": self._x, "y": self._y}
        self._bodies = Lines(x=_EMPTY, y=_EMPTY, scales=scales, fill="inside", close_path=True, stroke_width=1.5)
        self._medians = Lines(x=_EMPTY, y=_EMPTY, scales=scales, stroke_width=3.5)
        self._whiskers = Lines(x=_EMPTY, y=_EMPTY, scales=scales, stroke_width=1.5)
        self._outliers = Scatter(x=_NO_DOTS, y=_NO_DOTS, scales=scales, default_size=14)
        self._reference = Lines(x=_EMPTY, y=_EMPTY, scales=scales, colors=[GREY], stroke_width=1, line_style="dashed")
        self._across = Axis(scale=self._x, label="measurement", label_offset=_BELOW, grid_color=_GRID)
        self._groups = Axis(scale=self._y, side="left", grid_lines="none")
        self.figure: Figure = Figure(
            marks=[self._reference, self._whiskers, self._bodies, self._medians, self._outliers],
            axes=[self._across, self._groups],
            fig_margin={"top": 8, "bottom": 50, "left": 150, "right": 16},
            background_style={"fill": "transparent"},
            layout={"width": "100%", "height": "200px"},
        )

    def draw(self, boxes: Boxes, colours: Colours, label: str) -> None:
        """Shows boxes; `label` names what is measured."""
        campaigns = list(colours)
        width = _BOX_WIDTH / max(len(campaigns), 1)
        middle = np.array(
            [
                boxes.groups.index(box.group) + (campaigns.index(box.campaign_id) - (len(campaigns) - 1) / 2) * width
                for box in boxes.boxes
            ]
        )
        paint = [colours[box.campaign_id] for box in boxes.boxes] or [GREY]
        q1, median, q3 = (np.array([box.quartiles[k] for box in boxes.boxes]) for k in range(3))
        low, high = np.array([box.low for box in boxes.boxes]), np.array([box.high for box in boxes.boxes])
        up, down = middle - 0.42 * width, middle + 0.42 * width
        gap = np.full(len(middle), np.nan)
        _write(
            self._bodies,
            [q1, q3, q3, q1],
            [up, up, down, down],
            paint,
            fill_colors=paint,
            fill_opacities=[0.3] * len(paint),
        )
        _write(self._medians, [median, median], [up, down], paint)
        # A gap needs to be missing in y; one in x alone is drawn.
        _write(self._whiskers, [low, q1, gap, q3, high], [middle, middle, gap, middle, middle], paint)
        dots = [(x, y, c) for box, y, c in zip(boxes.boxes, middle, paint, strict=False) for x in box.outliers]
        dots = dots[:: -(-len(dots) // _MAX_OUTLIERS) or 1]
        _write_dots(self._outliers, [x for x, _, _ in dots], [y for _, y, _ in dots], [c for _, _, c in dots])
        fit_scale(self._x, low, high, [x for x, _, _ in dots], [1.0])
        self._across.tick_values = round_ticks(self._x.min, self._x.max)
        n = max(len(boxes.groups), 1)
        with self._y.hold_sync():
            self._y.min, self._y.max = -0.6, n - 0.4
        with self._groups.hold_sync():
            self._groups.tick_values = np.arange(n, dtype=float)
            self._groups.tick_labels = {str(i): _short(group) for i, group in enumerate(boxes.groups)}
        self._reference.x, self._reference.y = np.array([1.0, 1.0]), np.array([-0.6, n - 0.4])
        self._across.label = label
        self.figure.layout.height = f"{_BOX_FRAME_PX + _GROUP_HEIGHT_PX * max(n, 3)}px"


class ProgressFigure:
    """Best so far, or regret, of several campaigns on the same axes."""

    def __init__(self) -> None:
        """An empty figure."""
        from bqplot import Axis, Figure, Lines, Scatter

        scales = {"x": finite_scale(), "y": finite_scale()}
        self._lines = Lines(x=_EMPTY, y=_EMPTY, scales=scales, interpolation="step-after", stroke_width=2.5)
        self._intervals = Lines(x=_EMPTY, y=_EMPTY, scales=scales, stroke_width=1.2, opacities=[0.6])
        self._dots = Scatter(x=_NO_DOTS, y=_NO_DOTS, scales=scales, default_size=26)
        self._across, self._up = (
            Axis(scale=scales["x"], label_offset=_BELOW, grid_lines="none"),
            Axis(scale=scales["y"], side="left", label_offset=_LABEL_OFFSET, grid_color=_GRID),
        )
        self.figure: Figure = Figure(
            marks=[self._intervals, self._lines, self._dots],
            axes=[self._across, self._up],
            fig_margin={"top": 8, "bottom": 50, "left": 76, "right": 16},
            background_style={"fill": "transparent"},
            layout={"width": "100%", "height": "320px"},
        )

    def draw(self, laps: Sequence[Progress], colours: Colours, labels: tuple[str, str], *, is_regret: bool) -> None:
        """Shows the campaigns; `labels` name the axes."""
        values = [lap.regret if is_regret else lap.best for lap in laps]
        kept = [(lap, value) for lap, value in zip(laps, values, strict=True) if value is not None and len(value)]
        paint = [colours[lap.campaign_id] for lap, _ in kept] or [GREY]
        lines = [_outline(lap.x, np.asarray(value, dtype=float)) for lap, value in kept]
        _write_rows(self._lines, [x for x, _ in lines], [y for _, y in lines], paint)
        # From the last iteration backwards: where a campaign stands is always among them.
        every = [slice((len(lap.x) - 1) % lap.step, None, lap.step) for lap, _ in kept]
        intervals = ((lap.x[at], lap.low[at], lap.high[at]) for (lap, _), at in zip(kept, every, strict=True))
        ends = [] if is_regret else [*intervals]
        _write_rows(
            self._intervals,
            [np.repeat(x, 3) for x, _, _ in ends],
            [with_gaps(low, high) for _, low, high in ends],
            paint,
        )
        dots = [
            (x, y, colours[lap.campaign_id])
            for (lap, ys), at in zip(kept, every, strict=True)
            for x, y in zip(lap.x[at], ys[at], strict=True)
        ]
        dots = [dot for dot in dots if np.isfinite(dot[1])]
        _write_dots(self._dots, [x for x, _, _ in dots], [y for _, y, _ in dots], [c for _, _, c in dots])
        fit_scale(self._across.scale, *(lap.x for lap, _ in kept), [])
        fit_scale(self._up.scale, *(value for _, value in kept), *(y for _, *ys in ends for y in ys), [])
        for axis in (self._across, self._up):
            axis.tick_values = round_ticks(axis.scale.min, axis.scale.max)
        self._across.label, self._up.label = labels


class FrontFigure:
    """Conditions in the plane of two objectives: the front large, what it dominates pale."""

    def __init__(self, on_select: Callable[[int], None]) -> None:
        """An empty figure; `on_select` gets the number of the condition that a person clicks."""
        from bqplot import Axis, Figure, Lines, Scatter, Tooltip

        scales = {"x": finite_scale(), "y": finite_scale()}
        self._numbers: dict[str, list[int]] = {"front": [], "rest": []}
        told: dict[str, Any] = {
            "scales": scales,
            "display_names": False,
            "interactions": {"hover": "tooltip", "click": "select"},
        }
        self._rest = Scatter(
            x=_NO_DOTS, y=_NO_DOTS, default_size=24,
            tooltip=Tooltip(fields=["name"], labels=["condition"]), **told,
        )  # fmt: skip
        self._front = Scatter(
            x=_NO_DOTS, y=_NO_DOTS, default_size=90, marker="diamond",
            tooltip=Tooltip(fields=["name"], labels=["condition"]), **told,
        )  # fmt: skip
        self._edge = Lines(x=_EMPTY, y=_EMPTY, scales=scales, colors=[GREY], stroke_width=1.5)
        self._ring = Scatter(
            x=_NO_DOTS, y=_NO_DOTS, scales=scales, default_size=320, fill=False, colors=[GREY], stroke_width=3
        )
        for key, mark in (("front", self._front), ("rest", self._rest)):
            mark.observe(lambda change, key=key: self._clicked(key, change.new, on_select), "selected")
        self._across, self._up = (
            Axis(scale=scales["x"], label_offset=_BELOW, grid_color=_GRID),
            Axis(scale=scales["y"], side="left", label_offset=_LABEL_OFFSET, grid_color=_GRID),
        )
        self.figure: Figure = Figure(
            marks=[self._edge, self._rest, self._front, self._ring],
            axes=[self._across, self._up],
            fig_margin={"top": 8, "bottom": 50, "left": 76, "right": 16},
            background_style={"fill": "transparent"},
            layout={"width": "100%", "height": "320px"},
        )

    def draw(self, front: Front | None, colours: Colours, selected: int | None) -> None:
        """Shows a front and rings the selected condition."""
        if front is None:
            for mark in self.figure.marks:
                mark.visible = False
            return
        at = {key: np.flatnonzero(front.is_front == (key == "front")).tolist() for key in self._numbers}
        self._numbers = at
        for key, mark, opacity in (("front", self._front, 1.0), ("rest", self._rest, 0.45)):
            paint = [colours[front.conditions[i][0]] for i in at[key]]
            _write_dots(mark, front.x[at[key]], front.y[at[key]], paint, opacity=opacity)
            mark.names = np.array([front.describe(i) for i in at[key]])
        ring = [] if selected is None else [selected]
        _write_dots(self._ring, front.x[ring], front.y[ring], [GREY])
        self._edge.visible = True
        order = sorted(self._numbers["front"], key=lambda i: float(front.x[i]))
        with self._edge.hold_sync():
            self._edge.x = front.x[order] if len(order) > 1 else _EMPTY
            self._edge.y = front.y[order] if len(order) > 1 else _EMPTY
        fit_scale(self._across.scale, front.x)
        fit_scale(self._up.scale, front.y)
        for axis in (self._across, self._up):
            axis.tick_values = round_ticks(axis.scale.min, axis.scale.max)
        self._across.label, self._up.label = front.x_label, front.y_label

    def _clicked(self, key: str, selected: Sequence[int] | None, on_select: Callable[[int], None]) -> None:
        if selected is not None and len(selected):
            on_select(self._numbers[key][int(selected[0])])


def _outline(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line as it looks; what is not known at its beginning is left out."""
    known = np.isfinite(y)
    return envelope(np.asarray(x, dtype=float)[known], y[known])


def _short(name: str) -> str:
    """A name that fits beside its boxes; the table of results has it whole."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _write(mark: Any, xs: Sequence[np.ndarray], ys: Sequence[np.ndarray], colours: list[str], **more: Any) -> None:
    """Writes one line for each entry of the arrays: their k-th values are its points."""
    with mark.hold_sync():
        is_empty = not len(xs[0])
        mark.x = _EMPTY if is_empty else np.stack(xs, axis=1)
        mark.y = _EMPTY if is_empty else np.stack(ys, axis=1)
        mark.colors = colours
        for name, value in more.items():
            setattr(mark, name, value)


def _write_dots(mark: Any, x: Numbers, y: Numbers, colours: list[str], *, opacity: float = 1.0) -> None:
    """Writes dots; without any the mark is hidden, since bqplot draws a missing dot in the corner."""
    with mark.hold_sync():
        mark.visible = len(x) > 0
        if mark.visible:
            mark.x, mark.y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
            mark.colors = colours
            mark.opacities = [opacity] * len(x)


def _write_rows(mark: Any, xs: list[np.ndarray], ys: list[np.ndarray], colours: list[str]) -> None:
    """Writes lines of different lengths, the short ones filled up with gaps."""
    # Two points at least: bqplot takes an array of one number for a bare number, and refuses it.
    length = max([2, *(len(x) for x in xs)])
    with mark.hold_sync():
        mark.x = np.array([_padded(x, length) for x in xs]) if xs else _EMPTY
        mark.y = np.array([_padded(y, length) for y in ys]) if ys else _EMPTY
        mark.colors = colours


def _padded(row: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([row, np.full(length - len(row), np.nan)]).astype(float)
