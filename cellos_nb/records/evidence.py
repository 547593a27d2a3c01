"""What a record holds beside question and answer: plates, readings, proofs, approvals, audit and model states."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellos_nb.domain import codec
from cellos_nb.domain.plate import PlateLayout
from cellos_nb.domain.reading import Reading
from cellos_nb.errors import ArtifactError
from cellos_nb.execution.approvals import Approval, approvals_of
from cellos_nb.execution.artifacts import ArtifactStore
from cellos_nb.execution.proof import proofs_of, read_proof
from cellos_nb.execution.runs import load_workflow
from cellos_nb.execution.story import PlateRecord, plate_records, readings_of
from cellos_nb.lab import Lab
from cellos_nb.records.audit import audit_frame
from cellos_nb.records.audit_file import AUDIT_LOG, lines_of
from cellos_nb.records.exports import frame_csv
from cellos_nb.records.folder import RESULTS, write_json
from cellos_nb.store import audit

if TYPE_CHECKING:
    import pandas as pd

    from cellos_nb.campaign import Campaign

PLATES, READINGS, AUDIT, APPROVALS, STATES = (
    "plates.csv", "readings.csv", "audit.csv", "approvals.json", "model_states.json",
)  # fmt: skip
RAW = "readings.json"
"""Every reading whole, as the machine gave it."""
WORKFLOWS, PROOFS = "workflows", "proofs"
"""Folders."""
PARQUET = (("history.csv", "history.parquet"), (READINGS, "readings.parquet"))

_PLATE_COLUMNS = {
    "iteration": "Int64",
    "plate": "string",
    "status": "string",
    "wells": "Int64",
    "workflow": "string",
    "workflow_sha256": "string",
    "proofs": "Int64",
    "approvals": "Int64",
    "started_at": "string",
    "finished_at": "string",
    "error": "string",
}
_READING_COLUMNS = {
    "iteration": "Int64",
    "plate": "string",
    "step": "string",
    "well": "string",
    "role": "string",
    "cell_line": "string",
    "compound": "string",
    "dose_um": "float64",
    "experiment": "string",
    "replicate": "Int64",
    "channel": "string",
    "site": "Int64",
    "unit": "string",
    "signal": "float64",
}


def write_evidence(lab: Lab, campaign_id: str, folder: Path) -> None:
    """Writes everything that the store has of a campaign's own plates into a record's folder.

    Raises:
        StoreCorruptError: a stored workflow or model state is not what was written.
    """
    campaign, plates = lab.campaign(campaign_id), plate_records(lab.store, campaign_id)
    results = lab.store.history(campaign_id, superseded=True)
    (folder / RESULTS).write_text(codec.to_json(results) + "\n", encoding="utf-8")
    campaign.results.frame().to_parquet(folder / PARQUET[0][1], index=False)
    _write_plates(lab, plates, folder)
    _write_csv(audit_frame(lab.store, campaign_id, plates), folder / AUDIT)
    with lab.store.read() as tx:
        chain = lines_of(audit.extract(tx, campaign_id))
    (folder / AUDIT_LOG).write_text(chain, encoding="utf-8", newline="")
    write_json(model_states(campaign), folder / STATES)


def model_states(campaign: Campaign) -> list[dict[str, Any]]:
    """What the planner knew before each own iteration, as plain values."""
    return [codec.to_jsonable(kept.state) | {"is_consistent": kept.is_consistent} for kept in campaign.model_states()]


def short_name(plate_id: str) -> str:
    """A plate within its campaign: `i003-p1`, as the history names it."""
    return plate_id.rpartition("/")[2]


def _write_plates(lab: Lab, plates: tuple[PlateRecord, ...], folder: Path) -> None:
    (folder / WORKFLOWS).mkdir()
    rows, given, of_wells, raw = [], [], [], []
    for plate in plates:
        workflow = load_workflow(lab.store, plate.run_id)
        text, name = workflow.canonical_json(), short_name(plate.plate_id)
        # Without a closing newline, so that the file's SHA-256 is the one that people approve.
        (folder / WORKFLOWS / f"{name}.json").write_text(text, encoding="utf-8", newline="")
        digest = workflow.sha256
        proofs = [_write_proof(lab, manifest, folder) for manifest in proofs_of(lab.store, digest)]
        approvals = approvals_of(lab.store, digest)
        given += [_approval(approval, plate.plate_id) for approval in approvals]
        for reading in readings_of(lab.store, plate.run_id):
            of_wells += _reading_rows(plate, workflow.layout, reading)
            raw.append(reading)
        rows.append(_plate_row(plate, digest, n_proofs=len(proofs), n_approvals=len(approvals)))
    write_json(given, folder / APPROVALS)
    (folder / RAW).write_text(
        "[" + ",\n".join(codec.to_json(reading) for reading in raw) + "]" + "\n", encoding="utf-8"
    )
    _write_csv(_frame(rows, _PLATE_COLUMNS), folder / PLATES)
    readings = _frame(of_wells, _READING_COLUMNS)
    _write_csv(readings, folder / READINGS)
    readings.to_parquet(folder / PARQUET[1][1], index=False)


def _write_proof(lab: Lab, manifest_sha256: str, folder: Path) -> Path:
    """Copies a proof; one of which a file was lost or altered is told of in its place."""
    target = folder / PROOFS / manifest_sha256
    target.mkdir(parents=True, exist_ok=True)
    kept = ArtifactStore.beside(lab.store)
    try:
        proof = read_proof(lab.store, manifest_sha256)
        for artifact in (*proof.artifacts, proof.manifest):
            (target / artifact.name).write_bytes(kept.read(artifact.sha256, artifact.name))
    except ArtifactError as error:
        (target / "problem.txt").write_text(f"{error}\n", encoding="utf-8")
    return target


def _approval(approval: Approval, plate_id: str) -> dict[str, Any]:
    moments = {name: getattr(approval, name) for name in ("approved_at", "expires_at", "withdrawn_at")}
    times = {name: None if moment is None else moment.isoformat() for name, moment in moments.items()}
    return asdict(approval) | times | {"plate_id": plate_id}


def _plate_row(plate: PlateRecord, digest: str, *, n_proofs: int, n_approvals: int) -> tuple[Any, ...]:
    name = short_name(plate.plate_id)
    times = [
        None if at is None else at.isoformat(timespec="milliseconds") for at in (plate.started_at, plate.finished_at)
    ]
    workflow = f"{WORKFLOWS}/{name}.json"
    head = (plate.iteration, name, str(plate.status), plate.n_wells, workflow, digest)
    return (*head, n_proofs, n_approvals, *times, plate.error)


def _reading_rows(plate: PlateRecord, layout: PlateLayout, reading: Reading) -> list[tuple[Any, ...]]:
    """One row for each well, channel and site, controls among them."""
    about = {well.well: well for well in layout}
    name, rows = short_name(plate.plate_id), []
    for channel in reading.channels:
        for well, signal in zip(reading.wells, channel.values, strict=True):
            held = about[well]
            rows.append((
                *(plate.iteration, name, reading.step_uid, well, str(held.role), held.cell_line, held.compound),
                *(held.dose_um, held.proposal_id, held.replicate, channel.name, channel.site, channel.unit, signal),
            ))  # fmt: skip
    return rows


def _frame(rows: list[tuple[Any, ...]], columns: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    path.write_text(frame_csv(frame), encoding="utf-8", newline="")
