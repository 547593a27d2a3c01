"""Joint samples exchange curves in pairs until the curves of measured cell lines suit the kinds of their compounds."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import LOG_DENSITY_UNIT

Places = NDArray[np.int32]

_ROUNDS = 24
"""Exchanges that every sample takes part in, each time with another partner."""
_DISORDER = 0.05
"""Standard deviation of the places, in shares of all samples, by which the first order departs from equal ranks."""
_BITS = 5
"""Partners differ in these leading bits of their places; samples that share them stay side by side in memory."""
_N_ORDERS, _N_THRESHOLDS = 128, 2**17


def exchanged(log_density: NDArray[np.int16], kinds: Places, curves: Places, rng: np.random.Generator) -> Places:
    """Curves in an order that suits the kinds, each row by itself.

    It begins with equal ranks, disturbed; then pairs of samples exchange curves by the rule of Metropolis, whose
    stationary distribution over all orders is the posterior.

    Args:
        log_density: shape (n_kinds, n_curves), in `LOG_DENSITY_UNIT`.
        kinds: shape (n_rows, n), ascending.
        curves: shape (n_rows, n), ascending.
        rng: what chance decides.
    """
    n_rows, n = curves.shape
    if n < 2 or not n_rows:
        return curves
    which = np.resize(rng.permutation(_N_ORDERS), n_rows)
    ranks, disturbed = (orders[which] for orders in _orders(n))
    kinds, curves = np.take_along_axis(kinds, ranks, axis=1), np.take_along_axis(curves, disturbed, axis=1)
    table, thresholds = log_density.ravel(), _thresholds()
    if len(thresholds) < 2 * curves.size:
        thresholds = np.resize(thresholds, 2 * curves.size)
    # Samples first: partners then lie in long pieces of memory.
    start = np.ascontiguousarray(kinds.T) * np.int32(log_density.shape[1])
    curve = np.ascontiguousarray(curves.T)
    density = table.take(start + curve)
    n_bits = min(int(np.log2(n)), _BITS)
    size = n >> n_bits
    shape, whole = (2,) * n_bits + (size, n_rows), size << n_bits
    firsts = rng.integers(len(thresholds) - curves.size, size=_ROUNDS).tolist()
    for turn, first in enumerate(firsts):
        if turn == _ROUNDS // 2:
            # Only samples at the same place in their pieces are partners, so the others must come there.
            again = rng.permutation(n)
            start, curve, density, ranks = start[again], curve[again], density[again], ranks[:, again]
        here, there = _partners(1 + turn * 37 % (2**n_bits - 1), n_bits)
        # Where samples are no multiple of the pieces, all but the last ones and all but the first ones take turns.
        part = slice(0, whole) if turn % 2 else slice(n - whole, n)
        (start_a, start_b), (a, b), (now_a, now_b) = (
            (each[part].reshape(shape)[here], each[part].reshape(shape)[there]) for each in (start, curve, density)
        )
        gain_a, gain_b = table.take(start_a + b), table.take(start_b + a)
        gain_a -= now_a
        gain_b -= now_b
        takes = gain_a + gain_b > thresholds[first : first + a.size].reshape(a.shape)
        step = (b - a) * takes
        a += step
        b -= step
        gain_a *= takes
        gain_b *= takes
        now_a += gain_a
        now_b += gain_b
    np.put_along_axis(curves, ranks, curve.T, axis=1)
    return curves


@cache
def _partners(difference: int, n_bits: int) -> tuple[tuple[int | slice, ...], tuple[int | slice, ...]]:
    """Indices of samples, shape (2,) * n_bits, and of those whose places differ from theirs in the bits given."""
    leading = n_bits - difference.bit_length()
    differs = [bool(difference >> bit & 1) for bit in reversed(range(n_bits))]
    here = tuple(0 if i == leading else slice(None) for i in range(n_bits))
    there = tuple(1 if i == leading else slice(None, None, -1 if differs[i] else 1) for i in range(n_bits))
    return here, there


@lru_cache(maxsize=8)
def _orders(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`_N_ORDERS` random orders of n ranks, and the same ones disturbed; each of shape (_N_ORDERS, n)."""
    rng = np.random.default_rng(n)
    ranks = rng.permuted(np.tile(np.arange(n), (_N_ORDERS, 1)), axis=1)
    disturbed = np.argsort(np.arange(n) + _DISORDER * n * rng.standard_normal(ranks.shape), axis=1)
    return ranks, np.take_along_axis(disturbed, ranks, axis=1)


@cache
def _thresholds() -> NDArray[np.int16]:
    """Logarithms of evenly spread numbers from 0 to 1 in random order, in `LOG_DENSITY_UNIT`."""
    even = (np.arange(_N_THRESHOLDS) + 0.5) / _N_THRESHOLDS
    logs: NDArray[np.int16] = np.round(np.log(even) / LOG_DENSITY_UNIT).astype(np.int16)
    return np.random.default_rng(0).permutation(logs)
