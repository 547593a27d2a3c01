"""The chart as a widget: its marks in one binary buffer, so that an update is one message."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from cellos_nb.panels.chart.marks import NO_AXIS, Axis, Dots, Mark
from cellos_nb.panels.svg import drawing_module

_HERE = Path(__file__).parent


class Chart(anywidget.AnyWidget):
    """Lines, areas, strokes and dots over two axes; pointer and arrow keys name a dot, click and Enter pick it."""

    _esm = drawing_module(_HERE / "chart.js")
    _css = _HERE / "chart.css"

    marks: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    """How each mark is drawn, and how many points it has; the later ones lie above."""
    numbers = traitlets.Bytes(b"").tag(sync=True)
    """What all marks are drawn of, one after the other: doubles, little-endian."""
    names = traitlets.Unicode("[]").tag(sync=True)
    """Of the dots that have one, mark by mark: a list as JSON, which the page reads when a dot is asked about."""
    across: traitlets.Dict[str, Any] = traitlets.Dict(NO_AXIS.look()).tag(sync=True)
    up: traitlets.Dict[str, Any] = traitlets.Dict(NO_AXIS.look()).tag(sync=True)
    height = traitlets.Int(320).tag(sync=True)
    """In pixels; the width is that of the place."""
    can_pick = traitlets.Bool(default_value=False).tag(sync=True)
    caption = traitlets.Unicode("").tag(sync=True)
    """What a screen reader calls the chart."""

    def on_pick(self, act: Callable[[int], None]) -> None:
        """Has something done when a named dot is clicked, or Enter pressed on it; it gets the place of its name."""
        self.can_pick = True
        self.on_msg(lambda _, content, __: act(int(content["picked"])))

    def show(self, marks: Sequence[Mark], across: Axis, up: Axis, *, caption: str) -> None:
        """Draws the marks in place of those before, in one message; what is as it was is not sent."""
        drawn = [mark.numbers() for mark in marks]
        with self.hold_sync():
            self.marks = [mark.look() for mark in marks]
            self.numbers = np.concatenate([*drawn, np.empty(0)]).astype("<f8").tobytes()
            self.names = json.dumps([name for mark in marks if isinstance(mark, Dots) for name in mark.names])
            self.across, self.up, self.caption = across.look(), up.look(), caption
