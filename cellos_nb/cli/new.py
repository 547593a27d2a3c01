"""The command that begins a plug-in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Kind(StrEnum):
    """What a plug-in can bring."""

    MACHINE = "machine"
    PLANNER = "planner"
    ASSAY = "assay"
    ACTION = "action"
    PANEL = "panel"


def new(
    kind: Annotated[Kind, typer.Argument(help="What it brings.", metavar="machine|planner|assay|action|panel")],
    name: Annotated[str, typer.Argument(help="Name of the package, in small letters: label-printer.", metavar="NAME")],
    folder: Annotated[Path, typer.Option("--folder", help="Where its folder is put.")] = Path(),
) -> None:
    """Begin a plug-in: a package that can be installed, with a test that it passes as it stands.

    The folder has a pyproject.toml with the entry point, the module, a README, and the contract that every machine,
    planner, assay, action or panel must hold. An existing folder is left alone.
    """
    from cellos_nb.skeletons.write import write_skeleton

    made = write_skeleton(kind.value, name, folder)
    for path in sorted(made.rglob("*")):
        if path.is_file():
            typer.echo(f"wrote {path}")
    typer.echo(f"Next: cd {made} && python -m pip install -e '.[test]' && python -m pytest")
