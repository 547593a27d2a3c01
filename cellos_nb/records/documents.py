"""A campaign as documents of the event model, which Bluesky's tools and others read; and back into a history.

Source: https://blueskyproject.io/event-model: a run start, a descriptor of the events, the events, a run stop. Each
line of the file is a JSON list of the document's name and the document.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cellos_nb.domain import codec
from cellos_nb.domain.history import History
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.errors import InputError
from cellos_nb.records.atomic import new_file
from cellos_nb.store.records import CampaignRecord

STREAM = "primary"
SOURCE = "cellos_nb"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://pypi.org/project/cellos-nb/")
_STATUSES = {"finished": "success", "failed": "fail"}
"""How a campaign that is over ended, in the words of the event model; any other is `abort`: it may go on."""
_PART = "-"
"""Between the parts of a key, which may hold neither dot nor slash."""
_UNITS = {"proposal-dose_um": "µM", "cost_usd": "USD", "wells-value": "fraction of vehicle"}
_NUMBERS = {
    "measurement",
    "standard_error",
    "viability",
    *(f"proposal-reason-{name}" for name in ("predicted_mean", "predicted_sd", "acquisition")),
}
"""Keys that hold numbers also where none of the events has one."""
_WELLS, _REASON = "wells", "proposal-reason"
_NESTED = {"proposal", _REASON}

Document = tuple[str, dict[str, Any]]
"""The name of a document, and the document."""


def documents(record: CampaignRecord, history: History) -> Iterator[Document]:
    """A campaign as documents, one event for each experiment; the same campaign gives the same text."""
    start = _uid(record.campaign_id, record.created_at.isoformat())
    began, ended = record.created_at.timestamp(), record.changed_at.timestamp()
    yield (
        "start",
        {
            "uid": start,
            "time": began,
            "plan_name": "campaign",
            "campaign": record.campaign_id,
            "status": str(record.status),
            "config": record.config.to_dict(),
            "parent": str(record.parent or ""),
        },
    )
    flat = [_flat(codec.to_jsonable(result)) for result in history]
    names = list(dict.fromkeys(name for row in flat for name in row))
    rows = [{name: row.get(name) for name in names} for row in flat]
    descriptor = _uid(start, STREAM)
    keys = {name: _key(name, [row[name] for row in rows]) for name in names}
    yield "descriptor", {"uid": descriptor, "run_start": start, "time": began, "name": STREAM, "data_keys": keys}
    for number, (result, row) in enumerate(zip(history, rows, strict=True), 1):
        at = (result.finished_at or record.changed_at).timestamp()
        yield (
            "event",
            {
                "uid": _uid(descriptor, str(number)),
                "descriptor": descriptor,
                "seq_num": number,
                "time": at,
                "data": row,
                "timestamps": dict.fromkeys(names, at),
            },
        )
    yield (
        "stop",
        {
            "uid": _uid(start, "stop"),
            "run_start": start,
            "time": ended,
            "exit_status": _STATUSES.get(str(record.status), "abort"),
            "reason": record.stop_reason or "",
            "num_events": {STREAM: len(rows)},
        },
    )


def write_documents(record: CampaignRecord, history: History, folder: Path) -> Path:
    """Writes `<campaign>.jsonl` into a folder and returns the file.

    Raises:
        OutputError: the file cannot be written.
    """
    path = folder / f"{record.campaign_id}.jsonl"
    with new_file(path) as partial:
        lines = (json.dumps(each, ensure_ascii=False, allow_nan=False) for each in documents(record, history))
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    return path


def read_documents(path: Path) -> History:
    """The history in a file that `write_documents` wrote, equal to the one that was written.

    Raises:
        InputError: the file cannot be read, lacks a document, or an event of it is no result; names the line.
    """
    found: dict[str, list[dict[str, Any]]] = {"start": [], "descriptor": [], "event": [], "stop": []}
    results = []
    for number, line in enumerate(_lines(path), 1):
        try:
            name, document = json.loads(line)
            found[name].append(document)
            if name == "event":
                results.append(codec.from_jsonable(ExperimentResult, _nested(document["data"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise InputError(f"{path}, line {number}: is no document of a campaign ({said}).") from error
    if [len(found[name]) for name in ("start", "descriptor", "stop")] != [1, 1, 1]:
        raise InputError(f"{path}: a run has one start, one descriptor and one stop. The file is not whole.")
    said = found["stop"][0].get("num_events", {}).get(STREAM)
    if said != len(results):
        raise InputError(f"{path}: holds {len(results)} events and says {said}. The file is not whole.")
    return History(tuple(results))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read. Give a file that `cellos export --documents` wrote.") from error


def _flat(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with one key for each plain value; of its wells, one list for each of their fields."""
    row: dict[str, Any] = {}
    for key, value in _walk("", result):
        if key == _WELLS:
            fields = dict.fromkeys(name for well in value for name in well)
            row |= {f"{_WELLS}{_PART}{name}": [well[name] for well in value] for name in fields}
        else:
            row[key] = value
    return row


def _walk(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        key = f"{prefix}{name}"
        if key in _NESTED and inner is not None:
            yield from _walk(f"{key}{_PART}", inner)
        elif key not in _NESTED:
            yield key, inner


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `_flat` made of a result, as it was."""
    wells = {
        name.removeprefix(f"{_WELLS}{_PART}"): value
        for name, value in row.items()
        if name.startswith(f"{_WELLS}{_PART}")
    }
    reason = {
        name.removeprefix(f"{_REASON}{_PART}"): v for name, v in row.items() if name.startswith(f"{_REASON}{_PART}")
    }
    proposal = {
        name.removeprefix(f"proposal{_PART}"): value
        for name, value in row.items()
        if name.startswith(f"proposal{_PART}") and not name.startswith(f"{_REASON}{_PART}")
    }
    # A planner always has a name, so that one without anything is no reason at all.
    proposal["reason"] = reason if any(value is not None for value in reason.values()) else None
    plain = {name: value for name, value in row.items() if _PART not in name}
    columns = {name: values or [] for name, values in wells.items()}
    n_wells = len(next(iter(columns.values()), []))
    return plain | {
        "proposal": proposal,
        _WELLS: [{name: values[n] for name, values in columns.items()} for n in range(n_wells)],
    }


def _key(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """What the descriptor says of one key."""
    there = [value for value in values if value is not None]
    kind, shape = _kind(there[0]) if there else ("number" if name in _NUMBERS else "string", [])
    if any(isinstance(value, float) for value in there):
        kind = "number"
    described: dict[str, Any] = {"source": f"{SOURCE}:{name}", "dtype": kind, "shape": shape}
    return described | ({"units": _UNITS[name]} if name in _UNITS else {})


def _kind(value: Any) -> tuple[str, list[int | None]]:
    if isinstance(value, list):
        return "array", [None]  # each experiment has a length of its own
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number")):
        if isinstance(value, kind):
            return name, []
    return "string", []


def _uid(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))
