"""Planning beside campaigns: over a table of one's own, and with what a lab has learnt."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import AsJson, ConfigFile, Database
from cellos_nb.cli.tables import print_json, print_table, write_csv_rows

N_SHOWN = 10


def plan_table(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX: one candidate a row, a header.", metavar="FILE.csv")],
    *,
    outcome: Annotated[str, typer.Option("--outcome", help="Column of measurements; empty where none was made.")],
    sheet: Annotated[str | None, typer.Option("--sheet", help="Of a workbook that has several.")] = None,
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

    table = CandidateTable.read(file, outcome, goal, sheet=sheet)
    rows = table.next_rows(batch, seed, prior)
    columns = [str(column) for column in rows.columns]
    candidates = [dict(zip(columns, row, strict=True)) for row in rows.itertuples(index=False)]
    answer = [{"line": line, **candidate} for line, candidate in zip(rows.index, candidates, strict=True)]
    if out is not None:
        write_csv_rows(out, [{**candidate, outcome: ""} for candidate in candidates])
    potencies = table.planner(seed, prior).potencies() if goal == "ic50" else {}
    known = [
        {
            "cell_line": line or "-",
            "compound": compound,
            "ec50_um": 10**potency.log10_ec50_um,
            "low_um": potency.interval_um[0] or None,
            "high_um": potency.interval_um[1] if math.isfinite(potency.interval_um[1]) else None,
            "within_doses": potency.within_doses,
        }
        for (line, compound), potency in potencies.items()
    ]
    if as_json:
        print_json({"next": answer, "ec50": known} if goal == "ic50" else answer)
        return
    print_table(answer, as_json=False, empty="Nothing is left to measure.")
    if known:
        typer.echo(
            "\nEC50s: expected within the doses, 95 % interval (- is beyond the doses), and the probability that the "
            "compound acts and its EC50 lies within the doses"
        )
        print_table(known, as_json=False, empty="")
    if out is not None:
        typer.echo(f"wrote {out}", err=True)


def split_plate(
    config: ConfigFile,
    *,
    compounds: Annotated[
        int | None, typer.Option("--compounds", min=1, help="That share a plate; all of the campaign when left out.")
    ] = None,
    well_cv: Annotated[float, typer.Option("--well-cv", min=0.001, max=2, help="From well to well.")] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Compare ways to divide one plate into doses, replicates and vehicle wells.

    By the 95 % interval of the EC50 that each leaves to be expected, in decades, from the prior's curves. `yes` under
    judged: vehicle wells tell a noisy plate; under checked: replicates contradict a bad well. Nothing is stored.
    """
    from dataclasses import asdict

    from cellos_nb.domain.campaign import CampaignConfig
    from cellos_nb.planner.plate_split import plate_splits

    found = plate_splits(CampaignConfig.from_yaml(config), well_cv, compounds)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    shown = found[:N_SHOWN] + [each for each in found[N_SHOWN:] if each.is_own]
    rows = [
        {
            "doses": each.n_doses,
            "replicates": each.replicates,
            "vehicle": each.vehicle,
            "wells": each.n_wells,
            "interval": f"{each.interval_decades:.2f}",
            "judged": "yes" if each.is_judged else "no",
            "checked": "yes" if each.is_checked else "no",
            "": "the campaign's" if each.is_own else "",
        }
        for each in shown
    ]
    print_table(rows, as_json=False, empty="")


def learn_prior(  # noqa: PLR0917 - typer's parameters are options, given by name
    campaigns: Annotated[
        list[str] | None, typer.Argument(help="Campaigns, as `cellos list` names them; all when left out.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write, for `planner: {prior: FILE}`.")] = Path(
        "prior.yaml"
    ),
    before: Annotated[str, typer.Option("--from", help="What is sharpened: default, or a file; vague begins anew.")] = (
        "default"
    ),
    by_name: Annotated[
        bool,
        typer.Option(
            "--by-name", help="Also keep the wells under their compounds' names, for campaigns on the same compounds."
        ),
    ] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Learn from finished campaigns what compounds do, for the campaigns to come.

    Viability campaigns count. What is learnt of curves in general carries over to compounds that nobody has tried and
    names none; with `--by-name` the file also tells what was measured of each compound on each cell line.
    """
    from cellos_nb.lab import Lab
    from cellos_nb.planner import Prior

    with Lab.open(db, must_exist=True) as lab:
        names = campaigns or [campaign.campaign_id for campaign in lab.campaigns()]
        histories = [lab.campaign(name).results for name in names]
    source = "campaigns " + ", ".join(names)
    if before == "vague":
        prior = Prior.learn(histories, source, by_name=by_name)
    else:
        known = Prior.shipped() if before == "default" else Prior.load(before)
        prior = known.updated(histories, source, by_name=by_name)
    prior.save(out)
    facts = {
        "file": str(out),
        "compounds": prior.n_compounds,
        "curves": prior.n_curves,
        "inactive_share": prior.inactive_share,
        "mean_ec50_um": prior.mean_ec50_um,
        "remembered_wells": len(prior.remembered),
    }
    print_table([facts], as_json=as_json, empty="")
