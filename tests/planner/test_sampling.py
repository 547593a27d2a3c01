"""Joint samples of curves: each as often as it is probable, and cell lines of one compound as they belong together."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.planner.curves import CurvePrior, spread_evenly
from cellos_nb.planner.library import draw_library
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.sampling import draw_curves

SEEN = [("A", "x", 0.1, 0.9), ("A", "x", 1.0, 0.4), ("B", "x", 1.0, 0.5), ("A", "y", 10.0, 0.95)]
PAIRS = [("x", "A"), ("x", "B"), ("x", "C"), ("y", "A"), ("z", "C")]


@pytest.fixture(scope="module")
def known():
    columns = list(zip(*SEEN, strict=True))
    return DoseResponseGP(CurvePrior(), (0.001, 10)).fit(*map(list, columns)).posterior


@pytest.mark.parametrize("start", [0.0, 0.37, 0.999])
def test_places_are_taken_as_often_as_their_weights_say(start):
    weights = np.random.default_rng(0).random((5, 40)) ** 4
    weights[2, :30] = 0.0
    chosen = spread_evenly(weights, 1000, start)
    assert chosen.shape == (5, 1000)
    for row, expected in zip(chosen, weights / weights.sum(axis=1, keepdims=True), strict=True):
        assert np.all(np.diff(row) >= 0)
        assert np.abs(np.bincount(row, minlength=40) - 1000 * expected).max() <= 1


def test_a_measured_pair_shows_every_curve_as_often_as_it_is_probable(known):
    drawn = draw_curves(known, PAIRS, 512, np.random.default_rng(1))
    for row in (0, 1, 3):
        weights = known.curve_weights(*PAIRS[row])
        counts = np.bincount(drawn[row], minlength=len(weights))
        assert np.abs(counts - 512 * weights / weights.sum()).max() <= 1


@pytest.mark.parametrize("pair", [("x", "A"), ("x", "B"), ("y", "A")], ids=str)
def test_curves_are_as_probable_as_all_kinds_together_make_them(known, pair):
    by_kind = known.kinds_of(pair[0]) @ known.curves_given_kind(*pair)
    np.testing.assert_allclose(known.curve_weights(*pair), by_kind, rtol=1e-4, atol=1e-9)


def test_pairs_not_measured_follow_their_kinds(known):
    drawn = draw_curves(known, PAIRS, 60_000, np.random.default_rng(2))
    for row in (2, 4):
        shares = np.bincount(drawn[row], minlength=known.library.conditional.shape[1]) / 60_000
        assert np.abs(shares - known.curve_weights(*PAIRS[row])).sum() < 0.2


def test_curves_of_two_lines_of_one_compound_belong_together_and_of_two_compounds_do_not(known):
    drawn = draw_curves(known, [("y", "C"), ("y", "D"), ("z", "C")], 20_000, np.random.default_rng(3))
    acts = (drawn != 0).astype(float)
    together = np.corrcoef(acts)
    assert together[0, 1] > 0.05
    assert abs(together[0, 2]) < 0.03
    alone = known.kinds_of("y") @ known.library.conditional[:, 0]
    both = known.kinds_of("y") @ known.library.conditional[:, 0] ** 2
    assert np.mean((drawn[0] == 0) & (drawn[1] == 0)) == pytest.approx(both, abs=0.02)
    assert np.mean(drawn[0] == 0) == pytest.approx(alone, abs=0.02)


def test_a_measured_line_suits_the_kinds_that_unmeasured_lines_show(known):
    library, n = known.library, 20_000
    drawn = draw_curves(known, [("x", "B"), ("x", "C")], n, np.random.default_rng(4))
    ec50 = library.parameters[drawn, 0]
    given_kind = known.curves_given_kind("x", "B") @ library.parameters[:, 0]
    others = library.conditional @ library.parameters[:, 0]
    kinds = known.kinds_of("x")
    exact = kinds @ (given_kind * others) - (kinds @ given_kind) * (kinds @ others)
    # The exchange of curves stops early: a little of the covariance may be missing.
    assert np.cov(ec50)[0, 1] == pytest.approx(exact, rel=0.1)


def test_libraries_of_other_scales_share_one_table_of_kinds():
    falling, rising = CurvePrior(), CurvePrior(baseline=1.0, amplitude=3.0)
    assert draw_library(falling, (-3.0, 1.0)).kinds is draw_library(rising, (-3.0, 1.0)).kinds
