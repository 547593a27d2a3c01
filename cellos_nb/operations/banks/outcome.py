"""What comes out of simulated banks, run by run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.inputs import Floats
from cellos_nb.operations.banks.trouble import Trouble

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Ending(IntEnum):
    """How the making of a bank ended."""

    RELEASED = 0
    CONTAMINATED = 1
    """Somebody saw it in the flasks."""
    INCUBATOR = 2
    """All flasks stood in an incubator that failed."""
    DIED = 3
    """No living cell was left after the thaw or in culture."""
    SENESCENT = 4
    """The cells ceased to divide before there were enough."""
    TIME_OUT = 5
    """Too few cells when the time was over."""
    STERILITY = 6
    MYCOPLASMA = 7
    IDENTITY = 8
    VIABILITY = 9
    """Too few cells alive after a test thaw."""
    NOT_BEGUN = 10
    """The master bank that it was to be made from was not released, or is too small."""

    def __str__(self) -> str:
        """In words."""
        return _WORDS[self]


_WORDS = {
    Ending.RELEASED: "released",
    Ending.CONTAMINATED: "contamination seen in culture",
    Ending.INCUBATOR: "all flasks lost with an incubator",
    Ending.DIED: "cells died",
    Ending.SENESCENT: "cells ceased to divide",
    Ending.TIME_OUT: "too few cells in time",
    Ending.STERILITY: "refused: sterility",
    Ending.MYCOPLASMA: "refused: mycoplasma",
    Ending.IDENTITY: "refused: identity",
    Ending.VIABILITY: "refused: viability",
    Ending.NOT_BEGUN: "no master bank to begin from",
}


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """How far a bank is, day by day: shares of the runs have at most so many vials' worth of living cells."""

    days: Ints
    """Since its first thaw."""
    quantiles: Floats
    """Shape (n_days, 5): 5, 25, 50, 75 and 95 % of the runs that were begun; frozen cells stay, lost ones are 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One kind of work of one day."""

    day: int
    what: str
    """A `TaskKind`."""
    runs: Ints
    """In which it was done."""
    n: Ints
    """Flasks afterwards, or vials that were filled; of these runs."""


@dataclass(frozen=True, slots=True, eq=False)
class StageRuns:
    """One bank in all runs; arrays of shape (n_runs,)."""

    name: str
    """`master` or `working`."""
    wanted: int
    """Vials."""
    ending: Ints
    """An `Ending`."""
    vials: Floats
    """Released and whole; 0 where it was not released."""
    filled: Floats
    """Vials filled at the harvest."""
    cells_per_vial: Floats
    """Living cells frozen in each vial; not a number where nothing was frozen."""
    viability: Floats
    """Share of the cells that lived when they were frozen; not a number where nothing was frozen."""
    post_thaw: Floats
    """Share of the cells of a vial that live after thawing."""
    passage: Ints
    """Of the cells that were frozen, or were last there."""
    doublings: Floats
    """Behind them."""
    culture_days: Floats
    """From the first thaw to freezing, or until it was lost."""
    days: Floats
    """To the release, or until it was lost or refused."""
    hands_h: Floats
    """Hours of work."""
    cost_usd: Floats
    grown: Floats
    """Living cells that were harvested or lost."""
    kept: Floats
    """Of these, those in released vials."""
    peak_flasks: Ints
    attempts: Ints
    """Thaws that it took."""
    thawed: Ints
    """Vials that they used up."""
    contamination: Ints
    """Index among the kinds of the parameters, also where it was not noticed; −1 for none."""
    is_tainted: Bools
    """Released although contaminated or mixed up: no test found it."""
    fan: Fan
    entries: tuple[Entry, ...]
    """What was done, day by day."""

    def diary(self, run: int = 0) -> tuple[tuple[int, str, int], ...]:
        """What was done in one run: day, what, and flasks afterwards or vials."""
        found = []
        for entry in self.entries:
            place = int(np.searchsorted(entry.runs, run))
            if place < len(entry.runs) and entry.runs[place] == run:
                found.append((entry.day, entry.what, int(entry.n[place])))
        return tuple(found)

    @property
    def is_released(self) -> Bools:
        """Whether it was released, with however many vials."""
        return np.asarray(self.ending == Ending.RELEASED)

    @property
    def is_success(self) -> Bools:
        """Whether it was released with all the vials wanted, and they hold what they should."""
        return np.asarray(self.is_released & ~self.is_tainted & (self.vials >= self.wanted))


@dataclass(frozen=True, eq=False)
class BankRuns:
    """All runs of a bank's file."""

    config: BankConfig
    seed: int
    n_runs: int
    trouble: Trouble
    stages: tuple[StageRuns, ...]
    """In the order in which they are made."""

    @property
    def last(self) -> StageRuns:
        """The bank that is wanted in the end."""
        return self.stages[-1]

    @cached_property
    def measures(self) -> Mapping[str, Floats]:
        """What is asked of a run, by name, shape (n_runs,); days, cost and waste count all banks together.

        `success` is 1 where every bank was released, whole and clean, with all the vials wanted; `waste` is the share
        of all living cells that are in no released vial. A run that failed has 0 vials; its days are not a number.
        """
        grown = sum_of([stage.grown for stage in self.stages])
        kept = sum_of([stage.kept for stage in self.stages])
        is_success = np.logical_and.reduce([stage.is_success for stage in self.stages])
        return {
            "success": is_success.astype(float),
            "vials": self.last.vials,
            "days": np.where(self.last.is_released, sum_of([stage.days for stage in self.stages]), np.nan),
            "waste": 1.0 - np.divide(kept, grown, out=np.zeros_like(kept), where=grown > 0),
            "cost_usd": sum_of([stage.cost_usd for stage in self.stages]),
            "hands_h": sum_of([stage.hands_h for stage in self.stages]),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row for each run and bank, for a table or a CSV file."""
        return [
            {
                "run": run,
                "bank": stage.name,
                "ending": str(Ending(stage.ending[run])),
                "vials": int(stage.vials[run]),
                "filled": int(stage.filled[run]),
                "passage": int(stage.passage[run]),
                "doublings": round(float(stage.doublings[run]), 2),
                "post_thaw_viability": _or_none(stage.post_thaw[run]),
                "culture_days": float(stage.culture_days[run]),
                "days": float(stage.days[run]),
                "attempts": int(stage.attempts[run]),
                "peak_flasks": int(stage.peak_flasks[run]),
                "hands_h": round(float(stage.hands_h[run]), 2),
                "cost_usd": round(float(stage.cost_usd[run]), 2),
                "tainted": bool(stage.is_tainted[run]),
            }
            for run in range(self.n_runs)
            for stage in self.stages
        ]


MEASURES = {
    "success": "success",
    "vials": "vials",
    "days": "days to release",
    "waste": "waste of cells",
    "cost_usd": "cost, USD",
    "hands_h": "hours of hands",
}
"""What can be asked of a bank, with the words for it."""


def sum_of(arrays: list[Floats]) -> Floats:
    """Element by element."""
    return np.asarray(np.sum(arrays, axis=0))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
