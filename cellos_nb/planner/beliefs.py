"""Gaussian beliefs about the scores of a finite pool, and what changes when one of them is taken for granted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cellos_nb.planner.curves import Array
from cellos_nb.planner.likelihood import Index

_LEAST_VARIANCE = 1e-12


class Beliefs:
    """Means and variances of scores; candidates of different blocks are independent. Larger scores are better."""

    def __init__(
        self,
        *,
        mean: Array,
        sd: Array,
        block: Index,
        covariance: Callable[[Index], Array],
        noise_variance: float,
        incumbent: float,
    ) -> None:
        """Beliefs before a batch.

        Args:
            mean: shape (n,).
            sd: shape (n,).
            block: shape (n,), number of each candidate's block.
            covariance: gives the joint covariance of the candidates with the given numbers, all of one block.
            noise_variance: of one measurement of a score.
            incumbent: the best score so far.
        """
        self.mean, self.incumbent = mean, incumbent
        self.variance = np.maximum(sd**2, _LEAST_VARIANCE)
        self._block, self._covariance, self.noise_variance = block, covariance, noise_variance
        self._known: dict[int, tuple[Index, Array, Array]] = {}
        # Of a block: its candidates, their covariance before the batch, and what each belief took from it.

    def believe(self, candidate: int) -> None:
        """Takes the candidate's mean for its measurement: the others become surer, and it may be the new incumbent.

        Source: Ginsbourger et al. 2010, doi:10.1007/978-3-642-10701-6_6, the Kriging believer.
        """
        number = int(self._block[candidate])
        if number not in self._known:
            members = np.flatnonzero(self._block == number)
            self._known[number] = (members, self._covariance(members), np.zeros((0, len(members))))
        members, joint, taken = self._known[number]
        place = int(np.searchsorted(members, candidate))
        column = joint[:, place] - taken[:, place] @ taken
        taken = np.vstack([taken, column / np.sqrt(column[place] + self.noise_variance + _LEAST_VARIANCE)])
        self._known[number] = (members, joint, taken)
        self.variance[members] = np.maximum(self.variance[members] - taken[-1] ** 2, _LEAST_VARIANCE)
        self.incumbent = max(self.incumbent, float(self.mean[candidate]))
