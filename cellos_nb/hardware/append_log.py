"""Files that are only ever appended to: one JSON object a line, on the disk before anything is done about it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cellos_nb.errors import MachineError
from cellos_nb.hardware.ledger import lock_file

OnRecord = Callable[[dict[str, Any], int, int], None]
"""Told of a record, where its line begins, and how long that is."""


class AppendLog:
    """One such file; one process at a time may hold it."""

    def __init__(self, path: Path, *, magic: str, what: str, on_record: OnRecord) -> None:
        """Opens or begins the file, takes its lock, which the system releases however the process ends, and reads it.

        Args:
            path: the file; its folder is made if need be.
            magic: its first line.
            what: as errors call it: `step log`.
            on_record: called for every record in it, oldest first, and for every one that is appended; what it raises
                as ValueError, KeyError or TypeError means that the record is damaged.

        Raises:
            MachineError: the file cannot be written, is another kind of file, is damaged, or another process holds it.
        """
        self.path = path
        self._magic, self._what, self._on_record = magic, what, on_record
        self._file = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise self._cannot("opened", error) from error
        try:
            lock_file(self._file, path, what)
            self._read()
        except BaseException:
            self.close()
            raise

    def append(self, record: dict[str, Any]) -> None:
        """Keeps a record; it is on the disk when this returns.

        Raises:
            MachineError: the disk is full or the file cannot be written; the record counts for nothing.
        """
        self.append_all([record])

    def append_all(self, records: list[dict[str, Any]]) -> None:
        """The same for several, with one wait for the disk. Raises as `append`, and then none of them counts."""
        lines = [(json.dumps(record, ensure_ascii=False) + "\n").encode() for record in records]
        text = b"".join(lines)
        if self._file < 0:
            raise MachineError(f"{self.path}: the {self._what} was closed. Open the machine again.")
        end = os.fstat(self._file).st_size
        try:
            if os.write(self._file, text) != len(text):
                os.ftruncate(self._file, end)
                raise MachineError(
                    f"{self.path}: the robot's {self._what} cannot be written, the disk is full. Free space."
                )
            os.fsync(self._file)
        except OSError as error:
            raise self._cannot("written", error) from error
        for record, line in zip(records, lines, strict=True):
            self._on_record(record, end, len(line))
            end += len(line)

    def read(self, offset: int, length: int) -> dict[str, Any]:
        """One record again.

        Raises:
            MachineError: the file is not any more what it was.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                record: dict[str, Any] = json.loads(file.read(length))
        except (OSError, ValueError) as error:
            raise MachineError(
                f"{self.path}: the {self._what} was altered while it was open ({error}). Restore it."
            ) from error
        return record

    def close(self) -> None:
        """Releases the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read(self) -> None:
        text = self.path.read_bytes()
        lines = text.split(b"\n")
        torn = lines.pop()  # empty when the last line is whole
        is_ours = lines[0] == self._magic.encode() if lines else self._magic.encode().startswith(torn)
        if not is_ours:
            raise MachineError(f"{self.path}: this file is not a robot's {self._what}. Name another file.")
        try:
            # A torn line was never acted on: that happens only after it is whole.
            os.ftruncate(self._file, len(text) - len(torn))
            if not lines:
                os.write(self._file, f"{self._magic}\n".encode())
            os.fsync(self._file)
        except OSError as error:
            raise self._cannot("repaired", error) from error
        offset = 0
        for number, line in enumerate(lines, 1):
            try:
                if number > 1:
                    self._on_record(json.loads(line), offset, len(line))
            except (ValueError, KeyError, TypeError) as error:
                raise MachineError(
                    f"{self.path}, line {number}: the {self._what} is damaged. Restore it from a copy; without it "
                    "nobody can tell which steps this robot began."
                ) from error
            offset += len(line) + 1

    def _cannot(self, verb: str, error: OSError) -> MachineError:
        return MachineError(
            f"{self.path}: the robot's {self._what} cannot be {verb} ({error.strerror}). "
            "Free space or choose a folder that can be written."
        )
