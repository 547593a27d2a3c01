"""The command that simulates a lab week."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from cellos_nb.week.report import WeekReport


def simulate(
    week: Annotated[
        Path, typer.Option("--week", help="The week's YAML file, as examples/week.yaml.", show_default=False)
    ],
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Folder for a page, a figure and the lab's database.", show_default=False),
    ] = None,
    first_come: Annotated[
        bool, typer.Option("--first-come", help="First come, first served in place of the solved calendar.")
    ] = False,
    effort: Annotated[
        float, typer.Option("--effort", min=0.01, help="How long the solver looks, in its own units of a few seconds.")
    ] = 0.6,
    as_json: AsJson = False,
) -> None:
    """Live through a lab week in simulated time: campaigns, people, stock, and what goes wrong.

    The campaigns are planned, compiled and executed as always, on simulated robots with ledgers of their own.
    """
    from cellos_nb.week.config import WeekConfig
    from cellos_nb.week.report import report_of
    from cellos_nb.week.run import WeekRun

    config = WeekConfig.from_yaml(week)

    def say(text: str) -> None:
        if not as_json:
            typer.echo(text, err=True)

    is_solved = config.plan == "solved" and not first_come
    with TemporaryDirectory(prefix="cellos-week-") as scratch:
        folder = Path(scratch) if report is None else _empty(report)
        run = WeekRun(config, folder, is_solved=is_solved, effort=effort, say=say)
        try:
            run.run()
            found = report_of(run)
        finally:
            run.close()
    if report is not None:
        from cellos_nb.week.page import write_page

        say(f"written: {write_page(found, config, report)}")
    _print(found, config.zone, as_json=as_json)
    if found.impossible:
        raise typer.Exit(1)


def _empty(folder: Path) -> Path:
    from cellos_nb.errors import InputError

    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: holds something already. Name a new folder for the report.")
    return folder


def _print(report: WeekReport, zone: str, *, as_json: bool) -> None:
    from cellos_nb.domain import codec
    from cellos_nb.week import words

    if as_json:
        print_json(codec.to_jsonable(report))
        return
    typer.echo(report.name)
    print_facts(words.facts(report))
    for title, rows, empty in (
        ("Campaigns", words.campaign_rows(report, zone), "none"),
        ("In use", words.use_rows(report), "nothing"),
        ("Held", words.hold_rows(report, zone), "nothing had to wait"),
        ("Beyond a tolerance", words.conflict_rows(report, zone), "nothing"),
    ):
        typer.echo(f"\n{title}")
        print_table(rows, as_json=False, empty=empty)
