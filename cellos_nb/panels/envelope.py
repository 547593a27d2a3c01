"""Long lines drawn by what can be seen of them: where they begin, end and turn in each column of the screen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
COLUMNS = 600
"""About as many as a figure is wide in pixels."""


def envelope(x: Array, y: Array, n_columns: int = COLUMNS) -> tuple[Array, Array]:
    """The first, lowest, highest and last point of each column; drawn as a line it looks as all points together do.

    Args:
        x: shape (n,), ascending.
        y: shape (n,), finite.
        n_columns: columns of equal width; a line of four points or fewer for each is left as it is.

    Returns:
        x and y of the points kept, in order, four for each column at most.
    """
    if len(x) <= 4 * n_columns or x[-1] <= x[0]:
        return x, y
    column = np.minimum(((x - x[0]) / (x[-1] - x[0]) * n_columns).astype(np.int64), n_columns - 1)
    first = np.flatnonzero(np.diff(column, prepend=-1))
    last = np.append(first[1:], len(x)) - 1
    # Sorted by column and then by value, the lowest of a column comes first and the highest last.
    order = np.lexsort((y, column))
    kept = np.unique(np.concatenate([first, last, order[first], order[last]]))
    return x[kept], y[kept]
