"""The journal: what was about to be done, and what came of it. The only truth about what happened to a plate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from cellos_nb.domain import codec
from cellos_nb.domain.reading import Reading
from cellos_nb.execution.lease import Lease
from cellos_nb.execution.notes import store_together
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import readings, steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

GROUP_S = 0.05
GROUP_ENTRIES = 1024


class StepStatus(StrEnum):
    """What is known of one attempt at a step; a step without entry is pending."""

    STARTED = "started"
    """The intent: committed before the device is called."""
    DONE = "done"
    REFUSED = "refused"
    """The machine declined; nothing was sent."""
    FAILED = "failed"
    """It may have begun."""
    INTERRUPTED = "interrupted"
    """A harmless step cut short by a crash, to be repeated."""
    IN_DOUBT = "in_doubt"
    CONTINUED = "continued"
    """A person said how many transfers took effect; the others are done under the next attempt."""
    DISCARDED = "discarded"
    """A person threw the plate away before it was known what became of the step."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One attempt at a step."""

    token: str
    step_uid: str
    attempt: int
    status: StepStatus
    started_at: datetime
    error: str | None = None
    transfers_done: int | None = None
    """Of the whole step, counted from its first transfer, when a person had it continued."""


def token_of(plate_id: str, step_uid: str, attempt: int) -> str:
    """The name of one attempt, by plate and not by run: so that no copy of a run can dispense again.

    >>> token_of("demo/i001-p1", "3-dose", 1)
    'demo/i001-p1:3-dose:1'
    """
    return f"{plate_id}:{step_uid}:{attempt}"


class Journal:
    """Entries of one dispatcher on one machine.

    Strict: entries are on the disk before the next device is called, and before the dispatcher waits for anything;
    those of several plates share a commit. Grouped: entries are kept in memory and stored together, every 50 ms or
    1,024 entries and when nothing is left to do. What a crash then loses is what the machine remembers by token;
    so it is for simulated machines that can reconcile, and only for them.
    """

    def __init__(self, store: Store, lease: Lease, machine: str, *, is_strict: bool) -> None:
        self.is_strict = is_strict
        self._store, self._lease, self._machine = store, lease, machine
        self._new: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, dict[str, Any]] = {}
        self._readings: list[dict[str, str]] = []
        self._stored_at = time.monotonic()

    def started(
        self, run_id: int, token: str, step_uid: str, attempt: int, devices: Sequence[str] = (), *, kind: str = ""
    ) -> datetime:
        """Notes the intent and returns its time. When strict, the device is called after the next `flush`.

        `devices` are held from now until the step's end is noted, also if that takes a person.
        """
        now = now_utc()
        self._new[token] = {
            "token": token,
            "run_id": run_id,
            "step_uid": step_uid,
            "attempt": attempt,
            "status": StepStatus.STARTED.value,
            "machine": self._machine,
            "error": None,
            "fencing": self._lease.fencing,
            "started_at": now,
            "finished_at": None,
            "devices": ",".join(devices),
            "transfers_done": None,
            "kind": kind,
        }
        self._noted()
        return now

    def done(self, token: str, reading: Reading | None) -> None:
        """Notes that a step was executed, with what it read."""
        if reading is not None:
            self._readings.append({"token": token, "reading": codec.to_json(reading)})
        self._ended(token, StepStatus.DONE, None)

    def ended(self, token: str, status: StepStatus, error: str) -> None:
        """Notes that an attempt came to another end."""
        self._ended(token, status, error)

    def withdraw(self, token: str) -> None:
        """Takes an intent back: the machine was not called and will not be."""
        if self._new.pop(token, None) is None:
            self._ended(token, StepStatus.REFUSED, "work was stopped before the machine was called")

    def flush(self) -> None:
        """Stores what is in memory.

        Raises:
            LeaseError: another dispatcher took over; nothing was stored.
        """
        store_together(self._store, [self])

    def write(self, tx: Connection) -> None:
        """Stores what is in memory in a transaction, and keeps it until `stored`; as `Notes`."""
        self._lease.check(tx)
        if self._new:
            _INSERT_STEPS(tx, list(self._new.values()))
        if self._changed:
            _CHANGE(tx, list(self._changed.values()))
        if self._readings:
            _INSERT_READINGS(tx, self._readings)

    def stored(self) -> Callable[[], None]:
        """Forgets what was written; as `Notes`."""
        self.forget()
        return _nothing

    def forget(self) -> None:
        """Forgets what is in memory: it is stored, or it is another dispatcher's to find out."""
        self._new, self._changed, self._readings = {}, {}, []
        self._stored_at = time.monotonic()

    def entries(self, run_id: int) -> tuple[JournalEntry, ...]:
        """What is stored about a run, in the order of the attempts."""
        return entries_of(self._store, run_id)

    def _ended(self, token: str, status: StepStatus, error: str | None) -> None:
        end: dict[str, Any] = {"status": status.value, "error": error, "finished_at": now_utc()}
        if token in self._new:
            self._new[token] |= end
        else:
            self._changed[token] = {"of_token": token} | end
        self._noted()

    @property
    def is_due(self) -> bool:
        """Whether what is in memory has waited, or grown, for long enough."""
        return not self.is_empty and (self.is_strict or self.is_ripe)

    @property
    def is_ripe(self) -> bool:
        """Whether entries that share commits should wait no longer."""
        n = len(self._new) + len(self._changed)
        return n >= GROUP_ENTRIES or time.monotonic() - self._stored_at > GROUP_S

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in memory that is not stored."""
        return not (self._new or self._changed)

    def _noted(self) -> None:
        if self.is_ripe and not self.is_strict:
            self.flush()


def _nothing() -> None:
    """Nobody follows a journal; those who follow a run are told by its executor."""


def entries_of(store: Store, run_id: int) -> tuple[JournalEntry, ...]:
    """What is stored about a run, in the order of the attempts."""
    with store.read() as tx:
        rows = _ENTRIES.rows(tx, {"of_run": run_id})
    return tuple(JournalEntry(token, uid, n, StepStatus(status), *rest) for token, uid, n, status, *rest in rows)


def reading_of(store: Store, run_id: int) -> Reading | None:
    """The last reading of a run."""
    query = (
        select(readings.c.reading)
        .join(steps, steps.c.token == readings.c.token)
        .where(steps.c.run_id == run_id)
        .order_by(steps.c.finished_at.desc())
        .limit(1)
    )
    with store.read() as tx:
        text = tx.execute(query).scalar()
    return None if text is None else codec.from_json(Reading, text)


# Built once: building a statement costs more than executing it.
_ENTRY = ("token", "step_uid", "attempt", "status", "started_at", "error", "transfers_done")
_ENTRIES = Prepared(
    select(*(steps.c[name] for name in _ENTRY)).where(steps.c.run_id == bindparam("of_run")).order_by(steps.c.attempt)
)
_INSERT_STEPS = Prepared(insert(steps), *steps.c.keys())
_INSERT_READINGS = Prepared(insert(readings), *readings.c.keys())
_CHANGE = Prepared(
    update(steps)
    .where(steps.c.token == bindparam("of_token"))
    .values(status=bindparam("status"), error=bindparam("error"), finished_at=bindparam("finished_at"))
)
