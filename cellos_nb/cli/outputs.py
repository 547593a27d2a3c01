"""The command that writes results for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import CampaignId, Database


def export(  # noqa: PLR0917 — options, which are given by name
    campaign: CampaignId,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write one row per well as CSV; - for standard output.")
    ] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write one row per well as Parquet.")] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write every result, whole, as JSON; - for standard output.")
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option("--documents", help="Write documents of the event model into this folder, for Bluesky's tools."),
    ] = None,
    db: Database = None,
) -> None:
    """Write a campaign's history into files."""
    from cellos_nb.errors import InputError
    from cellos_nb.lab import Lab
    from cellos_nb.records.documents import write_documents
    from cellos_nb.records.exports import write_csv, write_json, write_parquet

    asked = [(write, path) for write, path in ((write_csv, csv), (write_parquet, parquet), (write_json, json)) if path]
    if not asked and documents is None:
        raise InputError("Nothing to write: give --csv, --parquet or --json with a file name, or --documents FOLDER.")
    with Lab.open(db, must_exist=True) as lab:
        history, record = lab.campaign(campaign).results, lab.store.campaign(campaign)
    for write, path in asked:
        write(history, path)
        typer.echo(f"wrote {path}", err=True)
    if documents is not None:
        typer.echo(f"wrote {write_documents(record, history, documents)}", err=True)
