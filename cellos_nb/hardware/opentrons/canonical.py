"""An analysis in the one form that can be hashed: without times, random identifiers and the vendor's definitions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMES = frozenset({"createdAt", "startedAt", "completedAt"})
_RANDOM = frozenset({"serialNumber"})
_DIGITS = 6
"""Positions are kept to a nanometre: beyond that they depend on how numbers were summed."""


def canonical_analysis(analysis: Mapping[str, Any]) -> bytes:
    """The one JSON text of an analysis. The keys of its commands stay: they are the same in every analysis and run.

    Random identifiers become `id-1`, `id-2` … in order of appearance; a labware definition becomes its SHA-256.
    """
    ids: dict[str, str] = {}
    for found in _identifiers(analysis):
        ids.setdefault(found, f"id-{len(ids) + 1}")
    return (_json(_plain(analysis, ids)) + "\n").encode()


def _identifiers(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _TIMES | _RANDOM:
                yield from _identifiers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _identifiers(item)
    elif isinstance(value, str):
        yield from _UUID.findall(value)


def _plain(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: {"sha256": hashlib.sha256(_json(item).encode()).hexdigest()}
            if key == "definition"
            else _plain(item, ids)
            for key, item in value.items()
            if key not in _TIMES | _RANDOM
        }
    if isinstance(value, list):
        return [_plain(item, ids) for item in value]
    if isinstance(value, float):
        return round(value, _DIGITS) + 0.0  # no minus zero
    if isinstance(value, str):
        return _UUID.sub(lambda match: ids[match.group()], value)
    return value


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
