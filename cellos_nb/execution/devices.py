"""Devices: what the steps of several plates share, each used by one plate at a time."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection
from concurrent.futures import Future
from typing import Any

from sqlalchemy import bindparam, select

from cellos_nb.errors import StoreError
from cellos_nb.store.schema import runs, steps
from cellos_nb.store.store import Store


class Devices:
    """The devices of one database, as its one dispatcher sees them.

    free ── take ──► in use ── the plate's next take, or its end ──► free
                        │ the step's end is not known
                        ▼
                      held by the plate, on a real machine, until its step is settled: also after a crash

    What is held stands in the journal, as the devices of an open step; there is no other record that could disagree.
    """

    def __init__(self, store: Store) -> None:
        self._of = weakref.ref(store)
        self._in_use: dict[str, str] = {}
        self._stuck: dict[Future[Any], dict[str, str]] = {}
        self._held: dict[str, str] = {}
        self._turn = threading.Lock()

    def take(self, plate_id: str, wanted: Collection[str]) -> bool:
        """Takes all of the devices for a plate, or none. What it had before and does not want is free again."""
        with self._turn:
            if any(self._owner(device) not in {None, plate_id} for device in wanted):
                return False
            self._free(plate_id)
            self._in_use |= dict.fromkeys(wanted, plate_id)
            return True

    def release(self, plate_id: str) -> None:
        """Ends a plate's use of devices; what a call that hangs or the journal holds stays held."""
        with self._turn:
            self._free(plate_id)

    def stick(self, plate_id: str, call: Future[Any]) -> None:
        """Keeps what a plate uses away from all others until a call that hangs has come back."""
        with self._turn:
            mine = {device: owner for device, owner in self._in_use.items() if owner == plate_id}
            self._stuck[call] = mine
        call.add_done_callback(self._came_back)

    def blocker(self, plate_id: str, wanted: Collection[str]) -> str | None:
        """Another plate that keeps one of the devices for longer than a step; None when waiting will do."""
        if any(self._in_use.get(device) not in {None, plate_id} for device in wanted):
            return None
        self.look()
        with self._turn:
            owners = (self._stuck_owner(device) or self._held.get(device) for device in sorted(wanted))
            return next((owner for owner in owners if owner not in {None, plate_id}), None)

    def look(self) -> None:
        """Reads from the journal which devices are held: by steps that were begun and whose end is not known.

        For the begin of work, and whenever a plate is left with such a step.
        """
        store = self._of()
        if store is None:
            raise StoreError("The store of these devices was closed. Open it again with Store.open.")
        with store.read() as tx:
            rows = tx.execute(_OPEN).all()
        held = {device: row.plate_id for row in rows for device in row.devices.split(",")}
        with self._turn:
            self._held = held

    def in_use(self) -> dict[str, str]:
        """The plate that has each device that is not free."""
        with self._turn:
            stuck = {device: plate for mine in self._stuck.values() for device, plate in mine.items()}
            return self._held | stuck | self._in_use

    def _owner(self, device: str) -> str | None:
        return self._in_use.get(device) or self._stuck_owner(device) or self._held.get(device)

    def _stuck_owner(self, device: str) -> str | None:
        return next((mine[device] for mine in self._stuck.values() if device in mine), None)

    def _came_back(self, call: Future[Any]) -> None:
        with self._turn:
            self._stuck.pop(call, None)

    def _free(self, plate_id: str) -> None:
        for device in [name for name, owner in self._in_use.items() if owner == plate_id]:
            del self._in_use[device]


_SHARED: weakref.WeakKeyDictionary[Store, Devices] = weakref.WeakKeyDictionary()
_REGISTERING = threading.Lock()


def devices_of(store: Store) -> Devices:
    """The devices of an open store: one for all who execute on it, since a call that hangs outlives its executor."""
    with _REGISTERING:
        if store not in _SHARED:
            _SHARED[store] = Devices(store)
        return _SHARED[store]


_OPEN = (
    select(steps.c.devices, runs.c.plate_id)
    .join(runs, runs.c.run_id == steps.c.run_id)
    .where(steps.c.status.in_(("started", "in_doubt")), steps.c.devices != bindparam("none", ""))
)
