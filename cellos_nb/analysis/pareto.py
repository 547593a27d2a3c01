"""Pareto fronts of two objectives: what nothing else beats in one without losing in the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellos_nb.errors import AnalysisError


def pareto_front(first: ArrayLike, second: ArrayLike) -> NDArray[np.bool_]:
    """Which points nothing dominates; larger is better in both objectives.

    A point dominates another when it is at least as good in both and better in one; so equal points stand or fall
    together. A point that is not finite in both is never on the front. Takes the time of a sort.

    Args:
        first: shape (n,).
        second: shape (n,).

    Returns:
        Shape (n,).

    Raises:
        AnalysisError: the arrays differ in shape.

    >>> pareto_front([3, 2, 1, 1], [1, 2, 2, 3]).tolist()
    [True, True, False, True]
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise AnalysisError(f"pareto_front: shapes {a.shape} and {b.shape}; give two equally long rows of numbers.")
    front = np.zeros(a.shape, dtype=bool)
    finite = np.flatnonzero(np.isfinite(a) & np.isfinite(b))
    if not len(finite):
        return front
    order = finite[np.lexsort((-b[finite], -a[finite]))]
    a, b = a[order], b[order]
    # The best second objective among all points that are strictly better in the first.
    starts = np.r_[True, a[1:] != a[:-1]]
    before = np.r_[-np.inf, np.maximum.accumulate(b)[:-1]]
    group = np.cumsum(starts) - 1
    best_before, best_within = before[starts][group], b[starts][group]
    front[order] = (b == best_within) & (b > best_before)
    return front
