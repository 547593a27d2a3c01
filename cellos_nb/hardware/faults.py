"""Faults put into simulated plates on purpose: edge effect, drift, bubbles, and rows that changed places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cellos_nb.domain.plate import plate_format
from cellos_nb.hardware.biology_parameters import Fault, FaultParameters
from cellos_nb.hardware.contents import Floats
from cellos_nb.hardware.culture import rim


@dataclass(frozen=True, slots=True, eq=False)
class PlateFaults:
    """What the faults of one plate do to every signal read of it."""

    factor: Floats
    """Shape (n_wells,): what is left of a well's signal."""
    source: NDArray[np.intp]
    """Shape (n_wells,): the well whose content stands in each position."""
    kinds: tuple[str, ...]
    """Faults that the plate has."""
    bubbles: tuple[int, ...]
    """Positions of the wells with a bubble."""

    def on(self, signal: Floats) -> Floats:
        """A signal of shape (…, n_wells) with the faults in it."""
        changed: Floats = signal[..., self.source] * self.factor
        return changed


def draw_faults(random: Generator, faults: FaultParameters, n_wells: int, used: NDArray[np.bool_]) -> PlateFaults:
    """The faults of one plate.

    Args:
        random: chance of this plate's faults.
        faults: how often and how large.
        n_wells: the plate's format.
        used: shape (n_wells,), wells with cells: a bubble elsewhere would be nothing.
    """
    fmt = plate_format(n_wells)
    has = {kind: _befalls(random, getattr(faults, kind)) for kind in FaultParameters.model_fields}
    factor, source = np.ones(n_wells), np.arange(n_wells)
    filled = np.flatnonzero(used)
    rows = np.unique(filled // fmt.n_columns)
    chosen = random.permutation(filled)[: faults.bubble.n_wells]
    pair = random.permutation(rows)[:2]
    if has["edge"]:
        factor *= 1.0 - faults.edge.size * rim(n_wells)
    if has["drift"]:
        factor *= 1.0 - faults.drift.size * (source % fmt.n_columns) / max(fmt.n_columns - 1, 1)
    if has["bubble"]:
        factor[chosen] *= 1.0 - faults.bubble.size
    if has["swapped_rows"] and pair.size == 2:
        grid = source.reshape(fmt.n_rows, fmt.n_columns).copy()
        grid[pair] = grid[pair[::-1]]
        source = grid.ravel()
    kinds = tuple(kind for kind, is_there in has.items() if is_there)
    return PlateFaults(factor, source, kinds, tuple(chosen.tolist()) if has["bubble"] else ())


def _befalls(random: Generator, fault: Fault) -> bool:
    return bool(random.random() < fault.share_of_plates)
