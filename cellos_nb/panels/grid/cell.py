"""One place of a grid, apart from the widget, so that models need no toolkit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the grid."""

    name: str
    """What `selected` says when it is chosen."""
    row: int
    column: int
    colour: str
    """A CSS colour; empty for no paint."""
    mark: str
    """A letter or two inside."""
    label: str
    """The cell in words, for pointers and screen readers."""
