"""Length scales, amplitude and noise of a Gaussian process over numbers and categories, learnt from its data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array
from cellos_nb.planner.threads import one_thread

_LENGTH = 0.5
"""Median length scale for numbers scaled to [0, 1] and for a change of category, times the root of their number."""
_IN_COMMON, _OF_ITS_OWN = 1.0, 0.5
"""How far the logarithms of all length scales may move together, and that of each beside the others; sd.

Few wells tell how fast the response changes on the whole long before they tell it of each column (decision 50).
"""
_AMPLITUDE = 0.5
"""The sd of the logarithm of the amplitude, in standard deviations of the data."""
_NOISE = 0.15, 1.0
"""Median noise as a share of the standard deviation of the data, and the sd of its logarithm."""
_LEAST_NOISE, _FARTHEST = 1e-3, 4.0
"""Of the same; and how many sd a logarithm is searched from its median: beyond, no covariance can be inverted."""
_MAX_FOR_HYPERPARAMETERS = 300
"""Observations that length scales are learnt from; more change little and cost much."""
_FIRST_LOOK = 80
"""Of these, observations that the first search sees; another goes on from there with all."""

_SHORTER = 0.7
"""By how much the logarithms of the second start's length scales are smaller."""


@dataclass(frozen=True, slots=True)
class ScalePrior:
    """A normal distribution of log length scales, log amplitude and log noise, before any data."""

    centre: Array
    spread: Array
    """Standard deviations."""
    precision: Array
    """Inverse of the covariance; length scales of all columns vary together."""

    @classmethod
    @lru_cache(maxsize=32)
    def of(cls, n_columns: int) -> ScalePrior:
        """For tables of that many columns."""
        centre = np.full(n_columns + 2, np.log(_LENGTH) + 0.5 * np.log(n_columns))
        centre[-2:] = 0.0, np.log(_NOISE[0])
        covariance = np.diag(np.r_[np.full(n_columns, _OF_ITS_OWN), _AMPLITUDE, _NOISE[1]] ** 2)
        covariance[:n_columns, :n_columns] += _IN_COMMON**2
        return cls(centre, np.sqrt(np.diag(covariance)), np.linalg.inv(covariance))

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Lowest and highest of each; within them every covariance can be inverted."""
        lowest, highest = self.centre - _FARTHEST * self.spread, self.centre + _FARTHEST * self.spread
        lowest[-1] = np.log(_LEAST_NOISE)
        return list(zip(lowest.tolist(), highest.tolist(), strict=True))

    def pull(self, theta: Array) -> tuple[float, Array]:
        """Negative log density at theta, but for a constant, and its gradient."""
        away = theta - self.centre
        gradient: Array = self.precision @ away
        return float(0.5 * away @ gradient), gradient


@dataclass(frozen=True, slots=True)
class ScaleProblem:
    """Length scales, amplitude and noise in question; symmetric matrices are held as their lower triangles."""

    squares: Array
    """Shape (n_columns, n_pairs): squared differences of the observations."""
    y: Array
    """Standardised."""
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    """Shape (n_pairs,): the observations of each pair, the later one first."""

    @classmethod
    def of(cls, x: Array, y: Array, is_category: NDArray[np.bool_]) -> ScaleProblem:
        """From observations as `MixedGP.fit` takes them."""
        rows, cols = np.tril_indices(len(x), -1)
        difference = x[rows].T - x[cols].T
        squares = np.where(is_category[:, None], (difference != 0).astype(float), difference**2)
        return cls(squares, y, rows.astype(np.int64), cols.astype(np.int64))

    def loss(self, theta: Array) -> tuple[float, Array]:
        """Negative log posterior and its gradient; theta holds log length scales, then log amplitude, log noise."""
        from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

        n = len(self.y)
        inverse_squares = np.exp(-2 * theta[:-2])
        distance = inverse_squares @ self.squares
        scaled = np.sqrt(5 * distance)
        decay = np.exp(-scaled)
        correlation, slope = decay * (1 + scaled + 5 / 3 * distance), -5 / 6 * (1 + scaled) * decay
        amplitude, noise = np.exp(2 * theta[-2]), np.exp(2 * theta[-1])
        covariance = np.zeros((n, n), order="F")
        covariance[self.cols, self.rows] = amplitude * correlation
        covariance[np.diag_indices(n)] = amplitude + noise + 1e-8
        root, failed = dpotrf(covariance, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError(f"the covariance is not positive definite (minor {failed})")
        alpha = dpotrs(root, self.y)[0]
        log_root = np.log(np.diag(root)).sum()
        inverse = dpotri(root, overwrite_c=1)[0]
        against, pull = ScalePrior.of(len(theta) - 2).pull(theta)
        loss = 0.5 * self.y @ alpha + log_root + 0.5 * n * np.log(2 * np.pi) + against
        outer = inverse[self.cols, self.rows] - alpha[self.rows] * alpha[self.cols]
        own = np.diag(inverse) - alpha**2
        gradient = np.empty_like(theta)
        gradient[:-2] = -2 * inverse_squares * (self.squares @ (outer * amplitude * slope))
        gradient[-2] = (2 * outer @ correlation + own.sum()) * amplitude
        gradient[-1] = own.sum() * noise
        return float(loss), gradient + pull


def learnt(x: Array, y: Array, is_category: NDArray[np.bool_]) -> Array:
    """Log length scales, log amplitude and log noise of highest posterior density; `y` is standardised.

    The search starts from the prior's centre and from shorter length scales, and goes on from the better end.
    """
    from scipy.optimize import minimize

    prior = ScalePrior.of(x.shape[1])

    def search(n: int, start: Array, n_steps: int) -> tuple[float, Array]:
        part = np.linspace(0, len(x) - 1, min(len(x), n)).astype(int)
        problem = ScaleProblem.of(x[part], y[part], is_category)
        steps: Any = {"maxiter": n_steps}
        found = minimize(problem.loss, start, jac=True, method="L-BFGS-B", bounds=prior.bounds, options=steps)
        return float(found.fun), np.asarray(found.x, dtype=float)

    starts = prior.centre, prior.centre - np.r_[np.full(x.shape[1], _SHORTER), 0, 0]
    with one_thread():
        best = min((search(_FIRST_LOOK, start, 40) for start in starts), key=lambda found: found[0])[1]
        return best if len(x) <= _FIRST_LOOK else search(_MAX_FOR_HYPERPARAMETERS, best, 12)[1]
