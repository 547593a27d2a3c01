"""When a learnt prior is laid aside: an estimate decides alone wherever it is far from the border."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cellos_nb.planner import DoseResponseGP, Prior
from cellos_nb.planner.curves import CompoundClass, CurvePrior
from cellos_nb.planner.doubt import ODDS, is_denied, log_odds_of_vague

DOSE_RANGE_UM = (0.001, 10.0)
LEARNT = Prior.shipped().for_curves()
POTENT = CurvePrior(
    inactive_share=0.2,
    classes=(CompoundClass(1.0, (-1.5, 0.4, 3.0), (0.3, 0.15, 0.5), (0.3, 0.2, 0.5), 0.02),),
    learnt_share=0.8,
)


def wells(prior, n, seed=0):
    """Random wells of 12 compounds on 3 cell lines that are as the prior expects, with noise."""
    rng = np.random.default_rng(seed)
    lines, compounds = rng.choice(list("ABC"), n).tolist(), rng.choice([f"c{i}" for i in range(12)], n).tolist()
    doses = rng.choice(np.logspace(-3, 1, 8), n)
    truth = DoseResponseGP(prior, DOSE_RANGE_UM).sample(lines, compounds, doses, 1, rng)[0]
    return lines, compounds, doses, truth + 0.05 * rng.standard_normal(n)


def fitted(prior, told):
    return DoseResponseGP(prior, DOSE_RANGE_UM).fit(*told)


def never():
    pytest.fail("a second model was fitted")


@pytest.mark.parametrize("truth", [LEARNT, CurvePrior()], ids=["as learnt", "as vague"])
@pytest.mark.parametrize(("n", "error"), [(2, 0.1), (16, 0.4), (48, 0.8)])
def test_the_estimate_is_near_what_a_fit_of_the_vague_prior_says_and_decides_alike(truth, n, error):
    errors = []
    for seed in range(8):
        told = wells(truth, n, seed)
        learnt, vague = fitted(LEARNT, told), fitted(CurvePrior(), told)
        exact = vague.log_evidence - learnt.log_evidence
        errors.append(abs(log_odds_of_vague(learnt.posterior) - exact))
        denied = is_denied(learnt.posterior, n, lambda fit=vague: fit)
        assert denied is bool(exact > np.log(ODDS)) or abs(exact - np.log(ODDS)) < 1.5
    assert np.median(errors) < error


def test_far_from_the_border_no_second_model_is_fitted():
    assert not is_denied(fitted(POTENT, wells(POTENT, 60)).posterior, 60, never)
    weak = CurvePrior(inactive_share=0.01, ec50_log10_um=(1.0, 0.2), slope=(0.5, 0.1), efficacy=(3.0, 0.1))
    assert is_denied(fitted(POTENT, wells(weak, 60)).posterior, 60, never)


@pytest.mark.parametrize(("more", "denied"), [(np.log(ODDS) + 0.1, True), (np.log(ODDS) - 0.1, False)])
def test_near_the_border_a_fit_of_the_vague_prior_decides(more, denied):
    learnt = next(
        model.posterior
        for model in (fitted(LEARNT, wells(CurvePrior(), 40, seed)) for seed in range(100))
        if abs(log_odds_of_vague(model.posterior) - np.log(ODDS)) < 0.6
    )
    asked = []

    def vague():
        asked.append(40)
        return SimpleNamespace(log_evidence=learnt.log_evidence + more)

    assert bool(is_denied(learnt, 40, vague)) is denied
    assert asked == [40]


def test_without_measurements_nothing_is_denied():
    assert not is_denied(DoseResponseGP(LEARNT, DOSE_RANGE_UM).posterior, 0, never)
