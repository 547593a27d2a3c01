"""Every acquisition is what it is called, by an independent computation: quadrature, simulation or another library."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import differential_entropy, norm

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.acquisition import choose_by_sampling, log_expected_improvement, sampled_improvement
from cellos_nb.planner.batches import promises_after
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.emukit_bridge import promises
from cellos_nb.planner.entropy import max_value_information
from cellos_nb.planner.hypervolume import hypervolume, hypervolume_gain, pareto_front, sampled_hypervolume_gain
from cellos_nb.planner.mechanistic import MechanisticPlanner
from cellos_nb.testing.planner_contract import campaign, run

MEAN, SD, INCUMBENT = np.array([-0.4, 0.1, 0.3, 0.9]), np.array([0.2, 0.05, 0.4, 0.1]), 0.25


def improvement(mean, sd, incumbent):
    """The expected improvement by quadrature over the score."""
    return quad(lambda y: (y - incumbent) * norm.pdf(y, mean, sd), incumbent, max(incumbent, mean) + 12 * sd)[0]


def beliefs():
    return Beliefs(
        mean=MEAN.copy(),
        sd=SD,
        block=np.arange(4),
        covariance=lambda rows: np.diag(SD[rows] ** 2),
        noise_variance=0.01,
        incumbent=INCUMBENT,
    )


def question(acquisition, goal="minimise", batch="auto", iterations=2):
    config = campaign({"acquisition": acquisition, "batch": batch}, goal)
    thought = MechanisticPlanner(config.planner).deliberate(config, run(config, iterations), iterations + 1, 6)
    return thought.model_asked.question, list(thought.model_asked.values)


def test_expected_improvement_is_that_of_quadrature():
    expected = [improvement(m, s, INCUMBENT) for m, s in zip(MEAN, SD, strict=True)]
    np.testing.assert_allclose(promises(beliefs(), "ei"), expected, rtol=1e-6, atol=1e-9)


def test_probability_of_improvement_and_confidence_bound_are_those_of_the_normal_distribution():
    np.testing.assert_allclose(promises(beliefs(), "pi"), norm.sf(INCUMBENT, MEAN, SD))
    np.testing.assert_allclose(promises(beliefs(), "ucb"), MEAN + 2 * SD)


@pytest.mark.parametrize("z", [3.0, 0.0, -0.999, -1.001, -5.0, -12.0, -30.0, -300.0, -2e4, -1e6])
def test_the_logarithm_of_expected_improvement_holds_where_the_improvement_underflows(z):
    sd = 0.3
    scaled = quad(lambda u: u * np.exp(u * z - 0.5 * u**2), 0, 15 / max(1.0, -z / 3) + max(z, 0) + 5, limit=200)[0]
    if z < -50:
        # There the quadrature's interval is many widths; the first terms of the asymptotic series are exact enough.
        scaled = (1 - 3 / z**2) / z**2
    expected = np.log(sd) - 0.5 * z**2 - 0.5 * np.log(2 * np.pi) + np.log(scaled)
    got = log_expected_improvement(np.array([z * sd]), np.array([sd]), 0.0)[0]
    assert got == pytest.approx(expected, abs=2e-6, rel=1e-10)


def test_noisy_improvement_over_a_known_best_is_expected_improvement():
    rng = np.random.default_rng(0)
    samples = MEAN + SD * rng.standard_normal((400_000, 4))
    expected = [improvement(m, s, INCUMBENT) for m, s in zip(MEAN, SD, strict=True)]
    np.testing.assert_allclose(sampled_improvement(samples, np.full(len(samples), INCUMBENT)), expected, atol=1e-3)


@pytest.mark.parametrize("n_candidates", [5, 60, 300])
@pytest.mark.parametrize("shift", [0.0, -5.0], ids=["improving", "hopeless"])
def test_a_batch_chosen_with_bounds_is_the_greedy_one(n_candidates, shift):
    rng = np.random.default_rng(n_candidates)
    scores = rng.standard_normal((64, n_candidates)).astype(np.float32) + rng.normal(0, 0.5, n_candidates) + shift
    allowed, costs = rng.random(n_candidates) < 0.9, rng.integers(1, 3, n_candidates)
    chosen, gains = choose_by_sampling(scores, np.full(64, 1.0), 8, allowed, costs)
    best, open_, expected = np.full(64, 1.0), allowed.copy(), []
    while costs[expected].sum() < 8 and open_.any():
        gain = np.maximum(scores - best[:, None], 0).mean(axis=0)
        value = gain / costs if gain[open_].max() > 1e-12 else scores.mean(axis=0) + scores.std(axis=0)
        pick = int(np.argmax(np.where(open_, value, -np.inf)))
        assert gains[len(expected)] == pytest.approx(gain[pick], abs=1e-12)
        expected.append(pick)
        best, open_[pick] = np.maximum(best, scores[:, pick]), False
    assert chosen == expected


@pytest.mark.parametrize("noise_sd", [0.02, 0.1, 0.3, 1.5])
@pytest.mark.parametrize("maximum", [-0.3, 0.2, 0.6])
def test_information_on_the_best_value_is_the_loss_of_entropy_in_a_simulation(maximum, noise_sd):
    mean, sd = 0.1, 0.3
    rng = np.random.default_rng(1)
    truth = mean + sd * rng.standard_normal(2_000_000)
    truth = truth[truth <= maximum][:150_000]
    seen = truth + noise_sd * rng.standard_normal(len(truth))
    before = 0.5 * np.log(2 * np.pi * np.e * (sd**2 + noise_sd**2))
    correlation = sd / np.hypot(sd, noise_sd)
    told = max_value_information(np.array([mean]), np.array([sd]), np.array([correlation]), np.array([maximum]))[0]
    assert told == pytest.approx(before - differential_entropy(seen), abs=0.01)


def test_information_without_noise_is_the_published_closed_form():
    rng = np.random.default_rng(2)
    maxima = 0.5 + 0.1 * rng.standard_normal(20_000)
    told = max_value_information(MEAN[:3], SD[:3], np.ones(3), maxima)
    gamma = (maxima - MEAN[:3, None]) / SD[:3, None]
    closed = (gamma * norm.pdf(gamma) / (2 * norm.cdf(gamma)) - norm.logcdf(gamma)).mean(axis=1)
    np.testing.assert_allclose(told, closed, rtol=0.02, atol=2e-3)


def test_a_measurement_of_noise_alone_tells_nothing_and_less_noise_tells_more():
    correlation = np.array([0.0, 0.3, 0.6, 0.9, 0.99])
    told = max_value_information(np.zeros(5), np.ones(5), correlation, np.array([0.5, 1.0]))
    assert told[0] == pytest.approx(0.0, abs=1e-6)
    assert np.all(np.diff(told) > 0)


def test_a_thompson_sample_chooses_an_option_as_often_as_it_is_the_best():
    asked, chosen = question("thompson")
    samples = asked.scores.samples
    is_open = asked.scores.allowed
    for place, option in enumerate(chosen):
        drawn = np.where(is_open, samples[place], -np.inf)
        drawn[chosen[:place]] = -np.inf
        assert option == int(np.argmax(drawn))
    assert len(set(chosen)) == 6


points = st.tuples(st.floats(-1, 2, width=16), st.floats(-1, 2, width=16))


@settings(max_examples=150, deadline=None)
@given(st.lists(points, max_size=8), points)
def test_the_gain_of_hypervolume_is_the_difference_of_two_volumes_by_moocore(front, candidate):
    reference = np.zeros(2)
    table = np.array(front, dtype=float).reshape(-1, 2)

    def volume(rows):
        inside = rows[(rows > 0).all(axis=1)]
        return moocore.hypervolume(inside, ref=reference, maximise=True) if len(inside) else 0.0

    gain = hypervolume_gain(table, np.array([candidate]), reference)[0]
    assert gain == pytest.approx(volume(np.vstack([table, candidate])) - volume(table), abs=1e-9)


def test_expected_gain_of_hypervolume_is_the_mean_over_samples():
    rng = np.random.default_rng(3)
    objectives, reference = rng.normal(0.4, 0.3, (40, 7, 2)), np.zeros(2)
    expected = [
        np.mean([hypervolume(s[[0, 3, i]], reference) - hypervolume(s[[0, 3]], reference) for s in objectives])
        for i in range(7)
    ]
    np.testing.assert_allclose(sampled_hypervolume_gain(objectives, [0, 3], reference), expected, atol=1e-12)


def test_three_objectives_have_a_front_and_a_volume():
    table = [[1, 0.1, 0.1], [0.1, 1, 0.1], [0.1, 0.1, 1], [0.09, 0.09, 0.09]]
    assert pareto_front(table) == [0, 1, 2]
    assert hypervolume(table, [0, 0, 0]) == pytest.approx(3 * 0.01 - 2 * 0.001)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: pareto_front([]), "table of finite numbers"),
        (lambda: pareto_front([[1.0, np.nan]]), "leave missing ones out"),
        (lambda: hypervolume([[1.0, 2.0]], [0.0]), "2 objectives, but a reference of 1"),
    ],
    ids=["empty", "missing", "reference"],
)
def test_a_table_without_a_front_is_refused(call, match):
    with pytest.raises(AnalysisError, match=match):
        call()


def test_the_penalty_around_a_choice_is_the_probability_that_it_leaves_a_place_for_the_best():
    asked, chosen = question("ei", batch="penalise")
    first = chosen[0]
    before, after = promises_after(asked, []), promises_after(asked, [first])
    np.testing.assert_array_equal(before.values, after.values)
    finite = np.isfinite(before.ranks)
    penalty = np.exp(after.ranks[finite] - before.ranks[finite])
    assert np.all((penalty > 0) & (penalty <= 1))
    # Simulated: the truth at the choice decides how far the best must be; the steepest dose step bounds the slope.
    scores, position = asked.scores, asked.position
    runs = [np.flatnonzero((position[:, :2] == pair).all(axis=1)) for pair in np.unique(position[:, :2], axis=0)]
    steepest = max(np.abs(np.diff(scores.mean[run]) / np.diff(position[run, 2])).max() for run in runs)
    truth = scores.mean[first] + scores.sd[first] * np.random.default_rng(4).standard_normal(200_000)
    best = max(scores.incumbent, scores.mean.max())
    apart = np.column_stack([position[:, :2] != position[first, :2], position[:, 2:] - position[first, 2]])
    distance = np.linalg.norm(apart.astype(float), axis=1)[finite]
    simulated = [(steepest * d > best - truth).mean() for d in distance]
    np.testing.assert_allclose(penalty, simulated, atol=0.005)


@pytest.mark.parametrize("acquisition", ["nei", "log_ei", "entropy", "thompson", "ucb"])
def test_a_penalised_or_believed_or_joint_batch_differs_from_the_best_few_alone(acquisition):
    asked, chosen = question(acquisition, iterations=1)
    alone = promises_after(asked, [])
    best = np.argsort(-np.where(alone.is_open, alone.ranks, -np.inf), kind="stable")[: len(chosen)]
    assert chosen[0] == best[0]
    assert chosen != best.tolist()
