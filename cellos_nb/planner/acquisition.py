"""How much a candidate promises: noisy expected improvement over posterior samples, chosen one after another."""

from __future__ import annotations

import numpy as np

from cellos_nb.planner.curves import Array
from cellos_nb.planner.likelihood import Index


def choose_by_sampling(
    scores: Array, incumbent: Array, n: int, blocked: Index | None = None
) -> tuple[list[int], list[float]]:
    """The batch that is expected to improve most on the best so far, greedily; larger scores are better.

    Args:
        scores: shape (n_samples, n_candidates), joint posterior samples.
        incumbent: shape (n_samples,), the best score so far in the same samples.
        n: candidates wanted.
        blocked: candidates that may not be chosen.

    Returns:
        Numbers of the candidates, and the improvement that each was expected to add. Fewer when fewer are allowed.

    Source: Balandat et al. 2020, arXiv:1910.06403, noisy expected improvement with sequential greedy batches.
    """
    allowed = np.ones(scores.shape[1], dtype=bool)
    if blocked is not None:
        allowed[blocked] = False
    best = incumbent.copy()
    chosen: list[int] = []
    gains: list[float] = []
    tie_break = scores.mean(axis=0)
    for _ in range(min(n, int(allowed.sum()))):
        gain = np.maximum(scores - best[:, None], 0.0).mean(axis=0)
        # When no sample improves any more, the largest mean decides.
        ranked = gain if gain[allowed].max() > 1e-12 else 1e-9 * tie_break
        pick = int(np.argmax(np.where(allowed, ranked, -np.inf)))
        chosen.append(pick)
        gains.append(float(gain[pick]))
        allowed[pick] = False
        best = np.maximum(best, scores[:, pick])
    return chosen, gains
