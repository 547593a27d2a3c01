"""The audit log as a file: one entry a line, to be kept elsewhere and checked without the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cellos_nb.domain.audit import GENESIS, AuditEntry, AuditLink, breaks_of
from cellos_nb.errors import InputError
from cellos_nb.store.audit import Verified

AUDIT_LOG = "audit_log.jsonl"
"""In the folder of a record."""
_FIELDS = frozenset(AuditEntry.__dataclass_fields__)
_READ = TypeAdapter(dict[str, int | str])


def lines_of(chain: Iterable[AuditEntry | AuditLink]) -> str:
    """A chain as JSON lines."""
    return "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in chain)


def read_file(path: Path) -> tuple[AuditEntry | AuditLink, ...]:
    """The chain in a file that `lines_of` wrote.

    Raises:
        InputError: it cannot be read, or a line of it is no entry.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"{path}: cannot be read ({why}). Give a file that `cellos audit export` wrote.") from error
    return tuple(_link(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line)


def verify_file(path: Path, noted: str | None = None) -> Verified:
    """Looks at every entry of a file, as `store.audit.verify` does at those of a database.

    Raises:
        InputError: as `read_file`.
    """
    chain = read_file(path)
    # An extract begins with its first own entry; nothing says what there was before.
    found = tuple(breaks_of(chain, is_whole=bool(chain) and chain[0].seq == 1))
    at = None if noted is None else next((each.seq for each in chain if each.sha256 == noted.lower()), None)
    last = chain[-1].sha256 if chain else GENESIS
    return Verified(len(chain), last, found, at, noted is not None and at is None)


def _link(path: Path, number: int, line: str) -> AuditEntry | AuditLink:
    try:
        values: dict[str, Any] = _READ.validate_json(line, strict=True)
    except ValidationError as error:
        raise InputError(f"{path}, line {number}: is no entry of an audit log.") from error
    if values.keys() == {"seq", "sha256"}:
        return AuditLink(**values)
    if values.keys() != _FIELDS:
        odd = ", ".join(sorted(values.keys() ^ _FIELDS))
        raise InputError(f"{path}, line {number}: is no entry of an audit log; missing or unknown: {odd}.")
    return AuditEntry(**values)
