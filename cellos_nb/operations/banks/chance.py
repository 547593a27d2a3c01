"""Chance in simulated banks: a stream of its own for each cause, so that runs can be compared pair by pair."""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
from numpy.random import Generator, SeedSequence

from cellos_nb.operations.banks.inputs import Floats


class Chance:
    """Random numbers of one bank; always drawn for all runs, whether they need them or not.

    So the same seed brings the same thaw, the same unlucky flask and the same miscount to run 17, whatever setting or
    trouble is compared: differences are due to what was changed (common random numbers).
    """

    def __init__(self, seed: int, stage: str, n_runs: int, copies: int = 1) -> None:
        """The streams of one stage of one seed.

        Args:
            seed: of everything.
            stage: name of the bank.
            n_runs: runs that differ by chance.
            copies: how often these stand one after the other, each time with the same luck.
        """
        self._key = (seed, zlib.crc32(stage.encode()))
        self._n, self._copies = n_runs, copies
        self.n_runs = n_runs * copies
        """In all."""
        self._stream = cache(self._new_stream)

    def uniform(self, cause: str) -> Floats:
        """Evenly between 0 and 1, shape (n_runs,); the next ones of this cause."""
        return np.tile(self._stream(cause).random(self._n), self._copies)

    def normal(self, cause: str) -> Floats:
        """Standard normal, shape (n_runs,); the next ones of this cause."""
        return np.tile(self._stream(cause).standard_normal(self._n), self._copies)

    def lognormal(self, cause: str, cv: Floats) -> Floats:
        """Factors with mean 1 and a coefficient of variation, shape (n_runs,)."""
        variance = np.log1p(cv**2)
        return np.asarray(np.exp(self.normal(cause) * np.sqrt(variance) - variance / 2.0))

    def _new_stream(self, cause: str) -> Generator:
        return np.random.default_rng(SeedSequence((*self._key, zlib.crc32(cause.encode()))))


class Calm(Chance):
    """No chance at all: everything is as it is on average, and nothing rare happens."""

    def __init__(self) -> None:
        """One run."""
        super().__init__(0, "", 1)

    def uniform(self, cause: str) -> Floats:
        """The middle: nothing that is less likely than not happens."""
        del cause
        return np.full(1, 0.5)

    def normal(self, cause: str) -> Floats:
        """The mean."""
        del cause
        return np.zeros(1)
