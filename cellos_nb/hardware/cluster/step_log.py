"""A robot host's write-ahead log: which steps its robot was told to begin, on the disk before it is told.

One JSON object a line. The last line about a token counts.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from cellos_nb.domain import codec
from cellos_nb.domain.reading import Reading
from cellos_nb.errors import MachineError
from cellos_nb.hardware.ledger import lock_file

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
        self._file = -1
        self._entries: dict[str, Entry] = {}
        self._readings: dict[str, tuple[int, int]] = {}
        """Where in the file an entry with a reading stands, which would fill the memory in time."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise self._cannot("opened", error) from error
        try:
            lock_file(self._file, path, "step log")
            self._read()
        except BaseException:
            self.close()
            raise

    def entry(self, token: str) -> Entry:
        """What is known of a token."""
        return self._read_line(token) if token in self._readings else self._entries.get(token, NOTHING)

    def note(self, token: str, entry: Entry) -> None:
        """Keeps an entry; it is on the disk when this returns.

        Raises:
            MachineError: the disk is full or the file cannot be written; the entry counts for nothing.
        """
        line = (_line(token, entry) + "\n").encode()
        end = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) != len(line):
                os.ftruncate(self._file, end)
                raise MachineError(
                    f"{self.path}: the robot's step log cannot be written, the disk is full. Free space."
                )
            os.fsync(self._file)
        except OSError as error:
            raise self._cannot("written", error) from error
        self._keep(token, entry, end, len(line))

    def close(self) -> None:
        """Releases the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _keep(self, token: str, entry: Entry, offset: int, length: int) -> None:
        self._entries[token] = replace(entry, reading=None)
        self._readings.pop(token, None)
        if entry.reading is not None:
            self._readings[token] = offset, length

    def _read_line(self, token: str) -> Entry:
        offset, length = self._readings[token]
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return _entry(json.loads(file.read(length)))[1]
        except (OSError, ValueError) as error:
            raise MachineError(
                f"{self.path}: the step log was altered while it was open ({error}). Restore it."
            ) from error

    def _read(self) -> None:
        text = self.path.read_bytes()
        lines = text.split(b"\n")
        torn = lines.pop()  # empty when the last line is whole
        is_ours = lines[0] == MAGIC.encode() if lines else MAGIC.encode().startswith(torn)
        if not is_ours:
            raise MachineError(f"{self.path}: this file is not a robot's step log. Name another file.")
        try:
            # A torn line was never acted on: the robot is called only after it is whole.
            os.ftruncate(self._file, len(text) - len(torn))
            if not lines:
                os.write(self._file, f"{MAGIC}\n".encode())
            os.fsync(self._file)
        except OSError as error:
            raise self._cannot("repaired", error) from error
        offset = 0
        for number, line in enumerate(lines, 1):
            try:
                if number > 1:
                    self._keep(*_entry(json.loads(line)), offset, len(line))
            except (ValueError, KeyError, TypeError) as error:
                raise MachineError(
                    f"{self.path}, line {number}: the step log is damaged. Restore it from a copy; without it nobody "
                    "can tell which steps this robot began."
                ) from error
            offset += len(line) + 1

    def _cannot(self, verb: str, error: OSError) -> MachineError:
        return MachineError(
            f"{self.path}: the robot's step log cannot be {verb} ({error.strerror}). "
            "Free space or choose a folder that can be written."
        )


def _line(token: str, entry: Entry) -> str:
    known: dict[str, Any] = {"token": token, "progress": entry.progress, "digest": entry.digest, "permit": entry.permit}
    if entry.reading is not None:
        known["reading"] = codec.to_jsonable(entry.reading)
    if entry.error:
        known["error"] = entry.error
    return json.dumps(known, ensure_ascii=False)


def _entry(known: dict[str, Any]) -> tuple[str, Entry]:
    progress, reading = known["progress"], known.get("reading")
    entry = Entry(
        None if progress is None else Progress(progress),
        known["digest"],
        known["permit"],
        None if reading is None else codec.from_jsonable(Reading, reading),
        known.get("error", ""),
    )
    return known["token"], entry
