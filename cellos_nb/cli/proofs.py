"""Commands that write proofs and take approvals."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table
from cellos_nb.errors import InputError

if TYPE_CHECKING:
    from cellos_nb.execution.proof import Proof
    from cellos_nb.workflow.workflow import Workflow

MAX_HOURS = 24 * 366
"""An approval of more than a year is a typing error."""


def proof(
    what: Annotated[
        str,
        typer.Argument(help="A campaign's YAML file, or a plate that was submitted.", metavar="CAMPAIGN.yaml|PLATE"),
    ],
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write what the first batch of a campaign, or a plate, will do: protocol, run log, cost, hashes. Nothing moves."""
    from cellos_nb.checks import check_config
    from cellos_nb.domain.campaign import CampaignConfig
    from cellos_nb.lab import Lab

    if Path(what).suffix.lower() in {".yaml", ".yml"} or Path(what).exists():
        config = CampaignConfig.from_yaml(what)
        check_config(config)  # before a database is made
        with Lab.open(db) as lab:
            proofs, folder = lab.prove(config), lab.store.folder
    else:
        with Lab.open(db, must_exist=True) as lab:
            proofs, folder = (lab.prove_plate(what),), lab.store.folder
    if as_json:
        print_json([_as_dict(each, folder) for each in proofs])
        return
    for each in proofs:
        _print_proof(each, folder)


def approve_workflow(  # noqa: PLR0917 — options, which are given by name
    workflow: Annotated[str, typer.Option("--workflow", help="SHA-256 of the workflow, as `cellos proof` shows it.")],
    machine: Annotated[str, typer.Option("--machine", help="The machine that may execute it.")],
    person: Annotated[
        str | None, typer.Option("--person", help="Who approves. Default: who is logged in.", show_default=False)
    ] = None,
    expires_h: Annotated[float, typer.Option("--expires-h", help="For how many hours.")] = 24.0,
    is_withdrawn: Annotated[
        bool, typer.Option("--withdraw", help="Take the approval back instead; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why it is taken back; kept in the audit log.")] = "",
    db: Database = None,
) -> None:
    """Allow one real machine to execute one workflow whose proof you have read.

    With --withdraw no plate that has not begun is executed under it any more.
    """
    from cellos_nb.execution.approvals import approve, withdraw
    from cellos_nb.lab import Lab
    from cellos_nb.units import now_utc

    if is_withdrawn:
        with Lab.open(db, must_exist=True) as lab:
            n = withdraw(lab.store, workflow, machine=machine, person=person or _login(), reason=reason)
        typer.echo(f"{workflow[:12]}…: {n} approval{'s' if n > 1 else ''} for {machine} taken back.")
        return
    if not (math.isfinite(expires_h) and 0 < expires_h <= MAX_HOURS):
        raise InputError(f"--expires-h: {expires_h:g} h is not possible; give a number above 0 and up to {MAX_HOURS}.")
    until = now_utc() + timedelta(hours=expires_h)
    with Lab.open(db, must_exist=True) as lab:
        given = approve(lab.store, workflow, machine=machine, person=person or _login(), expires_at=until)
    print_facts(
        (
            ("approved by", given.person),
            ("machine", given.machine),
            ("workflow", given.workflow_sha256),
            ("proof", given.manifest_sha256),
            ("until", f"{given.expires_at:%Y-%m-%d %H:%M} UTC"),
        )
    )


def read_workflow(path: Path) -> Workflow:
    """The workflow in a file that `cellos proof` wrote.

    Raises:
        InputError: there is no such file, or it is no workflow.
    """
    from pydantic import ValidationError

    from cellos_nb.workflow.workflow import Workflow

    try:
        return Workflow.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}. Give the workflow.json of a proof.") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no workflow. Give the workflow.json that `cellos proof` wrote.") from error


def _login() -> str:
    from cellos_nb.store.accounts import UNKNOWN, person

    name = person()
    if name == UNKNOWN:
        raise InputError("--person: nobody is logged in by name. Say who approves.")
    return name


def _as_dict(proof: Proof, folder: Path) -> dict[str, Any]:
    return {
        "plate": proof.plate_id,
        "machine": proof.machine,
        "workflow_sha256": proof.workflow_sha256,
        "manifest_sha256": proof.manifest.sha256,
        "artifacts": [
            {**asdict(artifact), "path": str(folder / artifact.ref)} for artifact in (*proof.artifacts, proof.manifest)
        ],
    }


def _print_proof(proof: Proof, folder: Path) -> None:
    print_facts(
        (
            ("plate", proof.plate_id),
            ("machine", proof.machine),
            ("workflow", proof.workflow_sha256),
            ("proof", proof.manifest.sha256),
            ("written to", str(folder / "artifacts")),
        )
    )
    rows = [{"artifact": a.name, "sha256": a.sha256, "bytes": a.n_bytes} for a in (*proof.artifacts, proof.manifest)]
    print_table(rows, as_json=False, empty="")
    typer.echo("")
