"""Artefacts put into simulated plates: how often each is found, and how often one is cried in vain."""

import math

import numpy as np
import pytest
from faulty_plates import faulty_plate

from cellos_nb.analysis import drift_test, edge_test, plate_artefacts
from cellos_nb.domain.plate import PlateLayout
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.errors import AnalysisError

N_PLATES = 25


def _findings(n=N_PLATES, **fault):
    """One dict of findings by kind per plate, with the truth about the plate."""
    for seed in range(n):
        layout, reading, bad, rows = faulty_plate(seed, **fault)
        yield {f.kind: f for f in plate_artefacts(layout, reading, "luminescence")}, bad, rows


@pytest.mark.parametrize("replicates", [2, 3], ids=["duplicate", "triplicate"])
def test_faultless_plates_are_seldom_accused(replicates):
    found = [f for by_kind, _, _ in _findings(n=60, replicates=replicates) for f in by_kind.values() if f.is_found]
    # Four tests at 1 % each: 2.4 expected in sixty plates; more than 8 in less than one run of a thousand.
    assert len(found) <= 8


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        pytest.param("edge", {"edge": 0.1}, id="edge"),
        pytest.param("drift", {"drift": 0.15}, id="drift"),
        pytest.param("bubble", {"bubble": 0.5}, id="bubble"),
        pytest.param("swapped_rows", {"swap": True}, id="swapped-rows"),
    ],
)
def test_a_fault_is_found_and_called_by_its_name(kind, fault):
    findings = [by_kind for by_kind, _, _ in _findings(**fault)]
    assert np.mean([by_kind[kind].is_found for by_kind in findings]) >= 0.95
    others = [f.is_found for by_kind in findings for f in by_kind.values() if f.kind != kind]
    assert np.mean(others) <= 0.05


def test_the_well_with_the_bubble_is_named_and_no_other():
    hits = [by_kind["bubble"].wells == (bad,) for by_kind, bad, _ in _findings(bubble=0.4)]
    assert np.mean(hits) >= 0.9


def test_of_two_replicates_both_are_named_because_nobody_can_say_which_is_wrong():
    by_kind, bad, _ = next(_findings(n=1, replicates=2, bubble=0.3))
    assert bad in by_kind["bubble"].wells
    assert len(by_kind["bubble"].wells) == 2


def test_the_rows_that_changed_places_are_named():
    hits = [
        {well[0] for well in by_kind["swapped_rows"].wells} == {chr(65 + row) for row in rows}
        for by_kind, _, rows in _findings(swap=True)
    ]
    assert np.mean(hits) >= 0.95


def test_a_finding_says_in_words_what_and_how_much():
    by_kind, _, _ = next(_findings(n=1, drift=0.3, edge=0.2))
    assert by_kind["edge"].statistic == pytest.approx(math.log(0.8), abs=0.1)
    assert by_kind["edge"].verdict.startswith("edge effect: rim wells lie 0.2")
    assert "drift along the columns: +" in by_kind["drift"].verdict
    assert by_kind["bubble"].verdict.startswith("no single well stands out")


def test_the_same_plate_gives_the_same_findings():
    layout, reading, _, _ = faulty_plate(3, edge=0.05)
    assert plate_artefacts(layout, reading, "luminescence") == plate_artefacts(layout, reading, "luminescence")


def test_without_replicates_nothing_is_claimed():
    layout, reading, _, _ = faulty_plate(3)
    few = tuple(well for well in layout.wells if well.proposal_id is not None and well.replicate == 1)[::3][:6]
    findings = plate_artefacts(PlateLayout(96, few[:2]), reading, "luminescence")
    assert [f.kind for f in findings] == ["swapped_rows", "bubble", "edge", "drift"]
    assert not any(f.is_found for f in findings)
    assert all(math.isnan(f.p) and "cannot be told" in f.verdict for f in findings)


def test_missing_wells_are_left_out():
    layout, reading, _, _ = faulty_plate(5, edge=0.2)
    values = tuple(None if k % 9 == 0 else v for k, v in enumerate(reading.channels[0].values))
    gappy = Reading("c/p1", "3-read", reading.wells, (Channel("luminescence", "RLU", values),))
    found = {f.kind for f in plate_artefacts(layout, gappy, "luminescence") if f.is_found}
    assert found == {"edge"}


def test_the_wells_of_a_finding_can_be_tested_on_plain_arrays():
    rng = np.random.default_rng(1)
    group, position = np.repeat(np.arange(20), 4), np.tile(np.arange(4), 20)
    value = group + 0.2 * position / 3 + 0.05 * rng.standard_normal(80)
    test = drift_test(value, position, group)
    assert test.statistic == pytest.approx(0.2, abs=0.05)
    assert test.p < 0.01
    assert "above first wells" in test.verdict
    # Without the groups, what the wells hold drowns the drift.
    assert drift_test(value, position).p > 0.01


def test_p_values_of_noise_are_uniform():
    rng = np.random.default_rng(2)
    rim = np.arange(48) % 3 == 0
    p = [edge_test(rng.standard_normal(48), rim, seed=seed).p for seed in range(200)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.06)
    assert np.mean(p) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(([1, 2], [True]), "2 values, 1 positions, 2 groups; give one for each well", id="lengths"),
        pytest.param((["a"], [True]), "value: holds something that is not a number", id="text"),
        pytest.param(([[1.0]], [True]), "value: has 2 dimensions", id="matrix"),
    ],
)
def test_what_is_no_column_of_wells_is_refused(arguments, message):
    with pytest.raises(AnalysisError, match=message):
        edge_test(*arguments)


def test_an_unknown_channel_and_an_impossible_level_are_refused():
    layout, reading, _, _ = faulty_plate(0)
    with pytest.raises(AnalysisError, match="no channel 'GFP'; it has luminescence"):
        plate_artefacts(layout, reading, "GFP")
    with pytest.raises(AnalysisError, match=r"level: 1.5 is no probability; give a number between 0 and 1"):
        plate_artefacts(layout, reading, "luminescence", level=1.5)
