"""Measured dose-response curves of compounds on cell lines, gathered so that a prior can be learnt from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.curves import Array, CurvePrior

_NOISE_SD = 0.08
"""Of a well, where no dose was measured twice."""
_LEAST_NOISE_SD = 0.01
_NOT_MEASURED = 1e6
"""A variance that takes all weight from a place without a measurement."""
_FEWEST_COMPOUNDS = 5
_TELLING_WELLS = 8
"""Conditions of one compound that tell of it as fully as counts: a dilution series."""


@dataclass(frozen=True, slots=True)
class MeasuredCurves:
    """Every compound on every cell line, replicates averaged; responses as fractions of vehicle."""

    compound: NDArray[np.int64]
    """Shape (n_pairs,): number of the pair's compound."""
    n_compounds: int
    log10_dose: Array
    """Shape (n_pairs, n_doses), in log10 µM; 0 where there is none."""
    response: Array
    """Same shape."""
    whitener: Array
    """Shape (n_pairs, n_doses, n_doses): inverse root of the covariance of noise and of departures from a logistic."""
    is_measured: NDArray[np.bool_]
    noise_sd: float
    """Of one well, from replicates."""

    @classmethod
    def of(cls, wells: Iterable[tuple[str, str, float, float]]) -> MeasuredCurves:
        """Gathers wells: cell line, compound, dose in µM, response as a fraction of vehicle; NaN is left out.

        Raises:
            AnalysisError: fewer than five compounds, or a dose that is not above 0.
        """
        pairs: dict[tuple[str, str], dict[float, list[float]]] = {}
        for line, compound, dose_um, viability in wells:
            if not dose_um > 0:
                raise AnalysisError(f"Prior: {compound} on {line} has a dose of {dose_um} µM; leave out vehicle wells.")
            if np.isfinite(viability):
                pairs.setdefault((compound, line), {}).setdefault(round(float(np.log10(dose_um)), 6), []).append(
                    viability
                )
        names = sorted({compound for compound, _ in pairs})
        if len(names) < _FEWEST_COMPOUNDS:
            raise AnalysisError(
                f"Prior: {len(names)} compounds with responses; a prior is learnt from {_FEWEST_COMPOUNDS} or more. "
                "Add a screen, or plan with the shipped prior."
            )
        width = max(len(doses) for doses in pairs.values())
        log10_dose, response, count = (np.zeros((len(pairs), width)) for _ in range(3))
        for row, (_, doses) in enumerate(sorted(pairs.items())):
            for column, (dose, values) in enumerate(sorted(doses.items())):
                log10_dose[row, column], response[row, column] = dose, np.mean(values)
                count[row, column] = len(values)
        noise_sd = _noise_sd([values for doses in pairs.values() for values in doses.values()])
        number = {name: i for i, name in enumerate(names)}
        return cls(
            compound=np.array([number[compound] for compound, _ in sorted(pairs)], dtype=np.int64),
            n_compounds=len(names),
            log10_dose=log10_dose,
            response=response,
            whitener=_whitener(log10_dose, count, noise_sd),
            is_measured=count > 0,
            noise_sd=noise_sd,
        )

    @property
    def n_pairs(self) -> int:
        """Compounds on cell lines."""
        return len(self.compound)

    @property
    def n_told(self) -> float:
        """Compounds that a dilution series' worth of conditions tells of; one with fewer counts in part."""
        n_wells = np.bincount(self.compound, weights=self.is_measured.sum(axis=1), minlength=self.n_compounds)
        return round(float(np.minimum(n_wells / _TELLING_WELLS, 1.0).sum()), 2)

    @property
    def log10_range(self) -> tuple[float, float]:
        """Lowest and highest dose."""
        doses = self.log10_dose[self.is_measured]
        return float(doses.min()), float(doses.max())

    def log_likelihood(self, expected: Array) -> Array:
        """Shape (n_pairs,), up to a constant: of expected responses, shape (n_pairs, n_doses)."""
        misfit = np.where(self.is_measured, self.response - expected, 0.0)
        white = (self.whitener @ misfit[:, :, None])[:, :, 0]
        result: Array = -0.5 * (white**2).sum(axis=1)
        return result


def _noise_sd(groups: list[list[float]]) -> float:
    squares = sum(float(((np.array(group) - np.mean(group)) ** 2).sum()) for group in groups)
    freedom = sum(len(group) - 1 for group in groups)
    return max(float(np.sqrt(squares / freedom)), _LEAST_NOISE_SD) if freedom else _NOISE_SD


def _whitener(log10_dose: Array, count: Array, noise_sd: float) -> Array:
    prior = CurvePrior()
    apart = (log10_dose[:, :, None] - log10_dose[:, None]) / prior.residual_length
    covariance = prior.residual_sd**2 * np.exp(-0.5 * apart**2)
    diagonal = np.arange(log10_dose.shape[1])
    covariance[:, diagonal, diagonal] += np.where(count > 0, noise_sd**2 / np.maximum(count, 1), _NOT_MEASURED)
    return np.linalg.inv(np.linalg.cholesky(covariance))
