"""Messages: to the people of the lab, and announcements to a channel."""

from __future__ import annotations

from typing import Any

from cellos_nb.actions.payload import only, text_of
from cellos_nb.errors import InputError
from cellos_nb.execution.actions import Bench
from cellos_nb.operations.notifications import Channel, Level, Message, send


class _Messenger:
    """Sends one message. In PROOF it becomes an artifact, byte for byte what would be sent, with its SHA-256."""

    limit_s = 120.0
    _keys: tuple[str, ...] = ("title", "body", "level")

    def check(self, payload: dict[str, Any]) -> None:
        """Refuses what is no message."""
        only(payload, self._keys)
        _message(payload)
        self._channel(payload)

    def perform(self, payload: dict[str, Any], bench: Bench) -> str:
        """Sends it, or writes what would be sent.

        Raises:
            ChannelNotConfiguredError: REAL, and the environment names no address; says which variable to set.
            NotDeliveredError: a service refused it or could not be reached.
        """
        message, channel = _message(payload), self._channel(payload)
        if not bench.is_real:
            content = message.canonical_text().encode()
            artifact = bench.keep("message.txt", content, f"PROOF: {message.title!r} would go to {channel.variable}")
            return f"PROOF: {message.title!r} for {channel.variable}, {artifact.ref}"
        delivery = send(message, channel)
        delivery.check()
        bench.log(f"{message.title!r} went to {channel.variable} (SHA-256 {message.sha256})")
        return f"{message.title!r} went to {channel.variable}"

    def _channel(self, payload: dict[str, Any]) -> Channel:  # noqa: ARG002 — that of another kind is in its payload
        return Channel()


class Notify(_Messenger):
    """Tells the people of the lab, at the addresses in `CELLOS_NOTIFY_URLS`. Payload: title, body, level."""


class PostMessage(_Messenger):
    """Announces something in a channel, at the addresses in `CELLOS_CHANNEL_<NAME>`. Payload: channel besides."""

    _keys = ("channel", "title", "body", "level")

    def _channel(self, payload: dict[str, Any]) -> Channel:
        return Channel(text_of(payload, "channel"))


def _message(payload: dict[str, Any]) -> Message:
    level = text_of(payload, "level", "info")
    if level not in set(Level):
        raise InputError(f"payload.level: {level!r} is none; possible: {', '.join(Level)}.")
    return Message(text_of(payload, "title"), text_of(payload, "body", ""), Level(level))
