"""What every planner promises, whatever it learns from."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import best_condition, score_conditions
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.domain.settings import PlannerSettings
from cellos_nb.errors import ConfigError
from cellos_nb.planner import make_planner
from cellos_nb.planner.registry import BUILT_IN, kinds

KINDS = [
    pytest.param({"kind": "random"}, id="random"),
    pytest.param({"kind": "space_filling"}, id="space-filling"),
    pytest.param({"kind": "plate_design"}, id="plate-design"),
    pytest.param({"kind": "mechanistic", "acquisition": "nei"}, id="nei"),
    pytest.param({"kind": "mechanistic", "acquisition": "ei"}, id="ei"),
    pytest.param({"kind": "mechanistic", "acquisition": "ucb"}, id="ucb"),
    pytest.param({"kind": "mechanistic", "acquisition": "pi"}, id="pi"),
    pytest.param({"kind": "mechanistic", "acquisition": "thompson"}, id="thompson"),
    pytest.param({"kind": "mechanistic", "acquisition": "entropy"}, id="entropy"),
]
OTHERS = [
    pytest.param(
        {"kind": "botorch"},
        id="botorch",
        marks=[
            pytest.mark.skipif(find_spec("botorch") is None, reason="the extra botorch is not installed"),
            pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning", "ignore:`torch.jit:DeprecationWarning"),
        ],
    ),
    *(pytest.param({"kind": kind}, id=kind) for kind in kinds() if kind not in {*BUILT_IN, "botorch"}),
]
"""Planners of extras, and of every plug-in that is installed beside this package."""
GOALS = ["maximise", "minimise", "selectivity"]


def campaign(planner=None, goal="minimise", **changes) -> CampaignConfig:
    values = {
        "name": "contract",
        "cell_lines": ["U2OS", "A673", "SW982"],
        "compounds": [{"name": f"c{i}"} for i in range(5)] + [{"name": "capped", "max_dose_um": 0.1}],
        "dose_range_um": (0.001, 10.0),
        "n_doses": 6,
        "objective": goal,
        "batch_size": 6,
        "planner": planner or {"kind": "mechanistic"},
        "seed": 3,
    }
    return CampaignConfig(**(values | changes))


def viability(line: str, compound: str, dose_um: float) -> float:
    """A made-up truth: some compounds inactive, c1 selective for U2OS, c3 toxic to all."""
    log10_ec50 = {"c1": -1.5 if line == "U2OS" else 0.5, "c3": -0.5, "c4": 0.7}.get(compound, 3.0)
    return 1 / (1 + 10 ** (1.2 * (np.log10(dose_um) - log10_ec50)))


def measured(proposals, iteration=1, seed=0, **changes) -> tuple[ExperimentResult, ...]:
    rng = np.random.default_rng([seed, iteration])
    return tuple(
        replace(
            ExperimentResult(
                proposal,
                ResultStatus.OK,
                viability(proposal.cell_line, proposal.compound, proposal.dose_um) + 0.03 * float(rng.normal()),
                iteration=iteration,
            ),
            **changes,
        )
        for proposal in proposals
    )


def run(config: CampaignConfig, n_iterations: int) -> History:
    planner, history = make_planner(config.planner), History()
    for iteration in range(1, n_iterations + 1):
        proposals = planner.propose(config, history, iteration, config.batch_size)
        history = History(history.results + measured(proposals, iteration))
    return history


def conditions(proposals) -> list[tuple[str, str, float, str]]:
    return [proposal.condition for proposal in proposals]


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("kind", KINDS + OTHERS)
class TestEveryPlanner:
    def test_a_batch_has_distinct_conditions_on_the_grid_with_reasons(self, kind, goal):
        config = campaign(kind, goal)
        history = run(config, 2)
        planner = make_planner(config.planner)
        batch = planner.propose(config, history, 3, 7)
        assert len(batch) == 7
        assert len(set(conditions(batch))) == 7
        for proposal in batch:
            assert proposal.cell_line in config.cell_lines
            assert proposal.dose_um in config.doses_um(proposal.compound)
            assert proposal.assay == "viability"
            assert proposal.proposal_id == ""
            assert proposal.reason is not None
            assert proposal.reason.planner == planner.name

    def test_the_same_history_and_seed_give_the_same_answer_and_another_seed_another(self, kind, goal):
        config = campaign(kind, goal)
        history = run(config, 1)
        first = make_planner(config.planner).propose(config, history, 2, 6)
        assert make_planner(config.planner).propose(config, history, 2, 6) == first
        openings = {
            tuple(conditions(make_planner(config.planner).propose(campaign(kind, goal, seed=seed), History(), 1, 6)))
            for seed in range(4)
        }
        assert len(openings) > 1

    def test_quarantined_and_failed_results_teach_nothing(self, kind, goal):
        config = campaign(kind, goal)
        history = run(config, 2)
        misleading = [ExperimentProposal("U2OS", "c2", dose) for dose in config.doses_um("c2")[:2]]
        spoiled = measured(misleading, 2, status=ResultStatus.QUARANTINED, measurement=-5.0)
        failed = measured(misleading, 2, status=ResultStatus.FAILED, measurement=None)
        planner = make_planner(config.planner)
        plain = planner.propose(config, history, 3, 6)
        assert planner.propose(config, History(history.results + spoiled), 3, 6) == plain
        assert planner.propose(config, History(history.results + failed), 3, 6) == plain

    def test_what_was_measured_is_not_asked_again_and_the_end_is_reached(self, kind, goal):
        config = campaign(kind, goal, compounds=["c1", "c2"], n_doses=3, batch_size=5)
        history = run(config, 4)
        asked = [result.proposal.condition for result in history]
        assert len(asked) == len(set(asked)) == 2 * 3 * 3
        assert make_planner(config.planner).propose(config, history, 5, 5) == ()

    def test_one_may_be_asked_for(self, kind, goal):
        config = campaign(kind, goal)
        assert len(make_planner(config.planner).propose(config, run(config, 1), 2, 1)) == 1


@pytest.mark.parametrize("kind", KINDS + OTHERS)
class TestEverySelectivityCampaign:
    def test_comparisons_are_whole_with_the_target_first(self, kind):
        config = campaign(kind, {"goal": "selectivity", "target": "A673"})
        batch = make_planner(config.planner).propose(config, run(config, 1), 2, 6)
        assert [proposal.cell_line for proposal in batch] == ["A673", "U2OS", "SW982"] * 2
        assert len({(proposal.compound, proposal.dose_um) for proposal in batch}) == 2

    def test_a_batch_that_holds_no_whole_number_of_comparisons_is_filled(self, kind):
        config = campaign(kind, "selectivity", batch_size=5)
        history = run(config, 4)
        assert len(history) == 20
        assert len(score_conditions(config, history)) >= 4


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_planner_without_a_model_completes_the_comparison_it_began(kind):
    config = campaign(kind, "selectivity", batch_size=4)
    planner = make_planner(config.planner)
    first = planner.propose(config, History(), 1, 4)
    second = planner.propose(config, History(measured(first)), 2, 4)
    assert {(p.compound, p.dose_um) for p in second[:2]} == {(first[3].compound, first[3].dose_um)}


@pytest.mark.parametrize("kind", KINDS[3:])
def test_the_mechanistic_planner_opens_evenly_and_then_says_what_it_expects(kind):
    config = campaign({**kind, "n_initial": 4})
    planner = make_planner(config.planner)
    opening = planner.propose(config, History(), 1, 6)
    assert [proposal.reason.intent for proposal in opening[:4]] == ["initial"] * 4
    assert len({proposal.compound for proposal in opening[:4]}) == 4
    for proposal in opening[4:]:
        assert proposal.reason.intent in {"explore", "exploit"}
        assert -0.5 < proposal.reason.predicted_mean < 1.5
        assert proposal.reason.predicted_sd > 0
        assert np.isfinite(proposal.reason.acquisition)


def test_a_quarantined_condition_is_asked_again_but_not_forever():
    config = campaign({"kind": "random"}, compounds=["c1"], n_doses=1, batch_size=3)
    planner, history = make_planner(config.planner), History()
    for iteration in range(1, 4):
        batch = planner.propose(config, history, iteration, 3)
        assert len(batch) == 3
        history = History(history.results + measured(batch, iteration, status=ResultStatus.QUARANTINED))
    assert planner.propose(config, history, 4, 3) == ()


def test_results_of_another_assay_teach_nothing():
    config = campaign()
    history = run(config, 2)
    other = measured([ExperimentProposal("U2OS", "c2", config.doses_um("c2")[0], "reporter")], 2, measurement=-9.0)
    planner = make_planner(config.planner)
    assert planner.propose(config, History(history.results + other), 3, 6) == planner.propose(config, history, 3, 6)


def test_standard_errors_are_used_where_there_are_any():
    config = campaign()
    history = run(config, 2)
    planner = make_planner(config.planner)
    some = [replace(result, standard_error=0.2 if i % 2 else None) for i, result in enumerate(history)]
    sure = planner.propose(config, history, 3, 6)
    unsure = planner.propose(config, History(tuple(some)), 3, 6)
    assert [p.reason.predicted_sd for p in unsure] != [p.reason.predicted_sd for p in sure]


def test_a_rising_reporter_is_maximised():
    config = campaign(goal="maximise", assay="reporter")
    planner, history = make_planner(config.planner), History()
    for iteration in range(1, 6):
        batch = planner.propose(config, history, iteration, 6)
        fold = [1 + 8 * (1 - viability(p.cell_line, p.compound, p.dose_um)) for p in batch]
        results = [replace(result, measurement=y) for result, y in zip(measured(batch, iteration), fold, strict=True)]
        history = History(history.results + tuple(results))
    assert best_condition(score_conditions(config, history)).measurement.value > 8


def test_the_mechanistic_planner_finds_the_selective_compound_sooner_than_chance():
    def score(kind: str, seed: int) -> float:
        config = campaign({"kind": kind}, "selectivity", compounds=[f"c{i}" for i in range(12)], seed=seed)
        return best_condition(score_conditions(config, run(config, 8))).score.value

    by_model = [score("mechanistic", seed) for seed in range(4)]
    by_chance = [score("random", seed) for seed in range(4)]
    assert np.mean(by_model) > np.mean(by_chance) + 0.1
    assert np.mean(by_model) > 0.6


def test_an_unknown_planner_is_refused_with_the_possible_ones():
    with pytest.raises(
        ConfigError, match=r"no planner 'oracle'; possible: mechanistic, plate_design, random, space_filling"
    ):
        make_planner(PlannerSettings(kind="oracle"))


def test_a_plug_in_brings_a_planner_under_its_own_name(tmp_path, monkeypatch):
    (tmp_path / "my_planner.py").write_text(
        "class Mine:\n"
        "    name = 'mine'\n"
        "    def __init__(self, settings): self.settings = settings\n"
        "    def propose(self, config, history, iteration, n): return ()\n"
    )
    info = tmp_path / "my_planner-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-planner\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cellos_nb.planners]\nmine = my_planner:Mine\nbroken = my_planner:Missing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert make_planner(PlannerSettings(kind="mine")).name == "mine"
    with pytest.raises(ConfigError, match=r"brings 'broken' cannot be loaded"):
        make_planner(PlannerSettings(kind="broken"))
    with pytest.raises(ConfigError, match=r"possible: .*broken, mine"):
        make_planner(PlannerSettings(kind="oracle"))
