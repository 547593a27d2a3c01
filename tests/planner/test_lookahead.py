"""What a well tells of better ones, and how that is weighed when a batch is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.planner.acquisition import choose_by_sampling
from cellos_nb.planner.lookahead import Lookahead
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.promise import Layout

LOG10_DOSES = np.linspace(-3, 1, 9)
COST = 0.12 * np.arange(9) / 2
INCUMBENT, RATE, ALL = 0.2, 0.03, np.ones(27, dtype=bool)
BY_ANOTHER = np.where(np.arange(27) == 13, RATE, 0.0)
"""What each well adds by itself: only one, of the flat compound, adds anything."""


def lookahead(doses=LOG10_DOSES, cost=COST):
    """Of three compounds on one cell line, of which y is flat and the others were not measured."""
    flat = [0.1, 1.0, 10.0, 10.0]
    model = DoseResponseGP(dose_range_um=(0.001, 10)).fit(["A"] * 4, ["y"] * 4, flat, [1.0] * 4)
    n = len(doses)
    layout = Layout.of(["A"] * 3 * n, np.repeat(["x", "y", "z"], n).tolist(), np.tile(doses, 3))
    return Lookahead(model, layout, 1.0 - cost, -1.0)


def by_simulation(one, n=1500):
    """Curves are drawn, measured with noise, and the next well is chosen with what is then known, dose by dose."""
    rng = np.random.default_rng(0)
    known, noise = one.model.posterior, one.model.noise_sd
    weights = known.curve_weights("x", "A")
    scores = one.offset + one.sign * known.library.responses(LOG10_DOSES)
    result = []
    for dose in range(len(LOG10_DOSES)):
        added = np.maximum(scores - np.maximum(scores[:, dose], INCUMBENT)[:, None], 0.0)
        gains = []
        for truth in rng.choice(len(weights), n, p=weights / weights.sum()):
            measured = scores[truth, dose] + noise * rng.standard_normal()
            after = weights * np.exp(-0.5 * ((measured - scores[:, dose]) / noise) ** 2)
            gains.append(max(float((after / after.sum() @ added).max()) - RATE, 0.0))
        result.append(np.mean(gains))
    return np.array(result)


@pytest.fixture(scope="module")
def fitted():
    return lookahead()


def test_what_a_dose_tells_is_that_of_simulated_measurements(fitted):
    gains = fitted.gains(ALL, INCUMBENT, BY_ANOTHER, 1)[:9]
    expected = by_simulation(fitted)
    assert expected.max() > 1.5 * expected.min() > 0
    np.testing.assert_allclose(gains, expected, atol=0.15 * expected.max())
    assert np.corrcoef(gains, expected)[0, 1] > 0.95


def test_compounds_that_are_equally_unknown_tell_the_same_and_a_flat_one_nothing(fitted):
    x, y, z = fitted.gains(ALL, INCUMBENT, BY_ANOTHER, 1).reshape(3, 9)
    np.testing.assert_array_equal(x, z)
    assert y.max() < 0.1 * x.max()


def test_the_going_rate_is_what_the_best_well_adds_by_itself_and_later(fitted):
    gains = fitted.gains(ALL, INCUMBENT, np.zeros(27), 1)
    known = np.where(np.arange(27) == 13, gains.max(), 0.0)
    np.testing.assert_allclose(gains, fitted.gains(ALL, INCUMBENT, known, 1), atol=0.05 * gains.max())
    assert gains.max() > fitted.gains(ALL, INCUMBENT, 2 * known, 1).max()


def test_nothing_is_told_where_other_wells_add_more_or_none_is_open(fitted):
    assert fitted.gains(ALL, INCUMBENT, BY_ANOTHER / RATE, 1).max() == 0.0
    is_open = np.zeros(27, dtype=bool)
    is_open[[0, 20]] = True
    gains = fitted.gains(is_open, INCUMBENT, np.zeros(27), 1)
    # One open well of a compound leaves no second one to find.
    assert gains.max() == 0.0


def test_many_doses_are_thinned_out_and_those_between_interpolated():
    doses = np.linspace(-3, 1, 97)
    fine = lookahead(doses=doses, cost=np.interp(doses, LOG10_DOSES, COST))
    coarse = lookahead()
    fine, coarse = (
        one.gains(np.ones(3 * n, dtype=bool), INCUMBENT, np.zeros(3 * n), 1)[:n] for one, n in ((fine, 97), (coarse, 9))
    )
    np.testing.assert_allclose(fine[::12], coarse, atol=0.3 * coarse.max())


def test_of_a_group_only_the_first_in_a_batch_is_chosen_for_what_it_tells():
    samples = np.array([[0.0, 0.0, 0.0, 0.1], [0.0, 0.0, 0.0, 0.0]])
    later = np.array([0.3, 0.2, 0.1, 0.0]), np.array([0, 0, 1, 2])
    chosen, gains = choose_by_sampling(samples, np.zeros(2), 3, np.ones(4, dtype=bool), later=later)
    assert chosen == [0, 2, 3]
    assert gains == pytest.approx([0.0, 0.0, 0.05])
