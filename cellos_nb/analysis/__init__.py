"""Dose-response fits, plate quality, and what readings conclude."""

from cellos_nb.analysis.area import area_under_curve, fitted_area
from cellos_nb.analysis.artefacts import ArtefactFinding, plate_artefacts
from cellos_nb.analysis.band import confidence_band
from cellos_nb.analysis.conclude import conclude
from cellos_nb.analysis.fit import DoseResponseFit, fit_dose_response, fit_dose_responses
from cellos_nb.analysis.gates import QualityGates
from cellos_nb.analysis.growth_rate import (
    GrowthRateMetrics,
    growth_rate_metrics,
    growth_rate_table,
    growth_rate_values,
)
from cellos_nb.analysis.pareto import pareto_front
from cellos_nb.analysis.quality import (
    LineQuality,
    PlateQuality,
    coefficient_of_variation,
    plate_quality,
    robust_z_prime,
    signal_window,
    ssmd,
    z_prime,
)
from cellos_nb.analysis.rehearsal import LayoutRehearsal, NuisanceEffects, rehearse_layout
from cellos_nb.analysis.trends import TrendTest, drift_test, edge_test

__all__ = [
    "ArtefactFinding",
    "DoseResponseFit",
    "GrowthRateMetrics",
    "LayoutRehearsal",
    "LineQuality",
    "NuisanceEffects",
    "PlateQuality",
    "QualityGates",
    "TrendTest",
    "area_under_curve",
    "coefficient_of_variation",
    "conclude",
    "confidence_band",
    "drift_test",
    "edge_test",
    "fit_dose_response",
    "fit_dose_responses",
    "fitted_area",
    "growth_rate_metrics",
    "growth_rate_table",
    "growth_rate_values",
    "pareto_front",
    "plate_artefacts",
    "plate_quality",
    "rehearse_layout",
    "robust_z_prime",
    "signal_window",
    "ssmd",
    "z_prime",
]
