"""The one contract of every planner."""

from __future__ import annotations

from typing import Protocol

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal


class Planner(Protocol):
    """Chooses the next experiments. Keeps no state: the same history, configuration and iteration give the same answer.

    So a campaign that was killed and resumed proposes what the uninterrupted one would have.
    """

    name: str

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """The next `n` experiments, fewer when fewer are left.

        No condition stands twice in the answer, every dose is one of `config.doses_um(compound)`, every proposal has a
        `ProposalReason`, and its `proposal_id` is left empty. Randomness comes from `config.seed` and `iteration`
        (counted from 1) alone. Learns from `history.learnable` only.
        """
        ...
