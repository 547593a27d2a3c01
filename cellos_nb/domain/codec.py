"""JSON in and out for the frozen values, with one canonical form to hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter

UNKNOWN_KEYS_ARE_REFUSED = ConfigDict(extra="forbid")
"""For frozen dataclasses that are read back from JSON."""

T = TypeVar("T")


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """The adapter of a type, made once: making one costs a hundred times more than using it."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_jsonable(value: Any) -> Any:
    """A value of the domain as plain lists, dicts, strings and numbers."""
    return _adapter(type(value)).dump_python(value, mode="json")


def to_json(value: Any) -> str:
    """A value of the domain as JSON text; non-finite numbers are written as null."""
    return _adapter(type(value)).dump_json(value).decode()


def from_json(kind: type[T], text: str | bytes) -> T:
    """The value that `to_json` wrote.

    Raises:
        pydantic.ValidationError: the text is not JSON, has unknown keys or wrong types.
    """
    result: T = _adapter(kind).validate_json(text)
    return result


def from_jsonable(kind: type[T], value: Any) -> T:
    """The value that `to_jsonable` wrote.

    Raises:
        pydantic.ValidationError: unknown keys or wrong types.
    """
    result: T = _adapter(kind).validate_python(value)
    return result


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no blanks, shortest float digits, UTF-8.

    Raises:
        ValueError: the value holds a number that is not finite, which JSON cannot carry.
    """
    return json.dumps(to_jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(value: Any) -> str:
    """The SHA-256, as 64 hex digits, of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
