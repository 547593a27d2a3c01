"""A proposal is explained by what was known when it was made, in the numbers that it was made by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.errors import ProposalError
from cellos_nb.planner import explain, make_planner
from cellos_nb.testing.planner_contract import campaign, measured

ACQUISITIONS = ["nei", "ei", "ucb", "pi", "log_ei", "entropy"]
GOALS = ["minimise", "maximise", "selectivity"]


def laps(config, n_iterations):
    """The proposals of each iteration and the whole history."""
    planner, history, asked = make_planner(config.planner), History(), []
    for iteration in range(1, n_iterations + 1):
        asked.append(planner.propose(config, history, iteration, config.batch_size))
        history = History(history.results + measured(asked[-1], iteration))
    return asked, history


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_prediction_and_acquisition_at_the_proposed_dose_are_those_that_the_proposal_states(acquisition, goal):
    config = campaign({"kind": "mechanistic", "acquisition": acquisition}, goal)
    asked, history = laps(config, 3)
    for proposal in (asked[1][0], asked[1][-1], asked[2][3]):
        iteration = 2 if proposal in asked[1] else 3
        told = explain(config, history, iteration, proposal)
        assert told.basis == "model"
        assert told.mean_here == pytest.approx(proposal.reason.predicted_mean)
        assert told.sd_here == pytest.approx(proposal.reason.predicted_sd)
        here = told.choice.doses_um.tolist().index(proposal.dose_um)
        assert told.choice.acquisition[here] == pytest.approx(proposal.reason.acquisition, rel=1e-6, abs=1e-9)
        assert told.choice.is_open[here]
        is_expected_best = told.choice.score_mean >= told.choice.incumbent
        assert is_expected_best == (proposal.reason.intent == "exploit")


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_no_open_dose_promised_more_than_the_chosen_one(acquisition):
    config = campaign({"kind": "mechanistic", "acquisition": acquisition})
    asked, history = laps(config, 2)
    for place, proposal in enumerate(asked[1], start=1):
        choice = explain(config, history, 2, proposal).choice
        here = choice.doses_um.tolist().index(proposal.dose_um)
        assert choice.place == place
        assert choice.acquisition[choice.is_open].max() <= choice.acquisition[here] + 1e-9
        assert choice.rank == 1


@pytest.mark.parametrize(
    "planner",
    [
        {"acquisition": "nei", "batch": "penalise"},
        {"acquisition": "ucb", "batch": "penalise", "cost": {"plate_usd": 9}},
        {"acquisition": "nei", "constraints": {"max_wells_per_compound": 9, "min_viability": 0.3}},
    ],
    ids=["penalised", "priced", "constrained"],
)
def test_what_was_chosen_ranked_first_also_with_penalties_prices_and_constraints(planner):
    config = campaign(planner)
    asked, history = laps(config, 2)
    for proposal in asked[1]:
        choice = explain(config, history, 2, proposal).choice
        here = choice.doses_um.tolist().index(proposal.dose_um)
        assert choice.rank == 1
        assert choice.is_open[here]
        assert choice.acquisition[here] == pytest.approx(proposal.reason.acquisition, rel=1e-6, abs=1e-9)


def test_doses_that_were_measured_or_chosen_before_are_not_open():
    config = campaign()
    asked, history = laps(config, 3)
    taken = {proposal.condition for lap in asked[:2] for proposal in lap}
    for place, proposal in enumerate(asked[2]):
        choice = explain(config, history, 3, proposal).choice
        gone = taken | {earlier.condition for earlier in asked[2][:place]}
        for dose, is_open in zip(choice.doses_um.tolist(), choice.is_open.tolist(), strict=True):
            assert is_open == (replace(proposal, dose_um=dose).condition not in gone)


def test_later_results_do_not_change_an_explanation():
    config = campaign()
    asked, history = laps(config, 4)
    early = History(tuple(result for result in history if result.iteration < 2))
    now, then = (explain(config, known, 2, asked[1][0]) for known in (history, early))
    assert np.array_equal(now.mean, then.mean)
    assert np.array_equal(now.choice.acquisition, then.choice.acquisition)
    assert now.neighbours == then.neighbours


def test_the_first_experiments_are_spread_and_rest_on_the_prior_alone():
    config = campaign()
    asked, history = laps(config, 1)
    told = explain(config, history, 1, asked[0][0])
    assert (told.basis, told.choice, told.neighbours, told.n_learnt) == ("spread", None, (), 0)
    assert np.all(np.isfinite(told.mean))
    assert told.sd.min() > 0


def test_the_nearest_data_are_of_the_compound_with_the_same_line_first():
    config = campaign()
    asked, history = laps(config, 5)
    proposal = asked[4][0]
    near = explain(config, history, 5, proposal).neighbours
    known = [r for r in history if r.iteration < 5 and r.proposal.compound == proposal.compound]
    assert {one.result for one in near} == set(known)
    assert [(not one.is_same_line, one.decades) for one in near] == sorted(
        (not one.is_same_line, one.decades) for one in near
    )


@pytest.mark.parametrize("kind", ["random", "space_filling"])
def test_a_planner_that_asks_no_model_is_said_to_be_one_and_the_curve_is_shown_all_the_same(kind):
    config = campaign({"kind": kind})
    asked, history = laps(config, 2)
    told = explain(config, history, 2, asked[1][0])
    assert (told.basis, told.choice, told.n_learnt) == ("other planner", None, config.batch_size)
    assert len(told.doses_um) == len(told.mean) == len(told.sd)


def test_a_proposal_that_the_planner_would_not_make_is_said_not_to_be_repeated():
    config = campaign()
    asked, history = laps(config, 2)
    made = {proposal.condition for lap in asked for proposal in lap}
    other = next(
        proposal
        for line in config.cell_lines
        for dose in config.doses_um("c0")
        if (proposal := ExperimentProposal(line, "c0", dose)).condition not in made
    )
    assert explain(config, history, 2, other).basis == "not repeated"


def test_an_experiment_that_the_campaign_does_not_offer_is_refused():
    with pytest.raises(ProposalError, match=r"c0 at 7 µM on U2OS is not among the campaign's 99 experiments"):
        explain(campaign(), History(), 1, ExperimentProposal("U2OS", "c0", 7.0))
