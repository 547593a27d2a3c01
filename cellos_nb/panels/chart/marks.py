"""What a chart shows, apart from the widget, so that models need no toolkit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellos_nb.panels.scales import round_ticks, span

Array = NDArray[np.float64]
Shape = Literal["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """What a mark is drawn of, where each of its points is one place."""

    x: Array
    """Shape (n,)."""
    y: Array
    colour: str

    def numbers(self) -> Array:
        """What is drawn, shape (2 n,): all x, then all y."""
        return np.concatenate([self.x, self.y])


@dataclass(frozen=True, slots=True, eq=False)
class Line(_Points):
    """Points joined in order; a point that is NaN interrupts it."""

    width_px: float = 2.0
    opacity: float = 1.0
    is_step: bool = False
    """Each value holds until the next point."""
    is_dashed: bool = False

    def look(self) -> dict[str, Any]:
        """How it is drawn, as the page reads it."""
        look = {"colour": self.colour, "width": self.width_px, "opacity": self.opacity, "is_step": self.is_step}
        return {"kind": "line", "n": len(self.x), "is_dashed": self.is_dashed} | look


@dataclass(frozen=True, slots=True, eq=False)
class Area(_Points):
    """What points in order enclose; a point that is NaN ends one area and begins the next."""

    opacity: float = 0.25

    def look(self) -> dict[str, Any]:
        """How it is drawn, as the page reads it."""
        return {"kind": "area", "n": len(self.x), "colour": self.colour, "opacity": self.opacity}


def band(x: Array, low: Array, high: Array, colour: str, opacity: float) -> Area:
    """The area between two curves over the same x, each of shape (n,)."""
    return Area(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]), colour, opacity)


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """Upright strokes from `low` to `high`; one with an end that is NaN is left out."""

    x: Array
    """Shape (n,)."""
    low: Array
    high: Array
    colour: str
    width_px: float = 1.2
    opacity: float = 0.5

    def look(self) -> dict[str, Any]:
        """How it is drawn, as the page reads it."""
        look = {"colour": self.colour, "width": self.width_px, "opacity": self.opacity}
        return {"kind": "strokes", "n": len(self.x)} | look

    def numbers(self) -> Array:
        """What is drawn, shape (3 n,): all x, all lower ends, all upper ends."""
        return np.concatenate([self.x, self.low, self.high])


@dataclass(frozen=True, slots=True, eq=False)
class Dots(_Points):
    """Points, each with a name that pointer and arrow keys bring up; one that is NaN is left out."""

    shape: Shape = "circle"
    area_px2: float = 46.0
    opacity: float = 1.0
    rim: str = ""
    """Colour of a line around each; none when empty."""
    names: Sequence[str] = ()
    """In words, one for each dot; none at all for dots that say nothing."""

    def look(self) -> dict[str, Any]:
        """How it is drawn, as the page reads it."""
        look = {"colour": self.colour, "shape": self.shape, "area": self.area_px2}
        look |= {"opacity": self.opacity, "rim": self.rim}
        return {"kind": "dots", "n": len(self.x), "n_names": len(self.names)} | look


Mark = Line | Area | Strokes | Dots


@dataclass(frozen=True, slots=True)
class Axis:
    """One side of a chart."""

    label: str
    low: float
    high: float
    """`low` above `high` turns it round."""
    ticks: tuple[float, ...]
    has_grid: bool = False
    names: tuple[str, ...] = ()
    """What stands at the ticks; their numbers when there are none."""
    room_px: int = 76
    """Of an upright axis: for what stands beside it."""

    def look(self) -> dict[str, Any]:
        """How it is drawn, as the page reads it."""
        names = self.names or tuple(f"{tick + 0.0:.6g}" for tick in self.ticks)
        ticks = [[*each] for each in zip(self.ticks, names, strict=True)]
        look = {"label": self.label, "low": self.low, "high": self.high, "ticks": ticks, "has_grid": self.has_grid}
        return look | {"room": self.room_px}


NO_AXIS = Axis("", 0.0, 1.0, ())
"""Of a chart that shows nothing."""


def over_decades(label: str, log10_low: float, log10_high: float) -> Axis:
    """An axis of doses or other amounts, given as log10 and named by themselves.

    >>> over_decades("dose (µM)", -1.2, 1.0).names
    ('0.1', '1', '10')
    """
    decades = np.arange(np.ceil(log10_low), np.floor(log10_high) + 1).tolist()
    return Axis(label, log10_low, log10_high, tuple(decades), names=tuple(f"{10.0**each:g}" for each in decades))


def fitted(label: str, *values: Array, ticks: Sequence[float] | None = None, has_grid: bool = False) -> Axis:
    """An axis that holds all finite values with some room, at round ticks unless others are given.

    >>> fitted("score", np.array([0.0, 1.0, np.nan])).low
    -0.05
    """
    low, high = span(*values) or (0.0, 1.0)
    return Axis(label, low, high, tuple(round_ticks(low, high) if ticks is None else ticks), has_grid)
