"""A cheap measurement is used for what it tells about the one that counts."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.fidelity import FidelityCosts, TwoFidelityPlanner

X = np.linspace(0, 1, 90)[:, None]


def full(x):
    return np.sin(22 * x) + 0.8 * x


def cheap(x):
    return 0.6 * np.sin(22 * x) + 0.3


def planner(costs, seed=0, noise=0.02):
    made = TwoFidelityPlanner(X, [False], costs, seed)
    rng = np.random.default_rng(seed)
    made.tell([0, 12, 30, 45, 60, 89], cheap(X[[0, 12, 30, 45, 60, 89], 0]) + noise * rng.standard_normal(6), "cheap")
    made.tell([5, 30, 50], full(X[[5, 30, 50], 0]) + noise * rng.standard_normal(3), "full")
    return made


def test_the_best_is_found_for_less_than_full_measurements_alone_would_cost():
    def spent_until_found(costs, seed):
        made, rng, spent = planner(costs, seed), np.random.default_rng(100 + seed), 0.0
        for _ in range(60):
            row, way = made.ask()
            spent += costs.cheap if way == "cheap" else 1.0
            truth = (cheap if way == "cheap" else full)(X[row, 0])
            made.tell([row], [truth + 0.02 * rng.standard_normal()], way)
            if way == "full" and full(X[row, 0]) > full(X[:, 0]).max() - 0.05:
                return spent
        return spent

    with_proxy = [spent_until_found(FidelityCosts(0.05, 1.0), seed) for seed in range(3)]
    alone = [spent_until_found(FidelityCosts(1e9, 1.0), seed) for seed in range(3)]
    assert np.mean(with_proxy) <= np.mean(alone)
    assert np.median(with_proxy) < 4


@pytest.mark.parametrize(("cost", "way"), [(1e-4, "cheap"), (50.0, "full")])
def test_the_price_decides_which_way_is_asked_for(cost, way):
    assert planner(FidelityCosts(cost, 1.0)).ask()[1] == way


def test_cheap_data_move_the_full_prediction_where_nothing_was_measured_in_full():
    made = planner(FidelityCosts(0.1, 1.0))
    before, sd_before = made.predict()
    made.tell([10, 12], cheap(X[[10, 12], 0]), "cheap")
    after, sd_after = made.predict()
    truth = full(X[11, 0])
    assert abs(after[11] - truth) < abs(before[11] - truth)
    assert sd_after[11] < sd_before[11]


def test_nothing_is_asked_for_twice():
    made = planner(FidelityCosts(0.02, 1.0))
    asked = set()
    for _ in range(25):
        row, way = made.ask()
        assert (row, way) not in asked
        asked.add((row, way))
        made.tell([row], [(cheap if way == "cheap" else full)(X[row, 0])], way)


def test_too_little_or_a_price_of_nothing_is_refused():
    with pytest.raises(AnalysisError, match="0 cheap and 0 full measurements are too few"):
        TwoFidelityPlanner(X, [False], FidelityCosts(0.1, 1.0)).ask()
    with pytest.raises(AnalysisError, match="a cost is not above 0"):
        TwoFidelityPlanner(X, [False], FidelityCosts(0.0, 1.0))
