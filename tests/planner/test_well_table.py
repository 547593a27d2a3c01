"""The numbers of a table as a plain process sees them."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.planner.well_table import WellTable


def encoded(levels):
    space = {"parameters": {"amount": {"type": "float", "levels": levels}}}
    return WellTable.of(space).encoded[:, 0]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param([0.01, 0.1, 1.0, 10.0], [0, 1 / 3, 2 / 3, 1], id="a-dilution-series"),
        pytest.param([0.0, 0.1, 1.0, 10.0, 100.0], [0, 0.25, 0.5, 0.75, 1], id="none-is-one-step-below-the-lowest"),
        pytest.param([0.0, 1.0, 3.16227766, 10.0], [0, 1 / 3, 2 / 3, 1], id="half-logarithmic"),
        pytest.param([0.0, 25.0, 50.0, 75.0, 100.0], [0, 0.25, 0.5, 0.75, 1], id="even-steps-stay"),
        pytest.param([6.0, 12.0, 24.0, 48.0], [0, 1 / 7, 3 / 7, 1], id="less-than-a-decade-stays"),
        pytest.param([-1.0, 0.1, 1.0, 10.0, 100.0], [0, 1.1 / 101, 2 / 101, 11 / 101, 1], id="signed-stays"),
        pytest.param([1.0, 100.0], [0, 1], id="two-levels"),
        pytest.param([5.0], [0], id="one-level"),
    ],
)
def test_doses_are_seen_by_their_logarithms_and_other_numbers_as_they_are(levels, expected):
    np.testing.assert_allclose(encoded(levels), expected, atol=1e-9)


def test_even_random_numbers_are_no_doses():
    numbers = np.sort(np.random.default_rng(0).random(300))
    np.testing.assert_allclose(encoded(numbers.tolist()), (numbers - numbers[0]) / np.ptp(numbers), atol=1e-12)
