"""Commands about cell banks: simulate one, have something go wrong, find what it depends on, and take it into stock."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table, write_csv_rows

if TYPE_CHECKING:
    from cellos_nb.operations.banks.config import BankConfig

app = typer.Typer(help="Simulate master and working cell banks before they are made.", no_args_is_help=True)

BankFile = Annotated[
    Path, typer.Argument(help="The bank's YAML file; `cellos bank template` prints one.", metavar="BANK.yaml")
]
Runs = Annotated[int, typer.Option("--runs", help="How often the bank is made.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same runs.")]
WhichBank = Annotated[
    str | None, typer.Option("--bank", help="master or working; the first that is made.", show_default=False)
]
Days = list[int] | None


@app.command()
def template() -> None:
    """Print a bank's YAML to begin from."""
    from cellos_nb.operations.banks.config import bank_template

    typer.echo(bank_template(), nl=False)


@app.command()
def simulate(
    bank: BankFile,
    runs: Runs = 1000,
    seed: Seed = 1,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write one row for each run and bank.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a bank many times: how often it succeeds, how many vials, how long it takes and what it costs."""
    from cellos_nb.cli import bank_words as words
    from cellos_nb.operations.banks.simulate import simulate as make
    from cellos_nb.operations.banks.summary import summarise

    found = make(_config(bank), n_runs=runs, seed=seed)
    summary = summarise(found)
    if csv is not None:
        write_csv_rows(csv, found.rows())
    if as_json:
        print_json(words.as_json({"runs": runs, "seed": seed, "summary": summary}))
        return
    print_facts(words.head(found, summary))
    typer.echo("")
    print_table(words.measure_rows(summary), as_json=False, empty="nothing")
    for stage in summary.stages:
        typer.echo(f"\n{stage.name.capitalize()} bank")
        print_facts(words.stage_facts(stage, found.n_runs))
        print_table(words.ending_rows(stage, found.n_runs), as_json=False, empty="nothing")


@app.command("crash-test")
def crash_test(  # noqa: PLR0917 - typer's parameters are options, given by name
    bank: BankFile,
    incubator_fails: Annotated[
        Days,
        typer.Option(
            "--incubator-fails",
            help="An incubator fails in the night of this day; repeat for more.",
            show_default=False,
        ),
    ] = None,
    contamination_found: Annotated[
        Days,
        typer.Option("--contamination-found", help="Somebody sees a contamination on this day.", show_default=False),
    ] = None,
    mycoplasma_from: Annotated[
        Days,
        typer.Option(
            "--mycoplasma-from", help="Mycoplasma comes in on this day, and nobody sees it.", show_default=False
        ),
    ] = None,
    person_away: Annotated[
        list[str] | None,
        typer.Option("--person-away", help="Nobody comes on this day, or from FIRST-LAST.", show_default=False),
    ] = None,
    in_bank: WhichBank = None,
    runs: Runs = 1000,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Make a bank with and without a trouble, each run with the same luck in both. Day 0 is the first thaw."""
    from cellos_nb.cli import bank_words as words
    from cellos_nb.errors import InputError
    from cellos_nb.operations.banks.summary import crash_test as crash
    from cellos_nb.operations.banks.trouble import Trouble

    trouble = Trouble(
        tuple(incubator_fails or ()),
        tuple(contamination_found or ()),
        tuple(mycoplasma_from or ()),
        tuple(words.days_away(text) for text in person_away or ()),
    )
    if not trouble.days:
        raise InputError(
            "Nothing goes wrong: give --incubator-fails, --contamination-found, --mycoplasma-from or --person-away "
            "with a day."
        )
    test = crash(_config(bank), trouble, stage=in_bank, n_runs=runs, seed=seed)
    if as_json:
        print_json(words.as_json(words.crash_document(test)))
        return
    print_facts(words.crash_facts(test))
    typer.echo("")
    print_table(words.change_rows(test), as_json=False, empty="nothing")
    typer.echo(f"\nHow the {test.stage} bank ended, of {runs} runs")
    print_table(words.ending_changes(test), as_json=False, empty="nothing")


@app.command()
def sensitivity(  # noqa: PLR0917 - typer's parameters are options, given by name
    bank: BankFile,
    of: Annotated[
        str, typer.Option("--of", help="success, vials, days, waste, cost_usd or hands_h: what is asked about.")
    ] = "success",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary", help="NAME=LOW:HIGH in place of its typical range; repeat for more.", show_default=False
        ),
    ] = None,
    runs: Runs = 1000,
    seed: Seed = 1,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write one row for each number.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find what a bank depends on: each number set low and high by itself, and all of them drawn at once."""
    from cellos_nb.cli import bank_words as words
    from cellos_nb.operations.banks.sensitivity import sensitivity as find

    found = find(_config(bank), of, n_runs=runs, seed=seed, ranges=words.ranges(vary or ()))
    rows = words.sensitivity_rows(found)
    if csv is not None:
        write_csv_rows(csv, rows)
    if as_json:
        print_json(words.as_json(found))
        return
    print_facts(words.sensitivity_facts(found))
    typer.echo("")
    print_table(rows, as_json=False, empty="nothing can be varied")


@app.command()
def tasks(
    bank: BankFile,
    begins: Annotated[str, typer.Option("--begins", help="When the first task is due, as a week's file says it.")] = (
        "Mon 09:00"
    ),
    as_json: AsJson = False,
) -> None:
    """Print what making a bank asks of people, cabinets and incubators, as `banks:` of a week's file."""
    from cellos_nb.cli import bank_words as words
    from cellos_nb.operations.banks.plan import plan_tasks

    config = _config(bank)
    entries = words.week_entries(config, plan_tasks(config), begins)
    if as_json:
        print_json({"banks": entries})
        return
    typer.echo(words.week_yaml(entries), nl=False)


@app.command()
def receive(  # noqa: PLR0917 - typer's parameters are options, given by name
    bank: BankFile,
    vials: Annotated[int, typer.Option("--vials", help="How many were released.")],
    passage: Annotated[int, typer.Option("--passage", help="The passage number on them.")],
    lot: Annotated[str, typer.Option("--lot", help="The lot number on them.")],
    in_bank: WhichBank = None,
    usd_per_vial: Annotated[
        float | None,
        typer.Option("--usd-per-vial", help="What one is worth; the average cost of making it.", show_default=False),
    ] = None,
    max_passage: Annotated[
        int | None,
        typer.Option("--max-passage", help="Cells beyond are not to be used; for the first lot.", show_default=False),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option("--expires", help="The last day of use.", formats=["%Y-%m-%d"], show_default=False),
    ] = None,
    location: Annotated[str, typer.Option("--location", help="Where they lie, as in 'tank 2, rack 4'.")] = "",
    barcode: Annotated[str | None, typer.Option("--barcode", help="Of the box.", show_default=False)] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take the vials of a released bank into the stock, as a lot of cells with its passage number."""
    from cellos_nb.domain.amounts import format_count
    from cellos_nb.lab import Lab
    from cellos_nb.operations.banks.stock import receive_vials

    config = _config(bank)
    last_day: date | None = expires.date() if expires is not None else None
    with Lab.open(db) as lab:
        received = receive_vials(
            lab.inventory,
            config,
            in_bank or config.stages[0][0],
            vials=vials,
            passage=passage,
            lot_number=lot,
            usd_per_vial=usd_per_vial,
            max_passage=max_passage,
            expires=last_day,
            location=location,
            barcode=barcode,
        )
    facts = {
        "lot": received.lot_id,
        "resource": received.resource,
        "lot_number": received.lot_number,
        "vials": vials,
        "amount": format_count(received.received, received.unit),
        "passage": received.passage,
        "usd": received.price_micro_usd / 1e6,
        "location": received.location,
    }
    if as_json:
        print_json(facts)
        return
    print_facts([(key.replace("_", " "), str(value)) for key, value in facts.items() if value not in {"", None}])


def _config(path: Path) -> BankConfig:
    from cellos_nb.operations.banks.config import BankConfig

    return BankConfig.from_yaml(path)
