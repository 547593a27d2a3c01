"""Two ways to measure, one cheap and one that counts: a proxy and the full assay, a simulator and the bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.curves import Array
from cellos_nb.planner.entropy import max_value_information
from cellos_nb.planner.mixed_gp import MixedGP

Fidelity = Literal["cheap", "full"]

_N_SAMPLES = 256
_MAX_CANDIDATES = 3000
"""Joint samples of more would not fit into a second or a gigabyte."""


@dataclass(frozen=True, slots=True)
class FidelityCosts:
    """What one measurement costs, in any unit."""

    cheap: float
    full: float


@dataclass(frozen=True, slots=True, eq=False)
class _Belief:
    mean: Array
    """Of the full score of every candidate; shape (n,), as all below."""
    sd: Array
    correlation_cheap: Array
    """Of a cheap measurement, noise included, and the full score."""
    correlation_full: Array
    covariance: Array
    """Shape (n, n), of the full scores."""


class TwoFidelityPlanner:
    """Asks for what tells most about the best full score per cost: where, and in which way.

    The full score is a multiple of the cheap one plus a difference, each a Gaussian process over the table. Scores are
    to be made large.

    Source: Kennedy & O'Hagan 2000, doi:10.1093/biomet/87.1.1, equation 2; Takeno et al. 2020, arXiv:1901.08275,
    information on the best value per cost.
    """

    def __init__(self, table: ArrayLike, is_category: Sequence[bool], costs: FidelityCosts, seed: int = 0) -> None:
        """A planner over the rows of a table.

        Args:
            table: shape (n, n_columns), numbers scaled to [0, 1], categories as codes.
            is_category: of each column.
            costs: of one measurement either way, above 0.
            seed: of the posterior samples.

        Raises:
            AnalysisError: there are more than 3,000 rows, or a cost is not above 0.
        """
        self._x = np.asarray(table, dtype=float)
        if not 0 < len(self._x) <= _MAX_CANDIDATES:
            raise AnalysisError(f"TwoFidelityPlanner: {len(self._x)} rows; give 1 to {_MAX_CANDIDATES:,}.")
        if not (costs.cheap > 0 and costs.full > 0):
            raise AnalysisError("TwoFidelityPlanner: a cost is not above 0; give what one measurement takes.")
        self._is_category, self._costs, self._seed = list(is_category), costs, seed
        self._told: dict[Fidelity, tuple[list[int], list[float]]] = {"cheap": ([], []), "full": ([], [])}

    def tell(self, rows: Sequence[int], scores: Sequence[float], fidelity: Fidelity) -> None:
        """What was measured; a score that is not finite, as of a failed well, is left out."""
        for row, score in zip(rows, scores, strict=True):
            if np.isfinite(score):
                self._told[fidelity][0].append(int(row))
                self._told[fidelity][1].append(float(score))

    def ask(self) -> tuple[int, Fidelity]:
        """The row and the way of the next measurement; one that was measured in full is not asked for again.

        Raises:
            AnalysisError: fewer than 3 measurements of either kind were told, or everything was measured in full.
        """
        belief = self._believe()
        done = {kind: np.isin(np.arange(len(self._x)), rows) for kind, (rows, _) in self._told.items()}
        if done["full"].all():
            raise AnalysisError("TwoFidelityPlanner: every row was measured in full; there is nothing left to ask.")
        rng = np.random.default_rng([self._seed, sum(len(rows) for rows, _ in self._told.values())])
        root = np.linalg.cholesky(
            belief.covariance + 1e-8 * np.trace(belief.covariance) / len(self._x) * np.eye(len(self._x))
        )
        maxima = (belief.mean + rng.standard_normal((_N_SAMPLES, len(self._x))) @ root.T).max(axis=1)
        cheap = max_value_information(belief.mean, belief.sd, belief.correlation_cheap, maxima) / self._costs.cheap
        full = max_value_information(belief.mean, belief.sd, belief.correlation_full, maxima) / self._costs.full
        cheap[done["cheap"] | done["full"]] = -np.inf
        full[done["full"]] = -np.inf
        if cheap.max() > full.max():
            return int(np.argmax(cheap)), "cheap"
        return int(np.argmax(full)), "full"

    def predict(self) -> tuple[Array, Array]:
        """Posterior mean and standard deviation of the full score of every row."""
        belief = self._believe()
        return belief.mean, belief.sd

    def _believe(self) -> _Belief:
        (low_rows, low), (high_rows, high) = self._told["cheap"], self._told["full"]
        if len(low) < 3 or len(high) < 3:
            raise AnalysisError(
                f"TwoFidelityPlanner: {len(low)} cheap and {len(high)} full measurements are too few to tell how they "
                "belong together; tell 3 or more of each."
            )
        cheap = MixedGP(self._is_category).fit(self._x[low_rows], np.array(low))
        at_high = cheap.predict(self._x[high_rows])[0]
        centred = at_high - at_high.mean()
        slope = float(centred @ np.array(high) / max(float(centred @ centred), 1e-12))
        rest = MixedGP(self._is_category).fit(self._x[high_rows], np.array(high) - slope * at_high)
        mean_cheap, sd_cheap = cheap.predict(self._x)
        mean_rest, sd_rest = rest.predict(self._x)
        variance = slope**2 * sd_cheap**2 + sd_rest**2
        seen_cheap = np.sqrt((sd_cheap**2 + cheap.noise_sd**2) * variance)
        return _Belief(
            mean=slope * mean_cheap + mean_rest,
            sd=np.sqrt(variance),
            correlation_cheap=np.abs(slope) * sd_cheap**2 / seen_cheap,
            correlation_full=np.sqrt(variance / (variance + rest.noise_sd**2)),
            covariance=slope**2 * cheap.covariance(self._x, self._x) + rest.covariance(self._x, self._x),
        )
