"""What a bank takes: hands, flasks, medium, vials, tests; counted in all runs at once."""

from __future__ import annotations

import numpy as np

from cellos_nb.operations.banks.inputs import Floats
from cellos_nb.operations.banks.outcome import Ints
from cellos_nb.operations.banks.parameters import BankPrices, WorkParameters


class Books:
    """Hours of hands and dollars of materials; arrays of shape (n_runs,), booked for the runs `at`."""

    def __init__(self, n_runs: int, work: WorkParameters, prices: BankPrices, flask_cm2: float) -> None:
        """Nothing was taken yet."""
        self._work, self._prices = work, prices
        self._flask_usd = flask_cm2 * prices.flask_usd_per_cm2
        self._medium_usd = flask_cm2 * prices.medium_ml_per_cm2 * prices.medium_usd_per_ml
        self.hands_h: Floats = np.zeros(n_runs)
        self._materials_usd: Floats = np.zeros(n_runs)

    @property
    def cost_usd(self) -> Floats:
        """Of materials, tests and hands."""
        return np.asarray(self._materials_usd + self.hands_h * self._prices.person_usd_per_hour)

    def thaw(self, at: Ints, flasks: Ints) -> None:
        """Cells go into new flasks."""
        self.hands_h[at] += self._work.thaw_h.value
        self._materials_usd[at] += flasks * (self._flask_usd + self._medium_usd)

    def split(self, at: Ints, before: Ints, after: Ints) -> None:
        """Cells are loosened and go into new flasks."""
        self.hands_h[at] += self._work.passage_h.value + after * self._work.passage_flask_h.value
        self._materials_usd[at] += before * self._prices.dissociation_usd_per_flask
        self._materials_usd[at] += after * (self._flask_usd + self._medium_usd)

    def feed(self, at: Ints, flasks: Ints) -> None:
        """Medium is changed."""
        self.hands_h[at] += self._work.feed_h.value + flasks * self._work.feed_flask_h.value
        self._materials_usd[at] += flasks * self._medium_usd

    def freeze(self, at: Ints, flasks: Ints, vials: Floats) -> None:
        """Cells are loosened and frozen, and samples for the tests are taken."""
        work, prices = self._work, self._prices
        self.hands_h[at] += work.freeze_h.value + vials * work.freeze_vial_h.value + work.qc_h.value
        self._materials_usd[at] += flasks * prices.dissociation_usd_per_flask + prices.qc_usd
        self._materials_usd[at] += vials * (prices.vial_usd + prices.freezing_medium_usd_per_vial)
