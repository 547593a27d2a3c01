"""The scatter of a plate's wells: one figure from all replicates, and the wells that do not fit it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array, IntArray

FLOOR = 0.1
"""Share of the vehicle below which the scatter no longer shrinks with the value."""
OUTLIER_LIMIT = 6.0
"""Robust standard deviations from the median of its replicates beyond which a well is flagged."""
MIN_REPLICATES = 4
"""Replicates below which no well is flagged: of three, nobody can say which is wrong."""
_MIN_FREEDOM = 12
"""Degrees of freedom below which the plate's scatter is too uncertain to flag wells by."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """The relative standard deviation of a well, pooled over all groups of replicates on the plate."""

    relative_sd: float
    degrees_of_freedom: int

    def of_wells(self, value: Array) -> Array:
        """Standard deviation of one well at these values (fractions of vehicle)."""
        return self.relative_sd * scale_of(value)


def scale_of(value: Array) -> Array:
    """How the scatter grows with the value: in proportion, and constant below a tenth of vehicle.

    In the sarcoma screen (doi:10.1038/s44320-023-00004-7) triplicates scatter by a median of 3 to 5 % of their mean
    from 0.2 to 1.1 of vehicle, and by 0.1 to 0.5 % of vehicle below 0.05.
    """
    return np.maximum(value, FLOOR)


def pooled_scatter(value: Array, group: IntArray, n_groups: int) -> Scatter | None:
    """The scatter about the groups' means, every deviation in units of `scale_of` its group's mean.

    None when no group has two values, and when all groups agree to the last digit: such wells are copies of one number,
    not measurements of their own.

    Args:
        value: normalised values; NaN is left out.
        group: which replicates belong together, counted from 0.
        n_groups: how many groups there are.
    """
    deviation, n = _relative_deviations(value, group, n_groups)
    freedom = int(np.maximum(n - 1, 0).sum())
    if freedom == 0:
        return None
    relative_sd = float(np.sqrt((deviation**2).sum() / freedom))
    return Scatter(relative_sd, freedom) if relative_sd > 1e-12 else None


def outliers(value: Array, group: IntArray, n_groups: int) -> NDArray[np.bool_]:
    """Wells far from the median of at least 4 replicates, measured by the robust scatter of the whole plate.

    Conservative: at most a quarter of the replicates of an experiment can be flagged; where more stand apart, the
    experiment is noisy and none is.
    """
    none = np.zeros(value.shape, dtype=np.bool_)
    deviation, n = _relative_deviations(value, group, n_groups)
    present = ~np.isnan(value)
    in_large = present & (n >= MIN_REPLICATES)[group]
    if not in_large.any() or np.maximum(n - 1, 0).sum() < _MIN_FREEDOM:
        return none
    paired = (n >= 2)[group[present]]
    widened = (deviation * np.sqrt(n / np.maximum(n - 1, 1))[group[present]])[paired]
    robust_sd = 1.4826 * float(np.median(np.abs(widened)))
    if robust_sd <= 0:
        return none
    far = none.copy()
    for index in np.flatnonzero(n >= MIN_REPLICATES):
        members = np.flatnonzero(present & (group == index))
        centre = float(np.median(value[members]))
        away = np.abs(value[members] - centre) > OUTLIER_LIMIT * robust_sd * max(centre, FLOOR)
        if 0 < away.sum() <= members.size / 4:
            far[members[away]] = True
    return far


def _relative_deviations(value: Array, group: IntArray, n_groups: int) -> tuple[Array, IntArray]:
    """Deviations of the present values from their group's mean over its scale; and the present values per group."""
    present = ~np.isnan(value)
    n = np.bincount(group[present], minlength=n_groups)
    mean = np.bincount(group[present], weights=value[present], minlength=n_groups) / np.maximum(n, 1)
    deviation: Array = (value[present] - mean[group[present]]) / scale_of(mean[group[present]])
    return deviation, n
