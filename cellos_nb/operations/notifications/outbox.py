"""Outbox: holds messages back so that people get few of them, and counts all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED
from cellos_nb.errors import MessageError
from cellos_nb.operations.notifications.message import Message, grouped


@dataclass(frozen=True, slots=True)
class Window:
    """What is held back of one key."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    key: str
    until: datetime
    """When the waiting messages are told together, UTC."""
    waiting: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Outbox:
    """A frozen state: every call returns the next one, with the messages to send now. It reads no clock.

    The first message of a key goes out at once and opens a window; more of the same key wait for its end and go out as
    one. A message without key never waits for others of its kind. Over all keys at most `most` go out in `period_s`:
    beyond that everything waits, and goes out as one when the period allows. As JSON it can lie in a database between
    two processes.

    offer(key) ── no window ──► out, window opens          offer(key) ── window ──► waits
    due(now) ── window over ──► waiting ones out as one, window opens anew │ none waiting: window closes
    """

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    window_s: float = 300.0
    """How long messages of one key are gathered."""
    most: int = 20
    """How many messages go out in a period; more would be read by nobody."""
    period_s: float = 3600.0
    windows: tuple[Window, ...] = ()
    sent_at: tuple[datetime, ...] = ()
    """When messages went out, within the last period."""
    late: tuple[Message, ...] = ()
    """What waits because too many went out."""

    def __post_init__(self) -> None:
        if self.most < 1 or self.window_s < 0 or self.period_s <= 0:
            raise MessageError(
                f"An outbox lets at least 1 message out in a period longer than 0 s, and gathers for 0 s or longer; "
                f"asked was {self.most} in {self.period_s:g} s, gathered for {self.window_s:g} s."
            )

    def offer(self, message: Message, now: datetime) -> tuple[Outbox, tuple[Message, ...]]:
        """Takes a message; returns what to send now: it, earlier ones, both, or nothing yet."""
        if not message.key:
            outbox, out = self.due(now)
            outbox, more = _let_out(outbox, (message,), now)
            return outbox, (*out, *more)
        # One that opens its window is over at once: it waits for nobody.
        here = next((window for window in self.windows if window.key == message.key), Window(message.key, now))
        return _with(self, replace(here, waiting=(*here.waiting, message))).due(now)

    def due(self, now: datetime) -> tuple[Outbox, tuple[Message, ...]]:
        """What has waited long enough. To be called at `next_due`, or from time to time."""
        until = now + timedelta(seconds=self.window_s)
        told = [window for window in self.windows if window.until <= now and window.waiting]
        still_open = tuple(window for window in self.windows if window.until > now)
        anew = tuple(Window(window.key, until) for window in told)
        groups = tuple(grouped(window.waiting, window.key) for window in told)
        return _let_out(replace(self, windows=(*still_open, *anew)), groups, now)

    def drained(self) -> tuple[Outbox, tuple[Message, ...]]:
        """Everything that waits, whatever the limits: for the end of a process that cannot store this."""
        groups = tuple(grouped(window.waiting, window.key) for window in self.windows if window.waiting)
        late = (grouped(self.late, "messages"),) if self.late else ()
        return replace(self, windows=(), late=()), (*late, *groups)

    @property
    def next_due(self) -> datetime | None:
        """When something that waits is to go out; None when nothing waits."""
        times = [window.until for window in self.windows if window.waiting]
        if self.late:
            times.append(min(self.sent_at) + timedelta(seconds=self.period_s))
        return min(times, default=None)


def _with(outbox: Outbox, window: Window) -> Outbox:
    others = tuple(other for other in outbox.windows if other.key != window.key)
    return replace(outbox, windows=(*others, window))


def _let_out(outbox: Outbox, messages: tuple[Message, ...], now: datetime) -> tuple[Outbox, tuple[Message, ...]]:
    """Lets messages out as far as the period allows; the rest is late, and goes out as one."""
    since = now - timedelta(seconds=outbox.period_s)
    sent_at = tuple(at for at in outbox.sent_at if at > since)
    queue = (*outbox.late, *messages)
    n_free = outbox.most - len(sent_at)
    if n_free <= 0:
        return replace(outbox, sent_at=sent_at, late=queue), ()
    if outbox.late or len(queue) > n_free:
        queue = (grouped(queue, "messages"),)
    return replace(outbox, sent_at=(*sent_at, *(now for _ in queue)), late=()), queue
