"""Records without notebook and page: what can be verified and run again, in a second."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cellos_nb import CampaignConfig, Lab
from cellos_nb.records.crate import write_crate
from cellos_nb.records.evidence import write_evidence
from cellos_nb.records.folder import write_sources
from cellos_nb.records.manifest import write_manifest
from cellos_nb.records.record import recorded_campaign

TINY = CampaignConfig(
    name="tiny",
    cell_lines=["SK-LMS-1"],
    compounds=["Trametinib", "Dinaciclib"],
    dose_range_um=[0.001, 10],
    n_doses=8,
    batch_size=4,
    max_iterations=2,
    machine="replay",
    planner="random",
    seed=5,
)


def write_plainly(lab: Lab, campaign_id: str, folder: Path) -> Path:
    """The record of a campaign, all but what a notebook draws."""
    folder.mkdir(parents=True)
    recorded = recorded_campaign(lab, campaign_id)
    write_sources(recorded, folder)
    write_evidence(lab, campaign_id, folder)
    ended = datetime(2026, 1, 1, tzinfo=UTC)
    write_crate(folder, recorded.run, recorded.summary, began=None, ended=ended, person="ada")
    write_manifest(folder, recorded.run)
    return folder
