"""The cells of one imaged field: where they lie and whether they live. What the simulator knows and images show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cellos_nb.hardware.contents import Floats

LIVE_DIAMETER_UM, DEAD_DIAMETER_UM = 14.0, 9.0
"""Of nuclei; those of dead cells shrink. Typical of adherent human lines."""
LEAST_DISTANCE_UM = 11.0
"""Centres of neighbours; fewer rounds of moving apart than would be needed leave some overlaps, as in real wells."""
_MARGIN_UM = 15.0
_ROUNDS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One field; arrays of shape (n_cells,), some of them beyond its rim and seen in part."""

    side_um: float
    """Of the square field."""
    x_um: Floats
    y_um: Floats
    """Of nuclei from the upper left corner."""
    is_live: NDArray[np.bool_]
    diameter_um: Floats
    brightness: Floats
    """Of its stain, as a factor around 1."""
    defocus_um: float = 0.0
    """Width of the blur that the focus gives, as a standard deviation."""

    @property
    def is_inside(self) -> NDArray[np.bool_]:
        """Cells whose centre is within the field; these are the true count."""
        inside: NDArray[np.bool_] = (
            (self.x_um >= 0) & (self.x_um < self.side_um) & (self.y_um >= 0) & (self.y_um < self.side_um)
        )
        return inside

    @property
    def n_live(self) -> int:
        """Living cells within the field."""
        return int((self.is_live & self.is_inside).sum())

    @property
    def n_dead(self) -> int:
        """Dead cells within the field."""
        return int((~self.is_live & self.is_inside).sum())


def draw_scene(random: Generator, side_um: float, n_live: float, n_dead: float, defocus_um: float = 0.0) -> Scene:
    """A field with cells at random.

    Args:
        random: chance of this field.
        side_um: of the square field.
        n_live: expected number of living cells within it.
        n_dead: expected number of dead ones.
        defocus_um: blur by the focus.
    """
    wide_um = side_um + 2 * _MARGIN_UM
    grown = (wide_um / side_um) ** 2
    counts = random.poisson(n_live * grown), random.poisson(n_dead * grown)
    n = sum(counts)
    place = _apart(random, random.uniform(0.0, wide_um, (n, 2)), wide_um) - _MARGIN_UM
    is_live = np.arange(n) < counts[0]
    typical = np.where(is_live, LIVE_DIAMETER_UM, DEAD_DIAMETER_UM)
    diameter = typical * np.clip(random.normal(1.0, 0.1, n), 0.7, 1.4)
    brightness = np.exp(random.normal(0.0, 0.2, n))
    return Scene(side_um, place[:, 0], place[:, 1], is_live, diameter, brightness, defocus_um)


def _apart(random: Generator, place: Floats, wide_um: float) -> Floats:
    """The same with most of those that lie too close put elsewhere."""
    for _ in range(_ROUNDS if len(place) > 1 else 0):
        pairs = cKDTree(place).query_pairs(LEAST_DISTANCE_UM, output_type="ndarray")
        if not len(pairs):
            break
        moved = np.unique(pairs[:, 0])
        place[moved] = random.uniform(0.0, wide_um, (len(moved), 2))
    return place


def side_of(area_cm2: float) -> float:
    """Side of a square field in µm."""
    return math.sqrt(area_cm2) * 1e4
