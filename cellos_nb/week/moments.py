"""Moments as people write them in a week's file: `Wed 09:40`, `Mon+1 08:00`, or a date with its time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cellos_nb.operations.calendar.resources import WEEKDAYS

_TEXT = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:\+(\d))? (\d{1,2}):(\d{2})")
_HOUR = re.compile(r"(\d{1,2}):(\d{2})")


def moment(text: str, monday: date, zone: str) -> datetime:
    """The moment that a text names, in UTC.

    >>> moment("Wed 09:40", date(2026, 3, 2), "Europe/Zurich").isoformat()
    '2026-03-04T08:40:00+00:00'

    Args:
        text: a weekday of the week that begins on `monday` (`+1`: of the next) and a time, or an ISO date with a time.
        monday: the first day.
        zone: the time zone of the lab, by its IANA name.

    Raises:
        ValueError: it is none of these.
    """
    found = _TEXT.fullmatch(text.strip())
    if found:
        day, weeks, hour, minute = found.groups()
        local = monday + timedelta(days=WEEKDAYS.index(day) + 7 * int(weeks or 0))
        return datetime.combine(local, _time(hour, minute, text), zone_named(zone)).astimezone(UTC)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment; write 'Wed 09:40', 'Mon+1 08:00' or '2026-03-04 09:40'") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone_named(zone))).astimezone(UTC)


def hour(text: str) -> time:
    """A time of the day, as in `08:30`.

    Raises:
        ValueError: it is none.
    """
    found = _HOUR.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time of the day; write it as '08:30', in quotes")
    hours, minutes = found.groups()
    return _time(hours, minutes, text)


def weekdays(text: str) -> tuple[int, ...]:
    """Days of the week: `Mon-Fri`, `Sat`, `Mon, Wed, Fri`; 0 is Monday.

    Raises:
        ValueError: one of them is no day.
    """
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        try:
            start = WEEKDAYS.index(first)
            end = WEEKDAYS.index(last or first)
        except ValueError:
            raise ValueError(f"{text!r} are no days; write 'Mon-Fri' or 'Mon, Wed'") from None
        found += [day % 7 for day in range(start, end + 1 if end >= start else end + 8)]
    return tuple(sorted(set(found)))


def zone_named(name: str) -> ZoneInfo:
    """A time zone.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write it as 'Europe/Zurich' or 'UTC'") from None


def _time(hours: str, minutes: str, text: str) -> time:
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"{text!r} is no time of the day; hours go to 23 and minutes to 59")
    return time(int(hours), int(minutes))
