"""Approvals: a machine that touches something real moves only for a workflow that a person has approved."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select

from cellos_nb.domain.machine import Capabilities
from cellos_nb.errors import ApprovalError, InputError
from cellos_nb.store.schema import approvals
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow


def approve(store: Store, workflow_sha256: str, *, machine: str, person: str, expires_at: datetime) -> None:
    """Records that a person allows one machine to execute one workflow, up to a moment.

    Raises:
        InputError: nobody is named, or the moment is past.
    """
    if not person.strip():
        raise InputError("person: an approval needs the name of who gives it.")
    if expires_at <= now_utc():
        raise InputError(f"expires_at: {expires_at:%Y-%m-%d %H:%M} is past; give a moment to come.")
    values = {
        "workflow_sha256": workflow_sha256,
        "machine": machine,
        "person": person,
        "approved_at": now_utc(),
        "expires_at": expires_at,
    }
    with store.write(durable=True) as tx:
        tx.execute(insert(approvals), values)


def require_approval(store: Store, workflow: Workflow, capabilities: Capabilities) -> None:
    """Returns when the machine may execute the workflow: it is simulated, or a person approved exactly this.

    Raises:
        ApprovalError: nobody did, or it has expired.
    """
    if capabilities.is_simulated:
        return
    digest = workflow.sha256
    query = select(approvals.c.expires_at).where(
        approvals.c.workflow_sha256 == digest, approvals.c.machine == capabilities.machine
    )
    with store.read() as tx:
        given = tx.execute(query.order_by(approvals.c.expires_at.desc()).limit(1)).scalar()
    if given is None:
        raise ApprovalError(
            f"{workflow.plate_id}: {capabilities.machine} is real, and nobody approved this workflow for it "
            f"(SHA-256 {digest[:12]}…). Look at the workflow, then approve it."
        )
    if given <= now_utc():
        raise ApprovalError(
            f"{workflow.plate_id}: the approval for {capabilities.machine} ended at {given:%Y-%m-%d %H:%M} UTC. "
            "Approve the workflow again."
        )
