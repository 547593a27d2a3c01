"""A plain Gaussian process over numbers and categories, for questions without a dose-response curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.conditioned import Exact, Sparse
from cellos_nb.planner.curves import Array
from cellos_nb.planner.length_scales import ScalePrior, learnt

MAX_EXACT = 2000
"""Observations up to which the posterior is exact."""
_N_INDUCING, _N_CANDIDATE_INDUCING = 400, 1500
"""Points that stand for the observations beyond that, and observations that they are chosen from."""
_CHUNK = 4_000_000
"""Numbers held at once while a pool is compared with observations."""
_CACHED = 100_000
"""Covariances computed at once, so that all steps of one find it in the processor's cache."""


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
        self._theta = learnt(x, standard, self._is_category)
        noise = float(np.exp(2 * self._theta[-1])) + 1e-8
        self._known: Exact | Sparse
        if len(y) <= MAX_EXACT:
            self._points = x
            self._known = Exact.of(self._kernel(x, x), noise, standard)
        else:
            self._points = x[self._inducing(x)]
            to_data, inducing = self._kernel(x, self._points), self._kernel(self._points, self._points)
            self._known = Sparse.of(inducing, to_data, self._amplitude, noise, standard)
        against = ScalePrior.of(x.shape[1]).pull(self._theta)[0] + 0.5 * len(self._theta) * np.log(len(y))
        self.log_evidence = self._known.log_evidence - against - len(y) * np.log(self._sd)
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
