"""What is drawn of a long line: less, and nothing that an eye would miss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellos_nb.panels.envelope import envelope


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 20))
def test_in_every_column_the_line_begins_ends_and_turns_where_it_did(seed, n, n_columns):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.random(n)), rng.normal(size=n)
    kept_x, kept_y = envelope(x, y, n_columns)
    assert len(kept_x) <= max(4 * n_columns, 1)
    assert set(zip(kept_x, kept_y, strict=True)) <= set(zip(x, y, strict=True))
    assert np.all(np.diff(kept_x) >= 0)
    if x[-1] <= x[0]:
        return
    edges = x[0] + (x[-1] - x[0]) * np.arange(n_columns + 1) / n_columns
    inside = 1e-9 * (x[-1] - x[0])
    for low, high in zip(edges[:-1] + inside, edges[1:] - inside, strict=True):
        before = y[(x > low) & (x < high)]
        after = kept_y[(kept_x > low - inside * 2) & (kept_x < high + inside * 2)]
        if len(before):
            assert after.min() <= before.min()
            assert after.max() >= before.max()


@pytest.mark.parametrize("n", [0, 1, 2, 40], ids=lambda n: f"{n} points")
def test_a_short_line_is_left_as_it_is(n):
    x, y = np.arange(float(n)), np.ones(n)
    assert envelope(x, y, 10) == (x, y) if n == 0 else envelope(x, y, 10)[0] is x


def test_a_single_spike_among_a_hundred_thousand_points_is_drawn():
    x, y = np.linspace(0, 1, 100_000), np.zeros(100_000)
    y[54_321] = 1.0
    kept_x, kept_y = envelope(x, y)
    assert len(kept_x) <= 2_400
    assert kept_x[np.argmax(kept_y)] == x[54_321]
