"""The ledger of the daemon's ticks: what each attempted, and whether all of it went well."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update

from cellos_nb.execution.events import Event, RunDone, RunPostponed
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.lease import Lease
from cellos_nb.store.schema import tick_ledger
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

MAX_NOTES = 2000
"""Characters of notes that are kept."""


_WELL = {JobStatus.SUCCEEDED.value, JobStatus.CANCELLED.value, JobStatus.PAUSED.value}


class TickStatus(StrEnum):
    """How a tick ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """Nothing that was attempted failed."""
    FAILED = "failed"
    STOPPED = "stopped"
    """It was told to end while a run was under way; nothing failed."""
    INTERRUPTED = "interrupted"
    """Its process died, or lost the lease."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One row of the ledger."""

    tick_id: int
    fencing: int
    """Of the daemon whose tick it was."""
    started_at: datetime
    finished_at: datetime | None
    attempted: int
    """Pieces of work that it began."""
    succeeded: int
    """What ended well in it, whenever it was begun; batches concluded as well."""
    failed: int
    """Attempts that did not succeed, also when the work is to be tried again."""
    status: TickStatus
    notes: str


@dataclass(slots=True)
class Tally:
    """What a tick has done so far."""

    attempted: int = 0
    """Pieces of work that it began."""
    succeeded: int = 0
    failed: int = 0
    is_stopped: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> TickStatus:
        """How the tick ends; a failure outweighs everything."""
        if self.failed:
            return TickStatus.FAILED
        return TickStatus.STOPPED if self.is_stopped else TickStatus.SUCCEEDED

    def succeed(self, note: str) -> None:
        """Counts an action that went well."""
        self.succeeded += 1
        self.notes.append(note)

    def fail(self, note: str) -> None:
        """Counts an action that did not."""
        self.failed += 1
        self.notes.append(note)


def begin_tick(store: Store, lease: Lease) -> int:
    """Opens a row and returns its number.

    Raises:
        LeaseError: another dispatcher took over.
    """
    values = {
        "fencing": lease.fencing,
        "started_at": now_utc(),
        "attempted": 0,
        "succeeded": 0,
        "failed": 0,
        "status": TickStatus.RUNNING.value,
        "notes": "",
    }
    with store.write() as tx:
        lease.check(tx)
        (tick_id,) = tx.execute(insert(tick_ledger), values).inserted_primary_key or (0,)
    return int(tick_id)


def end_tick(store: Store, lease: Lease, tick_id: int, tally: Tally) -> None:
    """Closes a row.

    Raises:
        LeaseError: another dispatcher took over, and has closed it.
    """
    notes = "; ".join(tally.notes) or "nothing was due"
    values = {
        "finished_at": now_utc(),
        "attempted": tally.attempted,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "status": tally.status.value,
        "notes": notes if len(notes) <= MAX_NOTES else f"{notes[:MAX_NOTES]}…",
    }
    with store.write() as tx:
        lease.check(tx)
        tx.execute(update(tick_ledger).where(tick_ledger.c.tick_id == tick_id), values)


def close_left_ticks(store: Store, lease: Lease) -> None:
    """Marks what an earlier daemon began and did not end; for a new holder of the lease."""
    left = update(tick_ledger).where(tick_ledger.c.status == TickStatus.RUNNING.value)
    with store.write() as tx:
        lease.check(tx)
        tx.execute(left, {"status": TickStatus.INTERRUPTED.value, "finished_at": now_utc()})


class TickBook:
    """The tick under way: a row once something is begun or has ended in it, and what it comes to."""

    def __init__(self, store: Store, lease: Lease, say: Callable[..., None]) -> None:
        """A daemon's ticks; `say` logs an event, by its name, its level and its facts."""
        self._store, self._lease, self._say = store, lease, say
        self.tally, self._tick_id = Tally(), 0

    def fail(self, note: str) -> None:
        """Counts an action that did not go well, and says so."""
        self.tally.fail(note)
        self._say("action_failed", logging.WARNING, what=note)

    def count(self, event: Event) -> None:
        """Counts a run that came to an end, or whose attempt did."""
        if isinstance(event, RunDone):
            if event.status in _WELL:
                self.tally.succeed(f"{event.plate_id}: {event.status}")
            else:
                self.fail(f"{event.plate_id}: {event.status}: {event.error}")
        elif isinstance(event, RunPostponed):
            self.fail(f"{event.plate_id}: {event.error}")

    def open(self) -> None:
        """Begins the row, if that was not done."""
        if not self._tick_id:
            self._tick_id = begin_tick(self._store, self._lease)
            self._say("tick_started", tick=self._tick_id)

    def close(self) -> None:
        """Ends the row; a tick that neither began nor ended anything has none."""
        if not (self._tick_id or self.tally.notes):
            return
        self.open()
        tick, tally = self._tick_id, self.tally
        self.tally, self._tick_id = Tally(), 0
        end_tick(self._store, self._lease, tick, tally)
        self._say("tick_done", tick=tick, status=tally.status, succeeded=tally.succeeded, failed=tally.failed)


def ticks(store: Store, last: int | None = None) -> tuple[Tick, ...]:
    """The ledger, oldest first; the `last` rows alone when given."""
    query = select(tick_ledger).order_by(tick_ledger.c.tick_id.desc())
    with store.read() as tx:
        rows = tx.execute(query if last is None else query.limit(last)).mappings().all()
    return tuple(Tick(**{**row, "status": TickStatus(row["status"])}) for row in reversed(rows))
