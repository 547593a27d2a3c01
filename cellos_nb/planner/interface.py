"""The one contract of every planner."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

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


@runtime_checkable
class TellingPlanner(Planner, Protocol):
    """A planner that also tells what it had fitted. Offering this is optional; it changes nothing that is proposed."""

    def propose_and_tell(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[tuple[ExperimentProposal, ...], dict[str, Any]]:
        """What `propose` gives, and what it rests on as plain JSON: lists, dicts with text keys, text, numbers, None.

        For instance `{"noise_sd": 0.05, "log_evidence": -12.3}`. Kept with the iteration, shown to people, and compared
        between a campaign that was resumed and one that was not; so no times, no paths, nothing that differs by chance.
        Seed, number of observations and a digest of the history are added by the campaign.
        """
        ...
