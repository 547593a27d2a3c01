"""Delivery: what became of a message."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.errors import NotDeliveredError
from cellos_nb.operations.notifications.channel import Channel


@dataclass(frozen=True, slots=True)
class ServiceOutcome:
    """What one address of a channel made of a message."""

    position: int
    """Of the address in the channel's variable, counted from 1."""
    service: str
    """`mailtos`, `slack`; never more of the address."""
    error: str | None = None
    """Why it failed, without passwords; None when the service took the message."""
    is_uncertain: bool = False
    """It did not answer in time: the message may have arrived all the same."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message on one channel."""

    channel: Channel
    message_sha256: str
    outcomes: tuple[ServiceOutcome, ...]

    @property
    def is_delivered(self) -> bool:
        """Whether every address took it."""
        return not self.failed

    @property
    def failed(self) -> tuple[ServiceOutcome, ...]:
        """Those that did not."""
        return tuple(outcome for outcome in self.outcomes if outcome.error is not None)

    @property
    def to_retry(self) -> Channel | None:
        """The addresses that are worth another try, so that nobody gets a message twice; None when there are none.

        One that did not answer in time is not among them: it may have sent the message.
        """
        positions = tuple(outcome.position for outcome in self.failed if not outcome.is_uncertain)
        return Channel(self.channel.name, positions) if positions else None

    def check(self) -> Delivery:
        """Returns itself when every address took the message.

        Raises:
            NotDeliveredError: names those that did not, by position and kind, and why.
        """
        if self.is_delivered:
            return self
        why = "; ".join(f"address {one.position} ({one.service}): {one.error}" for one in self.failed)
        n_all, n_failed = len(self.outcomes), len(self.failed)
        raise NotDeliveredError(
            f"{self.channel.variable}: {n_failed} of {n_all} addresses did not take the message. {why}. "
            "Check the address, the password and the network; what the others took is not sent to them again."
        )
