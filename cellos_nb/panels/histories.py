"""The results of campaigns, read once for all panels of a process, and then only what is new."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from cellos_nb.domain.history import History
from cellos_nb.execution.under_way import ResultsMark, results_mark
from cellos_nb.lab import Campaign
from cellos_nb.store.store import Store

KEPT = 6
"""Campaigns of one database whose results are kept: as many as are compared at once."""


@dataclass(frozen=True, slots=True)
class _Known:
    mark: ResultsMark
    results: History


class _Histories:
    """The results of one store's campaigns; threads wait for one another, so that nobody reads the same twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def read(self, store: Store, campaign_id: str) -> History:
        with self._lock:
            # Before the results: what is stored meanwhile is read again rather than missed.
            mark = results_mark(store, campaign_id)
            known = self._known.pop(campaign_id, None)
            if known is None or known.mark != mark:
                known = _Known(mark, _read(store, campaign_id, mark, known))
            self._known[campaign_id] = known
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return known.results


_of_stores: WeakKeyDictionary[Store, _Histories] = WeakKeyDictionary()
_lock = threading.Lock()


def results_of(campaign: Campaign) -> History:
    """Everything concluded that counts, as `Campaign.results` is; after the first time at the cost of what is new.

    Raises:
        CampaignError: the campaign is gone.
    """
    with _lock:
        histories = _of_stores.setdefault(campaign.store, _Histories())
    return histories.read(campaign.store, campaign.campaign_id)


@contextmanager
def uncollected() -> Iterator[None]:
    """Holds the garbage collector back while values are made that stay.

    It would go through all that were made so far again and again, which doubles the time that 100,000 results take.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(store: Store, campaign_id: str, mark: ResultsMark, known: _Known | None) -> History:
    with uncollected():
        if known is None or known.mark.n_superseded != mark.n_superseded:
            return store.history(campaign_id)
        settled = known.mark.settled
        kept = tuple(result for result in known.results if result.iteration <= settled)
        return History(kept + store.history(campaign_id, after=settled).results)
