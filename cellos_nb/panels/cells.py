"""Which panels stand in which cell, so that running a cell again closes those it showed before, and all they hold."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ipywidgets import Widget


class Closable(Protocol):
    """What a cell can hold."""

    def close(self) -> None:
        """Gives back what it holds; may be called twice."""


_open: dict[str, tuple[str, list[Closable]]] = {}


def this_cell() -> tuple[str, str] | None:
    """The cell that is being run and this run of it, as the front end names them; None where there are no cells."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return None
    request: dict[str, Any] = kernel.get_parent()
    cell = request.get("metadata", {}).get("cellId")
    return (cell, request["header"]["msg_id"]) if cell else None


def register(panel: Closable, cell: tuple[str, str] | None) -> None:
    """Notes that a panel is shown in a cell, and closes what an earlier run of that cell showed."""
    if cell is None:
        return
    cell_id, run = cell
    earlier, panels = _open.get(cell_id, (run, []))
    if earlier != run:
        for old in panels:
            if old is not panel:
                old.close()
        panels = []
    _open[cell_id] = (run, [*panels, panel])


def tree_of(widget: Widget) -> list[Widget]:
    """A widget and all that it holds: children, layouts, scales, marks, axes."""
    from ipywidgets import Widget

    found: dict[int, Widget] = {}
    waiting: list[Any] = [widget]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Widget):
            if id(value) in found:
                continue
            found[id(value)] = value
            with suppress(AttributeError):
                waiting += [getattr(value, name) for name in value.keys]
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return [*found.values()]


def close_tree(widget: Widget) -> None:
    """Closes a widget and all that it holds."""
    for each in tree_of(widget):
        each.close()
