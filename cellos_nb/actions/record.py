"""Records: what a person keeps of a campaign, written when it has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cellos_nb.actions.payload import only, text_of
from cellos_nb.execution.actions import Bench


class RecordCampaign:
    """Writes the record of a campaign into `records/` beside the database. Payload: campaign_id, folder."""

    limit_s = 3600.0

    def check(self, payload: dict[str, Any]) -> None:
        """Refuses a payload without the campaign."""
        only(payload, ("campaign_id", "folder"))
        text_of(payload, "campaign_id")

    def perform(self, payload: dict[str, Any], bench: Bench) -> str:
        """Writes it, and says where it is."""
        from jupyter_core.utils import ensure_event_loop

        from cellos_nb.records.record import write_record

        campaign_id = text_of(payload, "campaign_id")
        folder = text_of(payload, "folder", str(bench.store.folder / "records"))
        try:
            return f"{campaign_id}: recorded in {write_record(bench.lab, campaign_id, Path(folder))}"
        finally:
            # The one that the notebook's client made for this thread, which nobody else would close.
            ensure_event_loop().close()
