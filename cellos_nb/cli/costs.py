"""The command that shows what campaigns were expected to cost and did."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cellos_nb.cli.options import AsJson, CampaignId, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from cellos_nb.operations.costs import Account


def costs(campaign: CampaignId, db: Database = None, as_json: AsJson = False) -> None:
    """Show what each plate of a campaign was expected to cost and did, and what an experiment and an EC50 cost.

    Prices are those of the lots that were used, and of the price list for what is not kept in stock, each with its date
    and source.
    """
    from cellos_nb.lab import Lab
    from cellos_nb.operations.costs import account_of

    with Lab.open(db, must_exist=True) as lab:
        lab.inventory.catch_up()
        account = account_of(lab.store, campaign)
    if as_json:
        print_json(asdict(account) | {"predicted_usd": account.predicted_usd, "booked_usd": account.booked_usd})
        return
    print_facts(_facts(account))
    rows = [
        {
            "plate": plate.plate_id,
            "run": plate.status.replace("_", " "),
            "expected": f"{plate.predicted_usd:,.2f} USD",
            "booked": None if plate.booked_usd is None else f"{plate.booked_usd:,.2f} USD",
            "experiments": plate.n_experiments,
            "per experiment": None if plate.per_experiment_usd is None else f"{plate.per_experiment_usd:,.2f} USD",
        }
        for plate in account.plates
    ]
    print_table(rows, as_json=False, empty="No plate was submitted yet.")
    for price in account.prices:
        typer.echo(f"prices of {price.as_of} for {price.used_for}: {price.source}")


def _facts(account: Account) -> tuple[tuple[str, str], ...]:
    booked, budget = account.booked_usd, account.budget_usd
    more = (
        f", {account.committed_usd:,.2f} USD more for plates that wait or are under way"
        if account.committed_usd
        else ""
    )
    spent = f"{booked:,.2f} USD{more}"
    return (
        ("expected", f"{account.predicted_usd:,.2f} USD"),
        ("booked", spent),
        *(
            (("budget", f"{budget:,.2f} USD, of which {budget - booked:,.2f} USD is left"),)
            if budget is not None
            else ()
        ),
        *account.shares.rows(round(booked * 1e6)),
    )
