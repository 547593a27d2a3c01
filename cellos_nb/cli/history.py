"""Commands that bring earlier results into a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table

File = Annotated[Path, typer.Argument(help="The table: .csv or .xlsx, one well a line.", metavar="FILE")]
Sheet = Annotated[
    str | None, typer.Option("--sheet", help="Of a workbook; needed when it has several.", show_default=False)
]

app = typer.Typer(
    no_args_is_help=True,
    help="Bring earlier results in: `guess` proposes a mapping, `import` reads the file by it.",
    rich_markup_mode=None,
)


@app.command("import")
def import_file(
    file: File,
    *,
    mapping: Annotated[
        Path,
        typer.Option("--mapping", help="Which column holds what, in which unit; `cellos history guess` begins one."),
    ],
    sheet: Sheet = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the campaign, in place of the mapping's.", show_default=False)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Read and check the file; store nothing.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Read earlier results as a finished campaign.

    All of the file or nothing: every line that cannot be is named. The same file with the same mapping is stored once.
    """
    from cellos_nb.execution.process import person
    from cellos_nb.lab import Lab
    from cellos_nb.operations.history import HistoryMapping, import_history, read_history

    chosen = HistoryMapping.from_yaml(mapping)
    if name is not None:
        chosen = HistoryMapping(**{**chosen.model_dump(), "name": name})
    read = read_history(file, chosen, sheet)
    campaign, said = None, "checked; nothing was stored"
    if not check:
        with Lab.open(db) as lab:
            done = import_history(lab.store, read, by=person())
        campaign, said = done.campaign_id, "imported" if done.is_new else "was there already; nothing was stored"
    low, high = read.config.dose_range_um
    facts = {
        "campaign": campaign,
        "result": said,
        "file": read.table.where,
        "sha256": read.table.sha256,
        "experiments": len(read.experiments),
        "wells": read.n_wells,
        "iterations": read.config.max_iterations,
        "cell_lines": list(read.config.cell_lines),
        "compounds": list(read.config.compound_names),
        "dose_range_um": [low, high],
    }
    if as_json:
        print_json(facts)
        return
    print_facts(
        (
            *((("campaign", campaign),) if campaign else ()),
            ("result", said),
            ("file", read.table.where),
            ("SHA-256", read.table.sha256),
            ("experiments", f"{len(read.experiments)} in {read.n_wells} wells"),
            ("iterations", str(read.config.max_iterations)),
            ("cell lines", ", ".join(read.config.cell_lines)),
            ("compounds", str(len(read.config.compounds))),
            ("doses", f"{low:g} to {high:g} µM"),
        )
    )


@app.command("guess")
def guess_mapping(
    file: File,
    *,
    out: Annotated[Path, typer.Option("--out", help="The mapping to write.", metavar="MAP.yaml")],
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Propose a mapping from headers and values, with the reason for each choice.

    Read it before importing; what nothing speaks for is left for you to fill in. An existing file is not overwritten.
    """
    from cellos_nb.errors import InputError, OutputError
    from cellos_nb.operations.history import guess, read_table

    proposed = guess(read_table(file, sheet))
    try:
        with out.open("x", encoding="utf-8") as written:
            written.write(proposed.to_yaml())
    except FileExistsError as error:
        raise InputError(f"{out}: is there already. Give another --out, or remove it first.") from error
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}).") from error
    rows = [{"key": each.key, "value": each.value, "reason": each.reason} for each in proposed.guessed]
    print_table(rows, as_json=as_json, empty="")
    typer.echo(f"wrote {out}", err=True)
    if proposed.missing:
        typer.echo(f"fill in before importing: {', '.join(proposed.missing)}", err=True)
