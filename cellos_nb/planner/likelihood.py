"""How well every curve of a library explains what was measured, for each compound on each cell line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array, CurveLibrary

Index = NDArray[np.int64]
Single = NDArray[np.float32]
"""Single precision: what is off by a millionth of itself changes nothing here, and takes half as long."""

_CHUNK = 3_000_000
"""Numbers held at once while curves are compared with observations."""


@dataclass(frozen=True, slots=True)
class Residual:
    """Smooth departures from a curve along log dose, as a Gaussian process of finite rank."""

    nodes: Array
    """log10 µM."""
    sd: float
    length: float

    def features(self, log10_doses: Array) -> Array:
        """Shape (n, n_nodes); the covariance between doses is the product of their features."""
        between = np.exp(-0.5 * ((self.nodes[:, None] - self.nodes[None]) / self.length) ** 2)
        root = np.linalg.cholesky(between + 1e-6 * np.eye(len(self.nodes)))
        inside = np.clip(log10_doses, self.nodes[0], self.nodes[-1])
        to_nodes = np.exp(-0.5 * ((inside[:, None] - self.nodes[None]) / self.length) ** 2)
        features: Array = self.sd * np.linalg.solve(root, to_nodes.T).T
        return features

    @classmethod
    def over(cls, log10_range: tuple[float, float], sd: float, length: float) -> Residual:
        """The process over a range of doses; nodes stand closer than the length scale."""
        low, high = log10_range
        n = max(int(np.ceil((high - low) / (0.7 * length))) + 1, 2)
        return cls(np.linspace(low, high, n) if high > low else np.array([low - 0.5, low + 0.5]), sd, length)


@dataclass(frozen=True, slots=True)
class Observations:
    """Measured wells, sorted by group; a group is one compound on one cell line."""

    group: Index
    """Group of every observation, ascending."""
    log10_dose: Array
    response: Array
    variance: Array
    """Of the response where known, else 0; the noise that is estimated comes on top."""

    def starts(self) -> Index:
        """Where each group begins; one more than there are groups."""
        n_groups = int(self.group[-1]) + 1 if len(self.group) else 0
        return np.searchsorted(self.group, np.arange(n_groups + 1)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class GroupPosterior:
    """What the observations of one compound on one cell line say."""

    likelihood: Single
    """Shape (n_curves,), of every curve relative to the likeliest; 0 where that is next to nothing."""
    gain: Array
    """Shape (n_nodes, n): the residual's coefficients are `gain @ (observed - curve)` on average."""
    root: Array
    """Shape (n_nodes, n_nodes): a root of their remaining covariance."""
    log10_dose: Array
    """Shape (n,): where something was observed."""
    response: Array
    """Shape (n,): what was observed."""
    predicted: Single
    """Shape (n, n_curves): what every curve says of the observations."""

    @property
    def misfit(self) -> Array:
        """Shape (n, n_curves): observed minus curve."""
        result: Array = self.response[:, None] - self.predicted
        return result


class Likelihood:
    """Compares a library with observations, for any noise."""

    def __init__(self, library: CurveLibrary, residual: Residual, observed: Observations) -> None:
        self.observed = observed
        doses, self._which = np.unique(observed.log10_dose, return_inverse=True)
        self._curves = np.ascontiguousarray(library.responses(doses).T, dtype=np.float32)
        self._features = residual.features(observed.log10_dose)
        self._starts = observed.starts()
        self.n_groups = len(self._starts) - 1
        # Several noises are compared with the same groups, one after another.
        self._whiteners: dict[tuple[float, bytes], tuple[Array, Array]] = {}
        self._last: tuple[Index, list[tuple[Index, Index, Single]]] | None = None

    def keys(self) -> list[bytes]:
        """What the likelihood of each group depends on, beside library and noise."""
        columns = np.column_stack([self.observed.log10_dose, self.observed.response, self.observed.variance])
        starts = self._starts.tolist()
        return [columns[start:stop].tobytes() for start, stop in itertools.pairwise(starts)]

    def log_likelihoods(self, noise_sd: float, groups: Index) -> tuple[Single, Array]:
        """Of the groups given: that of every curve up to a constant, shape (n_groups, n_curves), and the constants."""
        result = np.empty((len(groups), self._curves.shape[1]), dtype=np.float32)
        constants = np.empty(len(groups))
        for places, rows, misfit in self._compared(groups):
            inverse, log_root = self._whitener(rows, noise_sd)
            white = inverse.astype(np.float32) @ misfit if rows.shape[1] > 1 else inverse.astype(np.float32) * misfit
            white *= white
            result[places] = white.sum(axis=1)
            constants[places] = -log_root - 0.5 * rows.shape[1] * np.log(2 * np.pi)
        result *= -0.5
        return result, constants

    def posteriors(self, noise_sd: float, groups: Index, likelihoods: Sequence[Single]) -> list[GroupPosterior]:
        """One for every group given, whose likelihoods, relative to the likeliest curve's, are known."""
        found: dict[int, GroupPosterior] = {}
        for places, rows in self._batches(groups):
            inverse, _ = self._whitener(rows, noise_sd)
            half = inverse @ self._features[rows]
            gains = np.swapaxes(half, 1, 2) @ inverse
            remaining = np.eye(half.shape[2]) - np.swapaxes(half, 1, 2) @ half
            roots = np.linalg.cholesky(remaining + 1e-9 * np.eye(half.shape[2]))
            doses, responses = self.observed.log10_dose[rows], self.observed.response[rows]
            of_each = zip(places.tolist(), gains, roots, doses, responses, self._curves[self._which[rows]], strict=True)
            for place, gain, root, dose, response, predicted in of_each:
                found[place] = GroupPosterior(likelihoods[place], gain, root, dose, response, predicted)
        return [found[place] for place in range(len(groups))]

    def _compared(self, groups: Index) -> list[tuple[Index, Index, Single]]:
        """Batches as of `_batches`, each with observed minus curve, shape (n_groups, size, n_curves)."""
        if self._last is None or self._last[0] is not groups:
            response = self.observed.response.astype(np.float32)[:, None]
            batches = [
                (places, rows, response[rows] - self._curves[self._which[rows]])
                for places, rows in self._batches(groups)
            ]
            self._last = (groups, batches)
        return self._last[1]

    def _batches(self, groups: Index) -> Iterator[tuple[Index, Index]]:
        """Groups of equal size together: their places among those given, and the rows of each, (n_groups, size)."""
        sizes = np.diff(self._starts)[groups]
        for size in np.unique(sizes).tolist():
            places = np.flatnonzero(sizes == size)
            step = max(1, _CHUNK // (size * self._curves.shape[1]))
            for first in range(0, len(places), step):
                part = places[first : first + step].astype(np.int64)
                yield part, self._starts[groups[part]][:, None] + np.arange(size)[None]

    def _whitener(self, rows: Index, noise_sd: float) -> tuple[Array, Array]:
        """The inverse Cholesky root of each group's covariance, and half its log determinant."""
        key = (noise_sd, rows.tobytes())
        if key not in self._whiteners:
            features = self._features[rows]
            covariance = features @ np.swapaxes(features, 1, 2)
            diagonal = np.arange(rows.shape[1])
            covariance[:, diagonal, diagonal] += self.observed.variance[rows] + noise_sd**2
            root = np.linalg.cholesky(covariance) if len(diagonal) > 1 else np.sqrt(covariance)
            inverse = np.linalg.inv(root) if len(diagonal) > 1 else 1 / root
            self._whiteners[key] = inverse, np.log(root[:, diagonal, diagonal]).sum(axis=1)
        return self._whiteners[key]
