"""Control flags: pause and kill, set from any process, read between steps."""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Integer, delete, insert, literal_column, null, select, union_all

from cellos_nb.domain.audit import QUEUE, Act
from cellos_nb.errors import StoppedError, StoreError
from cellos_nb.execution.process import person
from cellos_nb.store.audit import note
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions, control_flags
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

FlagName = Literal["paused", "killed"]

POLL_S = 0.2
"""How often a paused executor looks whether it may go on; another process cannot wake it."""
JUST_NOW_S = 0.005
"""How old an answer may be before any step: one question for the plates that go on together."""
GLANCE_S = 0.05
"""How old an answer may be for a simulated step, which takes less time than the question."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag that is set."""

    name: FlagName
    reason: str
    set_by: str
    set_at: datetime


class ControlFlags:
    """The flags of one database."""

    def __init__(self, store: Store) -> None:
        self._of = weakref.ref(store)
        self._seen: dict[str, Flag] = {}
        self._cancelling: frozenset[int] = frozenset()
        self._seen_at = float("-inf")

    @property
    def _store(self) -> Store:
        store = self._of()
        if store is None:
            raise StoreError("The store of these flags was closed. Open it again with Store.open.")
        return store

    def set(self, name: FlagName, reason: str = "", by: str | None = None) -> None:
        """Sets a flag; setting it again keeps the first reason."""
        who = by or person()
        values = {"name": name, "reason": reason, "set_by": who, "set_at": now_utc()}
        with self._store.write() as tx:
            if tx.scalar(select(control_flags.c.name).where(control_flags.c.name == name)) is None:
                tx.execute(insert(control_flags), values)
                note(tx, _SET[name], QUEUE, who=who, why=reason)
        self.forget()

    def clear(self, name: FlagName, reason: str = "", by: str | None = None) -> None:
        """Takes a flag back; does nothing when it is not set."""
        with self._store.write() as tx:
            if tx.execute(delete(control_flags).where(control_flags.c.name == name)).rowcount:
                note(tx, Act.QUEUE_ALLOWED, QUEUE, who=by or person(), why=reason, facts={"was": name})
        self.forget()

    def read(self, *, max_age_s: float = 0.0) -> dict[str, Flag]:
        """The flags that are set, by name; from memory when that is not older than `max_age_s`."""
        self._look(max_age_s)
        return self._seen

    def cancelling(self, *, max_age_s: float = 0.0) -> frozenset[int]:
        """The running jobs that are to end, by number; from memory when that is not older than `max_age_s`."""
        self._look(max_age_s)
        return self._cancelling

    def forget(self) -> None:
        """Has the next question asked of the database, whatever age would do."""
        self._seen_at = float("-inf")

    def _look(self, max_age_s: float) -> None:
        if time.monotonic() - self._seen_at <= max_age_s:
            return
        asked_at = time.monotonic()
        with self._store.read() as tx:
            rows = _STEERING.rows(tx)
        self._seen = {row[0]: Flag(*row[:4]) for row in rows if row[0] is not None}
        self._cancelling = frozenset(row[4] for row in rows if row[0] is None)
        self._seen_at = asked_at

    def is_allowed(self, *, max_age_s: float = 0.0) -> bool:
        """Whether work may go on now; False while it is paused.

        Raises:
            StoppedError: the queue was killed.
        """
        # What is remembered may let work go on for a moment longer; it never holds work up.
        flags = self.read(max_age_s=max_age_s) and self.read()
        if "killed" in flags:
            flag = flags["killed"]
            why = f": {flag.reason}" if flag.reason else ""
            raise StoppedError(
                f"{flag.set_by} stopped all work on this database at {flag.set_at:%Y-%m-%d %H:%M:%S} UTC{why}. "
                "Allow it again with `cellos resume-queue`, then resume."
            )
        return not flags

    @property
    def is_real(self) -> bool:
        """Whether the daemon may move real machines, under approvals; otherwise it writes proofs of what they would do.

        Read anew each time: it is asked once for a run.
        """
        with self._store.read() as tx:
            return tx.scalar(_MODE) is not None

    def set_mode(self, *, is_real: bool, by: str | None = None) -> None:
        """Sets what the daemon may do: REAL, or PROOF."""
        who = by or person()
        with self._store.write() as tx:
            if is_real == (tx.scalar(_MODE) is not None):
                return
            if is_real:
                values = {"name": _REAL, "reason": "", "set_by": who, "set_at": now_utc()}
                tx.execute(insert(control_flags), values)
            else:
                tx.execute(delete(control_flags).where(control_flags.c.name == _REAL))
            note(tx, Act.MODE_REAL if is_real else Act.MODE_PROOF, QUEUE, who=who)


_SHARED: weakref.WeakKeyDictionary[Store, ControlFlags] = weakref.WeakKeyDictionary()


def flags_of(store: Store) -> ControlFlags:
    """The flags of an open store, with one memory of what they were a moment ago."""
    if store not in _SHARED:
        _SHARED[store] = ControlFlags(store)
    return _SHARED[store]


_REAL = "real"
_SET: dict[FlagName, Act] = {"paused": Act.QUEUE_PAUSED, "killed": Act.QUEUE_KILLED}
# One question for both: each costs more to ask than to answer.
_STEERING = Prepared(
    union_all(
        select(
            *(control_flags.c[name] for name in ("name", "reason", "set_by", "set_at")),
            null().cast(Integer).label("job"),
        ).where(control_flags.c.name != literal_column(f"'{_REAL}'")),
        select(null(), null(), null(), null(), actions.c.action_id).where(
            actions.c.status == literal_column("'cancelling'")
        ),
    )
)
_MODE = select(control_flags.c.name).where(control_flags.c.name == _REAL)
