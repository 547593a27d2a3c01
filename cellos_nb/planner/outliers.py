"""Learning from measurements among which single ones are far off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.planner.curves import Array
from cellos_nb.planner.model import DoseResponseGP

DEGREES_OF_FREEDOM = 4.0
"""Of the noise's Student t distribution: far wells are expected once in a hundred, and the mean stays efficient.
Source: Lange, Little & Taylor 1989, doi:10.1080/01621459.1989.10478852, section 5."""
_ROUNDS = 4


def fit_with_outliers(
    model: DoseResponseGP,
    conditions: tuple[Sequence[str], Sequence[str], ArrayLike],
    responses: ArrayLike,
    standard_errors: Sequence[float | None] | None = None,
) -> tuple[DoseResponseGP, Array]:
    """Fits with noise of Student's t distribution, so that a measurement far from its curve is hardly believed.

    Such noise is normal noise with a variance of its own for each measurement. Each round takes the expected weight of
    each from how far it lies from the curve, and fits again.

    Args:
        model: to be fitted.
        conditions: cell lines, compounds and doses in µM of the n responses.
        responses: shape (n,).
        standard_errors: of the responses, None where unknown.

    Returns:
        The fitted model, and the weight of each response, shape (n,): about 1 when it is believed, towards 0 when not.

    Source: Jylänki, Vanhatalo & Vehtari 2011, http://jmlr.org/papers/v12/jylanki11a.html, section 3.1: the
    scale-mixture representation, by expectation and maximisation.
    """
    values = np.asarray(responses, dtype=float)
    errors = [None] * len(values) if standard_errors is None else list(standard_errors)
    known = np.array([0.0 if error is None else error for error in errors], dtype=float)
    extra, weights = np.zeros(len(values)), np.ones(len(values))
    if not np.isfinite(values).any():
        return model.fit(*conditions, values, errors), weights
    for _ in range(_ROUNDS):
        model.fit(*conditions, values, errors, extra_variances=extra)
        mean, sd = model.predict(*conditions)
        variance = model.noise_sd**2 + known**2
        misfit = np.where(np.isfinite(values), (values - mean) ** 2 + sd**2, variance)
        weights = (DEGREES_OF_FREEDOM + 1) / (DEGREES_OF_FREEDOM + misfit / variance)
        # A measurement is never believed more than its own error says.
        extra = variance * np.maximum(1 / weights - 1, 0.0)
    return model.fit(*conditions, values, errors, extra_variances=extra), weights
