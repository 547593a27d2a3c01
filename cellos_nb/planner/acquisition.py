"""How much a candidate promises, and the exact best batch of a finite pool; larger scores are better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.curves import Array

_LARGE_POOL = 30_000
"""Candidates above which memory, not precision, sets the number of samples."""
_AT_ONCE = 48
"""Candidates whose improvement is computed again together, before it is known which of them is the next."""
NOTHING = 1e-12
"""An improvement below this counts as none."""


def n_samples_for(n_candidates: int) -> int:
    """Posterior samples that rank a pool: more where they are cheap, since rare improvements hide between them."""
    if n_candidates > _LARGE_POOL:
        return max(_LARGE_POOL * 256 // n_candidates, 64)
    return int(np.clip(1_000_000 // n_candidates, 256, 1024))


def choose_by_sampling(
    scores: NDArray[np.floating],
    incumbent: NDArray[np.floating],
    n: int,
    allowed: NDArray[np.bool_],
    costs: NDArray[np.int64] | None = None,
    *,
    weight: Array | None = None,
    still_open: Callable[[list[int]], NDArray[np.bool_]] | None = None,
) -> tuple[list[int], list[float]]:
    """The batch that is expected to improve most on the best so far, greedily: noisy expected improvement.

    Improvements can only shrink as the batch grows, so a candidate's last one bounds its next one, and few are
    computed again. When no sample improves any more, mean plus standard deviation decides.

    Args:
        scores: shape (n_samples, n_candidates), joint posterior samples.
        incumbent: shape (n_samples,), the best score so far in the same samples.
        n: what the batch may cost; the last candidate may exceed it.
        allowed: shape (n_candidates,).
        costs: shape (n_candidates,), above 0; improvement is counted per cost. 1 each when left out.
        weight: shape (n_candidates,), above 0; an improvement counts times this, in place of per cost.
        still_open: tells from the choices so far, pending ones left out, which candidates may follow; all when left
            out.

    Returns:
        Numbers of the candidates and the improvement that each adds; fewer when fewer are allowed.

    Source: Balandat et al. 2020, arXiv:1910.06403, noisy expected improvement with sequential greedy batches.
    """
    by_candidate = np.ascontiguousarray(scores.T)
    cost = np.ones(len(by_candidate), dtype=np.int64) if costs is None else costs
    share = 1 / cost if weight is None else weight
    best, optimism = incumbent.copy(), None
    gain = np.maximum(by_candidate - best, 0.0).mean(axis=1)
    bound, is_exact = np.where(allowed, gain * share, -np.inf), np.ones(len(by_candidate), dtype=bool)
    chosen: list[int] = []
    gains: list[float] = []
    spent = 0
    while spent < n and np.isfinite(bound).any():
        while not is_exact[pick := int(np.argmax(bound))]:
            top = np.argpartition(-bound, min(_AT_ONCE, len(bound) - 1))[:_AT_ONCE]
            again = np.r_[pick, top[~is_exact[top] & np.isfinite(bound[top])]]
            gain[again] = np.maximum(by_candidate[again] - best, 0.0).mean(axis=1)
            bound[again], is_exact[again] = gain[again] * share[again], True
        if gain[pick] <= NOTHING:
            optimism = by_candidate.mean(axis=1) + by_candidate.std(axis=1) if optimism is None else optimism
            pick, gain[:] = int(np.argmax(np.where(np.isfinite(bound), optimism, -np.inf))), 0.0
        chosen.append(pick)
        gains.append(float(gain[pick]))
        spent += int(cost[pick])
        best = np.maximum(best, by_candidate[pick])
        bound[pick], is_exact[:] = -np.inf, False
        if still_open is not None:
            bound[~still_open(chosen)] = -np.inf
    return chosen, gains


def choose_by_improvement(beliefs: Beliefs, n: int, allowed: NDArray[np.bool_]) -> list[int]:
    """The best `n` candidates by expected improvement in closed form, each believed before the next is chosen.

    Source: Jones et al. 1998, doi:10.1023/A:1008306431147, equation 15.
    """
    from scipy.special import ndtr

    open_ = allowed.copy()
    chosen: list[int] = []
    for _ in range(min(n, int(open_.sum()))):
        sd = np.sqrt(beliefs.variance)
        z = (beliefs.mean - beliefs.incumbent) / sd
        value = sd * (z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
        pick = int(np.argmax(np.where(open_, value, -np.inf)))
        chosen.append(pick)
        open_[pick] = False
        beliefs.believe(pick)
    return chosen


def log_expected_improvement(mean: Array, sd: Array, incumbent: float) -> Array:
    """Logarithm of the expected improvement on `incumbent`, finite where the improvement itself underflows.

    Source: Ament et al. 2023, arXiv:2310.20708, equation 9.
    """
    from scipy.special import erfcx, ndtr

    z = (mean - incumbent) / sd
    near = np.maximum(z, -1.0)
    log_near = np.log(np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi) + near * ndtr(near))
    far = np.minimum(z, -1.0)
    # 1 - |z| Φ(z)/φ(z), by the scaled complementary error function; beyond 1e4 it is 1/z² to double precision.
    ratio = np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2)) * -far
    rest = np.where(far < -1e4, 1 / far**2, np.maximum(1 - ratio, 1e-300))
    log_far = -0.5 * far**2 - 0.5 * np.log(2 * np.pi) + np.log(rest)
    result: Array = np.log(sd) + np.where(z > -1.0, log_near, log_far)
    return result


def sampled_improvement(scores: Array, best: Array) -> Array:
    """Expected improvement on the best score, both in the same joint samples; shape (n_candidates,).

    Source: Letham et al. 2019, doi:10.1214/18-BA1110, equation 3.
    """
    gain: Array = np.maximum(scores - best[:, None], 0.0).mean(axis=0)
    return gain
