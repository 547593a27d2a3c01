"""Commands for the notebook templates: list them, run one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_json

app = typer.Typer(
    no_args_is_help=False,
    invoke_without_command=True,
    help="List the notebook templates with their parameters, or run one.",
    rich_markup_mode=None,
)


@app.callback()
def list_templates(context: typer.Context, as_json: AsJson = False) -> None:
    """List the notebook templates with their parameters, or run one."""
    if context.invoked_subcommand is not None:
        return
    from cellos_nb.records.catalogue import templates

    found = templates()
    if as_json:
        print_json([each.as_dict() for each in found])
        return
    for each in found:
        typer.echo(f"{each.name}: {each.description}")
        width = max(len(parameter.name) for parameter in each.parameters)
        for parameter in each.parameters:
            typer.echo(f"  {parameter.name:<{width}}  {parameter.kind} = {parameter.default}  {parameter.help}")
        typer.echo("")
    typer.echo("Run one: `cellos templates run NAME out.ipynb -p PARAMETER=VALUE`, or by papermill on its file:")
    typer.echo(f"  {found[0].path.parent}")


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="The template, as `cellos templates` names it.", metavar="NAME")],
    output: Annotated[
        Path | None, typer.Argument(help="The executed notebook; NAME.ipynb here when left out.", metavar="[OUT.ipynb]")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", help="A parameter as NAME=VALUE; VALUE is read as YAML.", metavar="NAME=VALUE"
        ),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Also write the page beside it; it needs no network.")] = False,
) -> None:
    """Execute a template; a failure leaves the notebook that shows it, and exit code 1."""
    from cellos_nb.records.catalogue import parse_parameters
    from cellos_nb.records.templates import export_html, run_template

    target = (output or Path(f"{name}.ipynb")).resolve()
    run_template(name, target, parse_parameters(name, parameters or []), cwd=Path.cwd())
    typer.echo(f"wrote {target}")
    if html:
        page = target.with_suffix(".html")
        export_html(target, page)
        typer.echo(f"wrote {page}")
