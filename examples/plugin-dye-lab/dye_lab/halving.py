"""A planner: looks for where each curve falls through one half, and measures between the doses on either side."""

from __future__ import annotations

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.planning import PlannerSettings
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.uninformed import within_room

HALF = 0.5


class HalvingPlanner:
    """Ranks doses by how near they are, in log dose, to where a compound's curve was seen to fall through one half.

    A compound that was never measured counts as if it fell in the middle of its doses. Chance decides between equals.
    """

    name = "halving"

    def __init__(self, settings: PlannerSettings) -> None:
        """A planner as a campaign's `planner` asks for it; it has no settings of its own."""
        del settings

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """The next `n` experiments, fewer when fewer are left."""
        pool = CandidatePool.of(config, history)
        falls = {name: _fall(pool, name) for name in set(pool.compounds)}
        chance = np.random.default_rng([config.seed, iteration]).random(len(pool.compounds))
        distance = [abs(np.log10(d) - falls[c]) for c, d in zip(pool.compounds, pool.doses_um, strict=True)]
        order = sorted(range(len(distance)), key=lambda i: (round(float(distance[i]), 6), chance[i]))
        if pool.is_comparison:
            # What was begun on some cell lines is completed before another comparison begins.
            order.sort(key=lambda i: not pool.is_measured[i].any())
            rows = pool.expand(within_room(pool, order), n)
        else:
            rows = within_room(pool, pool.expand(order, pool.is_open.size))[:n]
        return tuple(pool.proposal(row, self.name, "exploit") for row in rows)


def _fall(pool: CandidatePool, compound: str) -> float:
    """The log10 of the dose (µM) at which the values of a compound fall through one half, as far as is known."""
    doses = [dose for name, dose in zip(pool.compounds, pool.doses_um, strict=True) if name == compound]
    own = [result for result in pool.results if result.proposal.compound == compound]
    above = [result.proposal.dose_um for result in own if (result.measurement or 0.0) > HALF]
    below = [result.proposal.dose_um for result in own if (result.measurement or 0.0) <= HALF]
    low, high = max(above, default=min(doses)), min(below, default=max(doses))
    return float(np.log10(low) + np.log10(high)) / 2
