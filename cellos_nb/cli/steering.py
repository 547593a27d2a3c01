"""Commands that steer a campaign that was begun: stop, roll back, fork."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cellos_nb.cli.options import AsJson, CampaignId, Database
from cellos_nb.cli.tables import print_facts, print_json
from cellos_nb.errors import InputError

Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the campaign.")]


def stop(
    campaign: CampaignId,
    now: Annotated[bool, typer.Option("--now", help="Pause before the next plate instead.")] = False,
    reason: Reason = "",
    db: Database = None,
) -> None:
    """End a campaign after the iteration under way.

    Works while another process runs it. With --now no further plate begins, and plates under way are brought to their
    end. `cellos resume` goes on from either.
    """
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        chosen = lab.campaign(campaign)
        if now:
            chosen.pause(reason)
        else:
            chosen.stop_after_iteration(reason)
    what = "paused; plates under way are brought to their end" if now else "ends after the iteration under way"
    typer.echo(f"{campaign}: {what}. `cellos resume {campaign}` goes on.")


def rollback(
    campaign: CampaignId,
    to: Annotated[int, typer.Option("--to", min=0, help="The last iteration that still counts; 0 for none.")],
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Go back to an earlier iteration of a campaign.

    What came after is kept and marked as superseded; no planner sees it any more. Plates that wait are cancelled.
    """
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        gone = lab.campaign(campaign).rollback(to, reason)
    if as_json:
        print_json({"campaign": campaign, "to": to, "superseded": list(gone)})
        return
    typer.echo(
        f"{campaign}: back to iteration {to}; superseded: {', '.join(map(str, gone))}. "
        f"`cellos resume {campaign}` goes on from there."
    )


def fork(
    campaign: CampaignId,
    at: Annotated[int, typer.Option("--at", min=1, help="The last iteration whose results it begins with.")],
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting that differs, as in planner.acquisition=ei; repeat for more.", metavar="KEY=VALUE"
        ),
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Begin a new campaign with the results of another one.

    It has the same settings but for those given with --set, and waits for `cellos resume`.
    """
    from cellos_nb.lab import Lab

    wanted = _settings(changes or [])
    with Lab.open(db, must_exist=True) as lab:
        made = lab.fork(campaign, at=at, **wanted)
        if as_json:
            print_json({"campaign": made.campaign_id, "parent": campaign, "at": at, "config": made.config.to_dict()})
            return
        print_facts(made.summary().rows())
    typer.echo(f"`cellos resume {made.campaign_id}` runs it.")


def overrule(
    plate: Annotated[str, typer.Argument(help="The plate, as `cellos status` names it.", metavar="PLATE")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the campaign and in its record.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back instead.")] = False,
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="A fork that inherited the plate; its maker when left out.")
    ] = None,
    db: Database = None,
) -> None:
    """Let a quarantined plate count.

    It failed quality control, and no planner learns from it. From the next iteration on it does, until --withdraw takes
    that back. Who, when and why stand in the campaign's status and record.
    """
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        chosen = lab.campaign(campaign or plate.rpartition("/i")[0] or plate)
        if withdraw:
            chosen.withdraw_overruling(plate, reason)
        else:
            chosen.overrule(plate, reason)
        last = [each for each in chosen.overrulings() if each.plate_id == plate][-1]
    told = "no longer learns from it" if withdraw else "learns from it"
    first = last.withdrawn_from if withdraw else last.from_iteration
    typer.echo(f"{last}. Iteration {first} {told}.")


def _settings(changes: list[str]) -> dict[str, Any]:
    """Keys and values of `KEY=VALUE`, each value read as YAML reads it."""
    import yaml

    wanted = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not (key and equals):
            raise InputError(f"--set {change}: give a setting and its value as KEY=VALUE, as in max_iterations=20.")
        try:
            wanted[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(
                f"--set {change}: the value cannot be read; write it as in the campaign's YAML."
            ) from error
    return wanted
