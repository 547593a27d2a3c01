"""The floor of a facility: who gets which resources when, and what those who wait are waiting for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simpy import Environment, Event

from cellos_nb.operations.facility.config import DAY_H, FacilityResource

WEEK_H = 7 * DAY_H
_FRIDAY_ENDS_H = 5 * DAY_H
_SOON_H = 1e-9


@dataclass(frozen=True, slots=True)
class Claim:
    """What is needed of one resource."""

    resource: str
    units: int
    hours: float | None
    """From the beginning; None: until it is given back."""
    lasts_h: float
    """How long it is going to be needed, as far as that is known."""


@dataclass(slots=True)
class Account:
    """What was counted of one resource, in hours within the window of measurement."""

    used_by_week_h: list[float]
    """Units times hours, in each week of the window; the last may be shorter."""
    waited_h: float = 0.0
    """Hours that requests waited while too few units were free, when they were last looked at."""
    closed_h: float = 0.0
    """Hours that requests waited only for its hours to begin."""

    @property
    def used_h(self) -> float:
        """Units times hours, in all."""
        return sum(self.used_by_week_h)


@dataclass(slots=True)
class _Place:
    settings: FacilityResource
    free: int
    account: Account
    n_waiting: float = 0.0
    """Requests that wait for it; each counts once, shared among all that it lacks."""
    n_closed: float = 0.0
    """Likewise those that wait for its hours alone."""


@dataclass(slots=True)
class _Request:
    claims: Sequence[Claim]
    granted: Event
    lacks: frozenset[str] = frozenset()
    """Resources that it waits for."""
    is_closed: bool = False
    """Whether it waits for their hours, and nothing else."""


class Floor:
    """All resources. A request gets everything that it needs at once, or waits; the oldest one first.

    A request that lacks something takes nothing, so work for other resources passes it by.
    """

    def __init__(self, env: Environment, resources: Sequence[FacilityResource], begins_h: float, ends_h: float) -> None:
        """Everything is free.

        Args:
            env: the clock, in hours from a Monday at midnight.
            resources: what there is.
            begins_h: from then on is counted …
            ends_h: … until then.
        """
        self.env = env
        n_weeks = math.ceil((ends_h - begins_h) / WEEK_H)
        self._places = {one.name: _Place(one, one.capacity, Account([0.0] * n_weeks)) for one in resources}
        self._window = begins_h, ends_h
        self._waiting: list[_Request] = []
        self._looked_at = env.now
        for opening in {(one.opens, one.weekends) for one in resources if not one.is_always_open}:
            names = frozenset(one.name for one in resources if (one.opens, one.weekends) == opening)
            env.process(self._open(*opening, names))

    @property
    def accounts(self) -> dict[str, Account]:
        """What was counted, by resource."""
        return {name: place.account for name, place in self._places.items()}

    def ask(self, claims: Sequence[Claim]) -> Event:
        """An event that happens when all claims are met; they are taken from then on."""
        self.settle()
        request = _Request(claims, self.env.event())
        if not self._serve(request):
            self._waiting.append(request)
        return request.granted

    def give_back(self, claims: Sequence[Claim]) -> None:
        """Frees what was taken without an end."""
        self.settle()
        freed = [claim for claim in claims if claim.hours is None]
        for claim in freed:
            self._places[claim.resource].free += claim.units
        self._serve_all(frozenset(claim.resource for claim in freed))

    def settle(self) -> None:
        """Books the time since it was last called: what was in use, and what was waited for."""
        begins, ends = self._window
        now, then = min(self.env.now, ends), max(self._looked_at, begins)
        self._looked_at = self.env.now
        if now <= then:
            return
        for place in self._places.values():
            place.account.waited_h += (now - then) * place.n_waiting
            place.account.closed_h += (now - then) * place.n_closed
        while then < now:
            week = int((then - begins) // WEEK_H)
            until = min(now, begins + (week + 1) * WEEK_H)
            for place in self._places.values():
                place.account.used_by_week_h[week] += (until - then) * (place.settings.capacity - place.free)
            then = until

    def _serve_all(self, changed: frozenset[str]) -> None:
        """Looks at those who wait for what has become free or has opened; nobody else can be served by it."""
        self._waiting = [
            request for request in self._waiting if request.lacks.isdisjoint(changed) or not self._serve(request)
        ]

    def _serve(self, request: _Request) -> bool:
        self._count(request, -1.0)
        request.lacks, request.is_closed = self._missing(request.claims)
        self._count(request, 1.0)
        if request.lacks:
            return False
        for claim in request.claims:
            self._places[claim.resource].free -= claim.units
            if claim.hours is not None:
                self.env.timeout(claim.hours).callbacks.append(lambda _, claim=claim: self._returned(claim))
        request.granted.succeed()
        return True

    def _missing(self, claims: Sequence[Claim]) -> tuple[frozenset[str], bool]:
        """What is missing; closed resources count only where nothing else is missing."""
        places = self._places
        short = [claim.resource for claim in claims if places[claim.resource].free < claim.units]
        if short:
            return frozenset(short), False
        now = self.env.now
        shut = [one.resource for one in claims if not is_open(places[one.resource].settings, now, one.lasts_h)]
        return frozenset(shut), True

    def _count(self, request: _Request, sign: float) -> None:
        for name in request.lacks:
            share = sign / len(request.lacks)
            if request.is_closed:
                self._places[name].n_closed += share
            else:
                self._places[name].n_waiting += share

    def _returned(self, claim: Claim) -> None:
        self.settle()
        self._places[claim.resource].free += claim.units
        self._serve_all(frozenset({claim.resource}))

    def _open(self, opens: float, weekends: bool, names: frozenset[str]) -> Iterator[Event]:  # noqa: FBT001
        while True:
            yield self.env.timeout(until_opening(self.env.now, opens, weekends=weekends))
            self.settle()
            self._serve_all(names)


def is_open(resource: FacilityResource, now_h: float, lasts_h: float) -> bool:
    """Whether work of so many hours may begin: it ends before the resource closes.

    Work that lasts longer than a day's hours, as may happen by chance, may begin when they do.
    """
    if resource.is_always_open:
        return True
    if not resource.weekends and now_h % WEEK_H >= _FRIDAY_ENDS_H - _SOON_H and not _is_midnight_monday(now_h):
        return False
    clock = now_h % DAY_H
    if clock > DAY_H - _SOON_H:
        clock = 0.0
    lasts = min(lasts_h, resource.closes - resource.opens)
    return resource.opens - _SOON_H <= clock and clock + lasts <= resource.closes + _SOON_H


def until_opening(now_h: float, opens: float, *, weekends: bool) -> float:
    """Hours from now to the next opening, more than 0."""
    day = math.floor(now_h / DAY_H + _SOON_H)
    while True:
        moment = day * DAY_H + opens
        if moment > now_h + _SOON_H and (weekends or day % 7 < 5):
            return moment - now_h
        day += 1


def _is_midnight_monday(now_h: float) -> bool:
    return now_h % WEEK_H > WEEK_H - _SOON_H
