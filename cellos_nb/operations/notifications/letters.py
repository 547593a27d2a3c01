"""Letters: what goes out of the outbox now, gathered and limited, and when the rest may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cellos_nb.domain.occasions import MEANINGS, Occasion
from cellos_nb.operations.notifications.channel import Channel
from cellos_nb.operations.notifications.message import Level, Message, grouped
from cellos_nb.operations.notifications.settings import MessageSettings
from cellos_nb.store.messages import Waiting

HOUR = timedelta(hours=1)
AGAIN = "This may have reached you before: the process that sent it ended before it knew."


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on its way, and what of the outbox it tells."""

    channel: Channel
    message: Message
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sorted:
    """The outbox at a moment."""

    letters: tuple[Letter, ...]
    """To be sent now."""
    unwanted: tuple[int, ...]
    """Messages of which nobody wants to hear."""
    next_due: datetime | None
    """When something that is held back may go out; None when nothing is."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a channel had lately."""

    by_occasion: Mapping[str, datetime]
    """When each was told last."""
    at: Sequence[datetime]
    """Of each delivery of the last hour."""


def sort_out(waiting: Sequence[Waiting], sent: Mapping[str, Sent], settings: MessageSettings, now: datetime) -> Sorted:
    """What goes out now: the first of an occasion at once, those of its window together, no more than an hour bears.

    A channel for which the environment has no address is passed over; its messages wait for one.

    Args:
        waiting: messages that were not told, oldest first.
        sent: what each channel had lately, by its variable.
        settings: who hears of what, and how often.
        now: the moment.
    """
    by_channel: dict[Channel, list[Waiting]] = defaultdict(list)
    unwanted = []
    for each in waiting:
        channel = settings.channel_of(each.occasion)
        if channel is None:
            unwanted.append(each.message_id)
        elif channel.is_configured:
            by_channel[Channel(channel.name, each.left_to)].append(each)
    letters: list[Letter] = []
    later: list[datetime] = []
    n_sent: dict[str, int] = defaultdict(int)
    for channel, mine in by_channel.items():
        had = sent.get(channel.variable, Sent({}, ()))
        due, held = _due(mine, had, settings, now)
        later += held
        if not due:
            continue
        n_free = settings.most_per_hour - len(had.at) - n_sent[channel.variable]
        if n_free <= 0:
            later.append((min(had.at) if had.at else now) + HOUR)
            continue
        out = [_letter(channel, group) for group in due]
        if len(out) > n_free:
            out = [_together(channel, due)]
        n_sent[channel.variable] += len(out)
        letters += out
    return Sorted(tuple(letters), tuple(unwanted), min(later, default=None))


def _due(
    mine: Sequence[Waiting], had: Sent, settings: MessageSettings, now: datetime
) -> tuple[list[list[Waiting]], list[datetime]]:
    """The groups whose window is over, and when those of the others will be."""
    groups: dict[str, list[Waiting]] = defaultdict(list)
    for each in mine:
        groups[each.occasion].append(each)
    due, later = [], []
    for occasion, group in groups.items():
        last = had.by_occasion.get(occasion)
        until = now if last is None else last + timedelta(seconds=settings.window_s)
        # One that an address refused was let out before.
        if until <= now or group[0].left_to:
            due.append(group)
        else:
            later.append(until)
    return due, later


def _letter(channel: Channel, group: Sequence[Waiting]) -> Letter:
    occasion = group[0].occasion
    several = MEANINGS[Occasion(occasion)].several if occasion in set(Occasion) else occasion
    return Letter(channel, grouped([_message(each) for each in group], several), _ids(group))


def _together(channel: Channel, groups: Sequence[Sequence[Waiting]]) -> Letter:
    """All as one, for a channel that has had nearly as many as it may."""
    everything = [each for group in groups for each in group]
    return Letter(channel, grouped([_message(each) for each in everything], "messages"), _ids(everything))


def _message(each: Waiting) -> Message:
    is_doubled = each.attempts > 0 and not each.left_to
    body = f"{each.body}\n{AGAIN}" if is_doubled else each.body
    return Message(each.title, body, Level(each.level))


def _ids(group: Sequence[Waiting]) -> tuple[int, ...]:
    return tuple(each.message_id for each in group)
