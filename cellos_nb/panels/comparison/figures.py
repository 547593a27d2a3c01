"""The comparison's figures: each is made once and told what to draw; none decides anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cellos_nb.panels.chart.marks import NO_AXIS, Area, Array, Axis, Dots, Line, Mark, Strokes, fitted
from cellos_nb.panels.chart.widget import Chart
from cellos_nb.panels.comparison.front import Front
from cellos_nb.panels.comparison.model import Box, Boxes, Progress
from cellos_nb.panels.envelope import envelope
from cellos_nb.panels.theme import GREY

Colours = Mapping[str, str]
"""Of each campaign."""

_GROUP_HEIGHT_PX, _BOX_FRAME_PX = 30, 90
_GROUP_NAMES_PX = 150
_LONGEST_NAME = 20
_BOX_WIDTH = 0.8
"""Share of a group's height that its boxes take together."""
_MAX_OUTLIERS = 600
"""Dots beyond which the box plot becomes slow."""


class BoxFigure:
    """Box plots that lie: groups from top to bottom, so that long names can be read."""

    def __init__(self) -> None:
        """An empty figure."""
        self.figure = Chart(height=200)

    def draw(self, boxes: Boxes, colours: Colours, label: str) -> None:
        """Shows boxes; `label` names what is measured."""
        n, every = max(len(boxes.groups), 1), -(-sum(len(box.outliers) for box in boxes.boxes) // _MAX_OUTLIERS) or 1
        marks: list[Mark] = [Line(np.array([1.0, 1.0]), np.array([-0.6, n - 0.4]), GREY, 1.0, is_dashed=True)]
        for place, (campaign_id, colour) in enumerate(colours.items()):
            own = [box for box in boxes.boxes if box.campaign_id == campaign_id]
            width = _BOX_WIDTH / len(colours)
            at = np.array([boxes.groups.index(box.group) for box in own]) + (place - (len(colours) - 1) / 2) * width
            marks += _box_marks(own, at, 0.42 * width, colour, every)
        ends = [value for box in boxes.boxes for value in (box.low, box.high, *box.outliers[::every])]
        groups = tuple(_short(group) for group in boxes.groups)
        self.figure.height = _BOX_FRAME_PX + _GROUP_HEIGHT_PX * max(n, 3)
        self.figure.show(
            marks,
            fitted(label, np.array([*ends, 1.0]), has_grid=True),
            Axis("", n - 0.4, -0.6, tuple(np.arange(len(groups), dtype=float)), names=groups, room_px=_GROUP_NAMES_PX),
            caption=f"Box plots of {label}: {', '.join(boxes.groups)}",
        )


def _box_marks(boxes: Sequence[Box], at: Array, half: float, colour: str, every: int) -> list[Mark]:
    """The boxes of one campaign, around their places on the axis of groups; each answers by its median."""
    q1, median, q3 = (np.array([box.quartiles[k] for box in boxes], dtype=float) for k in range(3))
    low, high = (np.array([getattr(box, end) for box in boxes], dtype=float) for end in ("low", "high"))
    up, down, gap = at - half, at + half, np.full(len(at), np.nan)
    outline = _joined(q1, q3, q3, q1, q1, gap), _joined(up, up, down, down, up, gap)
    outliers = [(value, y, box.group) for box, y in zip(boxes, at.tolist(), strict=True) for value in box.outliers]
    outliers = outliers[::every]
    said = [
        f"{box.group}, {box.campaign_id}: median {box.quartiles[1]:.3g}, quartiles {box.quartiles[0]:.3g} and "
        f"{box.quartiles[2]:.3g}, whiskers {box.low:.3g} and {box.high:.3g}, n = {box.n}"
        for box in boxes
    ]
    return [
        Area(*outline, colour, 0.3),
        Line(*outline, colour, 1.5),
        Line(_joined(low, q1, gap, q3, high, gap), _joined(at, at, gap, at, at, gap), colour, 1.5),
        Line(_joined(median, median, gap), _joined(up, down, gap), colour, 3.5),
        Dots(median, at, colour, area_px2=20.0, names=said),
        Dots(
            np.array([value for value, _, _ in outliers], dtype=float),
            np.array([y for _, y, _ in outliers], dtype=float),
            colour,
            area_px2=14.0,
            names=[f"{group}: outlier {value:.3g}" for value, _, group in outliers],
        ),
    ]


def _joined(*rows: Array) -> Array:
    """Shape (n_rows × n,): the k-th entries of all rows behind each other."""
    joined: Array = np.stack(rows, axis=1).ravel()
    return joined


class ProgressFigure:
    """Best so far, or regret, of several campaigns on the same axes."""

    def __init__(self) -> None:
        """An empty figure."""
        self.figure = Chart()

    def draw(self, laps: Sequence[Progress], colours: Colours, labels: tuple[str, str], *, is_regret: bool) -> None:
        """Shows the campaigns; `labels` name the axes."""
        values = [lap.regret if is_regret else lap.best for lap in laps]
        kept = [(lap, value) for lap, value in zip(laps, values, strict=True) if value is not None and len(value)]
        lines, strokes, dots = list[Mark](), list[Mark](), list[Mark]()
        ends: list[Array] = []
        for lap, value in kept:
            colour = colours[lap.campaign_id]
            lines.append(Line(*_outline(lap.x, value), colour, 2.5, is_step=True))
            # From the last iteration backwards: where a campaign stands is always among them.
            at = slice((len(lap.x) - 1) % lap.step, None, lap.step)
            x, y = lap.x[at], value[at]
            if not is_regret:
                strokes.append(Strokes(x, lap.low[at], lap.high[at], colour, opacity=0.6))
                ends += [lap.low[at], lap.high[at]]
            said = [f"{lap.campaign_id}, {labels[0]} {i:.6g}: {v:.4g}" for i, v in zip(x, y, strict=True)]
            dots.append(Dots(x, y, colour, area_px2=26.0, names=said))
        self.figure.show(
            [*strokes, *lines, *dots],
            fitted(labels[0], *(lap.x for lap, _ in kept)),
            fitted(labels[1], *(value for _, value in kept), *ends, has_grid=True),
            caption=f"{labels[1]} by {labels[0]} of {', '.join(lap.campaign_id for lap, _ in kept) or 'no campaign'}",
        )


class FrontFigure:
    """Conditions in the plane of two objectives: the front large, what it dominates pale."""

    def __init__(self, on_select: Callable[[int], None]) -> None:
        """An empty figure; `on_select` gets the number of the condition that a person clicks."""
        self.figure = Chart()
        self._numbers: list[int] = []
        """Of the conditions that can be clicked, in the order in which they were drawn."""
        self.figure.on_pick(lambda place: on_select(self._numbers[place]))

    def draw(self, front: Front | None, colours: Colours, selected: int | None) -> None:
        """Shows a front and rings the selected condition."""
        if front is None:
            self._numbers = []
            self.figure.show([], NO_AXIS, NO_AXIS, caption="No condition answers two objectives")
            return
        marks, self._numbers = list[Mark](), []
        owners = np.array([campaign_id for campaign_id, _ in front.conditions])
        for is_front in (False, True):
            for campaign_id, colour in colours.items():
                at = np.flatnonzero((front.is_front == is_front) & (owners == campaign_id)).tolist()
                x, y, names = front.x[at], front.y[at], [front.describe(i) for i in at]
                dominated = Dots(x, y, colour, area_px2=24.0, opacity=0.45, names=names)
                marks.append(Dots(x, y, colour, "diamond", 90.0, names=names) if is_front else dominated)
                self._numbers += at
        order = sorted(np.flatnonzero(front.is_front).tolist(), key=lambda i: float(front.x[i]))
        ring = [] if selected is None else [selected]
        self.figure.show(
            [
                Line(front.x[order], front.y[order], GREY, 1.5),
                *marks,
                Dots(front.x[ring], front.y[ring], "none", area_px2=320.0, rim=GREY),
            ],
            fitted(front.x_label, front.x, has_grid=True),
            fitted(front.y_label, front.y, has_grid=True),
            caption=f"{front.y_label} over {front.x_label} of {len(front.conditions):,} conditions; Enter selects one",
        )


def _outline(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line as it looks; what is not known at its beginning is left out."""
    known = np.isfinite(y)
    return envelope(np.asarray(x, dtype=float)[known], y[known])


def _short(name: str) -> str:
    """A name that fits beside its boxes; the table of results has it whole."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
