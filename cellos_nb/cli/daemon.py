"""The command that executes what others have queued."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import Database
from cellos_nb.cli.signals import result_heeding_signals

if TYPE_CHECKING:
    from cellos_nb.store.store import Store


def daemon(  # noqa: PLR0917 — typer's parameters are options, given by name
    db: Database = None,
    real: Annotated[
        bool | None,
        typer.Option("--real/--proof", help="Move real machines, under approvals; or write proofs alone."),
    ] = None,
    max_ticks: Annotated[
        int | None,
        typer.Option(
            "--max-ticks", min=1, help="End after so many ticks; one is made when something is due.", show_default=False
        ),
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when nothing is left that goes on by itself, as for scripts.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Make one tick and end, as for cron.")] = False,
    max_runs: Annotated[int, typer.Option("--max-runs", min=1, help="Plates that one tick begins.")] = 3,
    tick_seconds: Annotated[
        float, typer.Option("--tick-seconds", min=0.1, help="After so long a tick begins nothing more.")
    ] = 20.0,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port", min=0, max=65535, help="Serve /metrics for Prometheus on 127.0.0.1.", show_default=False
        ),
    ] = None,
) -> None:
    """Execute queued campaigns and plates until stopped; a second daemon stands by.

    Ctrl-C and SIGTERM end it after the step in progress, which is recorded. Simulated machines run in either mode.
    """
    from cellos_nb.execution.daemon import Daemon
    from cellos_nb.lab import Lab

    logging.getLogger("cellos_nb.execution.daemon").setLevel(logging.INFO)
    with Lab.open(db) as lab, ThreadPoolExecutor(1, "cellos-daemon") as thread:
        worker = Daemon(lab.store, lab, max_runs=max_runs, tick_s=tick_seconds, is_real=bool(real))
        # In a thread of its own, so that a signal never finds the worker inside what its handler needs.
        with _metrics(lab.store, metrics_port):
            reason = result_heeding_signals(
                lambda: thread.submit(worker.run, max_ticks=max_ticks, once=once, until_idle=until_idle), worker.stop
            )
    typer.echo(f"ended: {reason}")


@contextmanager
def _metrics(store: Store, port: int | None) -> Iterator[None]:
    if port is None:
        yield
        return
    from cellos_nb.execution.metrics_server import serving_metrics

    with serving_metrics(store, port) as served:
        typer.echo(f"metrics: http://127.0.0.1:{served}/metrics", err=True)
        yield
