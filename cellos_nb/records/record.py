"""The record of a campaign: everything that a person keeps, in one folder, with a hash of each file."""

from __future__ import annotations

import logging
import shutil
from importlib.metadata import version
from pathlib import Path

from cellos_nb.domain.audit import Act
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.execution.process import person
from cellos_nb.execution.runs import write_log
from cellos_nb.lab import Lab
from cellos_nb.records.atomic import new_folder
from cellos_nb.records.crate import write_crate
from cellos_nb.records.evidence import write_evidence
from cellos_nb.records.folder import Lap, RecordedCampaign, RunFacts, write_sources
from cellos_nb.records.manifest import write_manifest
from cellos_nb.records.templates import TemplateError, export_html, python_version, run_template
from cellos_nb.store.audit import note

NOTEBOOK, PAGE = "record.ipynb", "record.html"
PACKAGES = ("cellos-nb", "numpy", "scipy", "pandas", "emukit", "matplotlib", "papermill")


def write_record(lab: Lab, campaign_id: str, records: Path) -> Path:
    """Writes `records/<campaign>/`, in place of an earlier record of the same campaign, and returns the folder.

    It holds the executed notebook and its page, configuration, results, readings, workflows, proofs, approvals, audit
    and model states, an RO-Crate's description of them, and `manifest.json` with the SHA-256 of each. The folder
    appears whole or not at all; the hash of its manifest is kept in the database's log.

    Raises:
        CampaignError: there is no such campaign.
        OutputError: the folder cannot be written.
        TemplateError: the notebook failed; it is kept beside the folder as `<campaign>.failed.ipynb`.
    """
    recorded = recorded_campaign(lab, campaign_id)
    target = records / campaign_id
    with new_folder(target) as folder:
        write_sources(recorded, folder)
        write_evidence(lab, campaign_id, folder)
        notebook = folder / NOTEBOOK
        try:
            run_template("campaign_record", notebook, {"folder": "."})
        except TemplateError:
            shutil.copy(notebook, target.with_name(f"{target.name}.failed.ipynb"))
            raise
        export_html(notebook, folder / PAGE)
        standing = lab.store.campaign(campaign_id)
        write_crate(
            folder,
            recorded.run,
            recorded.summary,
            began=standing.created_at,
            ended=standing.changed_at,
            person=person(),
        )
        digest = write_manifest(folder, recorded.run)
    with lab.store.write() as tx:
        write_log(tx, logging.INFO, f"{campaign_id}: recorded by {person()}, SHA-256 of its manifest {digest}")
        note(tx, Act.RECORD_WRITTEN, campaign_id, who=person(), facts={"manifest_sha256": digest})
    return target


def recorded_campaign(lab: Lab, campaign_id: str) -> RecordedCampaign:
    """A campaign of a lab as its record will hold it."""
    campaign = lab.campaign(campaign_id)
    summary = campaign.summary()
    machine, data_source, is_simulated = _measured_by(lab, campaign.config, summary.stop_reason)
    laps = (
        Lap(lap.iteration, lap.is_concluded, lap.superseded.since_iteration if lap.superseded else None)
        for lap in campaign.iterations()
    )
    return RecordedCampaign(
        config=campaign.config,
        history=campaign.results,
        run=RunFacts(
            campaign_id=campaign_id,
            status=summary.status,
            stop_reason=summary.stop_reason,
            duration_s=summary.duration_s,
            machine=machine,
            data_source=data_source,
            seed=campaign.config.seed,
            versions=versions(),
            spent_usd=summary.cost_usd,
            parent=summary.parent,
            inherited_until=lab.store.standing(campaign_id).parent_iteration,
            superseded=summary.superseded,
            overruled=summary.overruled,
            is_simulated=is_simulated,
            laps=tuple(laps),
        ),
    )


def _measured_by(lab: Lab, config: CampaignConfig, stop_reason: str) -> tuple[str, str, bool]:
    """The machine, the source of its answers, and whether it touched nothing real."""
    if config.is_imported:
        return config.machine.kind, stop_reason, False
    machine = lab.describe_machine(config)
    return machine.machine, machine.data_source, machine.is_simulated


def versions() -> dict[str, str]:
    """The Python and the packages here that shape the numbers of a record."""
    return {"python": python_version(), **{name: version(name) for name in PACKAGES}}
