"""A plain Gaussian process over numbers and categories, for questions without a dose-response curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array

_LENGTH = 0.5, 0.8
"""Median length scale for numbers scaled to [0, 1] and for a change of category, and the sd of its logarithm."""
_NOISE = 0.15, 1.0
"""Median noise as a share of the standard deviation of the data, and the sd of its logarithm."""
_LEAST_NOISE, _FARTHEST = 1e-3, 4.0
"""Of the same; and how many sd a logarithm is searched from its median: beyond, no covariance can be inverted."""
_MAX_FOR_HYPERPARAMETERS = 300
"""Observations that length scales are learnt from; more change little and cost much."""
_FIRST_LOOK = 80
"""Of these, observations that both starts of the search see; the better one goes on with all."""
MAX_EXACT = 2000
"""Observations up to which the posterior is exact."""
_N_INDUCING, _N_CANDIDATE_INDUCING = 400, 1500
"""Points that stand for the observations beyond that, and observations that they are chosen from."""
_CHUNK = 4_000_000
"""Numbers held at once while a pool is compared with observations."""
_CACHED = 100_000
"""Covariances computed at once, so that all steps of one find it in the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Problem:
    """Length scales, amplitude and noise in question; symmetric matrices are held as their lower triangles."""

    squares: Array
    """Shape (n_columns, n_pairs): squared differences of the observations."""
    y: Array
    """Standardised."""
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    """Shape (n_pairs,): the observations of each pair, the later one first."""

    @classmethod
    def of(cls, x: Array, y: Array, is_category: NDArray[np.bool_]) -> _Problem:
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
        centre, spread = self.prior(len(theta))
        z = (theta - centre) / spread
        loss = 0.5 * self.y @ alpha + log_root + 0.5 * n * np.log(2 * np.pi) + 0.5 * z @ z
        outer = inverse[self.cols, self.rows] - alpha[self.rows] * alpha[self.cols]
        own = np.diag(inverse) - alpha**2
        gradient = np.empty_like(theta)
        gradient[:-2] = -2 * inverse_squares * (self.squares @ (outer * amplitude * slope))
        gradient[-2] = (2 * outer @ correlation + own.sum()) * amplitude
        gradient[-1] = own.sum() * noise
        return float(loss), gradient + z / spread

    @staticmethod
    def prior(n_theta: int) -> tuple[Array, Array]:
        """Mean and standard deviation of theta before any data."""
        n_columns = n_theta - 2
        centre = np.full(n_theta, np.log(_LENGTH[0]) + 0.5 * np.log(n_columns))
        centre[-2:] = 0.0, np.log(_NOISE[0])
        spread = np.full(n_theta, _LENGTH[1])
        spread[-2:] = 0.5, _NOISE[1]
        return centre, spread


@dataclass(frozen=True, slots=True)
class _Exact:
    """What the observations say, all of them."""

    inverse_root: Array
    alpha: Array
    """Shape (n,): the mean is the covariance with the observations times this."""
    log_evidence: float

    @classmethod
    def of(cls, covariance: Array, noise: float, y: Array) -> _Exact:
        root = np.linalg.cholesky(covariance + noise * np.eye(len(y)))
        inverse_root = _inverse_root(root)
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
class _Sparse:
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
    def of(cls, inducing: Array, to_data: Array, amplitude: float, noise: float, y: Array) -> _Sparse:
        """From the covariance of the inducing points, and theirs with the data, shape (n, n_inducing)."""
        inverse_root = _inverse_root(np.linalg.cholesky(inducing + 1e-6 * amplitude * np.eye(len(inducing))))
        white = to_data @ inverse_root.T
        own_noise = noise + np.maximum(amplitude - (white**2).sum(axis=1), 0.0)
        precision = np.eye(len(inducing)) + (white / own_noise[:, None]).T @ white
        root = np.linalg.cholesky(precision)
        posterior_root = _inverse_root(root)
        towards = white.T @ (y / own_noise)
        half = posterior_root @ towards
        evidence = -0.5 * ((y**2 / own_noise).sum() - half @ half + np.log(2 * np.pi * own_noise).sum())
        alpha = inverse_root.T @ (posterior_root.T @ half)
        return cls(inverse_root, posterior_root, alpha, float(evidence - np.log(np.diag(root)).sum()))

    def explained(self, to_data: Array, others: Array | None = None) -> Array:
        """As `_Exact.explained`."""
        white = to_data @ self.inverse_root.T
        left = white @ self.posterior_root.T
        if others is None:
            result: Array = (white**2).sum(axis=1) - (left**2).sum(axis=1)
            return result
        other = others @ self.inverse_root.T
        between: Array = white @ other.T - left @ (other @ self.posterior_root.T).T
        return between


class MixedGP:
    """Matérn-5/2 process with one length scale per column; a change of category is a step of one.

    Exact up to 2,000 observations; beyond, 400 of them stand for all, chosen where they leave least unexplained.

    Source: Rasmussen & Williams 2006, ISBN 026218253X, equations 2.25, 4.17 and 5.9.
    """

    def __init__(self, is_category: list[bool]) -> None:
        self._is_category = np.array(is_category)
        self._theta: Array = np.zeros(0)

    def fit(self, x: Array, y: Array) -> MixedGP:
        """Learns from n observations; `x` has shape (n, n_columns), numbers scaled to [0, 1], categories as codes."""
        self._mean, self._sd = float(y.mean()), float(max(y.std(), 1e-9))
        standard = (y - self._mean) / self._sd
        self._theta = self._fitted_theta(x, standard)
        noise = float(np.exp(2 * self._theta[-1])) + 1e-8
        self._known: _Exact | _Sparse
        if len(y) <= MAX_EXACT:
            self._points = x
            self._known = _Exact.of(self._kernel(x, x), noise, standard)
        else:
            self._points = x[self._inducing(x)]
            to_data, inducing = self._kernel(x, self._points), self._kernel(self._points, self._points)
            self._known = _Sparse.of(inducing, to_data, self._amplitude, noise, standard)
        centre, spread = _Problem.prior(len(self._theta))
        penalty = 0.5 * (((self._theta - centre) / spread) ** 2).sum() + 0.5 * len(centre) * np.log(len(y))
        self.log_evidence = self._known.log_evidence - float(penalty) - len(y) * np.log(self._sd)
        return self

    @property
    def noise_sd(self) -> float:
        """Of one observation."""
        return float(np.exp(self._theta[-1])) * self._sd

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Posterior mean and standard deviation without noise, both of shape (n,)."""
        mean, variance = np.empty(len(x)), np.empty(len(x))
        step = max(_CHUNK // len(self._points), 1)
        for first in range(0, len(x), step):
            part = slice(first, first + step)
            to_data = self._kernel(x[part], self._points)
            mean[part] = to_data @ self._known.alpha
            variance[part] = self._amplitude - self._known.explained(to_data)
        return self._mean + self._sd * mean, self._sd * np.sqrt(np.maximum(variance, 1e-12))

    def optimism(self, x: Array) -> Array:
        """Shape (n,): no less than the posterior mean and two standard deviations, and much cheaper to compute.

        The deviation is that after one observation alone, the most telling one; the others can only lower it.
        """
        result = np.empty(len(x))
        step = max(_CACHED // len(self._points), 1)
        one = self._amplitude + np.exp(2 * self._theta[-1])
        alpha = self._known.alpha.astype(np.float32)
        for first in range(0, len(x), step):
            part = slice(first, first + step)
            # Single precision ranks well enough what is looked at more closely.
            to_data = self._kernel(x[part], self._points, np.float32)
            most = self._amplitude - to_data.max(axis=1).astype(float) ** 2 / one
            result[part] = to_data @ alpha + 2 * np.sqrt(np.maximum(most, 0.0))
        return self._mean + self._sd * result

    def covariance(self, x: Array, others: Array) -> Array:
        """Posterior covariance between two sets of points, shape (n, n_others)."""
        to_data = self._kernel(x, self._points)
        other_to_data = to_data if others is x else self._kernel(others, self._points)
        result: Array = self._sd**2 * (self._kernel(x, others) - self._known.explained(to_data, other_to_data))
        return result

    @property
    def _amplitude(self) -> float:
        return float(np.exp(2 * self._theta[-2]))

    def _fitted_theta(self, x: Array, standard: Array) -> Array:
        """Of highest posterior density, searched from two starts."""
        from scipy.optimize import Bounds, minimize

        def search(n: int, start: Array, n_steps: int) -> tuple[float, Array]:
            part = np.linspace(0, len(x) - 1, min(len(x), n)).astype(int)
            problem = _Problem.of(x[part], standard[part], self._is_category)
            found = minimize(
                problem.loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": n_steps}
            )
            return float(found.fun), np.asarray(found.x, dtype=float)

        centre, spread = _Problem.prior(x.shape[1] + 2)
        lowest = centre - _FARTHEST * spread
        lowest[-1] = np.log(_LEAST_NOISE)
        bounds = Bounds(lowest, centre + _FARTHEST * spread)
        starts = centre, centre - np.r_[np.full(x.shape[1], 0.7), 0, 0]
        best = min((search(_FIRST_LOOK, start, 40) for start in starts), key=lambda found: found[0])[1]
        return best if len(x) <= _FIRST_LOOK else search(_MAX_FOR_HYPERPARAMETERS, best, 12)[1]

    def _inducing(self, x: Array) -> NDArray[np.int64]:
        """Rows whose values leave least variance of the others, greedily: a pivoted Cholesky factorisation."""
        among = np.linspace(0, len(x) - 1, _N_CANDIDATE_INDUCING).astype(np.int64)
        covariance, left = self._kernel(x[among], x[among]), np.full(len(among), self._amplitude)
        factors, picks = np.zeros((_N_INDUCING, len(among))), np.zeros(_N_INDUCING, dtype=np.int64)
        for i in range(_N_INDUCING):
            pick = int(np.argmax(left))
            if left[pick] < 1e-6 * self._amplitude:
                return among[picks[:i]]
            picks[i] = pick
            factors[i] = (covariance[pick] - factors[:i, pick] @ factors[:i]) / np.sqrt(left[pick])
            left = np.maximum(left - factors[i] ** 2, 0.0)
        return among[picks]

    def _kernel(self, a: Array, b: Array, precision: type[np.floating] = np.float64) -> NDArray[Any]:
        inverse = np.exp(-self._theta[:-2])
        numbers, categories = ~self._is_category, np.flatnonzero(self._is_category).tolist()
        first = (a[:, numbers] * inverse[numbers]).astype(precision)
        second = (b[:, numbers] * inverse[numbers]).astype(precision)
        own, others, twice = (first**2).sum(axis=1)[:, None], (second**2).sum(axis=1), -2 * second.T
        result = np.empty((len(a), len(b)), dtype=precision)
        step = max(_CACHED // max(len(b), 1), 1)
        for start in range(0, len(a), step):
            part = slice(start, start + step)
            distance = first[part] @ twice
            distance += own[part]
            distance += others
            for column in categories:
                distance += (a[part, column, None] != b[:, column]) * precision(inverse[column] ** 2)
            result[part] = _matern(np.maximum(distance, 0.0, out=distance), precision(self._amplitude))
        return result


def _inverse_root(root: NDArray[np.floating]) -> Array:
    """Inverse of a lower triangular matrix."""
    from scipy.linalg.lapack import dtrtri

    result: Array = dtrtri(root, lower=1)[0]
    return result


def _matern(squared_distance: NDArray[Any], amplitude: Any) -> NDArray[Any]:
    """The Matérn-5/2 covariance; the distances are overwritten."""
    scaled = np.sqrt(5 * squared_distance)
    squared_distance *= 5 / 3
    squared_distance += scaled
    squared_distance += 1
    np.exp(np.negative(scaled, out=scaled), out=scaled)
    squared_distance *= scaled
    squared_distance *= amplitude
    return squared_distance
