"""Commands about machines: what must be installed before one can be driven."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli import hardware_robot, machines
from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_facts, print_table

app = typer.Typer(
    help="Describe and check machines, install what they need, and prove protocols.", no_args_is_help=True
)
app.command("list")(machines.list_machines)
app.command()(machines.check)
app.command()(machines.describe)
app.command()(machines.new)
app.add_typer(hardware_robot.app, name="robot")
app.command("simulate-robot")(hardware_robot.simulate_robot)


class Vendor(StrEnum):
    """Whose software can be installed."""

    OPENTRONS = "opentrons"


@app.command()
def install(
    vendor: Annotated[Vendor, typer.Argument(help="Whose software.")],
    version: Annotated[
        str | None, typer.Option("--version", help="Which version. Default: the one for both robots.")
    ] = None,
) -> None:
    """Install a vendor's software into an environment of its own, from a lock that names every file by its hash."""
    from cellos_nb.hardware.opentrons import environment

    made = environment.install(version or environment.DEFAULT_VERSION)
    print_facts(((vendor.value, made.version), ("python", str(made.python)), ("lock", made.lock_sha256)))


@app.command()
def prove(
    workflow: Annotated[Path, typer.Argument(help="A workflow, as `cellos proof` writes it.", metavar="WORKFLOW.json")],
    robot: Annotated[Path, typer.Option("--robot", help="The robot's YAML file.", metavar="ROBOT.yaml")],
    out: Annotated[Path, typer.Option("--out", help="Folder that the files are written into.")] = Path("protocols"),
    as_json: AsJson = False,
) -> None:
    """Write a workflow's protocols for an OT-2 or Flex and have Opentrons' software check them. Nothing moves.

    For each step that moves liquid: protocol, run log, analysis and a drawing of the deck.
    """
    from cellos_nb.cli.proofs import read_workflow
    from cellos_nb.hardware.opentrons import environment
    from cellos_nb.hardware.opentrons.proof import prove_steps, write_files
    from cellos_nb.hardware.opentrons.settings import load_robot
    from cellos_nb.hardware.opentrons.worker import OpentronsWorker

    chosen, asked = load_robot(robot), read_workflow(workflow)
    with OpentronsWorker(environment.require()) as worker:
        proof = prove_steps(asked.steps, asked.sha256, chosen, worker)
    write_files(proof, out)
    rows = [
        {
            "step": step.step_uid,
            "commands": step.n_commands,
            "tips": step.n_tips,
            "minutes": round(step.duration_s / 60, 1),
            "protocol sha256": step.protocol_sha256,
        }
        for step in proof.steps
    ]
    print_table(rows, as_json=as_json, empty="no step of this workflow moves liquid")
    typer.echo(f"wrote {len(proof.files)} files into {out}", err=True)
