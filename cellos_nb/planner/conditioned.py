"""What observations say of a Gaussian process: all of them, or through fewer points that stand for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array


@dataclass(frozen=True, slots=True)
class Exact:
    """What the observations say, all of them."""

    inverse_root: Array
    alpha: Array
    """Shape (n,): the mean is the covariance with the observations times this."""
    log_evidence: float

    @classmethod
    def of(cls, covariance: Array, noise: float, y: Array) -> Exact:
        """From the covariance of the observations, the variance of their noise, and their values."""
        root = np.linalg.cholesky(covariance + noise * np.eye(len(y)))
        inverse_root = inverse_of_root(root)
        white = inverse_root @ y
        evidence = -0.5 * white @ white - np.log(np.diag(root)).sum() - 0.5 * len(y) * np.log(2 * np.pi)
        return cls(inverse_root, inverse_root.T @ white, float(evidence))

    def explained(self, to_data: Array, others: Array | None = None) -> Array:
        """The covariance that the data take away: of every point's own, or between two sets of points."""
        white = self._white(to_data)
        if others is None:
            result: Array = np.einsum("ij,ij->j", white, white)
            return result
        between: Array = white.T @ (white if others is to_data else self._white(others))
        return between

    def _white(self, to_data: Array) -> Array:
        """Shape (n, n_points)."""
        from scipy.linalg.blas import dtrmm

        white: Array = dtrmm(1.0, self.inverse_root, to_data.T, lower=1)
        return white


@dataclass(frozen=True, slots=True)
class Sparse:
    """What the observations say through fewer points, with the variance that these leave as extra noise.

    Source: Snelson & Ghahramani 2005, "Sparse Gaussian processes using pseudo-inputs", equations 7 and 8.
    """

    inverse_root: Array
    """Of the covariance of the inducing points."""
    posterior_root: Array
    """Inverse root of the precision of their whitened values."""
    alpha: Array
    log_evidence: float

    @classmethod
    def of(cls, inducing: Array, to_data: Array, amplitude: float, noise: float, y: Array) -> Sparse:
        """From the covariance of the inducing points, and theirs with the data, shape (n, n_inducing)."""
        inverse_root = inverse_of_root(np.linalg.cholesky(inducing + 1e-6 * amplitude * np.eye(len(inducing))))
        white = to_data @ inverse_root.T
        own_noise = noise + np.maximum(amplitude - (white**2).sum(axis=1), 0.0)
        precision = np.eye(len(inducing)) + (white / own_noise[:, None]).T @ white
        root = np.linalg.cholesky(precision)
        posterior_root = inverse_of_root(root)
        towards = white.T @ (y / own_noise)
        half = posterior_root @ towards
        evidence = -0.5 * ((y**2 / own_noise).sum() - half @ half + np.log(2 * np.pi * own_noise).sum())
        alpha = inverse_root.T @ (posterior_root.T @ half)
        return cls(inverse_root, posterior_root, alpha, float(evidence - np.log(np.diag(root)).sum()))

    def explained(self, to_data: Array, others: Array | None = None) -> Array:
        """As `Exact.explained`."""
        white = to_data @ self.inverse_root.T
        left = white @ self.posterior_root.T
        if others is None:
            result: Array = (white**2).sum(axis=1) - (left**2).sum(axis=1)
            return result
        other = others @ self.inverse_root.T
        between: Array = white @ other.T - left @ (other @ self.posterior_root.T).T
        return between


def inverse_of_root(root: NDArray[np.floating]) -> Array:
    """Inverse of a lower triangular matrix."""
    from scipy.linalg.lapack import dtrtri

    result: Array = dtrtri(root, lower=1)[0]
    return result
