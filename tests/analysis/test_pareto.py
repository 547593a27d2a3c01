"""The Pareto front holds what nothing dominates, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb.analysis import pareto_front
from cellos_nb.errors import AnalysisError

SMALL = st.floats(-3, 3).map(lambda x: round(x, 1)) | st.sampled_from([np.nan, np.inf, -np.inf])


def by_definition(points):
    ok = [all(np.isfinite(p)) for p in points]
    return [
        ok[i]
        and not any(
            ok[j] and q[0] >= p[0] and q[1] >= p[1] and (q[0] > p[0] or q[1] > p[1]) for j, q in enumerate(points)
        )
        for i, p in enumerate(points)
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(SMALL, SMALL), max_size=30))
def test_the_front_is_what_the_definition_says(points):
    first, second = ([p[k] for p in points] for k in (0, 1))
    assert pareto_front(first, second).tolist() == by_definition(points)


def test_equal_points_stand_together():
    assert pareto_front([1, 1, 0], [1, 1, 0]).tolist() == [True, True, False]


def test_rows_of_different_length_are_refused():
    with pytest.raises(AnalysisError, match=r"shapes \(2,\) and \(1,\); give two equally long rows"):
        pareto_front([1, 2], [1])
