"""PROOF: a workflow rehearsed and written down, for a person to read before anything real moves."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from sqlalchemy import insert, select, update

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.step import Step, TransferList
from cellos_nb.errors import ArtifactError, MachineRefusedError
from cellos_nb.execution.artifacts import Artifact, ArtifactStore
from cellos_nb.execution.capable import check_step
from cellos_nb.execution.runs import write_log
from cellos_nb.hardware.interface import HardwareInterface, ProtocolMachine
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store.schema import proofs
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.estimate import WorkflowEstimate, estimate
from cellos_nb.workflow.render import render_html, render_text
from cellos_nb.workflow.workflow import Workflow

MANIFEST = "manifest.json"
FORM = 1
"""Of the manifest; raised when its keys change."""

_DIGITS = 6
"""Volumes are logged to 1 pL: far below what a pipette can do, far above the rounding of a sum."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was written about one workflow on one machine. The same workflow and machine give the same, byte for byte.

    Neither time nor place stands in the artifacts, so that two people who prove the same read the same hashes.
    """

    plate_id: str
    machine: str
    workflow_sha256: str
    manifest: Artifact
    """Names all artifacts with their SHA-256: whoever has its hash has them all."""
    artifacts: tuple[Artifact, ...]
    """Workflow, protocol as text and as a page, run log, estimate."""


def prove(store: Store, workflow: Workflow, machine: Capabilities, also: Mapping[str, bytes] | None = None) -> Proof:
    """Rehearses a workflow on numbers, writes what will happen as artifacts and logs the manifest's hash.

    The machine is known here by its description alone, so none can be touched. The rehearsal is on a fresh virtual
    machine with its volumes and plates, in memory.

    Args:
        store: keeps the artifacts and the log.
        workflow: what is proved.
        machine: what it is proved for.
        also: what a device's own software says, by file name: kept with the other artifacts and named in the manifest.

    Raises:
        MachineRefusedError: a step cannot be executed; says what to change. Nothing was written.
        ArtifactError: the same proof was written before and has been altered since.
        OutputError: the artifacts cannot be written.
    """
    run_log = "".join(f"{_json(line)}\n" for line in rehearse(workflow, machine))
    needs = estimate(workflow, machine)
    files = {
        "workflow.json": workflow.canonical_json(),
        "protocol.txt": render_text(workflow, needs),
        "protocol.html": _page(workflow, needs),
        "run_log.jsonl": run_log,
        "estimate.json": _json({**asdict(needs), "cost_usd": needs.cost_usd}),
    }
    kept = ArtifactStore.beside(store)
    contents = {name: text.encode() for name, text in files.items()} | dict(also or {})
    if len(contents) < len(files) + len(also or {}):
        twice = ", ".join(sorted({*files} & {*(also or {})}))
        raise ArtifactError(f"{workflow.plate_id}: a proof has its own {twice}; give the device's file another name.")
    artifacts = tuple(kept.write(name, content) for name, content in contents.items())
    content = {
        "form": FORM,
        "plate_id": workflow.plate_id,
        "machine": machine.machine,
        "workflow_sha256": workflow.sha256,
        "artifacts": [asdict(artifact) for artifact in artifacts],
    }
    manifest = kept.write(MANIFEST, _json(content).encode())
    proof = Proof(workflow.plate_id, machine.machine, workflow.sha256, manifest, artifacts)
    _note(store, proof)
    return proof


def prove_on(store: Store, workflow: Workflow, machine: HardwareInterface) -> Proof:
    """As `prove`, with the protocols of a machine that has such, among the artifacts. Raises as `prove`."""
    files = machine.prove(workflow.steps, workflow.sha256) if isinstance(machine, ProtocolMachine) else None
    return prove(store, workflow, machine.describe(), files)


def load_proof(store: Store, workflow: Workflow, machine: HardwareInterface, manifest_sha256: str) -> None:
    """Gives a machine the protocols that a person approved, if it has such.

    Raises:
        MachineRefusedError: they are not what it would execute now.
        ArtifactError: an artifact of the proof is missing or was altered.
    """
    if isinstance(machine, ProtocolMachine):
        kept, proof = ArtifactStore.beside(store), read_proof(store, manifest_sha256)
        files = {artifact.name: kept.read(artifact.sha256, artifact.name) for artifact in proof.artifacts}
        machine.load(workflow.steps, workflow.sha256, files)


def rehearse(workflow: Workflow, machine: Capabilities) -> Iterator[dict[str, Any]]:
    """Carries a workflow out on numbers: for each step what is done, and what stands in the wells afterwards.

    Raises:
        MachineRefusedError: a step cannot be executed; names plate and step, and says what to change.
    """
    virtual = VirtualMachine(
        name=f"rehearsal for {machine.machine}",
        min_volume_ul=machine.min_volume_ul,
        max_volume_ul=machine.max_volume_ul,
        plate_formats=machine.plate_formats,
    )
    for step in workflow.steps:
        begins_h = virtual.clock_h(workflow.plate_id)
        try:
            check_step(step, machine)
            virtual.execute(step, step.uid)
        except MachineRefusedError as error:
            raise MachineRefusedError(f"{workflow.plate_id}, rehearsal of step {step.uid}: {error}") from error
        yield {
            "step": step.uid,
            "kind": step.kind.value,
            "begins_h": begins_h,
            "ends_h": virtual.clock_h(workflow.plate_id),
            "filled": [[f.labware, f.well, f.liquid.name, f.volume_ul] for f in step.fills],
            "transfers": _transfers(step.transfers),
            "wells_read": len(step.readout.wells) if step.readout else 0,
            "volumes_after_ul": _volumes(step, virtual),
        }


def newest_proof(store: Store, workflow_sha256: str, machine: str) -> Proof | None:
    """The newest proof of a workflow on a machine, with every artifact checked; None when there is none.

    Raises:
        ArtifactError: an artifact is missing or was altered.
    """
    query = select(proofs.c.manifest_sha256).where(
        proofs.c.workflow_sha256 == workflow_sha256, proofs.c.machine == machine
    )
    with store.read() as tx:
        digest = tx.execute(query.order_by(proofs.c.proved_at.desc()).limit(1)).scalar()
    return None if digest is None else read_proof(store, digest)


def proofs_of(store: Store, workflow_sha256: str) -> tuple[str, ...]:
    """The manifests of every proof of a workflow, on whatever machine, oldest first; none is opened."""
    query = select(proofs.c.manifest_sha256).where(proofs.c.workflow_sha256 == workflow_sha256)
    with store.read() as tx:
        return tuple(tx.execute(query.order_by(proofs.c.proved_at)).scalars())


def read_proof(store: Store, manifest_sha256: str) -> Proof:
    """A proof by the hash of its manifest, with every artifact checked.

    Raises:
        ArtifactError: an artifact is missing or was altered, or the manifest is of another form.
    """
    kept = ArtifactStore.beside(store)
    text = kept.read(manifest_sha256, MANIFEST)
    content = json.loads(text)
    if content.get("form") != FORM:
        raise ArtifactError(
            f"{kept.path_of(manifest_sha256, MANIFEST)}: is of the form {content.get('form')}; this release reads "
            f"{FORM}. Write the proof again with `cellos proof`."
        )
    artifacts = tuple(Artifact(**item) for item in content["artifacts"])
    for artifact in artifacts:
        kept.read(artifact.sha256, artifact.name)
    manifest = Artifact(MANIFEST, manifest_sha256, len(text))
    return Proof(content["plate_id"], content["machine"], content["workflow_sha256"], manifest, artifacts)


def _note(store: Store, proof: Proof) -> None:
    """Tells the store of a proof, once its artifacts are on the disk."""
    digest = proof.manifest.sha256
    values = {
        "manifest_sha256": digest,
        "workflow_sha256": proof.workflow_sha256,
        "machine": proof.machine,
        "plate_id": proof.plate_id,
        "proved_at": now_utc(),
    }
    message = f"{proof.plate_id}: proved for {proof.machine}, workflow {proof.workflow_sha256}"
    with store.write(durable=True) as tx:
        if tx.execute(update(proofs).where(proofs.c.manifest_sha256 == digest), values).rowcount == 0:
            tx.execute(insert(proofs), values)
        write_log(tx, logging.INFO, message, artifact=proof.manifest)


def _transfers(transfers: TransferList | None) -> list[list[Any]]:
    """Each transfer in its order: source, its well, destination, its well, µL."""
    return [
        [t.source_labware, t.source_well, t.destination_labware, t.destination_well, t.volume_ul]
        for t in transfers or ()
    ]


def _volumes(step: Step, machine: VirtualMachine) -> dict[str, dict[str, float]]:
    """What the wells that a step touched hold after it, by labware and well, in µL."""
    if step.transfers is None:
        return {}
    columns = step.transfers
    sources = zip(columns.source_labware, columns.source_well, strict=True)
    destinations = zip(columns.destination_labware, columns.destination_well, strict=True)
    held = {item.name: machine.volumes(item.barcode) for item in step.labware}
    found: dict[str, dict[str, float]] = {}
    for labware, well in (*sources, *destinations):
        found.setdefault(labware, {})[well] = round(held[labware][well], _DIGITS)
    return found


def _page(workflow: Workflow, needs: WorkflowEstimate) -> str:
    """The protocol as a page that a browser opens from the disk."""
    title = escape(workflow.plate_id)
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>',
            f"<body>\n{render_html(workflow, needs)}\n</body></html>\n",
        )
    )


def _json(value: Any) -> str:
    """The one JSON text of plain values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
