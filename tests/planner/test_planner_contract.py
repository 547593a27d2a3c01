"""What every planner promises, whatever it learns from."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from cellos_nb.domain.history import History
from cellos_nb.domain.objective import best_condition, score_conditions
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ResultStatus
from cellos_nb.domain.settings import PlannerSettings
from cellos_nb.errors import ConfigError
from cellos_nb.planner import make_planner
from cellos_nb.planner.registry import BUILT_IN, kinds
from cellos_nb.testing import PlannerContract
from cellos_nb.testing.planner_contract import campaign, measured, run, viability

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


class TestEveryPlanner(PlannerContract):
    @pytest.fixture(params=KINDS + OTHERS)
    def planner(self, request):
        return request.param


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
