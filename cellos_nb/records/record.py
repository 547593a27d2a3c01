"""The record of a campaign: everything that a person keeps, in one folder, with a hash of each file."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cellos_nb.lab import Lab
from cellos_nb.records.atomic import new_folder
from cellos_nb.records.folder import MANIFEST, RecordedCampaign, RunFacts, write_json, write_sources
from cellos_nb.records.templates import TemplateError, export_html, python_version, run_template

NOTEBOOK, PAGE = "record.ipynb", "record.html"
PACKAGES = ("cellos-nb", "numpy", "scipy", "pandas", "emukit", "matplotlib", "papermill")


def write_record(lab: Lab, campaign_id: str, records: Path) -> Path:
    """Writes `records/<campaign>/`, in place of an earlier record of the same campaign, and returns the folder.

    It holds the executed notebook, its HTML page, `history.csv`, `campaign.yaml`, `run.json`, the figures, and
    `manifest.json` with the SHA-256 of each. The folder appears whole or not at all.

    Raises:
        CampaignError: there is no such campaign.
        OutputError: the folder cannot be written.
        TemplateError: the notebook failed; it is kept beside the folder as `<campaign>.failed.ipynb`.
    """
    recorded = recorded_campaign(lab, campaign_id)
    target = records / campaign_id
    with new_folder(target) as folder:
        write_sources(recorded, folder)
        notebook = folder / NOTEBOOK
        try:
            run_template("campaign_record", notebook, {"folder": "."})
        except TemplateError:
            shutil.copy(notebook, target.with_name(f"{target.name}.failed.ipynb"))
            raise
        export_html(notebook, folder / PAGE)
        write_json(_manifest(recorded, folder), folder / MANIFEST)
    return target


def recorded_campaign(lab: Lab, campaign_id: str) -> RecordedCampaign:
    """A campaign of a lab as its record will hold it."""
    campaign = lab.campaign(campaign_id)
    summary = campaign.summary()
    machine = lab.describe_machine(campaign.config)
    return RecordedCampaign(
        config=campaign.config,
        history=campaign.results,
        run=RunFacts(
            campaign_id=campaign_id,
            status=summary.status,
            stop_reason=summary.stop_reason,
            duration_s=summary.duration_s,
            machine=machine.machine,
            data_source=machine.data_source,
            seed=campaign.config.seed,
            versions={"python": python_version(), **{name: version(name) for name in PACKAGES}},
            spent_usd=summary.cost_usd,
            parent=summary.parent,
            inherited_until=lab.store.standing(campaign_id).parent_iteration,
            superseded=summary.superseded,
            overruled=summary.overruled,
        ),
    )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(recorded: RecordedCampaign, folder: Path) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    run = recorded.run
    return {
        "campaign": run.campaign_id,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": run.seed,
        "machine": run.machine,
        "data_source": run.data_source,
        "versions": run.versions,
        "files": [
            {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for path in files
        ],
    }
