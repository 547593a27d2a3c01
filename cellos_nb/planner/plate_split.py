"""How the wells of one plate are best divided into doses, replicates and vehicle wells, before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.plate import outer_wells
from cellos_nb.errors import ConfigError
from cellos_nb.planner.curves import Array
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.plate_design import PRIOR_SD, response_gradient
from cellos_nb.planner.prior import prior_named

N_CURVES = 200
"""Probable curves that a division is averaged over."""
FEWEST_DOSES = 4
"""Doses without which a curve of four parameters is not determined."""
_MOST_REPLICATES = 4
_VEHICLE = (2, 4, 6, 8, 12, 16, 24, 32, 48)
"""Vehicle wells for each cell line that are compared, beside the campaign's own."""
_OF_MEDIAN = 1.2533
"""Standard error of a median over that of a mean, of normal values."""
_Z = 1.96


@dataclass(frozen=True, slots=True)
class PlateSplit:
    """One way to divide a plate that every compound on every cell line shares evenly."""

    n_doses: int
    """Of each compound on each cell line, evenly spaced on a logarithmic scale."""
    replicates: int
    vehicle: int
    """Wells for each cell line."""
    n_wells: int
    """That are filled, positive controls among them."""
    interval_decades: float
    """The 95 % interval of log10 EC50 to be expected: median over curves whose EC50 lies within the doses."""
    is_judged: bool
    """Whether vehicle wells are enough to tell a noisy plate: 4 or more."""
    is_checked: bool
    """Whether a bad well is contradicted by others of the same experiment: 3 replicates or more."""
    is_own: bool
    """Whether replicates and vehicle wells are those of the campaign."""


def plate_splits(config: CampaignConfig, well_cv: float = 0.1, n_compounds: int | None = None) -> list[PlateSplit]:
    """Ways to divide a plate of a campaign, the narrowest interval of EC50s first.

    By Fisher information over curves of the campaign's prior, as `PlateDesignPlanner` reckons: a well's noise is a
    share of vehicle, replicates are averaged, and the median of the vehicle wells, by which every well of a cell line
    is divided, is as uncertain as its number makes it.

    Args:
        config: plate format, outer wells, cell lines, compounds, positive controls and range of doses are used.
        well_cv: noise from well to well, as a share of vehicle.
        n_compounds: that share a plate; all of the campaign when left out.

    Raises:
        ConfigError: no division leaves every compound on every cell line 4 doses, or an argument is not above 0.
    """
    n_compounds = len(config.compounds) if n_compounds is None else n_compounds
    if n_compounds < 1 or not well_cv > 0:
        raise ConfigError(f"plate_splits: {n_compounds} compounds and a noise of {well_cv:g}; give both above 0.")
    n_lines = len(config.cell_lines)
    usable = config.plate_format - (len(outer_wells(config.plate_format)) if config.outer_wells == "medium" else 0)
    positive = 0 if config.controls.positive is None else config.controls.positive.wells
    curves, found = _curves(config), []
    own = config.replicates, config.controls.vehicle
    for replicates in sorted({*range(1, _MOST_REPLICATES + 1), own[0]}):
        for vehicle in sorted({*_VEHICLE, own[1]}):
            left = usable - n_lines * (vehicle + positive)
            n_doses = left // (n_lines * n_compounds * replicates)
            if n_doses < FEWEST_DOSES:
                continue
            log10_doses = np.log10(np.geomspace(*config.dose_range_um, n_doses))
            noise_of_vehicle = _OF_MEDIAN * well_cv / np.sqrt(vehicle)
            found.append(
                PlateSplit(
                    n_doses=n_doses,
                    replicates=replicates,
                    vehicle=vehicle,
                    n_wells=n_lines * (n_doses * n_compounds * replicates + vehicle + positive),
                    interval_decades=_interval(curves, log10_doses, replicates, noise_of_vehicle, well_cv),
                    is_judged=vehicle >= 4,
                    is_checked=replicates >= 3,
                    is_own=(replicates, vehicle) == own,
                )
            )
    if not found:
        raise ConfigError(
            f"{n_compounds} compounds on {n_lines} cell lines share {usable} wells: fewer than {FEWEST_DOSES} doses "
            "each. Put fewer on a plate (--compounds), or take a larger plate (plate_format)."
        )
    return sorted(found, key=lambda split: split.interval_decades)


def _curves(config: CampaignConfig) -> Array:
    """Probable curves that act within the doses, rows as in `CurveLibrary.parameters`."""
    model = DoseResponseGP(prior_named(config.planner.prior), config.dose_range_um)
    parameters, weights = model.curves(config.cell_lines[0], config.compound_names[0])
    low, high = np.log10(config.dose_range_um).tolist()
    acts = (parameters[:, 2] != 0) & (parameters[:, 0] > low) & (parameters[:, 0] < high)
    share = np.where(acts, weights, 0.0)
    rng = np.random.default_rng(config.seed)
    curves: Array = parameters[rng.choice(len(share), N_CURVES, p=share / share.sum())]
    return curves


def _interval(curves: Array, log10_doses: Array, replicates: int, noise_of_vehicle: float, well_cv: float) -> float:
    gradient = response_gradient(curves, log10_doses) * np.sqrt(replicates) / well_cv
    known = np.array([*PRIOR_SD[:3], noise_of_vehicle]) ** -2.0
    information = np.diag(known) + np.einsum("srj,srk->sjk", gradient, gradient)
    variance = np.linalg.inv(information)[:, 0, 0]
    return float(2 * _Z * np.median(np.sqrt(variance)))
