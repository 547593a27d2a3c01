"""One line of `key=value` for each event, for logs that programs read."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import datetime
from typing import Any

from cellos_nb.execution.events import Event

_PLAIN = re.compile(r"[\w./:+%µ-]+")


def line(event: str, **facts: Any) -> str:
    """An event and its facts; those that are None are left out, text with blanks is quoted as in JSON.

    >>> line("run_done", plate="demo/i001-p1", error=None, note="as planned")
    'event=run_done plate=demo/i001-p1 note="as planned"'
    """
    named = {"event": event, **facts}
    return " ".join(f"{name}={_text(value)}" for name, value in named.items() if value is not None)


def line_of(event: Event) -> str:
    """What happened during execution, as one line."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return line(name, **{field.name: getattr(event, field.name) for field in fields(event) if field.name != "at"})


def _text(value: Any) -> str:
    text = f"{value:%Y-%m-%dT%H:%M:%S.%f%z}" if isinstance(value, datetime) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
