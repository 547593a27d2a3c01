"""The results of campaigns, read once for all panels of a process, and then only what is new."""

from __future__ import annotations

import gc
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter, is_
from weakref import WeakKeyDictionary

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import ConditionScores, ScoredCondition
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.domain.summary import Tally
from cellos_nb.execution.under_way import ResultsMark, results_mark
from cellos_nb.lab import Campaign
from cellos_nb.store.store import Store

KEPT = 6
"""Campaigns of one database whose results are kept: as many as are compared at once."""


@dataclass(frozen=True, slots=True)
class _Known:
    mark: ResultsMark
    results: History


@dataclass(frozen=True, slots=True)
class Found:
    """What a campaign has found: its results, the conditions that they answer, and what is counted of them."""

    results: History
    conditions: tuple[ScoredCondition, ...]
    """As `score_conditions` has them."""
    tally: Tally
    """Grows with the next results; to be read before they come."""


class _Scores:
    """The scored conditions of a history that grows; what was scored before costs next to nothing."""

    def __init__(self, config: CampaignConfig) -> None:
        self._config = config
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._seen: tuple[ExperimentResult, ...] = ()
        self._scores, self._tally = ConditionScores(self._config), Tally()
        self._conditions: tuple[ScoredCondition, ...] = ()

    def of(self, history: History) -> Found:
        new = beyond(self._seen, history.results)
        if new is None:
            self._begin_anew()
            new = history.results
        if new:
            self._seen = history.results
            with uncollected():
                self._scores.add(new)
                self._tally.add(new)
                self._conditions = self._scores.conditions()
        return Found(history, self._conditions, self._tally)


def beyond(
    seen: tuple[ExperimentResult, ...], results: tuple[ExperimentResult, ...]
) -> tuple[ExperimentResult, ...] | None:
    """The results after those that were seen; None where one of those was taken back, or counts differently now."""
    if seen is results:
        return ()
    return results[len(seen) :] if len(seen) <= len(results) and all(map(is_, seen, results)) else None


class _Histories:
    """The results of one store's campaigns; threads wait for one another, so that nobody reads the same twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._scores: dict[str, _Scores] = {}

    def found(self, campaign: Campaign) -> Found:
        results = self.read(campaign.store, campaign.campaign_id)
        with self._lock:
            return self._scores.setdefault(campaign.campaign_id, _Scores(campaign.config)).of(results)

    def read(self, store: Store, campaign_id: str) -> History:
        with self._lock:
            # Before the results: what is stored meanwhile is read again rather than missed.
            mark = results_mark(store, campaign_id)
            known = self._known.pop(campaign_id, None)
            if known is None or known.mark != mark:
                known = _Known(mark, _read(store, campaign_id, mark, known))
            self._known[campaign_id] = known
            while len(self._known) > KEPT:
                gone, _ = self._known.popitem(last=False)
                self._scores.pop(gone, None)
            return known.results


_of_stores: WeakKeyDictionary[Store, _Histories] = WeakKeyDictionary()
_lock = threading.Lock()


def results_of(campaign: Campaign) -> History:
    """Everything concluded that counts, as `Campaign.results` is; after the first time at the cost of what is new.

    Raises:
        CampaignError: the campaign is gone.
    """
    return _histories(campaign.store).read(campaign.store, campaign.campaign_id)


def conditions_of(campaign: Campaign) -> tuple[ScoredCondition, ...]:
    """Every condition that the results answer, as `Campaign.scores` has them, at the cost of what is new.

    Raises:
        CampaignError: the campaign is gone.
    """
    return found_of(campaign).conditions


def found_of(campaign: Campaign) -> Found:
    """Results, conditions and counts of one state of a campaign, at the cost of what is new.

    Raises:
        CampaignError: the campaign is gone.
    """
    return _histories(campaign.store).found(campaign)


def _histories(store: Store) -> _Histories:
    with _lock:
        return _of_stores.setdefault(store, _Histories())


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
        # Results come in the order of their iterations.
        n_kept = bisect_right(known.results.results, settled, key=attrgetter("iteration"))
        return History(known.results.results[:n_kept] + store.history(campaign_id, after=settled).results)
