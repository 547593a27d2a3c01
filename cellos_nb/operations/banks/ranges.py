"""How far the numbers behind a bank may be off, for questions of sensitivity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellos_nb.errors import InputError
from cellos_nb.operations.banks.inputs import Inputs, Number


@dataclass(frozen=True, slots=True)
class Range:
    """One number and between what it may lie."""

    name: str
    """A field of `Inputs`."""
    label: str
    """For tables and charts."""
    low: float
    base: float
    high: float
    is_logarithmic: bool = False
    """Whether it is drawn evenly in its logarithm: for rare events, known to a factor."""

    def at(self, share: Number) -> Number:
        """The value at a share of the way from low to high."""
        if self.is_logarithmic:
            return np.exp(math.log(self.low) + np.asarray(share) * math.log(self.high / self.low))
        return np.asarray(self.low + np.asarray(share) * (self.high - self.low))


@dataclass(frozen=True, slots=True)
class _Typical:
    """Typical values: how far laboratories are apart, as factors of what the parameters say."""

    label: str
    low: float
    high: float
    most: float = math.inf
    is_logarithmic: bool = False


_TYPICAL = {
    "doubling_time_h": _Typical("doubling time", 0.85, 1.2),
    "thaw_viability": _Typical("viability after thawing", 0.75, 1.08, most=1.0),
    "thaw_cells": _Typical("cells in a starting vial", 0.6, 1.4),
    "seeding_confluence": _Typical("seeding confluence", 0.67, 1.67),
    "at_confluence": _Typical("confluence at passage", 0.8, 1.15, most=1.0),
    "overgrown_loss_per_day": _Typical("loss in overgrown flasks", 0.3, 3.0, most=1.0),
    "contamination_per_flask_day": _Typical("contamination per flask-day", 0.2, 5.0, most=1.0, is_logarithmic=True),
    "incubator_failure_per_day": _Typical("incubator failure per day", 0.2, 5.0, most=1.0, is_logarithmic=True),
    "limit_doublings": _Typical("doublings until cells age", 0.8, 1.2),
    "margin": _Typical("margin of cells at harvest", 0.2, 1.6),
    "count_cv": _Typical("error of a cell count", 0.3, 2.5),
    "cell_loss": _Typical("loss at the harvest", 0.4, 3.0, most=1.0),
    "spare_vials": _Typical("spare vials", 0.0, 2.0),
    "breakage": _Typical("breakage of vials", 0.2, 5.0, most=1.0, is_logarithmic=True),
    "post_thaw_viability": _Typical("viability after freezing", 0.8, 1.06, most=1.0),
    "mixed_up": _Typical("cell lines mixed up", 0.2, 5.0, most=1.0, is_logarithmic=True),
    "qc_days": _Typical("duration of the tests", 0.5, 1.25),
}


def typical_ranges(inputs: Inputs[Number], own: Mapping[str, tuple[float, float]] | None = None) -> tuple[Range, ...]:
    """The ranges of all numbers that matter for these inputs; some of one's own in place of the typical ones.

    Args:
        inputs: one value for all runs.
        own: lowest and highest value by field.

    Raises:
        InputError: a number that there is not, or a range that cannot be.
    """
    own = own or {}
    unknown = next((name for name in own if name not in _TYPICAL), None)
    if unknown is not None:
        raise InputError(f"{unknown}: cannot be varied; possible: {', '.join(_TYPICAL)}.")
    found = []
    for name, typical in _TYPICAL.items():
        base = float(getattr(inputs, name))
        if not math.isfinite(base):
            continue
        low, high = own.get(name, (base * typical.low, min(base * typical.high, typical.most)))
        is_logarithmic = typical.is_logarithmic and base > 0
        least = "above 0" if is_logarithmic or name in {"doubling_time_h", "seeding_confluence"} else "0 or more"
        if low > high or high > typical.most or low < 0 or (low == 0 and least == "above 0"):
            raise InputError(
                f"{name}: from {low:g} to {high:g} cannot be. Give {least}, the lower one first"
                + (f", and at most {typical.most:g}." if math.isfinite(typical.most) else ".")
            )
        if high > low:
            found.append(Range(name, typical.label, low, base, high, is_logarithmic))
    return tuple(found)
