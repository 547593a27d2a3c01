"""How the parts of a panel stand beside each other, and lists that are written only when they changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cellos_nb.panels.html import html_widget
from cellos_nb.panels.text import markup

if TYPE_CHECKING:
    from ipywidgets import Box, VBox, Widget


def row(*widgets: Widget) -> Box:
    """Widgets in a line that wraps."""
    from ipywidgets import Box

    made = Box(list(widgets))
    made.add_class("cellos-row")
    return made


def part(title: str, *widgets: Widget, is_wide: bool = False) -> VBox:
    """A part under a heading; parts stand beside each other where there is room."""
    from ipywidgets import VBox

    made = VBox([html_widget(markup("<h4>{}</h4>", title)), *widgets])
    made.add_class("cellos-part")
    if is_wide:
        made.add_class("cellos-wide")
    return made


def parts(*widgets: Widget) -> Box:
    """Parts beside each other."""
    from ipywidgets import Box

    made = Box(list(widgets))
    made.add_class("cellos-parts")
    return made


def offer(widget: Any, options: Iterable[Any], value: Any) -> None:
    """Writes a list and what is chosen of it, in one message, and only when it changed."""
    offered = tuple(options)
    if tuple(widget.options) != offered:
        with widget.hold_sync():
            widget.options = offered
            widget.value = value
    elif widget.value != value:
        widget.value = value


def show_if(widget: Widget, is_shown: bool) -> None:  # noqa: FBT001 - reads as a sentence
    """Shows a widget, or takes it and its place away."""
    widget.layout.display = None if is_shown else "none"
