"""The command that looks months ahead: use, queues, the bottleneck, and what a change would bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_facts, print_json, print_table, write_csv_rows

if TYPE_CHECKING:
    import pandas as pd

    from cellos_nb.operations.facility.plan import FacilityPlan, WhatIf


def plan(  # noqa: PLR0917 - typer's parameters are options, given by name
    facility: Annotated[
        Path, typer.Argument(help="The facility's YAML file, as examples/facility.yaml.", metavar="FACILITY.yaml")
    ],
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if",
            help="NAME=CAPACITY or NAME.SETTING=VALUE, with commas between; repeat for other changes.",
            show_default=False,
        ),
    ] = None,
    one_more: Annotated[bool, typer.Option("--one-more", help="Try one more of each resource.")] = False,
    months: Annotated[
        float | None, typer.Option("--months", help="In place of the file's.", show_default=False)
    ] = None,
    replications: Annotated[
        int | None, typer.Option("--replications", help="In place of the file's.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="In place of the file's.", show_default=False)] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write one row for each job of each replication.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look months ahead: campaigns and banks as loads, what they wait for, and what a second robot would bring."""
    from cellos_nb.operations.facility.change import changed
    from cellos_nb.operations.facility.config import FacilityConfig
    from cellos_nb.operations.facility.plan import one_more_of_each, plan_facility
    from cellos_nb.operations.facility.plan import what_if as compare

    config = FacilityConfig.from_yaml(facility)
    asked = {"months": months, "replications": replications, "seed": seed}
    config = config.with_settings({name: value for name, value in asked.items() if value is not None})
    for change in what_if or ():
        # A misspelt change is refused before minutes are spent.
        changed(config, change)
    found = plan_facility(config)
    changes = [compare(found, change) for change in what_if or ()]
    if one_more:
        changes += one_more_of_each(found)
    if csv is not None:
        write_csv_rows(csv, _job_rows(found))
    _print(found, changes, as_json=as_json)


def _print(found: FacilityPlan, changes: list[WhatIf], *, as_json: bool) -> None:
    from cellos_nb.cli.bank_words import as_json as plain
    from cellos_nb.operations.facility.tables import bottleneck_text, change_table, load_table, resource_table

    if as_json:
        document = {
            "name": found.config.name,
            "resources": found.resources,
            "loads": found.loads,
            "bottleneck": found.bottleneck.name if found.bottleneck else None,
            "changes": [
                {"change": one.change, "flow_days": one.flow_days, "wait_h": one.wait_h,
                 "finished_per_month": one.finished_per_month}
                for one in changes
            ],
        }  # fmt: skip
        print_json(plain(document))
        return
    config = found.config
    looked = f"{config.months:g} months after {config.warm_up_days:g} days of warm-up, {config.replications} times"
    print_facts([("facility", config.name), ("looked at", f"{looked}, seed {config.seed}")])
    for title, table in (("What there is", resource_table(found)), ("What is asked", load_table(found))):
        typer.echo(f"\n{title}")
        print_table(_rows(table), as_json=False, empty="nothing")
    typer.echo(f"\n{bottleneck_text(found)}")
    if changes:
        typer.echo("\nWhat if, against the facility as it is, with the same work")
        print_table(_rows(change_table(changes)), as_json=False, empty="nothing")


def _rows(table: pd.DataFrame) -> list[dict[str, object]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False, name=None)]


def _job_rows(found: FacilityPlan) -> list[dict[str, object]]:
    return [
        {
            "replication": number,
            "work": job.load,
            "job": job.number,
            "arrives_h": round(job.arrives_h, 3),
            "flow_h": None if job.flow_h != job.flow_h else round(job.flow_h, 3),
            "waited_h": round(job.waited_h, 3),
            "plates": job.n_items,
        }
        for number, replication in enumerate(found.replications)
        for job in replication.jobs
    ]
