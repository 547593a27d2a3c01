"""What the actions expect in their payloads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cellos_nb.errors import InputError


def text_of(payload: dict[str, Any], key: str, default: str | None = None) -> str:
    """A text in a payload.

    Raises:
        InputError: it is missing, empty, or no text.
    """
    value = payload.get(key, default)
    if not isinstance(value, str) or (not value.strip() and default is None):
        raise InputError(f"payload.{key}: {value!r} is no text; give one.")
    return value


def only(payload: dict[str, Any], keys: Collection[str]) -> None:
    """Refuses keys that mean nothing.

    Raises:
        InputError: names them and those there are.
    """
    unknown = sorted(payload.keys() - set(keys))
    if unknown:
        raise InputError(f"payload.{unknown[0]}: no such key; possible: {', '.join(keys)}.")
