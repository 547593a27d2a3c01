"""The plain process over numbers and categories, exact and with points that stand for many."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.planner import mixed_gp
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.length_scales import ScalePrior, ScaleProblem, learnt
from cellos_nb.planner.mixed_gp import MixedGP

IS_CATEGORY = [True, False, False]


def data(n, seed=0):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 3, n), rng.random((n, 2))])
    return x, np.sin(5 * x[:, 1]) + x[:, 2] * (x[:, 0] == 1) + 0.1 * rng.normal(size=n)


def test_predictions_are_those_of_the_textbook():
    x, y = data(40)
    model = MixedGP(IS_CATEGORY).fit(x, y)
    new = data(7, 1)[0]
    prior, noise = model._sd**2 * model._kernel(x, x), model.noise_sd**2 + 1e-8 * model._sd**2
    between = model._sd**2 * model._kernel(new, x)
    solved = np.linalg.solve(prior + noise * np.eye(40), np.column_stack([y - y.mean(), between.T]))
    mean, sd = model.predict(new)
    np.testing.assert_allclose(mean, y.mean() + between @ solved[:, 0], atol=1e-8)
    expected = model._sd**2 * model._kernel(new, new) - between @ solved[:, 1:]
    np.testing.assert_allclose(model.covariance(new, new), expected, atol=1e-8)
    np.testing.assert_allclose(sd**2, np.diag(expected), atol=1e-8)


def test_with_points_that_stand_for_many_little_is_lost(monkeypatch):
    x, y = data(400)
    new = data(60, 1)[0]
    exact = MixedGP(IS_CATEGORY).fit(x, y)
    monkeypatch.setattr(mixed_gp, "MAX_EXACT", 100)
    monkeypatch.setattr(mixed_gp, "_N_INDUCING", 120)
    sparse = MixedGP(IS_CATEGORY).fit(x, y)
    assert len(sparse._points) == 120
    (mean, sd), (close, close_sd) = exact.predict(new), sparse.predict(new)
    assert np.abs(mean - close).max() < 0.02
    assert np.abs(sd - close_sd).max() < 0.02
    assert sparse.log_evidence == pytest.approx(exact.log_evidence, abs=2.0)
    np.testing.assert_allclose(np.diag(sparse.covariance(new, new)), close_sd**2, atol=1e-8)


def test_optimism_is_never_below_mean_and_two_deviations():
    x, y = data(80)
    model = MixedGP(IS_CATEGORY).fit(x, y)
    new = data(300, 2)[0]
    mean, sd = model.predict(new)
    assert np.all(model.optimism(new) >= mean + 2 * sd - 1e-9)


def test_beliefs_after_several_candidates_are_those_of_conditioning_on_all_of_them():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(8, 8))
    joint = root @ root.T
    sd = np.sqrt(np.diag(joint))
    beliefs = Beliefs(
        mean=rng.normal(size=8),
        sd=sd,
        block=np.zeros(8, dtype=np.int64),
        covariance=lambda rows: joint[np.ix_(rows, rows)],
        noise_variance=0.3,
        incumbent=0.0,
    )
    for candidate in (2, 5, 2):
        beliefs.believe(candidate)
    known = np.array([2, 5, 2])
    inside = joint[np.ix_(known, known)] + 0.3 * np.eye(3)
    expected = joint - joint[:, known] @ np.linalg.solve(inside, joint[known])
    np.testing.assert_allclose(beliefs.variance, np.diag(expected), atol=1e-9)


def test_few_wells_are_enough_where_all_columns_change_the_response_alike():
    def log_density(seed):
        rng = np.random.default_rng(seed)
        x = rng.random((212, 6))
        y = np.exp(-2 * ((x - 0.4) ** 2).sum(axis=1))
        model = MixedGP([False] * 6).fit(x[:12], y[:12])
        mean, sd = model.predict(x[12:])
        variance = sd**2 + model.noise_sd**2
        return np.mean(-0.5 * (y[12:] - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance))

    assert np.mean([log_density(seed) for seed in range(12)]) > -0.2


def test_a_column_that_does_nothing_gets_a_long_length_scale_once_the_wells_say_so():
    rng = np.random.default_rng(0)
    x = rng.random((60, 4))
    y = np.sin(6 * x[:, 0]) + np.sin(6 * x[:, 1]) + 0.05 * rng.normal(size=60)
    log_lengths = learnt(x, (y - y.mean()) / y.std(), np.zeros(4, dtype=bool))[:4]
    assert log_lengths[2:].min() > log_lengths[:2].max() + 0.7


def test_before_any_data_length_scales_move_together_and_a_little_apart():
    prior = ScalePrior.of(3)
    together, apart = prior.centre.copy(), prior.centre.copy()
    together[:3] += 1.0
    apart[:3] += [1.0, -1.0, 1.0]
    assert prior.pull(together)[0] < 0.6
    assert prior.pull(apart)[0] > 3.0


def test_a_search_that_goes_as_far_as_it_may_still_finds_a_covariance_to_invert():
    x = np.linspace(0, 1, 300)[:, None]
    problem, prior = ScaleProblem.of(x, np.sign(x[:, 0] - 0.5), np.zeros(1, dtype=bool)), ScalePrior.of(1)
    (_, longest), (_, loudest), (least_noise, _) = prior.bounds
    assert np.isfinite(problem.loss(np.array([longest, loudest, least_noise]))[0])
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        problem.loss(np.array([longest + 4, loudest + 8, least_noise - 4]))


def test_the_gradient_of_the_evidence_is_that_of_finite_differences():
    x, y = data(25)
    problem = ScaleProblem.of(x, (y - y.mean()) / y.std(), np.array(IS_CATEGORY))
    theta = np.array([0.1, -0.4, 0.3, 0.2, -1.5])
    gradient = problem.loss(theta)[1]
    step = 1e-5
    for i in range(len(theta)):
        change = step * np.eye(len(theta))[i]
        slope = (problem.loss(theta + change)[0] - problem.loss(theta - change)[0]) / (2 * step)
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("seed", range(20, 30))
def test_one_value_that_dwarfs_all_others_leaves_a_model_that_predicts(seed):
    rng = np.random.default_rng(seed)
    n, n_columns = int(rng.integers(10, 60)), int(rng.integers(1, 6))
    x = rng.random((n, n_columns)).round(int(rng.integers(1, 3)))
    y = 1e-3 * x[:, 0]
    y[-1] = 1e3
    mean, sd = MixedGP([False] * n_columns).fit(x, y).predict(x)
    assert np.isfinite([mean, sd]).all()
