"""What a panel reads from: an open lab, or a database that it opens for itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cellos_nb.errors import CampaignError
from cellos_nb.lab import Campaign, Lab


@dataclass(frozen=True, slots=True)
class Source:
    """A lab, and whether the panel has to close it."""

    lab: Lab
    is_own: bool

    @classmethod
    def of(cls, lab: Lab | str | Path | None) -> Source:
        """The source that a notebook names; a URL or file name is what a panel re-attaches by after a kernel restart.

        Raises:
            StoreError: there is no such database, or it cannot be opened.
        """
        if isinstance(lab, Lab):
            return cls(lab, is_own=False)
        return cls(Lab.open(lab, must_exist=True), is_own=True)

    def campaign(self, campaign_id: str | None) -> Campaign:
        """A campaign by its identifier; the one begun last when none is named.

        Raises:
            CampaignError: there is none.
        """
        if campaign_id is not None:
            return self.lab.campaign(campaign_id)
        known = self.lab.store.campaign_ids()
        if not known:
            raise CampaignError(f"{self.lab.store.where}: this database holds no campaign yet. Start one, then reopen.")
        return self.lab.campaign(known[-1])

    def close(self) -> None:
        """Closes what the panel opened; may be called twice."""
        if self.is_own:
            self.lab.close()
