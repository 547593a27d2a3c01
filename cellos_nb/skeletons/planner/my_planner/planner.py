"""The planner: keeps to what is best so far, and looks around as often."""

from __future__ import annotations

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import best_condition, score_conditions
from cellos_nb.domain.planning import PlannerSettings
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.uninformed import within_room


class MyPlanner:
    """Asks for doses of the best compound so far, and as often for anything else. Replace this by your own idea.

    It keeps no state: the same campaign, history and iteration give the same answer, so that a campaign that was
    killed goes on as if it had not been.
    """

    name = "my_planner"

    def __init__(self, settings: PlannerSettings) -> None:
        """A planner as a campaign's `planner` asks for it."""
        self.settings = settings

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """The next `n` experiments, fewer when fewer are left."""
        pool = CandidatePool.of(config, history)
        rng = np.random.default_rng([config.seed, iteration])
        # A treatment is a compound at a dose; it can be asked for on every cell line.
        treatments: list[int] = rng.permutation(len(pool.compounds)).tolist()
        best = best_condition(score_conditions(config, history))
        if best is not None:
            curious = set(treatments[::2])
            treatments.sort(key=lambda i: i not in curious and pool.compounds[i] != best.compound)
        if pool.is_comparison:
            # What was begun on some cell lines is completed before another comparison begins.
            treatments.sort(key=lambda i: not pool.is_measured[i].any())
            rows = pool.expand(within_room(pool, treatments), n)
        else:
            rows = within_room(pool, pool.expand(treatments, pool.is_open.size))[:n]
        return tuple(pool.proposal(row, self.name, "explore") for row in rows)
