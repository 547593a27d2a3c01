"""What wells promise without sampling, and what is remembered between asks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cellos_nb.planner.curves import CurvePrior
from cellos_nb.planner.likelihood import Likelihood
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.promise import Layout, Promise

LINES, COMPOUNDS, LOG10_DOSES = ("A", "B"), ("x", "y", "z"), np.linspace(-3, 1, 5)
POOL = list(itertools.product(LINES, COMPOUNDS, LOG10_DOSES.tolist()))
SEEN = [("A", "x", -1.0, 0.9), ("A", "x", 0.0, 0.4), ("B", "x", 0.0, 0.5), ("A", "y", 1.0, 0.95)]


def columns(rows):
    lines, compounds, log10_doses = zip(*(row[:3] for row in rows), strict=True)
    return list(lines), list(compounds), 10.0 ** np.array(log10_doses)


def fitted(seen=SEEN, model=None):
    return (model or DoseResponseGP(dose_range_um=(0.001, 10))).fit(*columns(seen), [row[3] for row in seen])


@pytest.fixture(scope="module")
def promise():
    cost = 0.1 * np.arange(5.0)
    lines, compounds, doses = columns(POOL)
    model = fitted()
    return model, Promise(model, Layout.of(lines, compounds, np.log10(doses)), 1.0 - cost, -1.0)


def scores(responses):
    return 1.0 - 0.1 * np.tile(np.arange(5.0), 6) - responses


def test_means_are_those_of_the_model(promise):
    model, one = promise
    np.testing.assert_allclose(one.mean, scores(model.predict(*columns(POOL))[0]), atol=1e-4)


def test_improvements_are_those_of_many_samples(promise):
    model, one = promise
    incumbent = float(one.mean.max())
    sampled = scores(model.sample(*columns(POOL), 20_000, np.random.default_rng(0)))
    expected = np.maximum(sampled - incumbent, 0.0).mean(axis=0)
    # The residual, left out of the promise, adds about its standard deviation times 0.4 at the incumbent.
    np.testing.assert_allclose(one.improvement(incumbent), expected, atol=0.025)
    assert np.corrcoef(one.improvement(incumbent), expected)[0, 1] > 0.98


def test_joint_samples_of_a_compound_agree_however_many_of_its_lines_were_measured():
    model = fitted()
    rows = [("A", "x", -1.0), ("B", "x", -1.0), ("A", "y", 0.0), ("B", "y", 0.0), ("A", "z", 0.0), ("B", "z", 0.0)]
    sampled = model.sample(*columns(rows), 20_000, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(sampled.T), model.covariance(*columns(rows)), atol=0.012)


def test_a_model_that_was_fitted_before_learns_the_same_as_a_new_one():
    grown = fitted(SEEN, fitted(SEEN[:2]))
    for line, compound in itertools.product(LINES, COMPOUNDS):
        remembered, anew = (model.curves(line, compound)[1] for model in (grown, fitted()))
        # Sums of single precision, in another order.
        np.testing.assert_allclose(remembered, anew, rtol=1e-4, atol=1e-9)
    assert grown.log_evidence == pytest.approx(fitted().log_evidence, abs=1e-4)


def test_curves_on_which_nothing_is_new_are_not_compared_again(monkeypatch):
    compared = []
    plain = Likelihood.log_likelihoods

    def counted(self, noise_sd, groups=None):
        compared.extend(self.keys()[group] for group in groups)
        return plain(self, noise_sd, groups)

    monkeypatch.setattr(Likelihood, "log_likelihoods", counted)
    model = fitted()
    n_first = len(compared)
    fitted(SEEN, model)
    assert len(compared) == n_first
    fitted([*SEEN, ("A", "y", 0.0, 0.97)], model)
    # Of three groups one has grown; the others come again only where another noise is tried.
    assert len(compared) - n_first < n_first
    assert len(set(compared[n_first:])) < 6


def test_of_many_curves_those_measured_most_decide_about_the_noise(monkeypatch):
    compared: dict[float, int] = {}
    plain = Likelihood.log_likelihoods

    def counted(self, noise_sd, groups):
        compared[noise_sd] = compared.get(noise_sd, 0) + len(groups)
        return plain(self, noise_sd, groups)

    monkeypatch.setattr(Likelihood, "log_likelihoods", counted)
    rng = np.random.default_rng(0)
    often = [("A", f"often {i}", dose, 0.13 * rng.normal() + 1.0) for i in range(70) for dose in LOG10_DOSES]
    once = [("A", f"once {i}", 0.0, rng.random()) for i in range(100)]
    model = fitted(often + once, DoseResponseGP(CurvePrior(), (0.001, 10)))
    assert model.noise_sd == pytest.approx(0.13, rel=0.5)
    assert compared[model.noise_sd] == 170
    assert all(n == 64 for noise_sd, n in compared.items() if noise_sd != model.noise_sd)
