"""Where what happened meets the people who want to hear of it."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from cellos_nb.domain.occasions import Occasion
from cellos_nb.errors import CellosError, ConfigError
from cellos_nb.execution.actions import Bench, perform_now
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.queue import JobQueue
from cellos_nb.loop import OVER_BUDGET
from cellos_nb.operations.notifications.settings import MessageSettings
from cellos_nb.store import messages
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store

log = logging.getLogger(__name__)

DELIVERY = "deliver"
"""The kind of action that delivers what waits in the outbox."""


def call_postman(store: Store, *, not_before: datetime | None = None) -> bool:
    """Queues the delivery of what waits in the outbox; whether there is anything, and an address for it.

    Called after whatever may have put something in. Never raises for messages.yaml: no run ends for its sake.
    """
    with store.read() as tx:
        newest = messages.newest_waiting(tx)
    if newest is None or not is_wanted(store):
        return False
    when = "" if not_before is None else f" at {not_before.isoformat()}"
    JobQueue(store).submit(DELIVERY, {}, idempotency_key=f"{DELIVERY} up to {newest}{when}", not_before=not_before)
    return True


def is_wanted(store: Store) -> bool:
    """Whether the environment has an address for anything; True also when the settings cannot be read.

    Then the delivery says what is wrong with them.
    """
    try:
        return MessageSettings.of_lab(store.folder).is_any_configured
    except ConfigError as error:
        log.warning("%s", error)
        return True


def post_now(store: Store, lab: Any) -> None:
    """Delivers what waits, for a process that runs a campaign without a daemon; what fails is tried again by the next.

    Never raises for a channel or a setting: what was measured is stored, and people can look.
    """
    with store.read() as tx:
        if messages.newest_waiting(tx) is None:
            return
    if not is_wanted(store):
        return
    try:
        log.info("%s", perform_now(DELIVERY, {}, Bench(store, lab, is_real=flags_of(store).is_real)))
    except CellosError as error:
        log.warning("messages to people: %s", error)


def occasion_of(status: CampaignStatus, reason: str) -> Occasion:
    """What people are told when a campaign ends or waits by itself."""
    if status is CampaignStatus.FINISHED:
        return Occasion.BUDGET_REACHED if reason.startswith(OVER_BUDGET) else Occasion.CAMPAIGN_DONE
    return Occasion.CAMPAIGN_WAITS if status is CampaignStatus.PAUSED else Occasion.CAMPAIGN_FAILED
