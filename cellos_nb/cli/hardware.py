"""Commands about machines: what must be installed before one can be driven."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cellos_nb.cli.tables import print_facts

app = typer.Typer(help="Install what machines need, and prove protocols for them.", no_args_is_help=True)


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
