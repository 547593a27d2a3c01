"""Notes: what is kept in memory until it is stored, and the one transaction in which several machines' are stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Connection

from cellos_nb.store.store import Store


class Notes(Protocol):
    """What somebody has noted and not stored yet."""

    @property
    def is_strict(self) -> bool:
        """Whether it has to be on the disk, and not only with the system, before work goes on."""
        ...

    @property
    def is_due(self) -> bool:
        """Whether there is something that should wait no longer."""
        ...

    def write(self, tx: Connection) -> None:
        """Stores everything in a transaction, and keeps it: the transaction may still fail.

        Raises:
            LeaseError: another dispatcher took over.
        """
        ...

    def stored(self) -> Callable[[], None]:
        """Forgets what was written, which is safe now; returns what tells those who follow."""
        ...


def store_together(store: Store, noted: Sequence[Notes]) -> None:
    """Stores notes of several machines in one transaction, all of them or none; what failed stays noted.

    Raises:
        LeaseError: another dispatcher took over; nothing was stored.
        StoreError: it cannot be written; nothing was stored.
    """
    if not noted:
        return
    with store.write(durable=any(each.is_strict for each in noted)) as tx:
        for each in noted:
            each.write(tx)
    # All forget before anyone is told: whoever follows may raise, and nothing may be stored a second time.
    for tell in [each.stored() for each in noted]:
        tell()
