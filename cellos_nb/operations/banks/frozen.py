"""From flasks into vials, in all runs at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from cellos_nb.operations.banks.chance import Chance
from cellos_nb.operations.banks.flasks import Flasks
from cellos_nb.operations.banks.inputs import Floats, Inputs
from cellos_nb.operations.banks.outcome import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """What chance holds ready for the harvest of each run, and what was frozen; arrays of shape (n_runs,)."""

    stress: Floats
    """Share of the living cells that loosening kills."""
    miscount: Floats
    """Counted cells over those that are there."""
    freezing: Floats
    """Share of living cells that freezing and thawing leaves alive."""
    filled: Floats
    """Vials; 0 until they are."""
    live_per_vial: Floats
    viability: Floats
    """Of the cells that went into the vials."""

    @classmethod
    def draw(cls, chance: Chance, inputs: Inputs[Floats]) -> Self:
        """Nothing is frozen yet."""
        low, high, n = inputs.stress_low, inputs.stress_high, chance.n_runs
        return cls(
            stress=low + (high - low) * chance.uniform("harvest stress"),
            miscount=chance.lognormal("count", inputs.count_cv),
            freezing=np.clip(inputs.post_thaw_viability + inputs.post_thaw_sd * chance.normal("freezing"), 0.0, 1.0),
            filled=np.zeros(n),
            live_per_vial=np.full(n, np.nan),
            viability=np.full(n, np.nan),
        )

    def harvest(self, at: Ints, flasks: Flasks, fill: Floats, cells_per_vial: float, inputs: Inputs[Floats]) -> None:
        """Fills vials with as many cells as were counted, in the runs `at`; a miscount makes them too full or empty."""
        counted = flasks.live[at] * (1.0 - inputs.cell_loss[at]) * self.miscount[at]
        self.filled[at] = np.minimum(fill, np.floor(counted / cells_per_vial))
        self.live_per_vial[at] = cells_per_vial / self.miscount[at]
        self.viability[at] = flasks.viability[at]
