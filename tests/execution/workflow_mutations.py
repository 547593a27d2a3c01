"""Every way to change one thing in a frozen value, found by walking its dataclasses and nothing else."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any


def mutations(value: Any, kind: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths and values that differ from `value` in one place."""
    if is_dataclass(value):
        hints = typing.get_type_hints(type(value))
        for field in fields(value):
            held = getattr(value, field.name)
            for where, changed in mutations(held, hints[field.name], f"{path} {type(value).__name__}.{field.name}"):
                yield where, replace(value, **{field.name: changed})
    elif isinstance(value, tuple):
        yield from _of_tuple(value, kind, path)
    else:
        yield path, _other(value, kind)
        if value is not None and type(None) in typing.get_args(kind):
            yield f"{path}=None", None


def _of_tuple(value: tuple[Any, ...], kind: Any, path: str) -> Iterator[tuple[str, Any]]:
    item = typing.get_args(kind)[0]
    if not value:
        yield f"{path}+", (_some(item),)
        return
    yield f"{path}[:-1]", value[:-1]
    yield f"{path}*2", (*value, value[-1])
    if value[::-1] != value:
        yield f"{path} reversed", value[::-1]
    for k, held in enumerate(value):
        for where, changed in mutations(held, item, f"{path}[{k}]"):
            yield where, (*value[:k], changed, *value[k + 1 :])


def _other(value: Any, kind: Any) -> Any:
    """Another value of the same kind, as near as there is one."""
    if value is None:
        return _some(next(arm for arm in typing.get_args(kind) if arm is not type(None)))
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return math.nextafter(value, math.inf)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value} "
    raise TypeError(f"{value!r}: say here how to change a {type(value).__name__}")


def _some(kind: Any) -> Any:
    """Any value of a type."""
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: _some(hints[field.name]) for field in fields(kind)})
    origin = typing.get_origin(kind)
    if origin is tuple:
        return ()
    if origin in {types.UnionType, typing.Union}:
        return _some(typing.get_args(kind)[0])
    return next(iter(kind)) if issubclass(kind, Enum) else kind()


def reachable_fields(kind: type) -> set[str]:
    """`Class.field` for every field that a value of a type can reach."""
    found = set()
    for field, hint in typing.get_type_hints(kind).items():
        found.add(f"{kind.__name__}.{field}")
        stack = [hint]
        while stack:
            part = stack.pop()
            if isinstance(part, type) and is_dataclass(part):
                found |= reachable_fields(part)
            stack += typing.get_args(part)
    return found
