"""Conclusions: the batches of which every plate has ended, and what follows from them, drawn by a daemon."""

from __future__ import annotations

import logging
import time
from functools import partial

from cellos_nb.errors import CellosError, LeaseError, StoreCorruptError, StoreError
from cellos_nb.execution.batch import conclude_batch
from cellos_nb.execution.due import EndedBatch, ended_batches
from cellos_nb.execution.event_log import line
from cellos_nb.execution.events import OnEvent
from cellos_nb.execution.floor import Crew
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.ticks import TickBook
from cellos_nb.store.store import Store

log = logging.getLogger(__name__)

AWAY_S = 30.0
"""When to try again after a batch could not be concluded."""


class Conclusions:
    """Stores the results of each batch together with the planning that follows, so that neither is there alone.

    A batch that cannot be concluded is set aside for a while and does not hold up the others.
    """

    def __init__(self, store: Store, crew: Crew, ticks: TickBook, *, on_event: OnEvent) -> None:
        """The conclusions of a daemon; what is drawn is counted in the tick under way."""
        self._store, self._crew, self._ticks, self._on_event = store, crew, ticks, on_event
        self._away: dict[str, float] = {}

    def waiting(self) -> tuple[EndedBatch, ...]:
        """The batches that can be concluded now."""
        return ended_batches(self._store, self.aside())

    def aside(self) -> list[str]:
        """The batches that are set aside."""
        now = time.monotonic()
        self._away = {name: until for name, until in self._away.items() if until > now}
        return list(self._away)

    def draw(self) -> None:
        """Concludes every batch that waits.

        Raises:
            LeaseError: another dispatcher took over.
            StoreError: the database cannot be written.
        """
        for batch in self.waiting():
            lease_of(self._store).confirm()
            self._ticks.open()
            try:
                then = partial(self._go_on, batch)
                concluded = conclude_batch(self._store, batch.batch_id, self._on_event, then=then)
            except Exception as error:
                if ends_the_daemon(error):
                    raise
                log.error("%s", line("fault", batch=batch.batch_id, error=in_words(error)), exc_info=error)
                self._away[batch.batch_id] = time.monotonic() + AWAY_S
                self._ticks.fail(f"{batch.batch_id}: {in_words(error)}")
            else:
                self._ticks.tally.succeed(f"{batch.batch_id}: {len(concluded)} results")

    def _go_on(self, batch: EndedBatch) -> None:
        if batch.campaign_id is not None:
            self._crew.go_on(batch.campaign_id, batch.iteration)


def ends_the_daemon(error: Exception) -> bool:
    """Whether an error concerns the lease or the whole database, not one run or one stored value."""
    return isinstance(error, LeaseError) or (isinstance(error, StoreError) and not isinstance(error, StoreCorruptError))


def in_words(error: Exception) -> str:
    """What a tick's note says of an error: its message, and of a fault of software its kind as well."""
    return str(error) if isinstance(error, CellosError) else f"{type(error).__name__}: {error}"
