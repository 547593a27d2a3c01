"""The model, its acquisitions and the exact arg-max over a pool behind emukit's interfaces.

Importing this module imports emukit, which takes seconds: import it where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from emukit.bayesian_optimization.acquisitions import (
    ExpectedImprovement,
    NegativeLowerConfidenceBound,
    ProbabilityOfImprovement,
)
from emukit.core import ContinuousParameter, DiscreteParameter, ParameterSpace
from emukit.core.acquisition import Acquisition
from emukit.core.interfaces import IModel
from emukit.core.loop import CandidatePointCalculator, LoopState
from numpy.typing import NDArray

from cellos_nb.errors import ConfigError
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.curves import Array
from cellos_nb.planner.model import DoseResponseGP

AcquisitionName = Literal["ei", "ucb", "pi"]

UCB_BETA = 2.0
"""Standard deviations that the confidence bound adds."""


class PoolModel(IModel):  # type: ignore[misc]  # emukit publishes no types
    """`DoseResponseGP` as an emukit model.

    A row of X is (number of the cell line, number of the compound, log10 dose in µM). Emukit minimises, so `sign` is 1
    to find low responses and -1 to find high ones. Categories have no gradients, so it claims none; the joint
    covariance is given all the same.
    """

    def __init__(
        self, model: DoseResponseGP, cell_lines: Sequence[str], compounds: Sequence[str], sign: float = 1.0
    ) -> None:
        self.model, self.sign = model, sign
        self._cell_lines, self._compounds = tuple(cell_lines), tuple(compounds)
        self._x, self._y = np.empty((0, 3)), np.empty((0, 1))

    @property
    def X(self) -> Array:  # noqa: N802 - emukit's name
        """Shape (n, 3), the measured conditions."""
        return self._x

    @property
    def Y(self) -> Array:  # noqa: N802 - emukit's name
        """Shape (n, 1), the responses times `sign`."""
        return self._y

    def decode(self, x: Array) -> tuple[list[str], list[str], Array]:
        """Cell lines, compounds and doses (µM) of rows of X."""
        lines = [self._cell_lines[int(i)] for i in x[:, 0]]
        return lines, [self._compounds[int(i)] for i in x[:, 1]], 10.0 ** x[:, 2]

    def set_data(self, X: Array, Y: Array) -> None:  # noqa: N803 - emukit's names
        """Fits the model to new data, shapes (n, 3) and (n, 1)."""
        self._x, self._y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
        self.model.fit(*self.decode(self._x), self.sign * self._y[:, 0])

    def optimize(self) -> None:
        """Nothing is left to do: fitting chooses the noise and the share of inactive compounds by evidence."""

    def predict(self, X: Array) -> tuple[Array, Array]:  # noqa: N803
        """Mean and variance, both of shape (n, 1)."""
        mean, sd = self.model.predict(*self.decode(X))
        return self.sign * mean[:, None], np.maximum(sd[:, None] ** 2, 1e-12)

    def predict_with_full_covariance(self, X: Array) -> tuple[Array, Array]:  # noqa: N803
        """Mean of shape (n, 1) and joint covariance of shape (n, n)."""
        return self.predict(X)[0], self.model.covariance(*self.decode(X))


class BeliefModel(IModel):  # type: ignore[misc]
    """Beliefs about a pool as an emukit model; a row of X is the number of a candidate, and -score is minimised."""

    def __init__(self, beliefs: Beliefs) -> None:
        self.beliefs = beliefs

    @property
    def X(self) -> Array:  # noqa: N802
        """Shape (0, 1): the beliefs hold all that was measured."""
        return np.empty((0, 1))

    @property
    def Y(self) -> Array:  # noqa: N802
        """Shape (1, 1): minus the incumbent."""
        return np.array([[-self.beliefs.incumbent]])

    def predict(self, X: Array) -> tuple[Array, Array]:  # noqa: N803
        """Mean and variance of minus the score, both of shape (n, 1)."""
        rows = X[:, 0].astype(int)
        return -self.beliefs.mean[rows, None], self.beliefs.variance[rows, None].copy()


def make_acquisition(name: AcquisitionName, model: IModel) -> Acquisition:
    """Emukit's expected improvement (`ei`), upper confidence bound (`ucb`) or probability of improvement (`pi`)."""
    if name == "ei":
        return ExpectedImprovement(model)
    if name == "pi":
        return ProbabilityOfImprovement(model)
    if name == "ucb":
        return NegativeLowerConfidenceBound(model, beta=UCB_BETA)
    raise ConfigError(f"planner.acquisition: there is no {name!r} in emukit's form; possible: ei, ucb, pi.")


def promises(beliefs: Beliefs, name: AcquisitionName) -> Array:
    """Shape (n_candidates,): emukit's acquisition of every candidate of a pool."""
    numbers = np.arange(len(beliefs.mean), dtype=float)[:, None]
    values: Array = make_acquisition(name, BeliefModel(beliefs)).evaluate(numbers)[:, 0]
    return values


def _choose(beliefs: Beliefs, name: AcquisitionName, n: int, allowed: NDArray[np.bool_]) -> list[int]:
    """The best `n` candidates one after another, each believed before the next is chosen."""
    open_, chosen = allowed.copy(), []
    for _ in range(min(n, int(allowed.sum()))):
        pick = int(np.argmax(np.where(open_, promises(beliefs, name), -np.inf)))
        chosen.append(pick)
        open_[pick] = False
        beliefs.believe(pick)
    return chosen


class PoolPointCalculator(CandidatePointCalculator):  # type: ignore[misc]
    """Emukit's next points as the exact best of a finite pool, greedily, without repeats in a batch.

    For `OuterLoop(PoolPointCalculator(...), FixedIntervalUpdater(model), create_loop_state(x, y))`.
    """

    def __init__(
        self, model: PoolModel, candidates: Array, acquisition: AcquisitionName = "ei", batch_size: int = 1
    ) -> None:
        """A calculator over `candidates`, shape (n, 3), rows as in `PoolModel`."""
        self.model, self.candidates = model, np.asarray(candidates, dtype=float)
        self.acquisition, self.batch_size = acquisition, batch_size

    def compute_next_points(self, loop_state: LoopState, context: Mapping[str, Any] | None = None) -> Array:
        """Shape (n, 3), n being the batch size or what is left; conditions already in the loop are left out.

        `context` fixes parameters by the names in `pool_space`.
        """
        allowed = _matching(self.candidates, context or {})
        if loop_state.results:
            done = {tuple(row) for row in np.asarray(loop_state.X, dtype=float).tolist()}
            allowed &= np.array([tuple(row) not in done for row in self.candidates.tolist()])
        mean, variance = self.model.predict(self.candidates)
        incumbent = -float(self.model.predict(self.model.X)[0].min()) if len(self.model.X) else -float(mean.min())
        beliefs = Beliefs(
            mean=-mean[:, 0],
            sd=np.sqrt(variance[:, 0]),
            block=self.candidates[:, 1].astype(np.int64),
            covariance=lambda rows: self.model.predict_with_full_covariance(self.candidates[rows])[1],
            noise_variance=self.model.model.noise_sd**2,
            incumbent=incumbent,
        )
        points: Array = self.candidates[_choose(beliefs, self.acquisition, self.batch_size, allowed)]
        return points


_COLUMNS = ("cell_line", "compound", "log10_dose_um")


def pool_space(candidates: Array) -> ParameterSpace:
    """Emukit's description of a pool whose rows are as in `PoolModel`."""
    low, high = float(candidates[:, 2].min()), float(candidates[:, 2].max())
    numbers = [DiscreteParameter(_COLUMNS[i], np.unique(candidates[:, i]).tolist()) for i in range(2)]
    return ParameterSpace([*numbers, ContinuousParameter(_COLUMNS[2], low, high)])


def _matching(candidates: Array, context: Mapping[str, Any]) -> NDArray[np.bool_]:
    allowed = np.ones(len(candidates), dtype=bool)
    for name, value in context.items():
        if name not in _COLUMNS:
            raise ConfigError(f"context: there is no parameter {name!r}; possible: {', '.join(_COLUMNS)}.")
        allowed &= np.isclose(candidates[:, _COLUMNS.index(name)], value)
    return allowed
