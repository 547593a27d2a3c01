"""Commands for the record of a campaign: write it, check it, run it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cellos_nb.cli.options import AsJson, CampaignId, Database, Records
from cellos_nb.cli.tables import print_facts, print_json, print_table

Folder = Annotated[Path, typer.Argument(help="The record's folder, as `cellos record` wrote it.", metavar="FOLDER")]


class _WriteByDefault(TyperGroup):
    """`cellos record CAMPAIGN` means `cellos record write CAMPAIGN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts `write` before what names no command."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["write", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_WriteByDefault,
    no_args_is_help=True,
    help="Write a campaign's record, check it, or run it again. `cellos record CAMPAIGN` writes it.",
    rich_markup_mode=None,
)


@app.command()
def write(campaign: CampaignId, records: Records = Path("records"), db: Database = None) -> None:
    """Write a campaign's record into a folder.

    Executed notebook, page, results, readings, figures, configuration, workflows, proofs, approvals, audit, model
    states, a description as RO-Crate, and a manifest with the SHA-256 of each. With `record: true` in the campaign's
    YAML this happens by itself when it has ended.
    """
    from cellos_nb.lab import Lab
    from cellos_nb.records.manifest import verify_record
    from cellos_nb.records.record import PAGE, write_record

    with Lab.open(db, must_exist=True) as lab:
        folder = write_record(lab, campaign, records)
    found = verify_record(folder)
    typer.echo(f"wrote {folder}")
    rows = (("page", str(folder / PAGE)), ("files", str(len(found.manifest.files))))
    print_facts((*rows, ("SHA-256 of the manifest", found.manifest_sha256)))


@app.command()
def verify(
    folder: Folder,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", help="Of the manifest, as noted when the record was written: nothing was replaced."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hash every file of a record again, and name those that changed, are missing or were added."""
    from cellos_nb.records.manifest import verify_record

    found = verify_record(folder)
    rows = [{"file": each.path, "problem": each.problem} for each in found.differences]
    if sha256 is not None and found.manifest_sha256 != sha256.lower():
        rows.append({"file": "manifest.json", "problem": f"is another one: its SHA-256 is {found.manifest_sha256}"})
    n = len(found.manifest.files)
    print_table(rows, as_json=as_json, empty=f"{folder}: all {n} files are as they were written.")
    if rows:
        raise typer.Exit(1)


@app.command()
def rerun(
    folder: Folder,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Keep the rerun in this new database; forgotten when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a recorded campaign again from its record alone, and compare digests.

    On simulated machines everything comes out the same, on another machine and in another time zone too: history,
    workflows and what the planner knew.
    """
    from cellos_nb.records.rerun import rerun_record

    done = rerun_record(folder, keep)
    rows: list[dict[str, Any]] = [
        {
            "file": each.what,
            "recorded": each.recorded,
            "rerun": each.rerun,
            "equal": each.is_equal,
            "difference": each.detail,
        }
        for each in done.compared
    ]
    if as_json:
        print_json({"campaign": done.campaign_id, "is_equal": done.is_equal, "compared": rows,
                    "other_versions": done.other_versions})  # fmt: skip
    else:
        shown = [_row(row) for row in rows]
        print_table(shown, as_json=False, empty="Nothing to compare.")
        for each in done.other_versions:
            typer.echo(f"another version: {each}")
        said = "as recorded" if done.is_equal else "NOT as recorded"
        typer.echo(f"{done.campaign_id}: {done.n_iterations} iterations run again, {said}")
    if not done.is_equal:
        raise typer.Exit(1)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """One comparison for people: a digest's beginning tells them apart."""
    digests = {key: (row[key] or "none")[:12] for key in ("recorded", "rerun")}
    return {"file": row["file"], **digests, "": "equal" if row["equal"] else f"differs: {row['difference']}"}
