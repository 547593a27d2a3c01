"""Commands that run a cluster of robots: one scheduler, and one worker for each robot."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_LOGS = Path("cellos.machines")

Host = Annotated[
    str,
    typer.Option("--host", help="Address to listen on. Whoever reaches it can run code here: see the how-to."),
]


def scheduler(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any that is free.")] = 8786,
) -> None:
    """Run the scheduler of a cluster of robots, until Ctrl-C."""
    from cellos_nb.hardware.cluster.host import run_scheduler

    _quieten()
    run_scheduler(host, port, on_ready=lambda address: typer.echo(f"scheduler at {address}"))


def worker(  # noqa: PLR0917 — options, which are given by name
    scheduler: Annotated[str, typer.Option("--scheduler", help="As in tcp://127.0.0.1:8786.", metavar="ADDRESS")],
    robot: Annotated[str, typer.Option("--robot", help="Name of the robot in the cluster and in the journal.")],
    machine: Annotated[str, typer.Option("--machine", help="Kind of the robot, or its machine file.")],
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="File that a simulated machine remembers its steps in.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            help="Write-ahead log of the robot; keep it for as long as the robot is used. "
            "Default: cellos.machines/ROBOT.steps",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Behind the noise of simulated machines.")] = 0,
    host: Host = "127.0.0.1",
) -> None:
    """Own one robot and execute its steps for a cluster, until Ctrl-C.

    A step in hand is brought to its end first.
    """
    from cellos_nb.hardware.cluster.host import run_robot
    from cellos_nb.hardware.cluster.robot import Robot
    from cellos_nb.hardware.cluster.step_log import StepLog
    from cellos_nb.hardware.registry import open_machine, settings_of

    _quieten()
    settings = settings_of(machine)
    steps = StepLog(log or DEFAULT_LOGS / f"{robot}.steps")
    owned = Robot(robot, open_machine(settings, ledger, seed), steps)
    run_robot(owned, scheduler, host=host, on_ready=lambda address: typer.echo(f"{robot} is served at {address}"))


def _quieten() -> None:
    """Lets Dask log as much as everything else here; by itself it tells every step of its start."""
    from cellos_nb.hardware.cluster.host import need_dask

    need_dask()  # Dask sets its level when it is imported
    logging.getLogger("distributed").setLevel(logging.getLogger().level)
