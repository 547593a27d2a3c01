"""Curves and kinds that belong together find each other, and none is lost or doubled on the way."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.planner.curves import LOG_DENSITY_UNIT, CurvePrior
from cellos_nb.planner.exchange import _partners, exchanged
from cellos_nb.planner.model import DoseResponseGP


def blocks(n_kinds, n_curves, width):
    """Log density of curves about each kind, on one line."""
    kinds, curves = np.linspace(0, 1, n_kinds)[:, None], np.linspace(0, 1, n_curves)[None]
    logs = np.maximum(-0.5 * ((kinds - curves) / width) ** 2, -41.0)
    return np.round(logs / LOG_DENSITY_UNIT).astype(np.int16)


def evenly(n_rows, n, n_places):
    return np.tile(np.arange(n, dtype=np.int32) * n_places // n, (n_rows, 1)).astype(np.int32)


@pytest.mark.parametrize("n", [1, 2, 3, 64, 100, 512, 777])
def test_every_row_keeps_its_curves(n):
    curves = np.sort(np.random.default_rng(0).integers(0, 90, (3, n)).astype(np.int32), axis=1)
    result = exchanged(blocks(40, 90, 0.1), evenly(3, n, 40), curves, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(result, axis=1), curves)


@pytest.mark.parametrize("n_bits", [1, 3, 6])
def test_partners_differ_in_the_bits_asked_for_and_each_sample_has_one(n_bits):
    places = np.arange(2**n_bits).reshape((2,) * n_bits)
    for difference in range(1, 2**n_bits):
        here, there = (places[each].ravel() for each in _partners(difference, n_bits))
        assert np.all(here ^ there == difference)
        assert sorted([*here, *there]) == list(range(2**n_bits))


@pytest.mark.parametrize("width", [0.05, 0.2])
def test_curves_stand_as_far_from_their_kinds_as_their_density_says(width):
    n, log_density = 512, blocks(256, 256, width)
    joint = np.exp(log_density * LOG_DENSITY_UNIT)
    for _ in range(300):
        joint /= joint.sum(axis=1, keepdims=True)
        joint /= joint.sum(axis=0)
    between = np.subtract.outer(np.arange(256), np.arange(256))
    result = exchanged(log_density, evenly(40, n, 256), evenly(40, n, 256), np.random.default_rng(2))
    assert (result - evenly(40, n, 256)).std() == pytest.approx(np.sqrt((joint * between**2).mean() * 256), rel=0.03)


def test_where_kinds_say_nothing_the_order_is_left_to_chance():
    n = 512
    kinds, curves = evenly(40, n, 256), evenly(40, n, 256)
    result = exchanged(blocks(256, 256, 1e3), kinds, curves, np.random.default_rng(3))
    correlations = np.corrcoef([kinds[0], *result])
    assert abs(correlations[0, 1:].mean()) < 0.03
    assert abs(correlations[np.triu_indices(41, 1)].mean()) < 0.01
    assert np.mean(correlations[np.triu_indices(41, 1)] ** 2) == pytest.approx(1 / n, rel=0.5)


def test_most_of_the_covariance_of_two_measured_lines_is_there():
    model = DoseResponseGP(CurvePrior(), (0.001, 10)).fit(["A", "B"], ["x"] * 2, [1.0, 1.0], [0.6, 0.5])
    conditions = ["A", "B"], ["x", "x"], [0.1, 0.1]
    draws = [model.sample(*conditions, 512, np.random.default_rng(seed)) for seed in range(60)]
    found = np.mean([np.cov(each.T)[0, 1] for each in draws])
    # The exchange stops early.
    assert 0.7 < found / model.covariance(*conditions)[0, 1] < 1.05
