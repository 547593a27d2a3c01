"""All commands, in the order in which `cellos --help` lists them."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from cellos_nb.cli import (
    assistant,
    audit,
    bank,
    bench,
    calendar,
    campaigns,
    cluster,
    compare,
    costs,
    daemon,
    demo,
    doctor,
    examples,
    facility,
    hardware,
    history,
    images,
    inventory,
    lab,
    new,
    outputs,
    planning,
    proofs,
    queue,
    record,
    rehearse,
    scoreboard,
    steering,
    templates,
)

app = typer.Typer(
    name="cellos",
    help="Autonomous cell-biology experiments: plan, plate, run, learn, record.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(f"cellos {version('cellos-nb')}")
        raise typer.Exit


@app.callback()
def common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")] = False,
    version: Annotated[  # noqa: ARG001  # acts in its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Autonomous cell-biology experiments: plan, plate, run, learn, record."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if not verbose:
        # A notebook that fails is reported in our words; papermill's own log would say it again.
        logging.getLogger("papermill").setLevel(logging.CRITICAL)


app.command()(demo.demo)
app.command()(campaigns.plan)
app.command()(rehearse.rehearse)
app.command()(planning.split_plate)
app.command()(planning.plan_table)
app.command()(planning.learn_prior)
app.command()(campaigns.run)
app.command()(campaigns.resume)
app.command()(steering.stop)
app.command()(steering.rollback)
app.command()(steering.fork)
app.command()(steering.overrule)
app.command()(campaigns.status)
app.command("list")(campaigns.list_campaigns)
app.command()(compare.compare)
app.command()(daemon.daemon)
app.command("queue")(queue.list_queue)
app.command()(queue.dead_letters)
app.command()(queue.pause)
app.command()(queue.kill)
app.command()(queue.resume_queue)
app.command()(queue.approve)
app.command()(proofs.proof)
app.command("approve-workflow")(proofs.approve_workflow)
app.command()(outputs.export)
app.add_typer(history.app, name="history")
app.command()(costs.costs)
app.add_typer(record.app, name="record")
app.add_typer(audit.app, name="audit")
app.add_typer(templates.app, name="templates")
app.command()(scoreboard.scoreboard)
app.add_typer(assistant.app, name="assistant")
app.add_typer(bench.app, name="bench")
app.add_typer(hardware.app, name="hardware")
app.add_typer(inventory.app, name="inventory")
app.add_typer(images.app, name="images")
app.add_typer(calendar.app, name="calendar")
app.add_typer(bank.app, name="bank")
app.add_typer(facility.app, name="facility")
app.command()(cluster.scheduler)
app.command()(cluster.worker)
app.command()(lab.lab)
app.command()(new.new)
app.command()(doctor.doctor)
# The last line: what is added above it gets its examples from the same table.
examples.show_examples(app)
