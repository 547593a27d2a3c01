"""What a person writes behind the calendar's options: moments, delays, absences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cellos_nb.errors import InputError

if TYPE_CHECKING:
    from cellos_nb.operations.calendar.resources import Span


def moment_of(option: str, text: str, zone: str) -> datetime:
    """A moment as ISO date and time; in the lab's zone when it names none.

    Raises:
        InputError: it is none.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: {text!r} is no moment; write it as '2026-03-04 09:40'.") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def delays(late: Sequence[str]) -> dict[str, float]:
    """Minutes by task, from `TASK=MINUTES`.

    Raises:
        InputError: one is not of that form, or no number above 0.
    """
    found = {}
    for text in late:
        task_id, mark, minutes = text.rpartition("=")
        if not mark or not minutes.replace(".", "", 1).isdigit() or float(minutes) <= 0:
            raise InputError(f"--late: {text!r} does not say what is late and by how much; write TASK=MINUTES.")
        found[task_id] = float(minutes)
    return found


def spans(away: Sequence[str], zone: str) -> dict[str, list[Span]]:
    """Absences by resource, from `NAME=BEGIN/END`.

    Raises:
        InputError: one is not of that form, or ends before it begins.
    """
    from cellos_nb.operations.calendar.resources import Span

    found: dict[str, list[Span]] = {}
    for text in away:
        name, mark, when = text.partition("=")
        begins, bar, ends = when.partition("/")
        if not mark or not bar:
            raise InputError(f"--away: {text!r} does not say who is away and when; write NAME=BEGIN/END.")
        span = Span(moment_of("--away", begins, zone), moment_of("--away", ends, zone), "away")
        if span.end <= span.start:
            raise InputError(f"--away: {text!r} ends before it begins.")
        found.setdefault(name, []).append(span)
    return found
