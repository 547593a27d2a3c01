"""Plate statistics against their formulas, and what a plate's controls can and cannot tell."""

import math

import numpy as np
import pytest

from cellos_nb.analysis import (
    area_under_curve,
    coefficient_of_variation,
    plate_quality,
    robust_z_prime,
    signal_window,
    ssmd,
    z_prime,
)
from cellos_nb.analysis.quality import robust_sd
from cellos_nb.domain.plate import PlateLayout, WellAssignment, WellRole
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.errors import AnalysisError

VEHICLE, POSITIVE = [100.0, 104.0, 96.0, 100.0], [10.0, 12.0, 8.0, 10.0]


def _plate(vehicle, positive, samples=(), *, is_normalised=False):
    wells, values = [], []
    for role, signals in ((WellRole.VEHICLE, vehicle), (WellRole.POSITIVE, positive)):
        for signal in signals:
            wells.append(WellAssignment(f"A{len(wells) + 1}", role, "U2OS"))
            values.append(signal)
    for proposal_id, signal in samples:
        wells.append(WellAssignment(f"A{len(wells) + 1}", WellRole.SAMPLE, "U2OS", "x", 1.0, proposal_id))
        values.append(signal)
    names = tuple(well.well for well in wells)
    reading = Reading("c/p1", "3-read", names, (Channel("luminescence", "RLU", tuple(values)),), is_normalised)
    return PlateLayout(96, tuple(wells)), reading


def test_the_statistics_follow_their_formulas():
    s_v, s_p = np.std(VEHICLE, ddof=1), np.std(POSITIVE, ddof=1)
    assert z_prime(VEHICLE, POSITIVE) == pytest.approx(1 - 3 * (s_v + s_p) / 90)
    assert ssmd(VEHICLE, POSITIVE) == pytest.approx(-90 / math.hypot(s_v, s_p))
    assert signal_window(VEHICLE, POSITIVE) == pytest.approx((90 - 3 * (s_v + s_p)) / s_v)
    assert coefficient_of_variation(VEHICLE) == pytest.approx(s_v / 100)


@pytest.mark.parametrize("statistic", [z_prime, robust_z_prime, ssmd, signal_window], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("vehicle", "positive"),
    [([1.0], POSITIVE), (VEHICLE, [1.0]), (VEHICLE, [math.nan, 1.0]), ([], [])],
    ids=["one-vehicle", "one-positive", "one-present", "none"],
)
def test_fewer_than_two_wells_tell_nothing(statistic, vehicle, positive):
    assert statistic(vehicle, positive) is None


def test_controls_that_do_not_vary_or_differ_are_not_divided_by():
    assert ssmd([1.0, 1.0], [2.0, 2.0]) is None
    assert signal_window([1.0, 1.0], [2.0, 2.0]) is None
    assert z_prime([1.0, 1.0], [1.0, 1.0]) is None
    assert z_prime([1.0, 1.0], [2.0, 2.0]) == 1.0
    assert coefficient_of_variation([1.0, -1.0]) is None


@pytest.mark.parametrize("n", [2, 3, 4, 8, 20])
def test_the_robust_deviation_of_normal_values_is_right_on_average(n):
    rng = np.random.default_rng(2)
    found = np.mean([robust_sd(rng.standard_normal(n)) for _ in range(1500)])
    assert found == pytest.approx(1.0, abs=0.08)


def test_one_bad_well_spoils_z_prime_but_not_its_robust_form():
    spoiled = [*VEHICLE[:3], 20.0]
    assert z_prime(spoiled, POSITIVE) < 0
    assert robust_z_prime(spoiled, POSITIVE) > 0.5


def test_a_plates_quality_is_told_line_by_line():
    samples = [("p1", 50.0), ("p1", 55.0), ("p2", 90.0), ("p2", None)]
    layout, reading = _plate(VEHICLE, POSITIVE, samples)
    quality = plate_quality(layout, reading, "luminescence")
    line = quality.of("U2OS")
    assert (line.n_vehicle, line.n_positive, line.vehicle_median) == (4, 4, 100.0)
    assert line.z_prime == pytest.approx(z_prime(VEHICLE, POSITIVE))
    assert quality.replicate_cv == pytest.approx(np.std([50, 55], ddof=1) / 52.5)
    with pytest.raises(AnalysisError, match="HeLa: no such cell line on plate c/p1; it has U2OS"):
        quality.of("HeLa")


def test_without_a_positive_control_there_is_no_z_prime_but_a_vehicle_cv():
    line = plate_quality(*_plate(VEHICLE, []), "luminescence").of("U2OS")
    assert line.z_prime is None
    assert line.vehicle_cv == pytest.approx(coefficient_of_variation(VEHICLE))


def test_the_constant_vehicle_of_a_normalised_source_cannot_be_judged():
    line = plate_quality(*_plate([1.0] * 4, [0.1, 0.12], is_normalised=True), "luminescence").of("U2OS")
    assert (line.z_prime, line.ssmd, line.vehicle_cv) == (None, None, None)


def test_a_channel_that_was_not_read_is_refused_with_those_that_were():
    with pytest.raises(AnalysisError, match="no channel 'GFP'; it has luminescence"):
        plate_quality(*_plate(VEHICLE, POSITIVE), "GFP")


@pytest.mark.parametrize(
    ("dose", "response", "area"),
    [
        pytest.param([0.1, 1, 10], [1, 1, 1], 1.0, id="inert"),
        pytest.param([0.1, 1, 10], [1, 0.5, 0], 0.5, id="straight"),
        pytest.param([0, 0.1, 0.1, 1, 10], [9, 1.1, 0.9, 0.5, 0], 0.5, id="replicates-and-control"),
        pytest.param([0.1, 1, 10, 100], [1, 0.5, 0, math.nan], 0.5, id="missing"),
    ],
)
def test_the_area_is_the_mean_response_over_log_dose(dose, response, area):
    assert area_under_curve(dose, response) == pytest.approx(area)


@pytest.mark.parametrize(
    ("dose", "response", "message"),
    [([1, 2], [1], "2 doses, 1 responses"), ([0, 1], [1, 1], "1 distinct doses above 0")],
    ids=["lengths", "one-dose"],
)
def test_an_area_needs_two_doses(dose, response, message):
    with pytest.raises(AnalysisError, match=message):
        area_under_curve(dose, response)
