"""Resources of a lab, each with the hours in which it can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ResourceKind(StrEnum):
    """What a resource is."""

    LIQUID_HANDLER = "liquid_handler"
    INCUBATOR = "incubator"
    READER = "reader"
    CABINET = "cabinet"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, its end not included."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    start: datetime
    end: datetime
    reason: str = ""
    """Why a resource cannot be used in it: `service`, `ill`."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Working hours by the clock on the wall; one that ends before it begins lasts into the next day."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    days: tuple[int, ...]
    """Days on which it begins: 0 is Monday."""
    begins: time
    ends: time


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that steps need and that is there only so many times."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    name: str
    kind: ResourceKind
    capacity: int = 1
    """How much of it can be used at once: plates in an incubator, 1 for a machine or a person."""
    shifts: tuple[Shift, ...] = ()
    """When it can be used; day and night when empty."""
    zone: str = "UTC"
    """IANA name of the time zone of its shifts: `Europe/Zurich`."""
    away: tuple[Span, ...] = ()
    """When it cannot be used all the same: a machine that is down, a person who is ill."""

    def open_spans(self, start: datetime, end: datetime) -> tuple[Span, ...]:
        """When it can be used between two moments, in order, in UTC."""
        hours = _merged(self._hours(start, end)) if self.shifts else [Span(start, end)]
        for gone in self.away:
            hours = [piece for span in hours for piece in _without(span, gone)]
        clipped = (Span(max(span.start, start), min(span.end, end)) for span in hours)
        return tuple(span for span in clipped if span.start < span.end)

    def closed_spans(self, start: datetime, end: datetime) -> tuple[Span, ...]:
        """When it cannot be used between two moments, each with the reason."""
        found, at = [], start
        for span in (*self.open_spans(start, end), Span(end, end)):
            if at < span.start:
                found.append(Span(at, span.start, self._reason(at, span.start)))
            at = max(at, span.end)
        return tuple(found)

    def _reason(self, start: datetime, end: datetime) -> str:
        reasons = (gone.reason or "away" for gone in self.away if gone.start < end and start < gone.end)
        return ", ".join(dict.fromkeys(reasons)) or "outside its hours"

    def _hours(self, start: datetime, end: datetime) -> Iterator[Span]:
        zone = ZoneInfo(self.zone)
        first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        for day in _days(first - timedelta(days=1), last):
            for shift in self.shifts:
                if day.weekday() in shift.days:
                    later = day + timedelta(days=shift.ends <= shift.begins)
                    yield Span(_utc(day, shift.begins, zone), _utc(later, shift.ends, zone))


def presence(people: Iterable[Resource], start: datetime, end: datetime) -> tuple[Span, ...]:
    """When anybody is there between two moments; the whole stretch in a lab without people."""
    spans = [span for person in people for span in person.open_spans(start, end)]
    return tuple(_merged(spans)) if spans else (Span(start, end),)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def _merged(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def _without(span: Span, gone: Span) -> list[Span]:
    if gone.end <= span.start or span.end <= gone.start:
        return [span]
    pieces = (Span(span.start, gone.start), Span(gone.end, span.end))
    return [piece for piece in pieces if piece.start < piece.end]
