"""What a plate must show before a model may learn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.analysis.curves import Array
from cellos_nb.analysis.quality import LineQuality
from cellos_nb.domain.result import QCFlag


@dataclass(frozen=True, slots=True)
class QualityGates:
    """Limits for one cell line on one plate; its results are quarantined when one is broken.

    Lines are judged apart, because each has its own controls and its own cells: one that failed to attach does not
    condemn its neighbours.

    Source: Iversen et al. 2012, Assay Guidance Manual, HTS Assay Validation, NCBI NBK83783 (Z′ > 0.4, CV ≤ 20 %).
    """

    min_z_prime: float = 0.4
    """Lowest robust Z′ between vehicle and positive control."""
    min_freedom: int = 4
    """Vehicle and positive wells beyond the first of each, below which Z′ is too uncertain to act on."""
    max_vehicle_cv: float = 0.2
    """Highest robust coefficient of variation of the vehicle wells."""
    min_vehicle: int = 4
    """Vehicle wells below which their spread is too uncertain to act on."""
    min_vehicle_share: float = 0.5
    """Lowest median of the vehicle wells as a share of the upper quartile of the line's samples, in assays where a
    compound can hardly raise the signal. Broken when the vehicle wells got no cells, or held something else."""
    min_samples: int = 8
    """Samples below which that quartile may be a true effect."""
    noted_trend: float = 0.2
    """Relative difference between rim and inner wells, or from first to last, that is noted on the results. Source:
    the same manual calls edge and drift effects above 20 % material."""
    max_trend: float = 0.4
    """The one from which the plate is quarantined: where half of the cells live, a loss of 40 % reads as 2.3 times the
    dose at a Hill slope of 1, and replicates no longer say what a well's noise is."""
    level: float = 0.01
    """Share of faultless plates that each of the tests for edge, drift, exchanged rows and bubbles may accuse."""


DEFAULT_GATES = QualityGates()


def broken_gates(gates: QualityGates, quality: LineQuality, samples: Array | None) -> tuple[QCFlag, ...]:
    """The gates that one line breaks.

    Args:
        gates: the limits.
        quality: the line's controls.
        samples: signals of the line's sample wells, to compare the vehicle with; None where a compound may raise them.
    """
    flags = []
    z_prime, cv, median = quality.robust_z_prime, quality.robust_vehicle_cv, quality.vehicle_median
    has_freedom = quality.n_vehicle + quality.n_positive - 2 >= gates.min_freedom
    if z_prime is not None and has_freedom and z_prime < gates.min_z_prime:
        flags.append(QCFlag.LOW_ZPRIME)
    if median is not None and (median <= 0 or _is_low(gates, median, samples)):
        flags.append(QCFlag.LOW_VEHICLE)
    if cv is not None and quality.n_vehicle >= gates.min_vehicle and cv > gates.max_vehicle_cv:
        flags.append(QCFlag.NOISY_VEHICLE)
    return tuple(flags)


def _is_low(gates: QualityGates, median: float, samples: Array | None) -> bool:
    if samples is None:
        return False
    present = samples[np.isfinite(samples)]
    return present.size >= gates.min_samples and median < gates.min_vehicle_share * float(np.quantile(present, 0.75))
