"""The plate picture as a widget: wells as coloured squares in an SVG grid that pointer and arrow keys walk through."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from cellos_nb.panels.plates.picture import Picture

_HERE = Path(__file__).parent


class PlatePicture(anywidget.AnyWidget):
    """Wells by position; `selected` is the well that a person chose."""

    _esm = _HERE / "picture.js"
    _css = _HERE / "picture.css"

    n_rows = traitlets.Int(0).tag(sync=True)
    n_columns = traitlets.Int(0).tag(sync=True)
    wells: traitlets.List[list[object]] = traitlets.List().tag(sync=True)
    """One list for each well: name, row, column, colour, mark, label."""
    selected = traitlets.Unicode("").tag(sync=True)
    caption = traitlets.Unicode("").tag(sync=True)
    """What a screen reader calls the grid."""

    def show(self, picture: Picture, caption: str, selected: str | None) -> None:
        """Draws a picture, in one message."""
        with self.hold_sync():
            self.n_rows, self.n_columns = picture.n_rows, picture.n_columns
            self.wells = [[w.well, w.row, w.column, w.colour, w.mark, w.label] for w in picture.wells]
            self.caption, self.selected = caption, selected or ""
