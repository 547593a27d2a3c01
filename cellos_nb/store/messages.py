"""The outbox: what people are to be told, written with what happened, and crossed off when it was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from cellos_nb.domain.occasions import MEANINGS, Occasion
from cellos_nb.store.message_table import messages
from cellos_nb.store.prepared import Prepared
from cellos_nb.units import now_utc

LONGEST_TITLE = 200
"""Characters; what is beyond stands in the body."""
STALE_H = 24.0
"""What nobody could be told for so long is no news any more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that was not told yet."""

    message_id: int
    occasion: str
    title: str
    body: str
    level: str
    at: datetime
    attempts: int
    """Deliveries that were begun before; one of them may have reached somebody."""
    left_to: tuple[int, ...]
    """The addresses of its channel that are still to be tried; all when empty."""


def tell(tx: Connection, occasion: Occasion, about: str, body: str, *, once: str) -> bool:
    """Notes that people are to be told, in the transaction of what happened: both are stored, or neither.

    Args:
        tx: that transaction.
        occasion: what it is.
        about: the plate, campaign or resource.
        body: what it means and what to do.
        once: tells this one from others of its kind; the same again is not noted a second time.

    Returns:
        Whether it is new.
    """
    key = f"{occasion}: {once}"
    if _THERE.rows(tx, {"key": key}):
        return False
    title = f"{about}: {occasion}"
    if len(title) > LONGEST_TITLE:
        title, body = f"{title[: LONGEST_TITLE - 1]}…", f"{title}\n{body}"
    values = {
        "occasion": occasion.value,
        "once": key,
        "title": "".join(letter if letter.isprintable() else " " for letter in title),
        "body": body.replace("\0", ""),
        "level": MEANINGS[occasion].level,
        "at": now_utc(),
        "attempts": 0,
        "left_to": "",
    }
    _INSERT.insert(tx, values)
    return True


def waiting(tx: Connection) -> tuple[Waiting, ...]:
    """What was not told yet, oldest first."""
    query = select(messages).where(messages.c.told_at.is_(None)).order_by(messages.c.message_id)
    return tuple(_waiting(row) for row in tx.execute(query))


def newest_waiting(tx: Connection) -> int | None:
    """The number of the newest message that was not told yet; costs next to nothing."""
    newest: int | None = _NEWEST.rows(tx)[0][0]
    return newest


def told_since(tx: Connection, since: datetime) -> dict[str, dict[str, datetime]]:
    """When each occasion was last told on each channel, of what was told since a moment: by channel, then occasion."""
    last: dict[str, dict[str, datetime]] = {}
    query = (
        select(messages.c.channel, messages.c.occasion, func.max(messages.c.told_at, type_=messages.c.told_at.type))
        .where(messages.c.told_at > since, messages.c.channel.is_not(None))
        .group_by(messages.c.channel, messages.c.occasion)
    )
    for channel, occasion, at in tx.execute(query):
        last.setdefault(channel, {})[occasion] = at
    return last


def deliveries_since(tx: Connection, channel: str, since: datetime) -> list[datetime]:
    """When something went out on a channel since a moment, one time for each delivery, in order."""
    query = (
        select(func.min(messages.c.told_at, type_=messages.c.told_at.type))
        .where(messages.c.channel == channel, messages.c.told_at > since)
        .group_by(messages.c.delivery)
    )
    return sorted(tx.execute(query).scalars())


def begin_delivery(tx: Connection, message_ids: Collection[int]) -> None:
    """Counts an attempt, before anything leaves."""
    tx.execute(update(messages).where(messages.c.message_id.in_(message_ids)).values(attempts=messages.c.attempts + 1))


def cross_off(tx: Connection, message_ids: Collection[int], *, channel: str | None, delivery: str) -> None:
    """Notes that messages were told, or why they never will be; one that is crossed off stays so."""
    values: Mapping[str, Any] = {"told_at": now_utc(), "channel": channel, "delivery": delivery}
    tx.execute(update(messages).where(messages.c.message_id.in_(message_ids), messages.c.told_at.is_(None)), values)


def keep(tx: Connection, message_ids: Collection[int], *, left_to: Collection[int], error: str) -> None:
    """Notes that addresses did not take messages, and are to be tried again."""
    values = {"left_to": ",".join(map(str, left_to)), "error": error}
    tx.execute(update(messages).where(messages.c.message_id.in_(message_ids), messages.c.told_at.is_(None)), values)


def forget_stale(tx: Connection) -> int:
    """Crosses off what waited for too long; returns how many that were."""
    old = messages.c.at < now_utc() - timedelta(hours=STALE_H)
    values = {"told_at": now_utc(), "delivery": "too old"}
    return tx.execute(update(messages).where(messages.c.told_at.is_(None), old), values).rowcount


def _waiting(row: Row[Any]) -> Waiting:
    left_to = tuple(int(number) for number in row.left_to.split(",") if number)
    return Waiting(row.message_id, row.occasion, row.title, row.body, row.level, row.at, row.attempts, left_to)


_THERE = Prepared(select(messages.c.message_id).where(messages.c.once == bindparam("key")))
_NEWEST = Prepared(select(func.max(messages.c.message_id)).where(messages.c.told_at.is_(None)))
_INSERT = Prepared(insert(messages), "occasion", "once", "title", "body", "level", "at", "attempts", "left_to")
