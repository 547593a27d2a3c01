"""A plate divided into doses, replicates and vehicle wells."""

import numpy as np
import pytest

from cellos_nb.analysis import fit_dose_response
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import ConfigError
from cellos_nb.planner.plate_split import _curves, plate_splits


def config(**changes) -> CampaignConfig:
    values = {
        "name": "split", "cell_lines": ["U2OS"], "compounds": ["a", "b", "c", "d"], "dose_range_um": (1e-3, 100.0),
        "replicates": 2, "controls": {"vehicle": 8}, "planner": {"prior": "vague"}, "seed": 2,
    }  # fmt: skip
    return CampaignConfig(**(values | changes))


def by_division(found):
    return {(split.replicates, split.vehicle): split for split in found}


def test_every_division_fits_the_plate_and_wastes_less_than_one_more_dose_needs():
    for split in plate_splits(config(controls={"vehicle": 8, "positive": {"compound": "a", "dose_um": 1, "wells": 2}})):
        assert split.n_wells == 4 * split.n_doses * split.replicates + split.vehicle + 2
        assert 96 - 4 * split.replicates < split.n_wells <= 96


def test_the_campaigns_own_division_is_among_them_also_where_it_is_unusual():
    (own,) = [split for split in plate_splits(config(replicates=5, controls={"vehicle": 7})) if split.is_own]
    assert (own.replicates, own.vehicle) == (5, 7)
    assert own.n_doses == 4


def test_vehicle_wells_cost_doses_and_too_few_blur_the_upper_plateau():
    found = by_division(plate_splits(config()))
    assert found[1, 48].n_doses < found[1, 8].n_doses
    assert found[1, 8].interval_decades < found[1, 48].interval_decades
    assert found[1, 8].interval_decades < found[1, 2].interval_decades


def test_less_noise_and_fewer_compounds_narrow_the_interval():
    usual = by_division(plate_splits(config()))[1, 8].interval_decades
    assert by_division(plate_splits(config(), well_cv=0.05))[1, 8].interval_decades < usual
    assert by_division(plate_splits(config(), n_compounds=2))[1, 8].interval_decades < usual


def test_the_interval_to_expect_is_near_the_one_that_fits_of_simulated_plates_give():
    asked = config()
    split = by_division(plate_splits(asked, well_cv=0.08))[2, 8]
    rng, widths = np.random.default_rng(3), []
    doses = np.repeat(np.geomspace(*asked.dose_range_um, split.n_doses), split.replicates)
    for log10_half, hill, plateau in _curves(asked)[:100, :3]:
        mean = 1 + plateau / (1 + (10**log10_half / doses) ** hill)
        values = np.r_[1 + 0.08 * rng.standard_normal(split.vehicle), mean + 0.08 * rng.standard_normal(doses.size)]
        fit = fit_dose_response(np.r_[np.zeros(split.vehicle), doses], values, lower=(-0.2, 0.95), upper=(0.8, 1.2))
        low, high = fit.ec50_interval
        widths.append(np.log10(high) - np.log10(low) if low > 0 and np.isfinite(high) else np.inf)
    assert split.interval_decades == pytest.approx(float(np.median(widths)), rel=0.4)


def test_wells_that_tell_what_they_are_good_for():
    for split in plate_splits(config()):
        assert split.is_judged == (split.vehicle >= 4)
        assert split.is_checked == (split.replicates >= 3)


def test_a_plate_with_no_room_for_curves_is_refused_with_the_cure():
    with pytest.raises(ConfigError, match=r"share 96 wells: fewer than 4 doses each\. Put fewer on a plate"):
        plate_splits(config(compounds=[f"c{i}" for i in range(30)]))
    with pytest.raises(ConfigError, match="give both above 0"):
        plate_splits(config(), n_compounds=0)
