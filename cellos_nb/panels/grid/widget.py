"""The grid as a widget: coloured cells in an SVG with the roles of an ARIA grid. It needs no numbers, so no NaN."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import anywidget
import traitlets

from cellos_nb.panels.grid.cell import Cell
from cellos_nb.panels.svg import drawing_module

_HERE = Path(__file__).parent


class GridPicture(anywidget.AnyWidget):
    """Cells by position; `selected` is the cell that a person chose."""

    _esm = drawing_module(_HERE / "grid.js")
    _css = _HERE / "grid.css"

    row_names: traitlets.List[str] = traitlets.List().tag(sync=True)
    column_names: traitlets.List[str] = traitlets.List().tag(sync=True)
    places = traitlets.Unicode("[]").tag(sync=True)
    """A list as JSON, with name, row and column of each cell; as text, which costs the kernel least to send."""
    paint = traitlets.Unicode("[]").tag(sync=True)
    """The same with colour, mark and label of each; often all that changed."""
    cell_size = traitlets.List([30, 30]).tag(sync=True)
    """Width and height of a cell."""
    least_scale = traitlets.Float(0.5).tag(sync=True)
    """Smaller than this it is never drawn: where a page is narrower, the grid scrolls."""
    selected = traitlets.Unicode("").tag(sync=True)
    caption = traitlets.Unicode("").tag(sync=True)
    """What a screen reader calls the grid."""

    def show(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        cells: Iterable[Cell],
        *,
        caption: str,
        selected: str | None = None,
    ) -> None:
        """Draws a grid, in one message; a place that no cell names stays empty, and what is as it was is not sent."""
        shown = list(cells)
        with self.hold_sync():
            self.row_names, self.column_names = list(rows), list(columns)
            self.places = json.dumps([[cell.name, cell.row, cell.column] for cell in shown])
            self.paint = json.dumps([[cell.colour, cell.mark, cell.label] for cell in shown])
            self.caption, self.selected = caption, selected or ""
