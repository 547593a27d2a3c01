"""Deliver: what waits in the outbox goes to people, gathered and limited."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from cellos_nb.actions.payload import only
from cellos_nb.errors import ChannelUrlError, NotDeliveredError
from cellos_nb.execution.actions import Bench
from cellos_nb.operations.notifications.letters import HOUR, Letter, Sent, Sorted, sort_out
from cellos_nb.operations.notifications.send import send
from cellos_nb.operations.notifications.settings import MessageSettings
from cellos_nb.postroom import call_postman
from cellos_nb.store import messages
from cellos_nb.store.store import Store

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
"""After so many deliveries that failed, nobody is tried any more."""


class Deliver:
    """Sends what waits in the outbox, or in PROOF writes it as artifacts. Payload: nothing.

    A message is crossed off when it was told, or when an address did not answer in time, since it may have arrived.
    Addresses that refused it are tried again, and no others. When a crash leaves it open whether a message left, it
    is sent again, and says so.
    """

    limit_s = 300.0

    def check(self, payload: dict[str, Any]) -> None:
        """Refuses any payload: what is told stands in the outbox."""
        only(payload, ())

    def perform(self, payload: dict[str, Any], bench: Bench) -> str:  # noqa: ARG002 — it has nothing in it
        """Delivers what is due, and sees that the rest is delivered in its time.

        Raises:
            ConfigError: `messages.yaml` cannot be read.
            NotDeliveredError: an address did not take a message; it is tried again.
        """
        settings = MessageSettings.of_lab(bench.store.folder)
        found = _take(bench.store, settings)
        problems = [problem for letter in found.letters if (problem := _deliver(bench, letter)) is not None]
        if found.next_due is not None:
            call_postman(bench.store, not_before=found.next_due)
        if problems:
            raise NotDeliveredError(" ".join(problems))
        n = len(found.letters)
        return f"{n} message{'' if n == 1 else 's'} {'delivered' if bench.is_real else 'written as artifacts'}"


def _take(store: Store, settings: MessageSettings) -> Sorted:
    """What is due now, counted as begun before anything leaves."""
    with store.write(durable=True) as tx:
        messages.forget_stale(tx)
        waiting = messages.waiting(tx)
        now = store.now(tx)
        channels = {channel.variable for each in waiting if (channel := settings.channel_of(each.occasion)) is not None}
        last = messages.told_since(tx, now - max(HOUR, timedelta(seconds=settings.window_s)))
        sent = {name: Sent(last.get(name, {}), messages.deliveries_since(tx, name, now - HOUR)) for name in channels}
        found = sort_out(waiting, sent, settings, now)
        messages.cross_off(tx, found.unwanted, channel=None, delivery="unwanted")
        messages.begin_delivery(tx, [number for letter in found.letters for number in letter.message_ids])
    return found


def _deliver(bench: Bench, letter: Letter) -> str | None:
    """Sends one letter; returns what went wrong, in words, or None."""
    name, message = letter.channel.variable, letter.message
    if not bench.is_real:
        content = message.canonical_text().encode()
        artifact = bench.keep("message.txt", content, f"PROOF: {message.title!r} would go to {name}")
        with bench.store.write() as tx:
            messages.cross_off(tx, letter.message_ids, channel=name, delivery=f"PROOF {artifact.ref}")
        return None
    try:
        delivery = send(message, letter.channel)
    except ChannelUrlError as error:
        # A broken channel does not keep the others.
        return _keep(bench, letter, letter.channel.positions, str(error))
    retry = delivery.to_retry
    if retry is None:
        with bench.store.write(durable=True) as tx:
            messages.cross_off(tx, letter.message_ids, channel=name, delivery=f"{message.sha256} {bench.store.now(tx)}")
        bench.log(f"{message.title!r} went to {name} (SHA-256 {message.sha256})")
        return None
    why = "; ".join(f"address {each.position} ({each.service}): {each.error}" for each in delivery.failed)
    return _keep(bench, letter, retry.only, f"{name}: {message.title!r} was not taken. {why}.")


def _keep(bench: Bench, letter: Letter, left_to: tuple[int, ...], error: str) -> str:
    with bench.store.write(durable=True) as tx:
        mine = [each for each in messages.waiting(tx) if each.message_id in letter.message_ids]
        tired = [each.message_id for each in mine if each.attempts >= MOST_ATTEMPTS]
        messages.keep(tx, letter.message_ids, left_to=left_to, error=error)
        messages.cross_off(tx, tired, channel=None, delivery="given up")
    if tired:
        bench.log(f"{letter.message.title!r} was given up after {MOST_ATTEMPTS} attempts. {error}")
    return error
