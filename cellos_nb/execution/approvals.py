"""Approvals: a machine that touches something real moves only for a workflow that a person has read and approved."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select

from cellos_nb.domain.machine import Capabilities
from cellos_nb.errors import ApprovalError, InputError
from cellos_nb.execution.proof import newest_proof
from cellos_nb.execution.runs import write_log
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import approvals, runs
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Approval:
    """A person allows one machine to execute one workflow, up to a moment."""

    workflow_sha256: str
    manifest_sha256: str
    """Of the proof that the person read."""
    machine: str
    person: str
    approved_at: datetime
    expires_at: datetime


def approve(store: Store, workflow_sha256: str, *, machine: str, person: str, expires_at: datetime) -> Approval:
    """Records that a person allows one machine to execute one workflow, which was proved for it, up to a moment.

    Raises:
        InputError: nobody is named, or the moment is past.
        ApprovalError: the workflow was not proved for this machine, so the person cannot have read what it does.
        ArtifactError: an artifact of the proof is missing or was altered.
    """
    now = now_utc()
    if not person.strip():
        raise InputError("person: an approval needs the name of who gives it.")
    if expires_at <= now:
        raise InputError(f"expires_at: {expires_at:%Y-%m-%d %H:%M} is past; give a moment to come.")
    proof = newest_proof(store, workflow_sha256, machine)
    if proof is None:
        raise ApprovalError(
            f"{workflow_sha256[:12]}…: there is no proof of this workflow for the machine {machine}. Write one with "
            "`cellos proof`, read its protocol, then approve the hash of the workflow that it shows."
        )
    given = Approval(workflow_sha256, proof.manifest.sha256, machine, person.strip(), now, expires_at)
    message = (
        f"{proof.plate_id}: {given.person} approved workflow {workflow_sha256} for {machine} "
        f"until {expires_at:%Y-%m-%d %H:%M} UTC"
    )
    with store.write(durable=True) as tx:
        tx.execute(insert(approvals), {name: getattr(given, name) for name in Approval.__slots__})
        write_log(tx, logging.INFO, message, artifact=proof.manifest)
    return given


def approvals_of(store: Store, workflow_sha256: str) -> tuple[Approval, ...]:
    """Every approval of a workflow that was ever given, oldest first, ended ones included."""
    with store.read() as tx:
        return tuple(Approval(*row) for row in _GIVEN.rows(tx, {"workflow": workflow_sha256}))


def allowed_machines(store: Store, run_id: int) -> frozenset[str]:
    """The machines that may execute the workflow of a run now, under approvals that have not ended."""
    with store.read() as tx:
        return frozenset(name for (name,) in _ALLOWED.rows(tx, {"of_run": run_id, "now": now_utc()}))


def require_approval(store: Store, workflow: Workflow, capabilities: Capabilities) -> Approval | None:
    """Returns when the machine may execute the workflow: it needs no approval, or a person approved exactly this.

    Of several approvals the last is returned; none for a simulated machine.

    Raises:
        ApprovalError: nobody did, or it has expired; says how to approve.
    """
    if not capabilities.needs_approval:
        return None
    digest, machine = workflow.sha256, capabilities.machine
    given = [approval for approval in approvals_of(store, digest) if approval.machine == machine]
    how = f"`cellos approve-workflow --workflow {digest} --machine {machine} --person NAME --expires-h HOURS`"
    if not given:
        raise ApprovalError(
            f"{workflow.plate_id}: {machine} is real, and nobody approved this workflow for it. Read its proof, which "
            f"`cellos proof {workflow.plate_id}` shows, then approve it with {how}."
        )
    valid = [approval for approval in given if approval.expires_at > now_utc()]
    if not valid:
        ended = max(approval.expires_at for approval in given)
        raise ApprovalError(
            f"{workflow.plate_id}: the approval for {machine} ended at {ended:%Y-%m-%d %H:%M} UTC. "
            f"Approve the workflow again with {how}."
        )
    return valid[-1]


_COUNTS = approvals.c.manifest_sha256.is_not(None)
_ALLOWED = Prepared(
    select(approvals.c.machine)
    .join(runs, runs.c.workflow_sha256 == approvals.c.workflow_sha256)
    .where(runs.c.run_id == bindparam("of_run"), _COUNTS, approvals.c.expires_at > bindparam("now"))
)
_GIVEN = Prepared(
    select(*(approvals.c[name] for name in Approval.__slots__))
    .where(approvals.c.workflow_sha256 == bindparam("workflow"), _COUNTS)
    .order_by(approvals.c.approval_id)
)
