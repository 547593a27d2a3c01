"""The right to move devices: one dispatcher for each database, with a fencing token."""

from __future__ import annotations

import logging
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, literal_column, select, update

from cellos_nb.errors import LeaseError, StoreError
from cellos_nb.execution.process import ProcessIdentity, this_process
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import lease
from cellos_nb.store.store import Store

log = logging.getLogger(__name__)

TTL_S = 30.0
"""A holder that was not heard of for so long has lost the lease."""
LINGER_S = 1.0
"""How long an unused lease is kept, so that many small batches do not take it anew each time."""
PATIENCE_S = 3.0
"""How long to wait for another process before giving up; covers its linger."""

_FENCING = Prepared(select(lease.c.fencing).where(lease.c.lease_id == literal_column("1")))
_ROW = Prepared(
    select(
        *(lease.c.fencing, lease.c.owner, lease.c.host, lease.c.pid, lease.c.process),
        *(lease.c.acquired_at, lease.c.expires_at),
    ).where(lease.c.lease_id == literal_column("1"))
)
_REGISTERING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that executes the work of a database."""

    host: str
    pid: int
    since: datetime
    expires_at: datetime
    fencing: int


class Lease:
    """The lease of one open store. Threads of a process take turns; other processes are refused.

    free ── held() ──► held ── last user leaves ──► lingering ──► free
                        │ not heard of for 30 s, or its process is gone
                        ▼
                      taken over by another, with a higher fencing token
    """

    def __init__(self, store: Store, *, ttl_s: float = TTL_S, linger_s: float = LINGER_S) -> None:
        self._store = weakref.ref(store)
        self._ttl_s, self._linger_s = ttl_s, linger_s
        self._turn = threading.RLock()
        self._state = threading.Condition(threading.Lock())
        self._users = 0
        self._fencing: int | None = None
        self._heard = 0.0
        self._unused_since = 0.0
        self.is_new = True
        """Whether what an earlier holder left behind is still to be put back."""
        store.on_close(self._release_if_possible)

    @property
    def fencing(self) -> int:
        """The token that marks every write of this holder.

        Raises:
            LeaseError: the lease is not held.
        """
        if self._fencing is None:
            raise LeaseError("The lease is not held. Execute through an executor, which takes it.")
        return self._fencing

    @property
    def held_fencing(self) -> int | None:
        """The token that this store holds; None when it holds none."""
        return self._fencing

    @property
    def is_in_use(self) -> bool:
        """Whether a thread of this process executes under the lease now; False while it only lingers."""
        # Without the lock, whose owner may be waiting for a transaction that the asker is in.
        return self._users > 0

    @contextmanager
    def held(self, *, patience_s: float = PATIENCE_S) -> Iterator[int]:
        """Holds the lease for the block and gives its fencing token; may be nested.

        Raises:
            LeaseError: another live process holds it; names that process.
        """
        with self._turn:
            self._enter(patience_s)
            try:
                yield self.fencing
            finally:
                with self._state:
                    self._users -= 1
                    self._unused_since = time.monotonic()

    def check(self, tx: Connection) -> None:
        """Refuses a write after another dispatcher took over. Called in every transaction of the journal.

        Raises:
            LeaseError: the lease was taken over.
        """
        if _FENCING.rows(tx) != [(self.fencing,)]:
            self._fencing = None
            raise LeaseError(
                "Another dispatcher took over this database; this one stops. What it had recorded is kept. "
                "See who holds it with `cellos status`."
            )

    def confirm(self) -> None:
        """Makes sure of the lease before a device is called; asks the database only when it was not heard of lately.

        Raises:
            LeaseError: the lease was taken over.
        """
        # Until the answer is young when it arrives: the process may have been stopped while it asked.
        while (asked_at := time.monotonic()) - self._heard > self._ttl_s / 2:
            with self._open_store().write() as tx:
                self.check(tx)
                tx.execute(_mine(self.fencing), {"expires_at": self._end(tx)})
            self._heard = asked_at

    def release(self) -> None:
        """Gives the lease back, for others to take at once; does nothing when it is not held."""
        with self._state:
            self._give_back()

    def _release_if_possible(self) -> None:
        """Gives the lease back as the store is closed; where nothing can be written, it ends with its time."""
        try:
            self.release()
        except StoreError as error:
            log.warning("the lease was not given back: %s", error)

    def _enter(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        with self._state:
            while self._fencing is None:
                holder = self._acquire()
                if holder is None:
                    break
                left = deadline - time.monotonic()
                if left <= 0:
                    raise _held_by(holder)
                self._state.wait(min(left, 0.1))
            self._users += 1
        self.confirm()

    def _acquire(self) -> _Row | None:
        """Takes the lease when it is free; otherwise returns who holds it."""
        me, store, asked_at = this_process(), self._open_store(), time.monotonic()
        with store.write(durable=True) as tx:
            now = store.now(tx)
            row = _row(tx)
            if row is not None and row.owner is not None and row.expires_at > now and not _is_dead(row):
                return row
            fencing = 1 if row is None else row.fencing + 1
            values = {
                "lease_id": 1,
                "fencing": fencing,
                "owner": uuid.uuid4().hex,
                "host": me.host,
                "pid": me.pid,
                "process": me.process,
                "acquired_at": now,
                "expires_at": now + timedelta(seconds=self._ttl_s),
            }
            tx.execute(insert(lease) if row is None else update(lease).where(lease.c.lease_id == 1), values)
        if row is not None and row.owner is not None:
            log.warning("took over the lease of process %s on %s", row.pid, row.host)
        self._fencing, self._heard, self.is_new = fencing, asked_at, True
        beat = threading.Thread(
            target=_beat, args=(weakref.ref(self), fencing, self._beat_s), name="cellos-lease", daemon=True
        )
        beat.start()
        return None

    def _give_back(self) -> None:
        store, fencing = self._store(), self._fencing
        self._fencing = None
        self._state.notify_all()
        if store is None or fencing is None:
            return
        with store.write() as tx:
            tx.execute(_mine(fencing), {"owner": None})

    def _renew(self, fencing: int) -> float:
        """One heart-beat; returns the seconds until the next, 0 to end."""
        with self._state:
            store = self._store()
            if self._fencing != fencing or store is None:
                return 0.0
            unused_s = time.monotonic() - self._unused_since
            if self._users == 0 and unused_s >= self._linger_s:
                self._give_back()
                return 0.0
        asked_at = time.monotonic()
        if asked_at - self._heard > self._ttl_s / 3:
            with store.write() as tx:
                done = tx.execute(_mine(fencing), {"expires_at": self._end(tx)})
            if done.rowcount == 1:
                # Not when the answer came: the process may have been stopped in between, for longer than the lease.
                self._heard = asked_at
        return self._beat_s

    @property
    def _beat_s(self) -> float:
        return min(self._linger_s, self._ttl_s / 3)

    def _end(self, tx: Connection) -> datetime:
        """When the lease ends unless it is renewed, by the clock that all dispatchers share."""
        return self._open_store().now(tx) + timedelta(seconds=self._ttl_s)

    def _open_store(self) -> Store:
        store = self._store()
        if store is None:
            raise LeaseError("The store of this lease was closed.")
        return store


_LEASES: weakref.WeakKeyDictionary[Store, Lease] = weakref.WeakKeyDictionary()


def lease_of(store: Store) -> Lease:
    """The one lease of an open store."""
    with _REGISTERING:
        if store not in _LEASES:
            _LEASES[store] = Lease(store)
        return _LEASES[store]


def holder_of(store: Store) -> Holder | None:
    """Who executes the work of a database; None when nobody does, or the last one is gone."""
    with store.read() as tx:
        row = _row(tx)
        if row is None or row.owner is None or row.expires_at <= store.now(tx) or _is_dead(row):
            return None
    return Holder(row.host, row.pid, row.acquired_at, row.expires_at, row.fencing)


@contextmanager
def dispatcher(store: Store) -> Iterator[None]:
    """For the block, this process is the one that executes the work of this database; may be nested.

    Raises:
        LeaseError: another live process is; names it.
    """
    with lease_of(store).held():
        yield


def is_dispatched(store: Store) -> bool:
    """Whether a live process, this one or another, executes the work of this database now."""
    return holder_of(store) is not None


def is_at_work(store: Store) -> bool:
    """Whether another process holds this database, or a thread of this one executes its work; an idle hold is none."""
    mine = lease_of(store)
    with store.read() as tx:
        row = _row(tx)
    if row is not None and row.fencing == mine.held_fencing:
        return mine.is_in_use
    return is_dispatched(store)


def _beat(held: weakref.ref[Lease], fencing: int, wait_s: float) -> None:
    """Renews a lease until it is given back, lost, or its store is gone; never keeps the store alive."""
    pause = threading.Event()
    while wait_s > 0 and not pause.wait(wait_s):
        one = held()
        if one is None:
            return
        try:
            wait_s = one._renew(fencing)  # noqa: SLF001 — the other half of the class, outside so that it holds no self
        except StoreError as error:
            # The next beat tries again; the journal's own check decides whether the lease is still ours.
            log.warning("heart-beat failed: %s", error)
        del one


def _mine(fencing: int) -> Any:
    return update(lease).where(lease.c.lease_id == 1, lease.c.fencing == fencing)


class _Row(NamedTuple):
    """The lease as it is stored, in the order of `_ROW`."""

    fencing: int
    owner: str | None
    host: str
    pid: int
    process: str
    acquired_at: datetime
    expires_at: datetime


def _row(tx: Connection) -> _Row | None:
    return next((_Row(*found) for found in _ROW.rows(tx)), None)


def _is_dead(row: _Row) -> bool:
    return ProcessIdentity(row.host, row.pid, row.process).is_provably_dead()


def _held_by(row: _Row) -> LeaseError:
    return LeaseError(
        f"Process {row.pid} on {row.host} runs this database since {row.acquired_at:%Y-%m-%d %H:%M:%S} UTC. "
        "Wait until it is done, stop it, or use another --db."
    )
