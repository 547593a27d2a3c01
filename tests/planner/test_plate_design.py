"""The plate-design planner puts wells where they narrow EC50s; the contract suite holds what every planner promises."""

import numpy as np
import pytest

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.planner import make_planner
from cellos_nb.planner.curves import CurveLibrary, KindTable
from cellos_nb.planner.plate_design import _Curve, response_gradient


def config(**changes) -> CampaignConfig:
    values = {
        "name": "design", "cell_lines": ["U2OS"], "compounds": ["known", "new"], "dose_range_um": (1e-3, 100.0),
        "n_doses": 41, "batch_size": 8, "planner": "plate_design", "seed": 2,
    }  # fmt: skip
    return CampaignConfig(**(values | changes))


def measured(compound, doses, log10_ec50, n_copies=1) -> tuple[ExperimentResult, ...]:
    rng = np.random.default_rng(1)
    return tuple(
        ExperimentResult(
            ExperimentProposal("U2OS", compound, float(dose)), ResultStatus.OK,
            float(0.1 + 0.9 / (1 + (dose / 10**log10_ec50) ** 1.2) + 0.03 * rng.standard_normal()), iteration=1,
        )
        for dose in doses for _ in range(n_copies)
    )  # fmt: skip


def test_doses_close_in_on_an_ec50_that_is_roughly_known():
    asked = config(compounds=["known"])
    history = History(measured("known", asked.doses_um("known")[::5], -0.5))
    batch = make_planner(asked.planner).propose(asked, history, 2, 8)
    distance = np.abs(np.log10([proposal.dose_um for proposal in batch]) + 0.5)
    assert np.median(distance) < 0.75
    assert np.median(distance) < 0.6 * np.median(np.abs(np.log10(asked.doses_um("known")) + 0.5))


def test_wells_go_to_the_compound_that_is_known_least():
    asked = config()
    history = History(measured("known", asked.doses_um("known")[::2], -0.5))
    batch = make_planner(asked.planner).propose(asked, history, 2, 8)
    assert sum(proposal.compound == "new" for proposal in batch) >= 6


def test_an_inert_compound_gets_fewer_wells_than_an_active_one():
    asked = config(compounds=["inert", "active"])
    doses = asked.doses_um("inert")[::6]
    history = History(measured("inert", doses, 9.0) + measured("active", doses, -0.5))
    batch = make_planner(asked.planner).propose(asked, history, 2, 8)
    assert sum(proposal.compound == "active" for proposal in batch) >= 6


def test_it_tells_the_interval_to_expect_and_that_it_shrinks():
    asked = config(compounds=["known"])
    planner = make_planner(asked.planner)
    told = [planner.propose_and_tell(asked, History(), 1, n)[1]["expected_interval_decades"] for n in (4, 16)]
    assert told[1]["known on U2OS"] < told[0]["known on U2OS"] < 2 * 1.96


def test_the_first_proposals_are_initial_and_later_ones_explore():
    asked = config(compounds=["known"])
    planner = make_planner(asked.planner)
    assert {p.reason.intent for p in planner.propose(asked, History(), 1, 4)} == {"initial"}
    later = planner.propose(asked, History(measured("known", asked.doses_um("known")[::5], -0.5)), 2, 4)
    assert {p.reason.intent for p in later} == {"explore"}
    assert all(p.reason.acquisition > 0 for p in later)


@pytest.mark.parametrize("index", range(4), ids=["log10_ec50", "ln_slope", "plateau", "baseline"])
def test_the_gradient_is_that_of_the_curve(index):
    parameters = np.array([[-0.3, 1.4, -0.8, 1e3, 1.0], [0.7, 0.8, -0.5, 1e3, 1.0], [0.0, 1.2, 0.9, 1.5, 1.3]])
    doses, step = np.linspace(-2.5, 2.0, 7), 1e-6

    def responses(change):
        moved = parameters.copy()
        if index == 1:
            moved[:, 1] *= np.exp(change)
        elif index in {0, 2}:
            moved[:, index] += change
        baseline = 1.0 + (change if index == 3 else 0.0)
        return CurveLibrary(moved, KindTable(np.zeros((0, 0)), np.zeros(0, int), np.zeros(0)), baseline).responses(
            doses
        )

    expected = (responses(step) - responses(-step)) / (2 * step)
    np.testing.assert_allclose(response_gradient(parameters, doses)[:, :, index], expected, atol=1e-6)


def test_a_small_first_plate_is_as_small_as_asked_and_topped_up_when_wells_were_lost():
    asked = config(planner={"kind": "plate_design", "n_initial": 5})
    planner = make_planner(asked.planner)
    assert len(planner.propose(asked, History(), 1, 8)) == 5
    three = History(measured("known", asked.doses_um("known")[::20], -0.5))
    assert len(planner.propose(asked, three, 2, 8)) == 2
    five = History(measured("known", asked.doses_um("known")[::8], -0.5)[:5])
    assert len(planner.propose(asked, five, 2, 8)) == 8


def test_a_condition_promises_the_logarithm_by_which_it_narrows_the_interval():
    rng = np.random.default_rng(4)
    covariance = np.repeat(np.diag([1.0, 0.5, 0.1, 0.01])[None], 3, axis=0)
    curve = _Curve(np.arange(5), rng.normal(size=(3, 5, 4)), covariance, active_share=0.8)
    promised = curve.gains()[2]
    curve.measure(2)
    shrunk = np.log(np.sqrt(curve.covariance[:, 0, 0]))
    assert promised == pytest.approx(-0.8 * shrunk.mean())
    assert np.ptp(shrunk) > 0.05
