"""Commands that plan, run and list campaigns."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from cellos_nb.cli.options import AsJson, CampaignId, ConfigFile, Database, Submit
from cellos_nb.cli.tables import print_facts, print_json, print_table
from cellos_nb.errors import CampaignFailedError

WATCH_S = 1.0
"""How often a watched campaign is looked at; its process cannot wake this one."""
_OVER = {"finished", "failed", "cancelled"}

if TYPE_CHECKING:
    from cellos_nb.campaign import Campaign
    from cellos_nb.cli.dispatch import Dispatch
    from cellos_nb.domain.summary import CampaignSummary
    from cellos_nb.lab import Lab


def plan(
    config: ConfigFile,
    db: Annotated[
        str | None,
        typer.Option("--db", help="Say what this database's stock has of it, and what to order.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a campaign and show what it needs and costs.

    Nothing is stored and nothing moves.
    """
    from cellos_nb.checks import check_config
    from cellos_nb.domain.campaign import CampaignConfig
    from cellos_nb.domain.summary import question
    from cellos_nb.lab import Lab
    from cellos_nb.workflow.estimate import default_prices

    campaign = CampaignConfig.from_yaml(config)
    preflight = check_config(campaign)
    stock = None
    if db is not None:
        with Lab.open(db, must_exist=True) as lab:
            stock = lab.foresee(campaign)
    if as_json:
        facts = {"campaign": campaign.to_dict(), "needs": asdict(preflight)}
        missing = [str(each) for each in stock.shortages] if stock else []
        print_json(facts | ({"stock": {**asdict(stock), "shortages": missing}} if stock else {}))
        return
    n_curves = len(campaign.cell_lines) * len(campaign.compounds)
    each, curve = preflight.cost_per_iteration_usd / campaign.batch_size, preflight.cost_usd / n_curves
    prices = default_prices()
    print_facts(
        (
            ("campaign", campaign.name),
            ("question", question(campaign)),
            *preflight.rows(),
            ("that is", f"{each:,.2f} USD an experiment, at most {curve:,.2f} USD for each of {n_curves} curves"),
            ("prices", f"of {prices.as_of}: {prices.source}"),
            *(stock.rows() if stock else ()),
        )
    )


def run(
    config: ConfigFile,
    db: Database = None,
    name: Annotated[str | None, typer.Option("--name", help="Run it under another name.")] = None,
    submit: Submit = False,
    as_json: AsJson = False,
) -> None:
    """Run a campaign to its end. Stopped or killed, `cellos resume` continues it."""
    from cellos_nb.checks import check_config
    from cellos_nb.cli.progress import IterationBars
    from cellos_nb.domain.campaign import CampaignConfig
    from cellos_nb.lab import Lab

    campaign = CampaignConfig.from_yaml(config)
    check_config(campaign)  # before a database is made
    if name is not None:
        campaign = CampaignConfig.from_dict({**campaign.to_dict(), "name": name})
    if submit:
        with Lab.open(db) as lab:
            _print_summary(lab.submit(campaign).summary(), as_json=as_json)
        return
    with Lab.open(db) as lab, IterationBars(campaign.max_iterations) as bars:
        _end(lab.run(campaign, on_event=bars), lab, as_json=as_json)


def resume(campaign: CampaignId, db: Database = None, submit: Submit = False, as_json: AsJson = False) -> None:
    """Continue a campaign where it stood.

    Killed, paused, stopped, rolled back or forked. No step that moved liquid is repeated.
    """
    from cellos_nb.cli.progress import IterationBars
    from cellos_nb.lab import Lab

    if submit:
        with Lab.open(db) as lab:
            _print_summary(lab.hand_over(campaign).summary(), as_json=as_json)
        return
    with Lab.open(db) as lab, IterationBars() as bars:
        _end(lab.resume(campaign, on_event=bars), lab, as_json=as_json)


def status(
    campaign: Annotated[str | None, typer.Argument(help="The campaign; the newest when left out.")] = None,
    db: Database = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again whenever it changes, until the campaign has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a campaign stands, and who executes the work of this database."""
    from cellos_nb.errors import CampaignError
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        campaigns = lab.campaigns()
        if campaign is None and not campaigns:
            raise CampaignError("There is no campaign yet. Start one with `cellos run CAMPAIGN.yaml` or `cellos demo`.")
        chosen = lab.campaign(campaign) if campaign is not None else campaigns[-1]
        shown = None
        while True:
            now = _standing(lab, chosen)
            if now != shown:
                if watch and not as_json:
                    click.clear()
                _print_standing(*now, as_json=as_json)
            shown = now
            if not watch or now[0].status in _OVER:
                return
            threading.Event().wait(WATCH_S)


def _standing(lab: Lab, campaign: Campaign) -> tuple[CampaignSummary, Dispatch]:
    from cellos_nb.cli.dispatch import who_works

    return campaign.summary(), who_works(lab.store)


def _print_standing(summary: CampaignSummary, work: Dispatch, *, as_json: bool) -> None:
    if as_json:
        print_json({**_facts(summary), **work.as_dict()})
        return
    print_facts((*summary.rows(), *work.rows()))
    if summary.quarantined:
        typer.echo("`cellos overrule PLATE --reason …` lets a quarantined plate count.")


def list_campaigns(db: Database = None, as_json: AsJson = False) -> None:
    """List all campaigns, oldest first."""
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        summaries = [campaign.summary() for campaign in lab.campaigns()]
    rows = [
        {
            "campaign": summary.campaign_id,
            "status": summary.status,
            "iterations": summary.n_iterations,
            "experiments": summary.n_experiments,
            "best": summary.best.score.value if summary.best else None,
            "compound": summary.best.compound if summary.best else None,
            "dose_um": summary.best.dose_um if summary.best else None,
        }
        for summary in summaries
    ]
    print_table(rows, as_json=as_json, empty="There is no campaign yet. Start one with `cellos demo`.")


def _end(campaign: Campaign, lab: Lab, *, as_json: bool) -> None:
    """Prints how a campaign ended, and where its record is; a failed one fails the command."""
    summary = campaign.summary()
    _print_summary(summary, as_json=as_json)
    if campaign.config.record and summary.status in _OVER:
        typer.echo(f"wrote {lab.store.folder / 'records' / campaign.campaign_id}", err=True)
    if summary.status == "failed":
        raise CampaignFailedError(f"{summary.campaign_id}: {summary.stop_reason}")


def _print_summary(summary: CampaignSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(_facts(summary))
        return
    print_facts(summary.rows())


def _facts(summary: CampaignSummary) -> dict[str, Any]:
    return {**asdict(summary), "experiments_per_s": summary.experiments_per_s}
