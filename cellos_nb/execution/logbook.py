"""The execution log of a database, as a person reads it: the newest that is severe enough and holds a text."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from cellos_nb.store.schema import execution_logs, runs
from cellos_nb.store.store import Store

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""From the least severe to the most."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the log."""

    log_id: int
    at: datetime
    level: str
    message: str
    plate_id: str | None
    """None when it is about no plate."""
    artifact_ref: str | None
    """Relative to the folder of the database."""


def log_entries(store: Store, *, at_least: str = "DEBUG", text: str = "", last: int = 100) -> tuple[LogEntry, ...]:
    """The newest lines, newest first.

    Args:
        store: the database.
        at_least: one of `LEVELS`; less severe lines are left out.
        text: what the message or the plate has to hold, in whatever case.
        last: how many at most.
    """
    severe = [level for level in LEVELS if logging.getLevelName(level) >= logging.getLevelName(at_least)]
    query = (
        select(
            *(execution_logs.c[name] for name in ("log_id", "at", "level", "message")),
            runs.c.plate_id,
            execution_logs.c.artifact_ref,
        )
        .select_from(execution_logs.outerjoin(runs, runs.c.run_id == execution_logs.c.run_id))
        .where(execution_logs.c.level.in_(severe))
        .order_by(execution_logs.c.log_id.desc())
        .limit(last)
    )
    if text.strip():
        said = func.lower(execution_logs.c.message + " " + func.coalesce(runs.c.plate_id, ""))
        query = query.where(said.contains(text.strip().lower(), autoescape=True))
    with store.read() as tx:
        return tuple(LogEntry(**row) for row in tx.execute(query).mappings())


def newest_entry(store: Store) -> int:
    """The number of the newest line; 0 when there is none. Cheap: it tells whether there is anything new."""
    with store.read() as tx:
        return tx.scalar(select(func.max(execution_logs.c.log_id))) or 0
