"""Worth learnt from choices between two."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import entr, ndtr
from scipy.stats import multivariate_normal

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.preferences import PreferenceGP, choice_information


def test_the_posterior_of_two_items_is_near_that_of_quadrature():
    items, choices = np.array([[0.0], [0.7]]), [(1, 0)] * 3 + [(0, 1)]
    mean, sd = PreferenceGP(lengths=(0.5,)).fit(items, choices).predict(items)
    prior = 1.5**2 * np.exp(-0.5 * (items - items.T) ** 2 / 0.5**2)
    grid = np.linspace(-7, 7, 301)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    weight = multivariate_normal([0, 0], prior).pdf(np.dstack([first, second]))
    weight *= ndtr(second - first) ** 3 * ndtr(first - second)
    weight /= weight.sum()
    exact = np.array([(weight * first).sum(), (weight * second).sum()])
    spread = np.sqrt([(weight * (first - exact[0]) ** 2).sum(), (weight * (second - exact[1]) ** 2).sum()])
    # Laplace's approximation itself is off by some hundredths.
    np.testing.assert_allclose(mean, exact, atol=0.06)
    np.testing.assert_allclose(sd, spread, atol=0.06)


def test_a_hidden_order_is_found_from_choices():
    rng = np.random.default_rng(0)
    items = rng.uniform(0, 1, (25, 2))
    worth = 4 * np.sin(2 * items[:, 0]) - 2 * items[:, 1]
    pairs = [rng.choice(20, 2, replace=False) for _ in range(80)]
    choices = [(a, b) if worth[a] + rng.normal() > worth[b] + rng.normal() else (b, a) for a, b in pairs]
    mean, _ = PreferenceGP().fit(items, choices).predict(items)
    assert np.corrcoef(mean[20:], worth[20:])[0, 1] > 0.8  # items that nobody compared
    assert np.corrcoef(mean, worth)[0, 1] > 0.9


def test_the_probability_of_a_choice_is_that_of_simulated_worths():
    model = PreferenceGP().fit([[0.0], [0.4], [1.0]], [(2, 0), (2, 1), (1, 0)])
    mean, covariance = model.joint([[0.1], [0.8]])
    drawn = np.random.default_rng(1).multivariate_normal(mean, covariance, 200_000)
    simulated = ndtr(drawn[:, 1] - drawn[:, 0]).mean()
    assert model.probability([0.8], [0.1]) == pytest.approx(simulated, abs=0.005)
    assert model.probability([0.1], [0.8]) == pytest.approx(1 - simulated, abs=0.005)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.7, 0.3), (-1.5, 4.0), (0.2, 0.0)])
def test_the_information_of_a_choice_is_that_of_a_simulation(mean, variance):
    drawn = ndtr(mean + np.sqrt(variance) * np.random.default_rng(2).standard_normal(400_000))
    p = drawn.mean()
    simulated = entr(p) + entr(1 - p) - (entr(drawn) + entr(1 - drawn)).mean()
    # The published form approximates the entropy of one judgement by a bell curve.
    assert choice_information(np.array(mean), np.array(variance)) == pytest.approx(simulated, abs=0.01)


def test_the_next_comparison_is_not_one_whose_outcome_is_known():
    items = np.array([[0.0], [0.05], [0.5], [1.0]])
    model = PreferenceGP(lengths=(0.3,)).fit(items, [(1, 0)] * 40)
    pair = model.next_choice(items)
    assert set(pair) != {0, 1}
    mean, _ = model.predict(items)
    assert mean[pair[0]] >= mean[pair[1]]


@pytest.mark.parametrize(
    ("choices", "match"),
    [([], "no choices"), ([(0, 5)], r"\(0, 5\) is no choice"), ([(1, 1)], "two different items out of 0 to 1")],
)
def test_what_is_no_choice_is_refused(choices, match):
    with pytest.raises(AnalysisError, match=match):
        PreferenceGP().fit([[0.0], [1.0]], choices)
