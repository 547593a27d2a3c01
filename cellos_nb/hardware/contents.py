"""What stands in the wells of one labware: volumes, and what is dissolved or suspended in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.plate import PLATE_FORMATS, well_names
from cellos_nb.domain.step import Labware, Liquid

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

COMPOUND, CELLS, SOLVENT, STAIN = "compound", "cells", "solvent", "stain"


class Substance(NamedTuple):
    """Something that is carried along with liquid, in proportion to volume."""

    kind: str
    """`compound` (amount in pmol), `cells` (a number), `solvent` (µL) or `stain` (µL of stain solution)."""
    name: str


@dataclass(frozen=True, slots=True)
class WellContents:
    """What one well holds."""

    volume_ul: float
    dose_um: Mapping[str, float] = field(default_factory=dict)
    """Concentration of each compound, in µM."""
    solvent_percent: float = 0.0
    """Organic solvent, percent by volume."""
    cells: Mapping[str, float] = field(default_factory=dict)
    """Cells that were dispensed into the well, for each line; growth and death are not counted here."""
    stain_percent: Mapping[str, float] = field(default_factory=dict)
    """Stain solution, percent by volume."""


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """All wells of one labware; amounts are held sparsely, because a well holds few of a plate's many substances."""

    wells: tuple[str, ...]
    """Names of the wells; shorter than `volume_ul` for a rack of which not every position was named yet."""
    volume_ul: Floats
    """Shape (positions,)."""
    substances: tuple[Substance, ...] = ()
    position: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    """Shape (entries,): the well of each amount, as an index of `volume_ul`."""
    column: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    """Shape (entries,): the substance of each amount, as an index of `substances`."""
    amount: Floats = field(default_factory=lambda: np.empty(0))
    """Shape (entries,): pmol, cells or µL."""

    @classmethod
    def empty(cls, labware: Labware) -> Contents:
        """Labware without a drop in it."""
        return cls.empty_plate(labware.n_wells) if has_fixed_wells(labware) else cls((), np.zeros(labware.n_wells))

    @classmethod
    def empty_plate(cls, n_wells: int) -> Contents:
        """A plate without a drop in it."""
        return cls(well_names(n_wells), np.zeros(n_wells))

    @classmethod
    def from_dense(
        cls, wells: tuple[str, ...], volume_ul: Floats, substances: Iterable[Substance], dense: Floats
    ) -> Contents:
        """Contents from an array of amounts, shape (positions, substances)."""
        used = np.flatnonzero(dense.any(axis=0))
        position, column = np.nonzero(dense[:, used])
        everything = tuple(substances)
        return cls(
            wells,
            volume_ul.copy(),
            tuple(everything[i] for i in used),
            position.astype(np.int32),
            column.astype(np.int32),
            dense[position, used[column]],
        )

    def dense(self, columns: Mapping[Substance, int], n_columns: int) -> Floats:
        """Amounts as an array of shape (positions, n_columns), with each substance in its column."""
        result = np.zeros((len(self.volume_ul), n_columns))
        if len(self.amount):
            place = np.array([columns[substance] for substance in self.substances])
            result[self.position, place[self.column]] = self.amount
        return result

    def of_kind(self, kind: str) -> tuple[tuple[str, ...], Ints, Ints, Floats]:
        """The substances of one kind: their names, and for each entry its well, its name's index and its amount."""
        chosen = [i for i, substance in enumerate(self.substances) if substance.kind == kind]
        new_index = np.full(len(self.substances) + 1, -1, np.int32)
        new_index[chosen] = np.arange(len(chosen))
        index = new_index[self.column]
        here = index >= 0
        names = tuple(self.substances[i].name for i in chosen)
        return names, self.position[here], index[here], self.amount[here]

    def well(self, name: str) -> WellContents:
        """What one well holds.

        Raises:
            KeyError: the labware has no such well.
        """
        if name not in self.wells:
            raise KeyError(name)
        position = self.wells.index(name)
        volume = float(self.volume_ul[position])
        here = np.flatnonzero(self.position == position)
        amounts = [(self.substances[self.column[i]], float(self.amount[i])) for i in here]
        percent = 100.0 / volume if volume > 0 else 0.0

        def of(kind: str, factor: float) -> dict[str, float]:
            return {substance.name: amount * factor for substance, amount in amounts if substance.kind == kind}

        return WellContents(
            volume,
            dose_um=of(COMPOUND, percent / 100.0),
            solvent_percent=sum(of(SOLVENT, percent).values()),
            cells=of(CELLS, 1.0),
            stain_percent=of(STAIN, percent),
        )


@cache
def fixed_wells(n_wells: int) -> dict[str, int]:
    """The position of each well of a plate, by name."""
    return {name: index for index, name in enumerate(well_names(n_wells))}


def has_fixed_wells(labware: Labware) -> bool:
    """Whether the number of wells tells their names.

    It does for the assay plate and from 24 wells up; a reservoir of 12 troughs may be one row or a 3 × 4 rack.
    """
    return labware.n_wells in PLATE_FORMATS and (labware.name == "plate" or labware.n_wells >= 24)


def substances_of(liquid: Liquid) -> dict[Substance, float]:
    """What one µL of a liquid carries: pmol, cells, or µL."""
    found = {}
    if liquid.compound is not None:
        found[Substance(COMPOUND, liquid.compound)] = liquid.concentration_um
    if liquid.cell_line is not None:
        found[Substance(CELLS, liquid.cell_line)] = liquid.cells_per_ul
    if liquid.solvent_fraction:
        found[Substance(SOLVENT, "solvent")] = liquid.solvent_fraction
    if liquid.stain is not None:
        found[Substance(STAIN, liquid.stain)] = 1.0
    return found
