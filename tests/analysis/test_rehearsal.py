"""A layout is tried on paper: what its places would do to comparisons, and what it could still see."""

import random

import numpy as np
import pytest

from cellos_nb.analysis import NuisanceEffects, rehearse_layout
from cellos_nb.domain.plate import PlateLayout, WellAssignment, WellRole, outer_wells, well_names, well_position
from cellos_nb.errors import ConfoundedLayoutError, LayoutError

NO_TREND = NuisanceEffects(edge=0.0, drift=0.0, plate_cv=0.1, well_cv=0.05)


def hand_made(place):
    """A 96-well plate; `place` gives (compound, dose) for a row and column, None for vehicle."""
    wells = []
    for name in well_names(96):
        row, column = well_position(name, 96)
        content = place(name, row, column)
        if content is None:
            wells.append(WellAssignment(name, WellRole.VEHICLE, "U2OS"))
        else:
            compound, dose = content
            wells.append(WellAssignment(name, WellRole.SAMPLE, "U2OS", compound, dose, f"{compound} {dose}", 1))
    return PlateLayout(96, tuple(wells))


def shuffled(layout, seed):
    contents = list(layout.wells)
    random.Random(seed).shuffle(contents)
    wells = [
        WellAssignment(name, w.role, w.cell_line, w.compound, w.dose_um, w.proposal_id, w.replicate)
        for name, w in zip(well_names(96), contents, strict=True)
    ]
    return PlateLayout(96, tuple(wells))


BY_COLUMN = hand_made(lambda name, row, column: None if column == 0 else ("abc"[row % 3], float(column)))
VEHICLE_ON_RIM = hand_made(
    lambda name, row, column: None if name in outer_wells(96) and row in {0, 7} else ("abc"[column % 3], float(row))
)


def test_a_serial_dilution_along_the_columns_is_refused_with_what_to_change():
    with pytest.raises(ConfoundedLayoutError, match=r"of vehicle, and 10% is the most that passes\. .*(Randomise|rim)"):
        rehearse_layout([BY_COLUMN], NuisanceEffects(edge=0.0, drift=0.3)).check()
    found = rehearse_layout([BY_COLUMN], NuisanceEffects(edge=0.0, drift=0.3))
    assert {each.cause for each in found.confounded} == {"drift along the columns"}
    assert "vehicle of U2OS" in {each.name for each in found.confounded}


def test_vehicle_wells_on_the_rim_alone_are_refused_for_the_edge():
    with pytest.raises(LayoutError, match=r"outer_wells: medium"):
        rehearse_layout([VEHICLE_ON_RIM], NuisanceEffects(edge=0.2, drift=0.0)).check()


@pytest.mark.parametrize("seed", range(10))
def test_a_randomised_layout_of_the_same_wells_passes(seed):
    for layout in (BY_COLUMN, VEHICLE_ON_RIM):
        rehearse_layout([shuffled(layout, seed)], NuisanceEffects(edge=0.12, drift=0.15)).check()


def test_without_position_effects_the_error_is_that_of_replicates_and_vehicle():
    found = rehearse_layout([shuffled(BY_COLUMN, 1)], NO_TREND)
    # 33 experiments of 2 or 3 wells (88 wells), over the median of 8 vehicle wells, all scattering by 5 %.
    expected = 0.05 * np.sqrt(np.mean([1 / 3] * 22 + [1 / 2] * 11) + np.pi / 2 / 8)
    assert found.noise_sd == pytest.approx(expected, rel=0.1)
    assert found.bias_sd == pytest.approx(0.0, abs=1e-12)


def test_the_power_is_the_level_without_effect_and_grows_with_the_effect():
    found = rehearse_layout([shuffled(BY_COLUMN, 1)], NO_TREND, sizes=(0.0, 0.05, 0.1, 0.3))
    _sizes, power = zip(*found.power, strict=True)
    assert power[0] == pytest.approx(0.05, abs=0.005)
    assert list(power) == sorted(power)
    assert power[-1] > 0.99


def test_an_edge_effect_costs_power():
    layout = [shuffled(BY_COLUMN, 1)]
    plain = dict(rehearse_layout(layout, NO_TREND).power)
    edged = dict(rehearse_layout(layout, NuisanceEffects(edge=0.4, drift=0.0, well_cv=0.05)).power)
    assert edged[0.2] < plain[0.2]
