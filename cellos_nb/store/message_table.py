"""The table of the outbox."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text, text

from cellos_nb.store.audit_table import metadata
from cellos_nb.store.schema import UtcTime

__all__ = ["messages", "metadata"]

messages = Table(
    "messages",
    metadata,
    Column("message_id", Integer, primary_key=True),
    Column("occasion", Text, nullable=False),
    Column("once", Text, nullable=False, unique=True),  # so that no occasion is told twice, whoever sees it
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("left_to", Text, nullable=False),  # positions of addresses that are still to be tried; empty: all
    Column("error", Text),
    Column("told_at", UtcTime),  # null: it waits
    Column("channel", Text),  # the variable of the channel that it went to
    Column("delivery", Text),  # what it went out with: the same for those that were told as one
)
# Few wait, however many were ever told.
_WAITS = text("told_at IS NULL")
Index("ix_messages_waiting", messages.c.message_id, sqlite_where=_WAITS, postgresql_where=_WAITS)
Index("ix_messages_told", messages.c.channel, messages.c.told_at)
