"""Proposals that cannot exist, how conditions are scored, and the table that a history becomes."""

import math

import numpy as np
import pytest
from scipy import stats

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import COLUMNS, History
from cellos_nb.domain.objective import ConditionScores, Estimate, best_condition, score_conditions
from cellos_nb.domain.proposal import ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus, WellResult
from cellos_nb.domain.summary import question
from cellos_nb.errors import ProposalError


def _config(goal="minimise", lines=("U2OS", "HeLa", "A549"), target=None):
    return CampaignConfig(
        name="c",
        cell_lines=lines,
        compounds=["x", "y"],
        dose_range_um=(0.01, 10),
        objective={"goal": goal, "target": target},
    )


def _result(
    line, value, *, compound="x", dose_um=1.0, n_wells=1, error=None, df=0, iteration=1, status=ResultStatus.OK
):
    return ExperimentResult(
        ExperimentProposal(line, compound, dose_um),
        status,
        value,
        error,
        df,
        wells=tuple(WellResult("c/p1", f"A{i + 1}", i + 1, value, value) for i in range(n_wells)),
        iteration=iteration,
    )


@pytest.mark.parametrize("dose", [0, -1, math.nan, math.inf, True, "1", None], ids=repr)
def test_a_dose_that_cannot_be_given_is_no_proposal(dose):
    with pytest.raises(ProposalError, match=r"dose_um: .* for x is no dose; give a finite number of µM above 0"):
        ExperimentProposal("U2OS", "x", dose)


@pytest.mark.parametrize("field", ["cell_line", "compound", "assay"])
@pytest.mark.parametrize("value", ["", "  ", None, 3], ids=repr)
def test_a_proposal_needs_names(field, value):
    names = {"cell_line": "U2OS", "compound": "x", "assay": "viability", field: value}
    with pytest.raises(ProposalError, match=f"{field}: .* is not a name"):
        ExperimentProposal(dose_um=1.0, **names)


def test_the_interval_of_a_result_is_students():
    low, high = _result("U2OS", 0.5, error=0.1, df=4).interval
    assert (low, high) == pytest.approx(stats.t.interval(0.95, 4, 0.5, 0.1))


@pytest.mark.parametrize(("error", "df"), [(None, 5), (0.1, 0)], ids=["no-error", "no-freedom"])
def test_without_error_or_freedom_there_is_no_interval(error, df):
    assert _result("U2OS", 0.5, error=error, df=df).interval is None
    assert Estimate(0.5, error, df).interval is None


@pytest.mark.parametrize(("goal", "best"), [("minimise", 0.2), ("maximise", 0.9)])
def test_the_best_condition_is_the_lowest_or_highest_by_goal(goal, best):
    history = History((_result("U2OS", 0.9), _result("HeLa", 0.2), _result("A549", 0.5)))
    found = best_condition(score_conditions(_config(goal), history))
    assert found.measurement.value == best


def test_repeats_of_a_condition_are_pooled_by_their_wells():
    history = History(
        (
            _result("U2OS", 0.2, n_wells=1, error=0.3, df=2),
            _result("U2OS", 0.5, n_wells=2, error=0.15, df=4, iteration=2),
        )
    )
    (condition,) = score_conditions(_config(), history)
    assert condition.measurement.value == pytest.approx(0.4)
    assert condition.measurement.standard_error == pytest.approx(math.hypot(0.3 / 3, 0.15 * 2 / 3))
    assert condition.measurement.degrees_of_freedom == 6
    assert condition.score.value == pytest.approx(-0.4)
    assert condition.iteration == 1


def test_selectivity_is_the_lowest_spared_line_less_the_target():
    history = History(
        (
            _result("HeLa", 0.8, error=0.04, df=3),
            _result("U2OS", 0.1, error=0.03, df=6),
            _result("A549", 0.95, error=0.5, df=9, iteration=2),
        )
    )
    (condition,) = score_conditions(_config("selectivity"), history)
    assert (condition.cell_line, condition.iteration) == ("U2OS", 2)
    assert condition.score.value == pytest.approx(0.7)
    assert condition.score.standard_error == pytest.approx(0.05)
    welch = 0.05**4 / (0.04**4 / 3 + 0.03**4 / 6)
    assert condition.score.degrees_of_freedom == int(welch)
    assert [line for line, _ in condition.others] == ["HeLa", "A549"]


def test_selectivity_waits_for_every_line():
    history = History((_result("U2OS", 0.1), _result("HeLa", 0.9)))
    assert score_conditions(_config("selectivity"), history) == ()


def test_another_target_turns_the_question():
    history = History((_result("U2OS", 0.9), _result("HeLa", 0.2), _result("A549", 0.7)))
    (condition,) = score_conditions(_config("selectivity", target="HeLa"), history)
    assert (condition.cell_line, condition.score.value) == ("HeLa", pytest.approx(0.5))


@pytest.mark.parametrize("status", [ResultStatus.QUARANTINED, ResultStatus.FAILED])
def test_what_failed_quality_control_is_not_scored(status):
    history = History((_result("U2OS", 0.1, status=status), _result("HeLa", 0.5)))
    assert [result.proposal.cell_line for result in history.learnable] == ["HeLa"]
    assert best_condition(score_conditions(_config(), history)).cell_line == "HeLa"


def test_nothing_measured_has_no_best():
    assert best_condition(score_conditions(_config(), History())) is None


def test_a_history_has_one_row_per_well_and_one_for_an_experiment_without():
    reason = ProposalReason("mechanistic", 0.4, 0.1, 2.0, "explore")
    measured = ExperimentResult(
        ExperimentProposal("U2OS", "x", 1.0, proposal_id="p1", reason=reason),
        ResultStatus.OK,
        0.5,
        wells=(
            WellResult("campaign/i001-p1", "A1", 1, 5e4, 0.5),
            WellResult("campaign/i001-p1", "A2", 2, None, None, (QCFlag.MISSING,)),
        ),
        qc_flags=(QCFlag.MISSING,),
        iteration=1,
        cost_usd=3.0,
    )
    failed = ExperimentResult(ExperimentProposal("HeLa", "y", 2.0), ResultStatus.FAILED, error="no plate", iteration=1)
    frame = History((measured, failed)).frame()
    assert list(frame.columns) == list(COLUMNS)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS
    assert list(frame.well.fillna("none")) == ["A1", "A2", "none"]
    assert list(frame.plate.fillna("none")) == ["i001-p1", "i001-p1", "none"]
    assert frame.cost_usd.sum() == pytest.approx(3.0)
    assert list(frame.qc_flags.fillna("")) == ["missing", "missing", ""]
    assert frame.error[2] == "no plate"
    assert np.isnan(frame.signal[1])


def test_an_empty_history_is_an_empty_table_of_the_same_kind():
    frame = History().frame()
    assert len(frame) == 0
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS


@pytest.mark.parametrize("goal", ["minimise", "maximise", "selectivity"])
def test_results_that_come_one_by_one_are_scored_as_all_at_once(goal):
    rng = np.random.default_rng(4)
    config = _config(goal)
    results = [
        _result(
            str(rng.choice(config.cell_lines)),
            float(rng.random()),
            compound=str(rng.choice(["x", "y"])),
            dose_um=float(rng.choice([0.1, 1.0, 10.0])),
            n_wells=int(rng.integers(1, 4)),
            error=0.1,
            df=3,
            iteration=k // 5,
            status=ResultStatus.OK if rng.random() < 0.8 else ResultStatus.QUARANTINED,
        )
        for k in range(60)
    ]
    growing = ConditionScores(config)
    n_seen = set()
    for k, result in enumerate(results, 1):
        growing.add([result])
        at_once = score_conditions(config, History(tuple(results[:k])))
        assert growing.conditions() == at_once
        n_seen.add(len(at_once))
    assert max(n_seen) == (6 if goal == "selectivity" else 18)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, "Which of 2 compounds from 0.01 µM to 10 µM gives the lowest viability in any of U2OS, HeLa?"),
        (
            {"compounds": ["x"], "cell_lines": ["U2OS"]},
            "Which dose of x from 0.01 µM to 10 µM gives the lowest viability in U2OS?",
        ),
        (
            {"compounds": ["x"], "objective": "selectivity"},
            "Which dose of x from 0.01 µM to 10 µM lowers the viability of U2OS and spares HeLa?",
        ),
    ],
    ids=["many", "one-compound-one-line", "one-compound-selectivity"],
)
def test_a_question_speaks_of_one_compound_or_line_by_its_name(changes, asked):
    assert question(CampaignConfig.from_dict(_config(lines=("U2OS", "HeLa")).to_dict() | changes)) == asked
