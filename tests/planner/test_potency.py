"""What is believed of an EC50: its interval, and whether the doses hold it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.potency import potency_of

DOSES = 0.001, 10.0


def told(**ec50s):
    """A model that saw five doses of each compound."""
    rng = np.random.default_rng(0)
    rows = [(name, dose, ec50) for name, ec50 in ec50s.items() for dose in np.geomspace(*DOSES, 5)]
    responses = [1 / (1 + dose / ec50) + 0.03 * rng.normal() for _, dose, ec50 in rows]
    compounds, doses = [row[0] for row in rows], [row[1] for row in rows]
    return DoseResponseGP(dose_range_um=DOSES).fit(["A"] * len(rows), compounds, doses, responses)


def test_an_ec50_between_the_doses_has_an_interval_around_it():
    potency = potency_of(told(x=0.1), "A", "x", DOSES)
    low, high = potency.interval_um
    assert low < 0.1 < high < 10 * low
    assert low < 10**potency.log10_ec50_um < high
    assert potency.within_doses > 0.95


def test_a_compound_that_shows_nothing_has_an_interval_without_upper_end():
    potency = potency_of(told(x=0.1, y=math.inf), "A", "y", DOSES)
    assert potency.interval_um[1] == math.inf
    assert potency.within_doses < 0.1


def test_a_compound_that_kills_at_every_dose_has_an_interval_without_lower_end():
    assert potency_of(told(x=1e-5), "A", "x", DOSES).interval_um[0] == 0.0


def test_what_was_never_measured_may_lie_anywhere():
    potency = potency_of(told(x=0.1), "A", "new", DOSES)
    assert potency.interval_um[1] == math.inf
    assert 0.2 < potency.within_doses < 0.9


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(1)
    truths = {f"c{i}": ec50 for i, ec50 in enumerate(10 ** rng.uniform(-2.5, 0.5, 60))}
    model = told(**truths)
    intervals = {name: potency_of(model, "A", name, DOSES).interval_um for name in truths}
    held = np.mean([intervals[name][0] <= ec50 <= intervals[name][1] for name, ec50 in truths.items()])
    assert held == pytest.approx(0.95, abs=0.06)
