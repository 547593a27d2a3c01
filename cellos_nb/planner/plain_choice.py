"""The best batch of a table by a plain process over its columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.acquisition import choose_by_improvement
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.curves import Array
from cellos_nb.planner.mixed_gp import MixedGP

_LOOKED_AT, _COMPARED = 2000, 500
"""Candidates whose variance is computed, and whose covariance, at least."""


def choose_plainly(
    model: MixedGP, encoded: Array, measured: NDArray[np.int64], n: int, allowed: NDArray[np.bool_]
) -> list[int]:
    """`n` rows by expected improvement.

    Args:
        model: fitted.
        encoded: shape (n_rows, n_columns): the table as the model takes it.
        measured: rows that were, each once.
        n: at most as many as are allowed.
        allowed: shape (n_rows,): rows that may be chosen.
    """
    # Only the most promising candidates can be chosen, so only their variances and covariances are computed.
    hopeful = np.flatnonzero(allowed)
    if len(hopeful) > _LOOKED_AT:
        hopeful = hopeful[np.argsort(-model.optimism(encoded[hopeful]), kind="stable")[:_LOOKED_AT]]
    mean, sd = model.predict(encoded[hopeful])
    best = np.argsort(-(mean + 2 * sd), kind="stable")[: max(_COMPARED, 4 * n)]
    hopeful, mean, sd = hopeful[best], mean[best], sd[best]
    beliefs = Beliefs(
        mean=mean,
        sd=sd,
        block=np.zeros(len(hopeful), dtype=np.int64),
        covariance=lambda rows: model.covariance(x := encoded[hopeful[rows]], x),
        noise_variance=model.noise_sd**2,
        incumbent=float(model.predict(encoded[measured])[0].max()),
    )
    chosen = choose_by_improvement(beliefs, n, np.ones(len(hopeful), dtype=bool))
    rows: list[int] = hopeful[chosen].tolist()
    return rows
