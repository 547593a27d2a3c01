from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb.workflow.dilution import Mixture, choose_parent, choose_sources, is_same, round_between, step_between

STOCK_UM = 10_000.0
MINIMUM_UL = 0.0025


def mixtures(doses):
    return [Mixture(dose, 0.005, 100.0, 100.0) for dose in doses]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-6, 49.0), min_size=1, max_size=6))
def test_no_smaller_set_of_dilutions_would_do(doses):
    asked = mixtures(doses)
    chosen = choose_sources(STOCK_UM, asked, MINIMUM_UL)
    assert all(mixture.can_use(source, MINIMUM_UL) for mixture, source in zip(asked, chosen, strict=True))
    n = len({source for source in chosen if not is_same(source, STOCK_UM)})
    lower_ends = {mixture.window_um(MINIMUM_UL)[0] for mixture in asked}
    for fewer in combinations(lower_ends, max(n - 1, 0)):
        sources = (*fewer, STOCK_UM)
        assert n == 0 or not all(any(m.can_use(s, MINIMUM_UL) for s in sources) for m in asked)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-6, 1.0), st.floats(0.005, 0.05), st.sampled_from((0.0025, 0.5, 1.0)))
def test_parts_add_up_to_the_mixture(dose, fraction, minimum):
    mixture = Mixture(dose, fraction, 30.0, 2000.0)
    (source,) = choose_sources(STOCK_UM, [mixture], minimum)
    volume = mixture.volume_from(source, minimum)
    compound_ul, solvent_ul = mixture.parts_ul(source, volume, minimum)
    assert 30.0 <= volume <= 2000.0 * (1 + 1e-9)
    assert compound_ul * source / volume == pytest.approx(dose, rel=1e-7)
    assert (compound_ul + solvent_ul) / volume == pytest.approx(fraction, rel=1e-7)
    assert compound_ul >= minimum
    assert solvent_ul == 0 or solvent_ul >= minimum


@given(st.floats(1e-9, 1e9), st.floats(1.0, 100.0))
def test_round_numbers_stay_between_their_ends(low, factor):
    high = low * factor
    assert low * (1 - 2e-9) <= round_between(low, high) <= high


def test_a_parent_is_the_source_that_wastes_least():
    made = Mixture(1.0, 1.0, 50.0, 2000.0)
    assert choose_parent(made, (10_000.0, 100.0, 0.5), 1.0, 2000.0) == (100.0, 100.0)
    assert choose_parent(made, (10_000.0,), 1.0, 2000.0) is None
    assert choose_parent(made, (10_000.0, 100.0), 0.0025, 2000.0) == (10_000.0, 50.0)


def test_a_dilution_too_large_for_one_step_is_made_in_equal_ones():
    assert step_between(1.0, 1000.0, 2000.0) is None
    first = step_between(1.0, 1e6, 2000.0)
    assert 800.0 <= first <= 1000.0
    low, n_steps = 1e-6, 0
    while low is not None:
        n_steps += 1
        low = step_between(low, 1e4, 40.0)
    assert n_steps <= 9
