"""Scales that are finite from the first: a figure of bqplot that begins without numbers never draws any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from bqplot import LinearScale

_ROOM = 0.05
"""Share of the range that is left free at each end."""


def finite_scale() -> LinearScale:
    """A scale from 0 to 1, until `fit_scale` says otherwise."""
    from bqplot import LinearScale

    return LinearScale(min=0.0, max=1.0)


def fit_scale(scale: LinearScale, *values: ArrayLike) -> None:
    """Makes a scale hold all finite values; leaves it as it is when there are none."""
    ends = span(*values)
    if ends is not None:
        with scale.hold_sync():
            scale.min, scale.max = ends


def span(*values: ArrayLike) -> tuple[float, float] | None:
    """Two ends with all finite values between them and some room at each; None without any.

    >>> span([0.0, 1.0], [float("nan")])
    (-0.05, 1.05)
    """
    numbers = np.concatenate([np.empty(0), *(np.ravel(np.asarray(part, dtype=float)) for part in values)])
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return None
    low, high = float(numbers.min()), float(numbers.max())
    room = _ROOM * (high - low) or 0.5
    return low - room, high + room


def round_ticks(low: float, high: float) -> NDArray[np.float64]:
    """Three to eight round numbers between two ends; bqplot's own are not round on an axis with a margin.

    >>> round_ticks(-0.06, 1.13).tolist()
    [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
    """
    rough = (high - low) / 6
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min(factor for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough)
    ticks: NDArray[np.float64] = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return ticks
