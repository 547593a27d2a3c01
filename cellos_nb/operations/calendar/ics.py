"""A schedule as iCalendar, which every calendar program reads.

Source: RFC 5545, sections 3.1 (folded lines), 3.3.11 (escaped text) and 3.6.1 (events).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.schedule import Schedule, bookings_of

LINE_OCTETS = 75


def to_ics(schedule: Schedule, *, resource: str | None = None) -> str:
    """All tasks as events, or what one person or machine has to do and when.

    Raises:
        InputError: there is no such resource.
    """
    if resource is not None and resource not in schedule.resource:
        raise InputError(f"calendar: there is no {resource}; possible: {', '.join(schedule.resource)}.")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//cellos_nb//calendar//EN", "CALSCALE:GREGORIAN"]
    for placed in schedule.placements:
        task = schedule.task[placed.task_id]
        start, end = placed.start, placed.end
        if resource is not None:
            mine = [one for one in bookings_of(task, placed) if one.resource == resource]
            if not mine:
                continue
            start, end = mine[0].start, mine[0].end
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_text(task.task_id)}@cellos_nb",
            f"DTSTAMP:{_utc(schedule.begins)}",
            f"DTSTART:{_utc(start)}",
            f"DTEND:{_utc(end)}",
            f"SUMMARY:{_text(f'{task.name}: {task.job_id}')}",
            f"LOCATION:{_text(', '.join(placed.resources))}",
            f"CATEGORIES:{_text(task.owner)}",
            f"STATUS:{'TENTATIVE' if task.is_forecast else 'CONFIRMED'}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r", "").replace("\n", "\\n")


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _folded(line: str) -> Iterator[str]:
    """A line in pieces of at most 75 octets, no character cut; each further piece begins with a blank."""
    piece, size = "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > LINE_OCTETS:
            yield piece
            piece, size = " ", 1
        piece, size = piece + character, size + octets
    yield piece
