"""Runs that wait for a person's approval, each with the proof that the person has to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from cellos_nb.execution.approvals import IN_FORCE
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.store.schema import actions, approvals, proofs, runs
from cellos_nb.store.store import Store


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run that waits, with its newest proof."""

    run_id: int
    plate_id: str
    workflow_sha256: str
    why: str
    machine: str | None
    """That it was proved for; None when it was not proved."""
    manifest_sha256: str | None
    """Of the proof."""
    approved_until: datetime | None
    """By the approval that ends last, past or to come; None when nobody approved it."""


def held_runs(store: Store) -> tuple[HeldRun, ...]:
    """The runs that wait for an approval, in the order submitted."""
    waiting = (
        select(runs.c.run_id, runs.c.plate_id, runs.c.workflow_sha256, actions.c.last_error)
        .join(actions, actions.c.action_id == runs.c.run_id)
        .where(actions.c.status == JobStatus.PAUSED.value)
        .order_by(runs.c.run_id)
    )
    found = []
    with store.read() as tx:
        for run_id, plate_id, digest, why in tx.execute(waiting).all():
            newest = select(proofs.c.machine, proofs.c.manifest_sha256).where(proofs.c.workflow_sha256 == digest)
            proof = tx.execute(newest.order_by(proofs.c.proved_at.desc()).limit(1)).first()
            machine, manifest = (None, None) if proof is None else proof
            given = select(func.max(approvals.c.expires_at, type_=approvals.c.expires_at.type)).where(
                approvals.c.workflow_sha256 == digest,
                approvals.c.machine == machine,
                IN_FORCE,
            )
            found.append(HeldRun(run_id, plate_id, digest, why or "", machine, manifest, tx.scalar(given)))
    return tuple(found)
