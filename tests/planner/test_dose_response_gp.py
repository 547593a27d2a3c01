"""The mechanistic model: what it believes before, after and between measurements."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.errors import AnalysisError
from cellos_nb.planner import DoseResponseGP
from cellos_nb.planner.curves import CurvePrior
from cellos_nb.planner.library import draw_difference_library, draw_library
from cellos_nb.planner.mixed_gp import MixedGP

DOSES = np.logspace(-3, 1, 9)
RANGE = (0.001, 10.0)


def curve(doses_um, ec50=0.1, slope=1.3, bottom=0.1):
    return bottom + (1 - bottom) / (1 + (doses_um / ec50) ** slope)


def fitted(noise=0.02, n=9, seed=0, **options) -> DoseResponseGP:
    rng = np.random.default_rng(seed)
    doses = DOSES[:: len(DOSES) // n][:n]
    y = curve(doses) + noise * rng.normal(size=len(doses))
    return DoseResponseGP(CurvePrior(), RANGE, **options).fit(["A"] * len(doses), ["x"] * len(doses), doses, y)


def pool(lines=("A", "B"), compounds=("x", "y")):
    rows = [(line, compound, dose) for line in lines for compound in compounds for dose in DOSES]
    return [r[0] for r in rows], [r[1] for r in rows], np.array([r[2] for r in rows])


def test_the_posterior_follows_the_curve_and_shrinks_where_it_was_measured():
    before = DoseResponseGP(CurvePrior(), RANGE).predict(["A"] * 9, ["x"] * 9, DOSES)
    mean, sd = fitted().predict(["A"] * 9, ["x"] * 9, DOSES)
    assert np.abs(mean - curve(DOSES)).max() < 0.06
    assert np.all(sd < 0.4 * before[1])


def test_a_compound_measured_on_one_line_informs_another_line_but_no_other_compound():
    model = fitted()
    mean, sd = model.predict(["B", "B"], ["x", "y"], [1.0, 1.0])
    assert mean[0] < mean[1] - 0.2
    measured_sd = model.predict(["A"], ["x"], [1.0])[1]
    assert measured_sd[0] < sd[0]


def test_moments_of_samples_agree_with_predictions_and_joint_covariance():
    model = fitted(n=3)
    where = pool()
    mean, sd = model.predict(*where)
    samples = model.sample(*where, 6000, np.random.default_rng(1))
    assert samples.shape == (6000, len(mean))
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(samples.std(axis=0), sd, atol=0.02)
    covariance = model.covariance(*where)
    np.testing.assert_allclose(np.diag(covariance), sd**2, atol=1e-8)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.012)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


def test_compounds_are_independent_given_the_prior():
    lines, compounds, doses = pool()
    covariance = fitted().covariance(lines, compounds, doses)
    different = np.array(compounds)[:, None] != np.array(compounds)[None]
    assert np.all(covariance[different] == 0)


def test_the_order_of_the_pool_does_not_matter():
    model = fitted()
    lines, compounds, doses = pool()
    order = np.random.default_rng(0).permutation(len(doses))
    mean, sd = model.predict(lines, compounds, doses)
    shuffled = model.predict([lines[i] for i in order], [compounds[i] for i in order], doses[order])
    np.testing.assert_allclose(shuffled[0], mean[order], rtol=1e-12)
    np.testing.assert_allclose(shuffled[1], sd[order], rtol=1e-9)


def test_equal_data_and_seeds_give_equal_bytes():
    where = pool()
    first = fitted().sample(*where, 32, np.random.default_rng(5))
    assert first.tobytes() == fitted().sample(*where, 32, np.random.default_rng(5)).tobytes()


def test_the_noise_is_estimated():
    rng = np.random.default_rng(2)
    doses = np.tile(DOSES, 8)
    names = [f"c{i}" for i in range(8) for _ in DOSES]
    estimates = []
    for noise in (0.03, 0.13):
        y = np.concatenate([curve(DOSES, ec50) for ec50 in np.logspace(-2, 1, 8)]) + noise * rng.normal(size=72)
        estimates.append(DoseResponseGP(CurvePrior()).fit(["A"] * 72, names, doses, y).noise_sd)
    assert estimates[0] == pytest.approx(0.03, rel=0.7)
    assert estimates[1] == pytest.approx(0.13, rel=0.4)


def test_a_response_with_a_large_standard_error_is_trusted_less():
    def at_one(errors):
        model = DoseResponseGP(CurvePrior(), RANGE).fit(
            ["A"] * 3, ["x"] * 3, [0.01, 0.1, 1.0], [1.0, 0.95, 0.1], errors
        )
        return model.predict(["A"], ["x"], [1.0])

    sure, unsure = at_one([0.02] * 3), at_one([0.3] * 3)
    assert sure[0][0] < unsure[0][0]
    assert sure[1][0] < unsure[1][0]


def test_the_share_of_inactive_compounds_is_learnt():
    doses = np.tile(DOSES, 10)
    names = [f"c{i}" for i in range(10) for _ in DOSES]
    rng = np.random.default_rng(3)

    def learnt(y):
        model = DoseResponseGP(CurvePrior()).fit(["A"] * 90, names, doses, y + 0.03 * rng.normal(size=90))
        return model.inactive_share, model.predict(["A"], ["new"], [10.0])[0][0]

    (flat_share, flat_response), (steep_share, steep_response) = learnt(np.ones(90)), learnt(np.tile(curve(DOSES), 10))
    assert flat_share > steep_share + 0.3
    assert flat_response > steep_response + 0.1


@pytest.mark.parametrize(
    ("response", "amplitude_sign"),
    [
        pytest.param(curve, -1, id="viability-falls-from-1"),
        pytest.param(lambda d: 1 + 24 * (1 - curve(d)), 1, id="fold-induction-rises-from-1"),
        pytest.param(lambda d: 1 + 8 * (1 - curve(d, 0.03)) * curve(d, 3, 2, 0), 1, id="induction-under-toxicity"),
    ],
)
def test_direction_and_scale_are_found_by_evidence(response, amplitude_sign):
    y = response(DOSES)
    scale = np.ptp(y)
    y = y + 0.02 * scale * np.random.default_rng(4).normal(size=9)
    model = DoseResponseGP().fit(["A"] * 9, ["x"] * 9, DOSES, y)
    mean, _ = model.predict(["A"] * 9, ["x"] * 9, DOSES)
    assert np.sign(model.prior.amplitude) == amplitude_sign
    assert np.abs(mean - response(DOSES)).max() < 0.12 * scale


def test_the_ec50_is_recovered_and_known_better_with_more_wells():
    mean, sd = fitted(n=9).log10_ec50_um("A", "x")
    assert mean == pytest.approx(-1.0, abs=0.2)
    assert sd < fitted(n=3).log10_ec50_um("A", "x")[1] < DoseResponseGP(dose_range_um=RANGE).log10_ec50_um("A", "x")[1]


def test_missing_responses_are_left_out():
    with_gap = DoseResponseGP(CurvePrior(), RANGE).fit(["A"] * 3, ["x"] * 3, [0.01, 0.1, 1.0], [1.0, np.nan, 0.1])
    without = DoseResponseGP(CurvePrior(), RANGE).fit(["A"] * 2, ["x"] * 2, [0.01, 1.0], [1.0, 0.1])
    where = pool()
    np.testing.assert_array_equal(with_gap.predict(*where)[0], without.predict(*where)[0])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        pytest.param(
            (["A"], ["x", "y"], [1.0], [1.0]), "1 cell lines, 2 compounds, 1 doses, 1 responses", id="lengths"
        ),
        pytest.param((["A"], ["x"], [0.0], [1.0]), "not above 0 µM; leave out vehicle wells", id="dose-zero"),
        pytest.param((["A"], ["x"], [np.nan], [1.0]), "not above 0 µM", id="dose-nan"),
        pytest.param(([], [], [], []), "no responses; give some, or dose_range_um", id="nothing"),
    ],
)
def test_impossible_data_are_refused(arguments, match):
    with pytest.raises(AnalysisError, match=match):
        DoseResponseGP().fit(*arguments)


def test_a_model_that_was_never_fitted_says_what_to_do():
    with pytest.raises(AnalysisError, match="has seen no data; call fit"):
        DoseResponseGP().predict(["A"], ["x"], [1.0])


def test_every_kind_of_compound_has_a_full_distribution_over_curves():
    library = draw_library(CurvePrior(), (-3.0, 1.0), n_kinds=64, n_curves=300)
    np.testing.assert_allclose(library.conditional.sum(axis=1), 1.0)
    responses = library.responses(np.log10(DOSES))
    assert responses.shape == (301, 9)
    assert np.all(np.diff(responses, axis=1) <= 1e-12)
    assert np.all((responses > -1e-9) & (responses <= 1 + 1e-9))


def test_differences_of_two_lines_lie_about_zero():
    library = draw_difference_library(CurvePrior(baseline=0.0), (-3.0, 1.0))
    responses = library.responses(np.log10(DOSES))
    assert np.all(np.abs(responses) <= 1 + 1e-9)
    assert np.abs(responses.mean(axis=0)).max() < 0.03
    assert np.all(responses[0] == 0)


def test_the_plain_process_learns_numbers_and_categories():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.random(60), rng.random(60), rng.integers(0, 3, 60)])
    truth = np.sin(5 * x[:, 0]) + np.array([0.0, 1.0, -1.0])[x[:, 2].astype(int)]
    model = MixedGP([False, False, True]).fit(x[:40], truth[:40] + 0.05 * rng.normal(size=40))
    mean, sd = model.predict(x[40:])
    assert np.sqrt(np.mean((mean - truth[40:]) ** 2)) < 0.25
    np.testing.assert_allclose(np.diag(model.covariance(x[40:], x[40:])), sd**2, atol=1e-8)
