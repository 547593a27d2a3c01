"""Approvals: a machine that touches something real moves only for a workflow that a person has read and approved."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, insert, select, update

from cellos_nb.domain.audit import Act
from cellos_nb.domain.machine import Capabilities
from cellos_nb.errors import ApprovalError, InputError
from cellos_nb.execution.proof import newest_proof
from cellos_nb.execution.runs import write_log
from cellos_nb.store.audit import note
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
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None

    def allows(self, moment: datetime) -> bool:
        """Whether it counts at a moment: it has neither expired nor been taken back."""
        return self.withdrawn_at is None and self.expires_at > moment


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
        facts = {"machine": machine, "workflow_sha256": workflow_sha256, "manifest_sha256": given.manifest_sha256}
        facts |= {"expires_at": expires_at.isoformat()}
        note(tx, Act.APPROVAL_GIVEN, proof.plate_id, who=given.person, facts=facts)
    return given


def withdraw(store: Store, workflow_sha256: str, *, machine: str, person: str, reason: str) -> int:
    """Takes back every approval of a workflow for a machine that still counts; returns how many there were.

    A plate that has begun is not interrupted: `cellos kill` and the robot's own stop are for that.

    Raises:
        InputError: nobody is named, or there is no reason.
        ApprovalError: no approval counts now.
    """
    if not person.strip() or not reason.strip():
        raise InputError("An approval is taken back by somebody and for a reason; give both, as in --reason 'TEXT'.")
    now = now_utc()
    with store.write(durable=True) as tx:
        mine = [each for each in approvals_of(store, workflow_sha256) if each.machine == machine and each.allows(now)]
        if not mine:
            raise ApprovalError(
                f"{workflow_sha256[:12]}…: no approval for {machine} counts now, so there is none to take back."
            )
        here = (approvals.c.workflow_sha256 == workflow_sha256) & (approvals.c.machine == machine)
        values = {"withdrawn_at": now, "withdrawn_by": person.strip(), "withdrawn_reason": reason}
        tx.execute(update(approvals).where(here, IN_FORCE, approvals.c.expires_at > now), values)
        plates = list(tx.execute(select(runs.c.plate_id).where(runs.c.workflow_sha256 == workflow_sha256)).scalars())
        plate_id = plates[0] if plates else workflow_sha256
        message = f"{plate_id}: {person.strip()} took back the approval of workflow {workflow_sha256} for {machine}"
        write_log(tx, logging.WARNING, f"{message}: {reason}")
        facts = {"machine": machine, "workflow_sha256": workflow_sha256, "n_approvals": len(mine)}
        note(tx, Act.APPROVAL_WITHDRAWN, plate_id, who=person.strip(), why=reason, facts=facts)
    return len(mine)


def approvals_of(store: Store, workflow_sha256: str) -> tuple[Approval, ...]:
    """Every approval of a workflow that was ever given, oldest first, ended and withdrawn ones included."""
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
    now = now_utc()
    valid = [approval for approval in given if approval.allows(now)]
    if not valid:
        last = given[-1]
        if last.withdrawn_at is not None:
            raise ApprovalError(
                f"{workflow.plate_id}: {last.withdrawn_by} took back the approval for {machine} at "
                f"{last.withdrawn_at:%Y-%m-%d %H:%M} UTC: {last.withdrawn_reason}. Approve it again with {how}."
            )
        ended = max(approval.expires_at for approval in given)
        raise ApprovalError(
            f"{workflow.plate_id}: the approval for {machine} ended at {ended:%Y-%m-%d %H:%M} UTC. "
            f"Approve the workflow again with {how}."
        )
    return valid[-1]


_COUNTS = approvals.c.manifest_sha256.is_not(None)
IN_FORCE: ColumnElement[bool] = _COUNTS & approvals.c.withdrawn_at.is_(None)
"""Of approvals that count until they expire."""
_ALLOWED = Prepared(
    select(approvals.c.machine)
    .join(runs, runs.c.workflow_sha256 == approvals.c.workflow_sha256)
    .where(runs.c.run_id == bindparam("of_run"), IN_FORCE, approvals.c.expires_at > bindparam("now"))
)
_GIVEN = Prepared(
    select(*(approvals.c[name] for name in Approval.__slots__))
    .where(approvals.c.workflow_sha256 == bindparam("workflow"), _COUNTS)
    .order_by(approvals.c.approval_id)
)
