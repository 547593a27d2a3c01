"""Dose-response fits, plate quality, and what readings conclude."""

from cellos_nb.analysis.conclude import conclude
from cellos_nb.analysis.fit import DoseResponseFit, fit_dose_response, fit_dose_responses
from cellos_nb.analysis.gates import QualityGates
from cellos_nb.analysis.quality import (
    LineQuality,
    PlateQuality,
    area_under_curve,
    coefficient_of_variation,
    plate_quality,
    robust_z_prime,
    signal_window,
    ssmd,
    z_prime,
)

__all__ = [
    "DoseResponseFit",
    "LineQuality",
    "PlateQuality",
    "QualityGates",
    "area_under_curve",
    "coefficient_of_variation",
    "conclude",
    "fit_dose_response",
    "fit_dose_responses",
    "plate_quality",
    "robust_z_prime",
    "signal_window",
    "ssmd",
    "z_prime",
]
