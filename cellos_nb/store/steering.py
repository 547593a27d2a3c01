"""What a person changes about a campaign that was begun: pause, stop, go on, roll back, fork."""

from __future__ import annotations

from sqlalchemy import Connection, insert, update

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import CampaignError
from cellos_nb.store import overrulings
from cellos_nb.store.campaigns import add_campaign, set_status
from cellos_nb.store.iterations import concluded_iterations, standing, supersede
from cellos_nb.store.records import CampaignStatus, Parent
from cellos_nb.store.schema import campaigns, inherited_iterations


def begin(tx: Connection, campaign_id: str) -> None:
    """Notes that a campaign is executed from now on. A stop that was obeyed before is forgotten."""
    if standing(tx, campaign_id).status is CampaignStatus.FINISHED:
        _request_stop(tx, campaign_id, None)
    set_status(tx, campaign_id, CampaignStatus.RUNNING, None)


def pause(tx: Connection, campaign_id: str, reason: str) -> None:
    """Notes that no further plate may begin. Pausing it again keeps the first reason.

    Raises:
        CampaignError: there is no such campaign, or it has ended.
    """
    now = standing(tx, campaign_id)
    refuse_imported(campaign_id, now.config, "paused")
    status = now.status
    _refuse_ended(campaign_id, status, "paused")
    if status is not CampaignStatus.PAUSED:
        set_status(tx, campaign_id, CampaignStatus.PAUSED, reason)


def unpause(tx: Connection, campaign_id: str) -> None:
    """Takes a pause back.

    Raises:
        CampaignError: there is no such campaign, or it is not paused.
    """
    status = standing(tx, campaign_id).status
    if status is not CampaignStatus.PAUSED:
        raise CampaignError(f"{campaign_id}: is {status}, not paused; there is no pause to take back.")
    set_status(tx, campaign_id, CampaignStatus.RUNNING, None)


def request_stop(tx: Connection, campaign_id: str, reason: str) -> None:
    """Notes that no further iteration may begin; the one that was begun is brought to its end.

    Raises:
        CampaignError: there is no such campaign, or it has ended.
    """
    now = standing(tx, campaign_id)
    refuse_imported(campaign_id, now.config, "stopped")
    _refuse_ended(campaign_id, now.status, "stopped")
    _request_stop(tx, campaign_id, reason)


def roll_back(tx: Connection, campaign_id: str, to: int, *, by: str, reason: str) -> dict[int, str]:
    """Marks what came after iteration `to` as superseded, and leaves the campaign paused.

    Returns:
        The batches of the superseded iterations by number.

    Raises:
        CampaignError: there is no such campaign or iteration, or nothing came after it.
    """
    current = standing(tx, campaign_id)
    refuse_imported(campaign_id, current.config, "rolled back")
    history = concluded_iterations(tx, campaign_id)
    inherited = current.parent_iteration
    possible = [inherited, *(n for n in history if n > inherited)]
    if to not in possible:
        whose = f" Iterations up to {inherited} are the parent's: fork that one." if inherited else ""
        raise CampaignError(
            f"{campaign_id}: cannot go back to iteration {to}; possible: {', '.join(map(str, possible))}.{whose}"
        )
    superseded = supersede(tx, campaign_id, to, by=by, reason=reason)
    if not superseded:
        raise CampaignError(f"{campaign_id}: nothing came after iteration {to} (it is {current.status}).")
    _request_stop(tx, campaign_id, None)
    why = f": {reason}" if reason else ""
    set_status(tx, campaign_id, CampaignStatus.PAUSED, f"rolled back to iteration {to} by {by}{why}")
    return superseded


def fork(tx: Connection, parent_id: str, at: int, config: CampaignConfig) -> str:
    """Stores a campaign that begins with the results of another one up to iteration `at`, and returns its identifier.

    Raises:
        CampaignError: there is no such parent, or it has not concluded that iteration.
    """
    refuse_imported(parent_id, standing(tx, parent_id).config, "forked")
    history = concluded_iterations(tx, parent_id)
    if at not in history:
        possible = ", ".join(map(str, history)) or "none yet"
        raise CampaignError(f"{parent_id}: cannot be forked at iteration {at}; concluded and counting: {possible}.")
    campaign_id = add_campaign(tx, config, Parent(parent_id, at))
    rows = [{"campaign_id": campaign_id, "batch_id": batch} for n, batch in history.items() if n <= at]
    tx.execute(insert(inherited_iterations), rows)
    overrulings.inherit(tx, campaign_id, parent_id, at)
    return campaign_id


def refuse_imported(campaign_id: str, config: CampaignConfig, verb: str) -> None:
    """Raises for a campaign whose results were measured elsewhere: they stay as they are, and no machine adds any.

    Raises:
        CampaignError: it was imported.
    """
    if config.is_imported:
        raise CampaignError(
            f"{campaign_id}: was imported from a file and cannot be {verb}. Begin a new campaign; `cellos learn-prior "
            f"{campaign_id}` has it start with what these results tell."
        )


def _refuse_ended(campaign_id: str, status: CampaignStatus, verb: str) -> None:
    if status not in {CampaignStatus.RUNNING, CampaignStatus.PAUSED}:
        raise CampaignError(f"{campaign_id}: is {status} and cannot be {verb}. Roll it back or fork it to go on.")


def _request_stop(tx: Connection, campaign_id: str, reason: str | None) -> None:
    tx.execute(update(campaigns).where(campaigns.c.campaign_id == campaign_id), {"stop_request": reason})
