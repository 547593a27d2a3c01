"""Pictures of matplotlib in a live panel: drawn as SVG for a light page, whose lightness a dark page turns round."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipywidgets import Image
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#5F6368"
"""Of axes and words: 6.0 to 1 against white; turned round, 6.9 to 1 against JupyterLab's dark page."""


def plain_axes(axes: Axes) -> None:
    """Axes without a frame and a background, in grey."""
    axes.patch.set_alpha(0.0)
    axes.tick_params(colors=INK, labelsize=8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(INK)
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
        text.set_fontsize(9)


def image_widget() -> Image:
    """A place for a picture; empty until one is written into it."""
    from ipywidgets import Image

    image = Image(value=b"", format="svg+xml", layout={"max_width": "100%"})
    image.add_class("cellos-figure")
    return image


def write_figure(widget: Image, figure: Figure, description: str) -> None:
    """Shows a figure; the description is read aloud in its place."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure.patch.set_alpha(0.0)
    buffer = io.BytesIO()
    FigureCanvasSVG(figure)
    # Equal figures give equal bytes, so that a page is written only when something changed.
    with rc_context({"svg.hashsalt": "cellos", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    value = buffer.getvalue()
    if bytes(widget.value) != value:
        widget.value = value
    if widget.tooltip != description:
        widget.tooltip = description
