"""Sends one message to the addresses of a channel, within a time-out and without ever showing an address."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTimeError
from typing import TYPE_CHECKING

from cellos_nb.errors import ChannelUrlError, NotDeliveredError
from cellos_nb.operations.notifications.channel import Channel, service_of
from cellos_nb.operations.notifications.delivery import Delivery, ServiceOutcome
from cellos_nb.operations.notifications.masking import GUARD, masked, secrets_of, without_addresses
from cellos_nb.operations.notifications.message import Message

if TYPE_CHECKING:
    from apprise import Apprise

log = logging.getLogger(__name__)

TIMEOUT_S = 20.0
"""A mail server may take its time, a lab may not wait for it."""
_LATER_S = 2.0
"""By how much longer a service is listened to, whose answer is not waited for any more."""


def send(message: Message, channel: Channel, *, timeout_s: float = TIMEOUT_S) -> Delivery:
    """Sends a message to all addresses of a channel at once and says what became of it at each.

    A service that refuses, cannot be reached or does not answer is in the answer, not an exception: call `check` on it
    to have one. Returns within the time-out, whatever the services do.

    Raises:
        ChannelNotConfiguredError: the environment names no address; nothing was sent.
        ChannelUrlError: an address cannot be used; nothing was sent.
    """
    addresses = channel.addresses()
    for address in addresses.values():
        GUARD.learn(secrets_of(address))
    opened = {n: _open(address, channel, n, timeout_s) for n, address in addresses.items()}
    deadline = time.monotonic() + timeout_s
    answers = {n: _begin(service, message) for n, service in opened.items()}
    outcomes = []
    for n, answer in answers.items():
        kind = service_of(addresses[n], channel.variable, n)
        try:
            error = answer.result(timeout=max(0.0, deadline - time.monotonic()))
        except NotInTimeError:
            why = f"did not answer within {timeout_s:g} s, so the message may or may not have arrived"
            outcomes.append(ServiceOutcome(n, kind, why, is_uncertain=True))
        except NotDeliveredError as failure:
            outcomes.append(ServiceOutcome(n, kind, masked(without_addresses(str(failure)), secrets_of(addresses[n]))))
        else:
            outcomes.append(ServiceOutcome(n, kind, error))
    delivery = Delivery(channel, message.sha256, tuple(outcomes))
    for outcome in delivery.failed:
        log.warning("%s, address %s (%s): %s", channel.variable, outcome.position, outcome.service, outcome.error)
    return delivery


def _open(address: str, channel: Channel, position: int, timeout_s: float) -> Apprise:
    """The service behind one address; connects to nothing yet."""
    import apprise

    # No limit of apprise's own: it would put the call onto a thread that the end of the process waits for.
    asset = apprise.AppriseAsset(
        app_id="cellos_nb", app_desc="cellos_nb", service_timeout=0, interpret_emojis=False, interpret_escapes=False
    )
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        kind = service_of(address, channel.variable, position)
        raise ChannelUrlError(
            f"{channel.variable}, address {position} ({kind}://…): apprise does not know this kind of service, or a "
            "part of the address is missing. Its value is not shown here. "
            "See https://appriseit.com/services/ for how such an address is written."
        )
    # So that a thread that was given up ends soon after; but not before, with an error that does not say whether the
    # message was sent already.
    service.socket_connect_timeout = min(service.socket_connect_timeout, timeout_s)
    service.socket_read_timeout = timeout_s + _LATER_S
    one = apprise.Apprise(asset=asset)
    one.add(service)
    return one


def _begin(service: Apprise, message: Message) -> Future[str | None]:
    """Sends on a thread of its own, which neither this call nor the end of the process waits for."""
    answer: Future[str | None] = Future()

    def deliver() -> None:
        try:
            answer.set_result(_deliver(service, message))
        except Exception as error:  # noqa: BLE001 — a hundred foreign services; the waiting thread gets it
            failure = NotDeliveredError(f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            answer.set_exception(failure)

    threading.Thread(target=deliver, name="cellos-message", daemon=True).start()
    return answer


def _deliver(service: Apprise, message: Message) -> str | None:
    """Why the service did not take the message; None when it did."""
    # An empty body is refused by most services.
    result = service.notify(
        title=message.title,
        body=message.body.strip() or message.title,
        notify_type=message.level.value,
        body_format="text",
    )
    if result:
        return None
    said = " ".join(dict.fromkeys(entry.message.strip() for entry in result.logs()))
    raise NotDeliveredError(said.rstrip(".") or "it refused the message without a reason")
