"""Which panels stand in which cell, so that running a cell again closes those it showed before."""

from __future__ import annotations

from typing import Any, Protocol


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
