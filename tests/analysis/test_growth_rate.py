"""Growth-rate metrics on cells that grow by a known rate, and areas under curves."""

import math

import numpy as np
import pandas as pd
import pytest

from cellos_nb.analysis import (
    area_under_curve,
    fit_dose_responses,
    fitted_area,
    growth_rate_metrics,
    growth_rate_table,
    growth_rate_values,
)
from cellos_nb.errors import AnalysisError

DOSES = np.geomspace(0.001, 10.0, 9)


def _gr(half=0.1, hill=1.2, plateau=-0.4, sd=0.02, seed=1):
    mean = plateau + (1 - plateau) / (1 + (DOSES / half) ** hill)
    return mean + sd * np.random.default_rng(seed).standard_normal(DOSES.size)


@pytest.mark.parametrize("hours", [24.0, 48.0, 96.0], ids="{:.0f}h".format)
def test_gr_values_do_not_depend_on_the_length_of_the_assay(hours):
    doublings = hours / 24.0
    cells = 1000 * 2 ** (np.array([1.0, 0.5, 0.0, -0.5]) * doublings)
    gr = growth_rate_values(cells, 1000 * 2**doublings, 1000)
    np.testing.assert_allclose(gr, 2.0 ** np.array([1, 0.5, 0, -0.5]) - 1)


def test_wells_without_any_cell_left_have_a_gr_of_minus_one():
    assert growth_rate_values([0.0], 4000, 1000) == pytest.approx([-1.0])


def test_the_metrics_are_those_of_the_curve_that_was_simulated():
    found = growth_rate_metrics(DOSES, _gr(sd=0.0))
    assert found.fit.ec50 == pytest.approx(0.1, rel=1e-3)
    assert found.gr_inf == pytest.approx(-0.4, abs=1e-3)
    # 0.5 = -0.4 + 1.4 / (1 + (x / 0.1)^1.2)
    assert found.gr50 == pytest.approx(0.1 * (1.4 / 0.9 - 1) ** (1 / 1.2), rel=1e-3)
    assert found.gr_max == pytest.approx(_gr(sd=0.0)[-1])
    assert found.gr_aoc == pytest.approx(1 - area_under_curve(DOSES, _gr(sd=0.0)))


def test_a_compound_that_never_halves_the_rate_has_no_gr50():
    assert growth_rate_metrics(DOSES, _gr(plateau=0.7)).gr50 == math.inf
    inert = growth_rate_metrics(DOSES, 1 + 0.01 * np.random.default_rng(2).standard_normal(9))
    assert (inert.fit.verdict, inert.gr50) == ("flat", math.inf)
    assert inert.gr_aoc == pytest.approx(0.0, abs=0.02)


def test_a_table_has_one_row_of_metrics_per_curve():
    parts = [pd.DataFrame({"drug": d, "dose_um": DOSES, "gr": _gr(half=h)}) for d, h in (("b", 0.05), ("a", 0.5))]
    table = growth_rate_table(pd.concat(parts), "drug")
    assert list(table.drug) == ["b", "a"]
    assert table.gr50[0] == pytest.approx(growth_rate_metrics(DOSES, _gr(half=0.05)).gr50)
    assert ((table.gec50_low < [0.05, 0.5]) & (table.gec50_high > [0.05, 0.5])).all()


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        pytest.param(([100], 100, 100), "untreated: the untreated cells did not grow", id="no-growth"),
        pytest.param(([-1], 200, 100), "treated: -1 is no signal of cells", id="negative"),
        pytest.param(([100], 200, 0), "at_start: 0 cells at the start", id="nothing-seeded"),
    ],
)
def test_signals_without_a_growth_rate_are_refused(signals, message):
    with pytest.raises(AnalysisError, match=message):
        growth_rate_values(*signals)


def test_what_is_no_gr_value_is_refused_and_the_curve_named():
    with pytest.raises(AnalysisError, match="gr: -3 is below -1"):
        growth_rate_metrics(DOSES, [-3, *[1] * 8])
    frame = pd.DataFrame({"drug": "x", "dose_um": [1.0, 2.0], "gr": [1.0, 0.5]})
    with pytest.raises(AnalysisError, match="x: dose: 2 points at 2 distinct doses"):
        growth_rate_table(frame, "drug")
    with pytest.raises(AnalysisError, match="line: no such column to analyse; the table has drug, dose_um, gr"):
        growth_rate_table(frame, "line")


def test_an_area_over_a_stated_range_is_that_of_the_part():
    response = [1.0, 1.0, 0.5, 0.0, 0.0]
    doses = [0.01, 0.1, 1.0, 10.0, 100.0]
    assert area_under_curve(doses, response, (0.1, 10.0)) == pytest.approx(0.5)
    assert area_under_curve(doses, response, (1.0, math.sqrt(10.0))) == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("dose_range", "message"),
    [
        pytest.param((0.001, 1.0), "0.001 to 1 goes beyond the doses measured, 0.1 to 10", id="beyond"),
        pytest.param((1.0, 1.0), "1 to 1 is no range", id="empty"),
        pytest.param((0.0, 1.0), "0 to 1 is no range", id="zero"),
    ],
)
def test_a_range_that_was_not_measured_is_refused(dose_range, message):
    with pytest.raises(AnalysisError, match=message):
        area_under_curve([0.1, 1.0, 10.0], [1.0, 0.5, 0.0], dose_range)


@pytest.mark.parametrize("hill", [1e-12, 0.5, -2.0, 30.0], ids=str)
def test_the_area_of_a_fitted_curve_is_the_mean_over_log_dose(hill):
    dose = np.geomspace(0.01, 10, 20001)
    response = 0.2 + 0.7 / (1 + (dose / 0.4) ** hill)
    assert fitted_area(0.4, hill, 0.2, 0.9, (0.01, 10)) == pytest.approx(area_under_curve(dose, response), abs=1e-5)


def test_the_areas_of_a_table_of_fits_come_as_one_array():
    frame = pd.concat(
        [pd.DataFrame({"k": k, "dose_um": DOSES, "value": 1 / (1 + DOSES / half)}) for k, half in enumerate((0.1, 1.0))]
    )
    fits = fit_dose_responses(frame, "k")
    areas = fitted_area(fits.ec50, fits.hill, fits.lower, fits.upper, (0.001, 10.0))
    assert areas.shape == (2,)
    assert areas[0] == pytest.approx(area_under_curve(DOSES, 1 / (1 + DOSES / 0.1)), abs=0.01)
    assert areas[1] > areas[0]


@pytest.mark.parametrize(
    ("plateaus", "log10_half"), [((-0.6, 0.2), (-2, 0)), ((-0.6, 0.2), (0.3, 1.2))], ids=["complete", "incomplete"]
)
def test_the_interval_of_gr50_holds_the_truth_as_often_as_it_says(plateaus, log10_half):
    rng = np.random.default_rng(5)
    doses, hits, n = np.repeat(DOSES, 3), 0, 80
    for _ in range(n):
        plateau, half, hill = rng.uniform(*plateaus), 10 ** rng.uniform(*log10_half), rng.uniform(0.8, 2.2)
        gr = plateau + (1 - plateau) / (1 + (doses / half) ** hill) + 0.05 * rng.standard_normal(doses.size)
        truth = half * (0.5 / (0.5 - plateau)) ** (1 / hill)
        found = growth_rate_metrics(doses, np.maximum(gr, -1))
        low, high = found.gr50_interval
        assert low <= found.gr50 <= high
        hits += low <= truth <= high
    assert 0.9 <= hits / n <= 1.0


def test_a_compound_that_may_never_halve_the_rate_has_a_gr50_bounded_from_below_alone():
    inert = growth_rate_metrics(DOSES, 1 + 0.02 * np.random.default_rng(2).standard_normal(9))
    low, high = inert.gr50_interval
    assert low > DOSES[-2]
    assert high == math.inf


def test_the_interval_of_a_noiseless_gr50_is_narrow_and_around_it():
    found = growth_rate_metrics(DOSES, _gr(sd=0.0))
    low, high = found.gr50_interval
    assert low == pytest.approx(found.gr50, rel=1e-3)
    assert high == pytest.approx(found.gr50, rel=1e-3)


def test_untreated_points_change_the_interval_of_gr50_only_through_the_noise_they_show():
    quiet = growth_rate_metrics(np.r_[np.zeros(6), DOSES], np.r_[np.ones(6), _gr()]).gr50_interval
    plain = growth_rate_metrics(DOSES, _gr()).gr50_interval
    assert math.log(quiet[1] / quiet[0]) < math.log(plain[1] / plain[0])


def test_the_plateau_at_dose_zero_is_held_at_one():
    assert growth_rate_metrics(DOSES, _gr(sd=0.06, seed=4)).fit.upper == 1.0
