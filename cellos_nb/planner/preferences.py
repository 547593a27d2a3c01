"""What a person likes better, learnt from choices between two: for goals that no assay puts into numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.curves import Array

_LENGTHS = (0.15, 0.3, 0.6, 1.2)
"""Length scales in question, features being scaled to [0, 1]; the one of most evidence is kept."""
_MAX_NEWTON = 100


class PreferenceGP:
    """A Gaussian process over worth, seen through choices: the worthier of two is chosen, but for a person's noise.

    >>> model = PreferenceGP().fit([[0.0], [0.5], [1.0]], [(2, 0), (2, 1), (1, 0)])
    >>> mean, sd = model.predict([[0.0], [1.0]])
    >>> bool(mean[1] > mean[0])
    True

    Source: Chu & Ghahramani 2005, doi:10.1145/1102351.1102369, equations 3 to 9: probit likelihood, Laplace
    approximation. Worth is in units of the noise of one judgement times √2.
    """

    def __init__(self, lengths: Sequence[float] = _LENGTHS, worth_sd: float = 1.5) -> None:
        """A model that has seen no choice; `worth_sd` is the prior standard deviation of worth."""
        self._lengths, self._worth_sd = tuple(lengths), worth_sd

    def fit(self, items: ArrayLike, choices: Sequence[tuple[int, int]]) -> PreferenceGP:
        """Learns from choices between items.

        Args:
            items: shape (n, n_features), numbers scaled to [0, 1] and categories one-hot.
            choices: (chosen, left) by number of the item.

        Raises:
            AnalysisError: there is no choice, one names no item, or one is between an item and itself.
        """
        self._items = np.asarray(items, dtype=float)
        if self._items.ndim != 2:
            raise AnalysisError("PreferenceGP.fit: items are a table, one row for each; give shape (n, n_features).")
        if not choices:
            raise AnalysisError("PreferenceGP.fit: there are no choices; give at least one pair (chosen, left).")
        for chosen, left in choices:
            if not (0 <= chosen < len(self._items) and 0 <= left < len(self._items)) or chosen == left:
                raise AnalysisError(
                    f"PreferenceGP.fit: ({chosen}, {left}) is no choice; give two different items out of 0 to "
                    f"{len(self._items) - 1}, the chosen one first."
                )
        design = np.zeros((len(choices), len(self._items)))
        for row, (chosen, left) in enumerate(choices):
            design[row, chosen], design[row, left] = 1.0, -1.0
        fits = [(*self._laplace(length, design), length) for length in self._lengths]
        self.log_evidence, self._worth, self._curvature, self._length = max(fits, key=lambda fit: fit[0])
        covariance = self._kernel(self._items, self._items, self._length) + 1e-8 * np.eye(len(self._items))
        self._inverse = np.linalg.inv(covariance)
        # (K + W⁻¹)⁻¹ without inverting W, which is singular: worth has no zero point.
        self._remaining = np.linalg.solve(np.eye(len(covariance)) + self._curvature @ covariance, self._curvature)
        return self

    def predict(self, items: ArrayLike) -> tuple[Array, Array]:
        """Posterior mean and standard deviation of worth, each of shape (n,)."""
        mean, covariance = self.joint(items)
        return mean, np.sqrt(np.maximum(np.diag(covariance), 1e-12))

    def joint(self, items: ArrayLike) -> tuple[Array, Array]:
        """Posterior mean, shape (n,), and covariance, shape (n, n), of worth."""
        x = np.asarray(items, dtype=float)
        to_known = self._kernel(x, self._items, self._length)
        mean: Array = to_known @ (self._inverse @ self._worth)
        covariance: Array = self._kernel(x, x, self._length) - to_known @ self._remaining @ to_known.T
        return mean, covariance

    def probability(self, a: ArrayLike, b: ArrayLike) -> float:
        """The probability that `a` would be chosen over `b`, each of shape (n_features,)."""
        from scipy.special import ndtr

        mean, variance = self._difference(np.stack([np.asarray(a, dtype=float), np.asarray(b, dtype=float)]), 0, 1)
        return float(ndtr(mean / np.sqrt(1 + variance)))

    def next_choice(self, items: ArrayLike) -> tuple[int, int]:
        """The two items whose comparison would tell most, by number; the more valued first."""
        x = np.asarray(items, dtype=float)
        if len(x) < 2:
            raise AnalysisError("PreferenceGP.next_choice: a choice needs two items; give at least two rows.")
        mean, covariance = self.joint(x)
        first, second = np.triu_indices(len(x), 1)
        variance = np.diag(covariance)[first] + np.diag(covariance)[second] - 2 * covariance[first, second]
        told = choice_information(mean[first] - mean[second], np.maximum(variance, 0.0))
        best = int(np.argmax(told))
        pair = int(first[best]), int(second[best])
        return pair if mean[pair[0]] >= mean[pair[1]] else (pair[1], pair[0])

    def _difference(self, x: Array, a: int, b: int) -> tuple[float, float]:
        mean, covariance = self.joint(x)
        variance = covariance[a, a] + covariance[b, b] - 2 * covariance[a, b]
        return float(mean[a] - mean[b]), max(float(variance), 0.0)

    def _laplace(self, length: float, design: Array) -> tuple[float, Array, Array]:
        """Log evidence, mode of worth, and minus the Hessian of the log likelihood there."""
        from scipy.special import log_ndtr

        covariance = self._kernel(self._items, self._items, length) + 1e-8 * np.eye(len(self._items))
        worth: Array = np.zeros(len(self._items), dtype=np.float64)
        for _ in range(_MAX_NEWTON):
            gradient, curvature = _slopes(design, worth)
            # Rasmussen & Williams 2006, equation 3.18.
            step = np.linalg.solve(
                np.eye(len(worth)) + covariance @ curvature, covariance @ (curvature @ worth + gradient)
            )
            moved = float(np.abs(step - worth).max())
            worth = np.asarray(step, dtype=float)
            if moved < 1e-9:
                break
        _, curvature = _slopes(design, worth)
        fit = log_ndtr(design @ worth).sum() - 0.5 * worth @ np.linalg.solve(covariance, worth)
        _, log_determinant = np.linalg.slogdet(np.eye(len(worth)) + covariance @ curvature)
        return float(fit - 0.5 * log_determinant), worth, curvature

    def _kernel(self, a: Array, b: Array, length: float) -> Array:
        squares = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
        kernel: Array = self._worth_sd**2 * np.exp(-0.5 * squares / length**2)
        return kernel


def choice_information(mean: Array, variance: Array) -> Array:
    """Nats that the outcome of a choice tells about worth, from mean and variance of the difference.

    Source: Houlsby et al. 2011, arXiv:1112.5745, equation 3.
    """
    from scipy.special import entr, ndtr

    p = ndtr(mean / np.sqrt(1 + variance))
    squared = np.pi * np.log(2) / 2
    expected = np.sqrt(squared / (variance + squared)) * np.exp(-0.5 * mean**2 / (variance + squared)) * np.log(2)
    told: Array = entr(p) + entr(1 - p) - expected
    return told


def _slopes(design: Array, worth: Array) -> tuple[Array, Array]:
    """Gradient and minus the Hessian of the log likelihood of all choices."""
    from scipy.special import log_ndtr

    z = design @ worth
    ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(z))
    gradient: Array = design.T @ ratio
    curvature: Array = design.T @ ((ratio * (z + ratio))[:, None] * design)
    return gradient, curvature
