"""What every planner promises, whatever it learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.planner.registry import kinds, make_planner


def campaign(planner: Mapping[str, Any] | None = None, goal: Any = "minimise", **changes: Any) -> CampaignConfig:
    """A campaign over three cell lines and six compounds, one of them with a lower top dose."""
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
    return float(1 / (1 + 10 ** (1.2 * (np.log10(dose_um) - log10_ec50))))


def measured(
    proposals: Sequence[ExperimentProposal], iteration: int = 1, seed: int = 0, **changes: Any
) -> tuple[ExperimentResult, ...]:
    """What the made-up truth answers, with noise of 3 %; `changes` to every result."""
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
    """The history after some iterations of a campaign, each of its batch size."""
    planner, history = make_planner(config.planner), History()
    for iteration in range(1, n_iterations + 1):
        proposals = planner.propose(config, history, iteration, config.batch_size)
        history = History(history.results + measured(proposals, iteration))
    return history


def conditions(proposals: Sequence[ExperimentProposal]) -> list[tuple[str, str, float, str]]:
    """What is asked, without the reasons."""
    return [proposal.condition for proposal in proposals]


class PlannerContract:
    """Inherit it, and say by `settings` which planner is meant; `goals` narrows what it can be asked for."""

    settings: ClassVar[Mapping[str, Any]]
    """As a campaign's `planner` names it: `{"kind": "mine"}`."""
    goals: ClassVar[tuple[str, ...]] = ("maximise", "minimise", "selectivity")
    """The objectives that it supports."""

    @pytest.fixture
    def planner(self) -> Mapping[str, Any]:
        """The settings of the planner; override it with `params` to test several."""
        return self.settings

    @pytest.fixture(params=["maximise", "minimise", "selectivity"])
    def goal(self, request: pytest.FixtureRequest) -> str:
        """Each objective that is supported."""
        return self._supported(request.param)

    def _supported(self, goal: str) -> str:
        if goal not in self.goals:
            pytest.skip(f"does not support {goal}")
        return goal

    def test_it_is_known_by_its_name(self, planner: Mapping[str, Any]) -> None:
        assert planner["kind"] in kinds()
        assert make_planner(campaign(planner).planner).name

    def test_a_batch_has_distinct_conditions_on_the_grid_with_reasons(
        self, planner: Mapping[str, Any], goal: str
    ) -> None:
        config = campaign(planner, goal)
        history = run(config, 2)
        made = make_planner(config.planner)
        batch = made.propose(config, history, 3, 7)
        assert len(batch) == 7
        assert len(set(conditions(batch))) == 7
        for proposal in batch:
            assert proposal.cell_line in config.cell_lines
            assert proposal.dose_um in config.doses_um(proposal.compound)
            assert proposal.assay == "viability"
            assert proposal.proposal_id == ""
            assert proposal.reason is not None
            assert proposal.reason.planner == made.name

    def test_the_same_history_and_seed_give_the_same_answer(self, planner: Mapping[str, Any], goal: str) -> None:
        config = campaign(planner, goal)
        history = run(config, 1)
        first = make_planner(config.planner).propose(config, history, 2, 6)
        assert make_planner(config.planner).propose(config, history, 2, 6) == first

    def test_it_keeps_nothing_from_one_question_to_the_next(self, planner: Mapping[str, Any], goal: str) -> None:
        config = campaign(planner, goal)
        history = run(config, 1)
        fresh = make_planner(config.planner).propose(config, history, 2, 6)
        used = make_planner(config.planner)
        used.propose(campaign(planner, goal, seed=8), History(), 1, 6)
        assert used.propose(config, history, 2, 6) == fresh

    def test_another_seed_opens_another_way(self, planner: Mapping[str, Any], goal: str) -> None:
        openings = set()
        for seed in range(4):
            config = campaign(planner, goal, seed=seed)
            openings.add(tuple(conditions(make_planner(config.planner).propose(config, History(), 1, 6))))
        assert len(openings) > 1

    def test_quarantined_and_failed_results_teach_nothing(self, planner: Mapping[str, Any], goal: str) -> None:
        config = campaign(planner, goal)
        history = run(config, 2)
        misleading = [ExperimentProposal("U2OS", "c2", dose) for dose in config.doses_um("c2")[:2]]
        spoiled = measured(misleading, 2, status=ResultStatus.QUARANTINED, measurement=-5.0)
        failed = measured(misleading, 2, status=ResultStatus.FAILED, measurement=None)
        made = make_planner(config.planner)
        plain = made.propose(config, history, 3, 6)
        assert made.propose(config, History(history.results + spoiled), 3, 6) == plain
        assert made.propose(config, History(history.results + failed), 3, 6) == plain

    def test_what_was_measured_is_not_asked_again_and_the_end_is_reached(
        self, planner: Mapping[str, Any], goal: str
    ) -> None:
        config = campaign(planner, goal, compounds=["c1", "c2"], n_doses=3, batch_size=5)
        history = run(config, 4)
        asked = [result.proposal.condition for result in history]
        assert len(asked) == len(set(asked)) == 2 * 3 * 3
        assert make_planner(config.planner).propose(config, history, 5, 5) == ()

    def test_one_may_be_asked_for(self, planner: Mapping[str, Any], goal: str) -> None:
        config = campaign(planner, goal)
        assert len(make_planner(config.planner).propose(config, run(config, 1), 2, 1)) == 1

    def test_what_is_excluded_is_never_asked_for(self, planner: Mapping[str, Any], goal: str) -> None:
        exclude = [{"compound": "c1"}, {"compound": "c3", "above_um": 0.1}]
        config = campaign({**planner, "constraints": {"exclude": exclude}}, goal)
        for result in run(config, 3):
            assert result.proposal.compound != "c1"
            assert result.proposal.compound != "c3" or result.proposal.dose_um <= 0.1

    def test_comparisons_are_whole_with_the_target_first(self, planner: Mapping[str, Any]) -> None:
        self._supported("selectivity")
        config = campaign(planner, {"goal": "selectivity", "target": "A673"})
        batch = make_planner(config.planner).propose(config, run(config, 1), 2, 6)
        assert [proposal.cell_line for proposal in batch] == ["A673", "U2OS", "SW982"] * 2
        assert len({(proposal.compound, proposal.dose_um) for proposal in batch}) == 2

    def test_a_batch_that_holds_no_whole_number_of_comparisons_is_filled(self, planner: Mapping[str, Any]) -> None:
        self._supported("selectivity")
        config = campaign(planner, "selectivity", batch_size=5)
        history = run(config, 4)
        assert len(history) == 20
        assert len(score_conditions(config, history)) >= 4
