"""Planning beside campaigns: over a table of one's own, and with what a lab has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_json, print_table


def plan_table(
    file: Annotated[Path, typer.Argument(help="CSV: one candidate a row, a header.", metavar="FILE.csv")],
    *,
    outcome: Annotated[str, typer.Option("--outcome", help="Column of measurements; empty where none was made.")],
    goal: Annotated[str, typer.Option("--goal", help="maximise, minimise, or ic50 to learn every EC50.")] = "maximise",
    batch: Annotated[int, typer.Option("--batch", help="Rows to measure next.")] = 8,
    prior: Annotated[str, typer.Option("--prior", help="default, vague, or a file of `Prior.save`.")] = "default",
    seed: Annotated[int, typer.Option("--seed", help="Equal tables and seeds give equal answers.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Write the rows as CSV too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say which rows of a table to measure next.

    Fill in what was measured and ask again. With --goal ic50 the EC50s known so far are printed too.
    """
    from cellos_nb.planner.candidate_table import CandidateTable

    table = CandidateTable.read(file, outcome, goal)
    rows = table.next_rows(batch, seed, prior)
    if out is not None:
        rows.assign(**{outcome: ""}).to_csv(out, index=False)
    columns = [str(column) for column in rows.columns]
    answer = [{"line": place + 2, **dict(zip(columns, row, strict=True))} for place, *row in rows.itertuples()]
    estimates = table.planner(seed, prior).estimate() if goal == "ic50" else {}
    known = [
        {"cell_line": line or "-", "compound": compound, "ec50_um": 10 ** (log10_m + 6)}
        for (line, compound), log10_m in sorted(estimates.items())
    ]
    if as_json:
        print_json({"next": answer, "ec50": known} if goal == "ic50" else answer)
        return
    print_table(answer, as_json=False, empty="Nothing is left to measure.")
    if known:
        typer.echo("\nEC50 expected of every curve, given that the compound acts:")
        print_table(known, as_json=False, empty="")
    if out is not None:
        typer.echo(f"wrote {out}", err=True)


def learn_prior(
    campaigns: Annotated[
        list[str] | None, typer.Argument(help="Campaigns, as `cellos list` names them; all when left out.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write, for `planner: {prior: FILE}`.")] = Path(
        "prior.yaml"
    ),
    before: Annotated[str, typer.Option("--from", help="What is sharpened: default, or a file; vague begins anew.")] = (
        "default"
    ),
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Learn from finished campaigns what compounds do, for the campaigns to come.

    Viability campaigns count; compounds and cell lines are forgotten by name, so the prior carries over to new ones.
    """
    from cellos_nb.lab import Lab
    from cellos_nb.planner import Prior

    with Lab.open(db, must_exist=True) as lab:
        names = campaigns or [campaign.campaign_id for campaign in lab.campaigns()]
        histories = [lab.campaign(name).results for name in names]
    source = "campaigns " + ", ".join(names)
    if before == "vague":
        prior = Prior.learn(histories, source)
    else:
        prior = (Prior.shipped() if before == "default" else Prior.load(before)).updated(histories, source)
    prior.save(out)
    facts = {
        "file": str(out),
        "compounds": prior.n_compounds,
        "curves": prior.n_curves,
        "inactive_share": prior.inactive_share,
        "mean_ec50_um": prior.mean_ec50_um,
    }
    print_table([facts], as_json=as_json, empty="")
