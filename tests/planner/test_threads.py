"""A planner that thinks leaves the other cores to the others."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cellos_nb.planner import length_scales, pool, pool_planner
from cellos_nb.planner.mixed_gp import MixedGP


def n_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def seen(monkeypatch):
    found = set()
    searched, asked = length_scales.ScaleProblem.loss, pool.PoolPlanner._by_model
    monkeypatch.setattr(
        length_scales.ScaleProblem, "loss", lambda self, theta: (found.update(n_threads()), searched(self, theta))[1]
    )
    monkeypatch.setattr(pool.PoolPlanner, "_by_model", lambda *args: (found.update(n_threads()), asked(*args))[1])
    return found


def test_length_scales_are_searched_on_one_thread_and_the_others_are_given_back(seen):
    x = np.random.default_rng(0).random((12, 2))
    with threadpool_limits(2, user_api="blas"):
        MixedGP([False, False]).fit(x, x.sum(axis=1))
        assert seen == {1}
        assert n_threads() == {2}


def test_a_table_with_few_measurements_is_planned_over_on_one_thread(seen):
    levels = {"compound": ["x", "y"], "log10_dose_M": [-8.0, -7.0, -6.0]}
    types = {"compound": "categorical", "log10_dose_M": "log10"}
    parameters = {name: {"type": types[name], "levels": levels[name]} for name in types}
    planner = pool_planner({"parameters": parameters, "objective": {"kind": "difference"}}, 1)
    planner.tell(planner.ask(2), [0.1, 0.3])
    with threadpool_limits(2, user_api="blas"):
        planner.ask(2)
        assert seen == {1}
        assert n_threads() == {2}
