"""Answers of a robot's server, in its form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    content: dict[str, Any]


def one(status: int, data: dict[str, Any]) -> Reply:
    """An answer with one thing in it."""
    return Reply(status, {"data": data})


def declined(status: int, name: str, detail: str) -> Reply:
    """An error."""
    return Reply(status, {"errors": [{"id": name, "title": name, "detail": detail, "errorCode": "4000"}]})
