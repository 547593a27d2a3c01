"""Planning: what a campaign does next."""

from __future__ import annotations

from typing import Any

from cellos_nb.actions.payload import text_of
from cellos_nb.execution.actions import Bench


class CampaignIteration:
    """Proposes a campaign's next experiments, compiles them onto plates and queues these; or ends the campaign.

    Repeating it changes nothing: what was proposed is stored first, and a plate is queued once.
    """

    limit_s = 3600.0

    def check(self, payload: dict[str, Any]) -> None:
        """Refuses a payload without the campaign."""
        text_of(payload, "campaign_id")

    def perform(self, payload: dict[str, Any], bench: Bench) -> str:
        """Plans, and says what was queued or how the campaign ended."""
        note: str = bench.lab.advance(text_of(payload, "campaign_id"))
        return note
