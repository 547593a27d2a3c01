"""A plain Gaussian process over numbers and categories, for questions without a dose-response curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.planner.curves import Array

_LENGTH = 0.5, 0.8
"""Median length scale for numbers scaled to [0, 1] and for a change of category, and the sd of its logarithm."""
_NOISE = 0.15, 1.0
"""Median noise as a share of the standard deviation of the data, and the sd of its logarithm."""
_MAX_FOR_HYPERPARAMETERS = 300
"""Observations that length scales are learnt from; more change little and cost much."""


@dataclass(frozen=True, slots=True)
class _Problem:
    squares: Array
    """Shape (n_columns, n, n): squared differences of the observations."""
    y: Array
    """Standardised."""

    def loss(self, theta: Array) -> tuple[float, Array]:
        """Negative log posterior and its gradient; theta holds log length scales, then log amplitude, log noise."""
        n = len(self.y)
        inverse_squares = np.exp(-2 * theta[:-2])
        covariance, radial = _matern(np.tensordot(inverse_squares, self.squares, axes=1))
        amplitude, noise = np.exp(2 * theta[-2]), np.exp(2 * theta[-1])
        root = np.linalg.cholesky(amplitude * covariance + (noise + 1e-8) * np.eye(n))
        inverse_root = np.linalg.inv(root)
        inverse = inverse_root.T @ inverse_root
        alpha = inverse @ self.y
        centre, spread = self._prior(len(theta))
        z = (theta - centre) / spread
        loss = 0.5 * self.y @ alpha + np.log(np.diag(root)).sum() + 0.5 * n * np.log(2 * np.pi) + 0.5 * z @ z
        outer = inverse - np.outer(alpha, alpha)
        weighted = 0.5 * outer * amplitude * radial
        gradient = np.empty_like(theta)
        gradient[:-2] = -2 * inverse_squares * np.tensordot(self.squares, weighted, axes=2)
        gradient[-2] = (outer * covariance).sum() * amplitude
        gradient[-1] = np.trace(outer) * noise
        return float(loss), gradient + z / spread

    @staticmethod
    def _prior(n_theta: int) -> tuple[Array, Array]:
        n_columns = n_theta - 2
        centre = np.full(n_theta, np.log(_LENGTH[0]) + 0.5 * np.log(n_columns))
        centre[-2:] = 0.0, np.log(_NOISE[0])
        spread = np.full(n_theta, _LENGTH[1])
        spread[-2:] = 0.5, _NOISE[1]
        return centre, spread


class MixedGP:
    """Matérn-5/2 process with one length scale per column; a change of category is a step of one.

    Source: Rasmussen & Williams 2006, ISBN 026218253X, equations 2.25, 4.17 and 5.9.
    """

    def __init__(self, is_category: list[bool]) -> None:
        self._is_category = np.array(is_category)
        self._theta: Array | None = None

    def fit(self, x: Array, y: Array) -> MixedGP:
        """Learns from n observations; `x` has shape (n, n_columns), numbers scaled to [0, 1], categories as codes."""
        from scipy.optimize import minimize

        self._x = x
        self._mean, self._sd = float(y.mean()), float(max(y.std(), 1e-9))
        standard = (y - self._mean) / self._sd
        part = np.linspace(0, len(y) - 1, min(len(y), _MAX_FOR_HYPERPARAMETERS)).astype(int)
        problem = _Problem(self._squares(x[part], x[part]), standard[part])
        centre = problem._prior(x.shape[1] + 2)[0]  # noqa: SLF001 - same module
        starts = [centre, centre - np.r_[np.full(x.shape[1], 0.7), 0, 0]]
        found = [
            minimize(problem.loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 40}) for start in starts
        ]
        best = min(found, key=lambda result: float(result.fun))
        self._theta = np.asarray(best.x, dtype=float)
        self.log_evidence = -float(best.fun) - len(y) * np.log(self._sd) - 0.5 * len(centre) * np.log(len(y))
        covariance = self._kernel(x, x) + (np.exp(2 * self._theta[-1]) + 1e-8) * np.eye(len(y))
        self._inverse_root = np.linalg.inv(np.linalg.cholesky(covariance))
        self._alpha = self._inverse_root.T @ (self._inverse_root @ standard)
        return self

    @property
    def noise_sd(self) -> float:
        """Of one observation."""
        assert self._theta is not None  # noqa: S101 - fitted
        return float(np.exp(self._theta[-1])) * self._sd

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Posterior mean and standard deviation without noise, both of shape (n,)."""
        assert self._theta is not None  # noqa: S101 - fitted
        to_data = self._kernel(x, self._x)
        white = to_data @ self._inverse_root.T
        variance = np.exp(2 * self._theta[-2]) - (white**2).sum(axis=1)
        return self._mean + self._sd * (to_data @ self._alpha), self._sd * np.sqrt(np.maximum(variance, 1e-12))

    def covariance(self, x: Array, others: Array) -> Array:
        """Posterior covariance between two sets of points, shape (n, n_others)."""
        white, white_others = (self._kernel(points, self._x) @ self._inverse_root.T for points in (x, others))
        result: Array = self._sd**2 * (self._kernel(x, others) - white @ white_others.T)
        return result

    def _kernel(self, a: Array, b: Array) -> Array:
        assert self._theta is not None  # noqa: S101 - fitted
        inverse_squares = np.exp(-2 * self._theta[:-2])
        distance = np.tensordot(inverse_squares, self._squares(a, b), axes=1)
        result: Array = np.exp(2 * self._theta[-2]) * _matern(distance)[0]
        return result

    def _squares(self, a: Array, b: Array) -> Array:
        difference = a.T[:, :, None] - b.T[:, None, :]
        return np.where(self._is_category[:, None, None], (difference != 0).astype(float), difference**2)


def _matern(squared_distance: Array) -> tuple[Array, Array]:
    """The Matérn-5/2 correlation, and its derivative by the squared distance."""
    scaled = np.sqrt(5 * squared_distance)
    decay = np.exp(-scaled)
    return (1 + scaled + 5 / 3 * squared_distance) * decay, -5 / 6 * (1 + scaled) * decay
