"""A robot host's write-ahead log: which steps its robot was told to begin, on the disk before it is told.

One JSON object a line. The last line about a token counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from cellos_nb.domain import codec
from cellos_nb.domain.reading import Reading
from cellos_nb.hardware.append_log import AppendLog

MAGIC = "cellos_nb step log 1"


class Progress(StrEnum):
    """What is known of a token."""

    BEGUN = "begun"
    """The robot was, or was about to be, called; no end was recorded."""
    DONE = "done"
    REFUSED = "refused"
    """The robot declined; nothing has moved."""
    FAILED = "failed"
    """The robot reported a failure after the step may have begun."""


@dataclass(frozen=True, slots=True)
class Entry:
    """All that is known of one token."""

    progress: Progress | None = None
    """None when no call with this token ever arrived."""
    digest: str = ""
    """Of the step that was begun."""
    permit: str = ""
    """Calls that do not bring this are void: somebody asked what became of the token and has decided since."""
    reading: Reading | None = None
    error: str = ""


NOTHING = Entry()


class StepLog:
    """The file of one robot; one process at a time may hold it."""

    def __init__(self, path: Path) -> None:
        """Opens or begins the file and takes its lock, which the system releases however the process ends.

        Raises:
            MachineError: the file cannot be written, is no step log, is damaged, or another process holds it.
        """
        self.path = path
        self._entries: dict[str, Entry] = {}
        self._readings: dict[str, tuple[int, int]] = {}
        """Where in the file an entry with a reading stands, which would fill the memory in time."""
        self._log = AppendLog(path, magic=MAGIC, what="step log", on_record=self._keep)

    def entry(self, token: str) -> Entry:
        """What is known of a token."""
        if token in self._readings:
            return _entry(self._log.read(*self._readings[token]))
        return self._entries.get(token, NOTHING)

    def note(self, token: str, entry: Entry) -> None:
        """Keeps an entry; it is on the disk when this returns.

        Raises:
            MachineError: the disk is full or the file cannot be written; the entry counts for nothing.
        """
        self._log.append(_record(token, entry))

    def close(self) -> None:
        """Releases the file; may be called twice."""
        self._log.close()

    def _keep(self, record: dict[str, Any], offset: int, length: int) -> None:
        token, entry = record["token"], _entry(record)
        self._entries[token] = replace(entry, reading=None)
        self._readings.pop(token, None)
        if entry.reading is not None:
            self._readings[token] = offset, length


def _record(token: str, entry: Entry) -> dict[str, Any]:
    known: dict[str, Any] = {"token": token, "progress": entry.progress, "digest": entry.digest, "permit": entry.permit}
    if entry.reading is not None:
        known["reading"] = codec.to_jsonable(entry.reading)
    if entry.error:
        known["error"] = entry.error
    return known


def _entry(known: dict[str, Any]) -> Entry:
    progress, reading = known["progress"], known.get("reading")
    return Entry(
        None if progress is None else Progress(progress),
        known["digest"],
        known["permit"],
        None if reading is None else codec.from_jsonable(Reading, reading),
        known.get("error", ""),
    )
