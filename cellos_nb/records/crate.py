"""The record as a research object: an RO-Crate of the Process Run Crate profile, which other software can read.

Source: RO-Crate 1.1, doi:10.5281/zenodo.4541002; Process Run Crate 0.5, https://w3id.org/ro/wfrun/process/0.5.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellos_nb.domain.summary import CampaignSummary
from cellos_nb.records.folder import CONFIG, INPUTS, MANIFEST, RunFacts
from cellos_nb.records.manifest import files_of, sha256_of

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

CRATE = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
SPECIFICATION = "1.1"
"""Of RO-Crate itself: the one that the profile extends."""
SOFTWARE = "https://pypi.org/project/cellos-nb/"

_ASKED = (CONFIG, f"{INPUTS}/")
"""What the campaign was given; all else came of it."""
_FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}
_MEANINGS = {
    CONFIG: "What was asked: the campaign's configuration, every default spelled out",
    "history.csv": "What was found: one row per well that answers an experiment",
    "history.parquet": "The same as history.csv",
    "readings.csv": "What the machine read: one row per well, channel and site, controls among them",
    "readings.parquet": "The same as readings.csv",
    "readings.json": "Every reading whole, as the machine gave it",
    "results.json": "Every result whole, with wall-clock times, superseded iterations as well",
    "plates.csv": "One row per plate: what became of it, and the SHA-256 of its workflow",
    "audit.csv": "Who did what, and when",
    "audit_log.jsonl": "What the laboratory's audit log has about this campaign, with the hashes that hold it together",
    "approvals.json": "Who allowed a real machine to execute which workflow, and until when",
    "model_states.json": "What the planner knew before each iteration",
    "run.json": "What the run stood on: machine, seed, versions",
    "record.ipynb": "The executed notebook that drew the figures",
    "record.html": "The same as a page, for reading without any software",
    MANIFEST: "The SHA-256 of every other file",
}


def write_crate(
    folder: Path, run: RunFacts, summary: CampaignSummary, *, began: datetime | None, ended: datetime, person: str
) -> None:
    """Describes every file of a record, and how it came to be, in `ro-crate-metadata.json`.

    Args:
        folder: the record, complete but for this file and the manifest.
        run: what the campaign stood on.
        summary: the campaign in a few numbers.
        began: when the campaign was stored.
        ended: when its last iteration was concluded.
        person: who had the record written.
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=SPECIFICATION)
    crate.name = f"Record of the campaign {run.campaign_id}"
    crate.description = f"{summary.question} {summary.n_experiments} experiments in {summary.n_wells} wells."
    files = {path.relative_to(folder).as_posix(): path for path in files_of(folder)}
    described = {name: crate.add_file(str(path), name, properties=_about(name, path)) for name, path in files.items()}
    # Its hash stands in no file of the record: it has that of this one.
    manifest = {"name": _MEANINGS[MANIFEST], "encodingFormat": _FORMATS[".json"]}
    crate.add_file(str(folder / MANIFEST), MANIFEST, properties=manifest)
    asked = [entity for name, entity in described.items() if name.startswith(_ASKED)]
    made = [entity for name, entity in described.items() if not name.startswith(_ASKED)]
    _describe_root(crate, run)
    action = _add(crate, "#campaign", "CreateAction", {
        "name": f"Campaign {run.campaign_id}",
        "description": f"{summary.question} Machine: {run.machine}, seed {run.seed}.",
        "endTime": ended.isoformat(timespec="seconds"),
        "actionStatus": f"http://schema.org/{'Failed' if run.status == 'failed' else 'Completed'}ActionStatus",
    })  # fmt: skip
    if began is not None:
        action["startTime"] = began.isoformat(timespec="seconds")
    if run.status == "failed":
        action["error"] = run.stop_reason
    action["instrument"] = _add(crate, SOFTWARE, "SoftwareApplication", {
        "name": "cellos-nb", "url": SOFTWARE, "softwareVersion": run.versions["cellos-nb"],
    })  # fmt: skip
    action["agent"] = _add(crate, "#person", "Person", {"name": person})
    action["object"] = asked
    action["result"] = made
    crate.root_dataset["mentions"] = [action]
    crate.metadata.write(str(folder))


def _describe_root(crate: ROCrate, run: RunFacts) -> None:
    profile = {"name": "Process Run Crate", "version": PROFILE.rpartition("/")[2]}
    crate.root_dataset["conformsTo"] = [_add(crate, PROFILE, "CreativeWork", profile)]
    crate.root_dataset["license"] = _add(crate, "#license", "CreativeWork", {
        "name": "Not stated",
        "description": "Ask the laboratory that ran the campaign before passing its data on.",
    })  # fmt: skip
    if run.data_source:
        source = {"name": run.data_source, "description": "What the simulated machine answered from"}
        crate.root_dataset["isBasedOn"] = [_add(crate, "#data-source", "CreativeWork", source)]


def _add(crate: ROCrate, identifier: str, kind: str, properties: dict[str, Any]) -> Any:
    from rocrate.model import ContextEntity

    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **properties}))


def _about(name: str, path: Path) -> dict[str, Any]:
    about = {"name": _MEANINGS.get(name, name), "contentSize": str(path.stat().st_size), "sha256": sha256_of(path)}
    kind = _FORMATS.get(path.suffix)
    return about | {"encodingFormat": kind} if kind else about
