"""Which wells tell most about EC50s."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array


def choose_by_information(
    samples: Array,
    log10_ec50: Array,
    lines: Sequence[str],
    compounds: Sequence[str],
    *,
    noise_sd: float,
    n: int,
    allowed: NDArray[np.bool_],
) -> list[int]:
    """The candidates whose measurement is expected to lower the summed variance of all log10 EC50s most, greedily.

    By the best linear prediction of each EC50 from the response, over joint posterior samples; a chosen candidate is
    regressed out of everything before the next is chosen. Compounds do not inform each other.

    Args:
        samples: shape (n_samples, n_candidates), of responses.
        log10_ec50: the same shape, of the candidate's compound on its cell line; NaN where the curve is inactive.
        lines: n_candidates names.
        compounds: n_candidates names.
        noise_sd: of one well.
        n: candidates wanted.
        allowed: shape (n_candidates,).

    Source: Chaloner & Verdinelli 1995, doi:10.1214/ss/1177009939, Bayesian A-optimality.
    """
    by_compound: dict[str, list[int]] = {}
    for i, compound in enumerate(compounds):
        by_compound.setdefault(compound, []).append(i)
    blocks = []
    gain = np.full(samples.shape[1], -np.inf)
    home = np.zeros(samples.shape[1], dtype=int)
    for number, members in enumerate(by_compound.values()):
        rows = np.array(members)
        first = {lines[i]: i for i in reversed(members)}
        known = log10_ec50[:, list(first.values())]
        active = np.isfinite(known)
        centre = np.where(active, known, 0.0).sum(axis=0) / np.maximum(active.sum(axis=0), 1)
        # An inactive curve has no EC50 to be wrong about.
        target = np.where(active, known - centre, 0.0)
        response = samples[:, rows] - samples[:, rows].mean(axis=0)
        blocks.append((rows, response, target))
        home[rows] = number
        gain[rows] = _gain(response, target, noise_sd)
    gain[~allowed] = -np.inf
    chosen: list[int] = []
    for _ in range(min(n, int(allowed.sum()))):
        pick = int(np.argmax(gain))
        chosen.append(pick)
        rows, response, target = blocks[home[pick]]
        signal = response[:, int(np.searchsorted(rows, pick))]
        # Matheron's rule: samples of what is left once the noisy response is known, in the linear approximation.
        noisy = float(signal @ signal) / len(signal) + noise_sd**2
        shrink = 1 - np.sqrt(noise_sd**2 / noisy)
        power = max(float(signal @ signal), 1e-300)
        response = response - shrink * np.outer(signal, signal @ response / power)
        target = target - shrink * np.outer(signal, signal @ target / power)
        blocks[home[pick]] = (rows, response, target)
        open_ = np.isfinite(gain[rows])
        open_[int(np.searchsorted(rows, pick))] = False
        gain[rows] = np.where(open_, _gain(response, target, noise_sd), -np.inf)
    return chosen


def _gain(response: Array, target: Array, noise_sd: float) -> Array:
    shared = response.T @ target / len(response)
    gain: Array = (shared**2).sum(axis=1) / ((response**2).mean(axis=0) + noise_sd**2)
    return gain
