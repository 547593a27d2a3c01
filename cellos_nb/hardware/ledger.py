"""A simulated machine's memory on disk: one line for each executed step, so that it outlives every process.

A line is `<crc32> <head as JSON> <tab> <body as JSON>`: the head says which step it was, the body what came of it.
Bodies are read only when a plate or a reading is asked for.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cellos_nb.domain import codec
from cellos_nb.domain.plate import PLATE_FORMATS, well_names
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import MachineError
from cellos_nb.hardware.contents import Contents, Substance

MAGIC = b"cellos_nb machine ledger 1\n"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One executed step."""

    token: str
    step_uid: str
    plate_id: str
    kind: StepKind
    digest: str
    """Of the step's JSON: what tells a repeated command from another one under the same token."""
    n_wells: int
    """Of the assay plate."""
    hours: float = 0.0
    """What the step took on the plate's clock."""
    temperature_c: float = 37.0
    seed: int = 0
    contents: Mapping[str, Contents] = field(default_factory=dict)
    """By barcode: what all labware that the step touched holds afterwards."""
    reading: Reading | None = None

    @property
    def touched(self) -> tuple[str, ...]:
        """Barcodes of the labware that is no longer as it was before."""
        return (self.plate_id,) if self.kind is StepKind.INCUBATE else tuple(self.contents)


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of an entry without reading its body."""

    token: str
    digest: str
    barcodes: tuple[str, ...]
    """Labware that is no longer as it was before."""
    offset: int
    """Where the line begins in the file."""
    length: int


def read_ledger(path: str | Path) -> tuple[LedgerEntry, ...]:
    """All steps in a ledger, oldest first; a machine may have it open.

    Raises:
        MachineError: the file cannot be read, is no ledger, or is damaged before its last line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return tuple(_decode(line) for _, line in _lines(file, path))
    except OSError as error:
        raise MachineError(f"{path}: the ledger cannot be read ({error.strerror}). Check the path.") from error


class Ledger:
    """The append-only file of one machine; one process at a time may hold it."""

    def __init__(self, path: Path) -> None:
        """Opens or begins the file and takes its lock, which the system releases however the process ends.

        Raises:
            MachineError: the file cannot be written, is no ledger, is damaged, or another machine holds it.
        """
        self.path = path
        self._file = -1
        self._end = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise self._cannot("opened", error) from error
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise MachineError(f"{path}: a ledger is an ordinary file, not a device. Name another file.")
            lock_file(self._file, path)
            self._mend()
        except BaseException:
            self.close()
            raise

    def heads(self) -> Iterator[Head]:
        """The heads of all entries, oldest first, as they stood when it was asked."""
        with self.path.open("rb") as file:
            for offset, line in _lines(file, self.path):
                yield _head(line, offset)

    def append(self, entry: LedgerEntry, before: Callable[[Head], None], undo: Callable[[Head], None]) -> None:
        """Writes one entry through to the operating system, whole or not at all.

        Args:
            entry: the step.
            before: called with its head before it is written; what it raises keeps the entry out.
            undo: takes that back when the entry cannot be written.

        Raises:
            MachineError: the disk is full or the file cannot be written any more; it is as it was before.
        """
        line = _encode(entry)
        head = _head(line, self._end)
        before(head)
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            undo(head)
            self._shorten(head.offset)
            raise self._cannot("written", error) from error
        self._end = head.offset + head.length

    def read(self, offset: int, length: int) -> LedgerEntry:
        """The whole entry that stands at an offset."""
        try:
            # A handle of its own, so that a stopped machine still answers questions.
            with self.path.open("rb") as file:
                file.seek(offset)
                line = file.read(length)
        except OSError as error:
            raise MachineError(f"{self.path}: the ledger cannot be read ({error.strerror}). Restore it.") from error
        if len(line) != length:
            raise MachineError(f"{self.path}: the ledger was shortened while it was open. Restore it from a copy.")
        return _decode(line)

    def close(self) -> None:
        """Releases the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _mend(self) -> None:
        """Finds the end of the last whole entry; a torn line after it is cut off, because its step never happened."""
        with self.path.open("rb") as file:
            self._end = len(MAGIC)
            for offset, line in _lines(file, self.path):
                self._end = offset + len(line)
            is_new = file.seek(0, os.SEEK_END) < len(MAGIC)
            is_torn = file.tell() != self._end
        if is_torn:
            self._shorten(0 if is_new else self._end)
        if is_new:
            try:
                os.write(self._file, MAGIC)
            except OSError as error:
                raise self._cannot("written", error) from error

    def _shorten(self, length: int) -> None:
        try:
            os.ftruncate(self._file, length)
        except OSError as error:
            raise self._cannot("repaired", error) from error

    def _cannot(self, verb: str, error: OSError) -> MachineError:
        return MachineError(
            f"{self.path}: the machine's ledger cannot be {verb} ({error.strerror}). Nothing was moved. Free space or "
            "choose a folder that can be written."
        )


def lock_file(file: int, path: Path, what: str = "ledger") -> None:
    """Takes the lock of an open file, for as long as it is open.

    Raises:
        MachineError: another machine holds it, or the folder offers no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            # Far behind the end, so that readers of the text are not locked out.
            os.lseek(file, 2**40, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}:
            raise MachineError(
                f"{path}: this folder offers no file locks ({error.strerror}). Put the {what} on a local disk."
            ) from error
        raise MachineError(
            f"{path}: another machine holds this {what}, in this process or another one. Stop it first, or give this "
            f"machine a {what} of its own."
        ) from error


def _lines(file: Any, path: Path) -> Iterator[tuple[int, bytes]]:
    """Offset and text of each whole line; the last one is left out when it is torn."""
    magic = file.readline()
    if magic != MAGIC:
        if MAGIC.startswith(magic):
            return  # empty, or torn in its very first write
        raise MachineError(f"{path}: this file is not a machine's ledger. Name another file.")
    offset, number = len(MAGIC), 1
    damaged: int | None = None
    for line in file:
        number += 1
        if damaged is not None:
            raise MachineError(
                f"{path}, line {damaged}: the ledger is damaged. Restore it from a copy, or begin a new one under "
                "another name; plates in progress are then unknown to the machine."
            )
        if line.endswith(b"\n") and line[:8] == b"%08x" % zlib.crc32(line[9:]):
            yield offset, line
        else:
            damaged = number
        offset += len(line)


def _encode(entry: LedgerEntry) -> bytes:
    head = {
        "token": entry.token,
        "step": entry.step_uid,
        "plate": entry.plate_id,
        "kind": entry.kind.value,
        "digest": entry.digest,
        "n_wells": entry.n_wells,
        "hours": entry.hours,
        "temperature_c": entry.temperature_c,
        "seed": entry.seed,
        "touched": entry.touched,
        "labware": list(entry.contents),
    }
    reading = codec.to_json(entry.reading) if entry.reading is not None else "null"
    contents = json.dumps([_pack(contents) for contents in entry.contents.values()])
    text = f'{json.dumps(head, ensure_ascii=False)}\t{{"contents":{contents},"reading":{reading}}}\n'.encode()
    return b"%08x %s" % (zlib.crc32(text), text)


def _head(line: bytes, offset: int) -> Head:
    head = json.loads(line[9 : line.index(b"\t")])
    return Head(head["token"], head["digest"], tuple(head["touched"]), offset, len(line))


def _decode(line: bytes) -> LedgerEntry:
    tab = line.index(b"\t")
    head, body = json.loads(line[9:tab]), json.loads(line[tab + 1 :])
    reading = body["reading"]
    return LedgerEntry(
        token=head["token"],
        step_uid=head["step"],
        plate_id=head["plate"],
        kind=StepKind(head["kind"]),
        digest=head["digest"],
        n_wells=head["n_wells"],
        hours=head["hours"],
        temperature_c=head["temperature_c"],
        seed=head["seed"],
        contents={barcode: _unpack(packed) for barcode, packed in zip(head["labware"], body["contents"], strict=True)},
        reading=None if reading is None else codec.from_jsonable(Reading, reading),
    )


def _pack(contents: Contents) -> dict[str, Any]:
    n = len(contents.volume_ul)
    # Numbers are kept bit for bit, so that a reopened machine goes on exactly where it was.
    columns = (contents.volume_ul, contents.position, contents.column, contents.amount)
    raw = b"".join(column.tobytes() for column in columns)
    has_all_names = n in PLATE_FORMATS and contents.wells == well_names(n)
    return {
        "n": n,
        "wells": None if has_all_names else contents.wells,
        "substances": contents.substances,
        "entries": len(contents.amount),
        "zlib": base64.b64encode(zlib.compress(raw, 1)).decode(),
    }


def _unpack(packed: dict[str, Any]) -> Contents:
    n, entries = packed["n"], packed["entries"]
    raw = zlib.decompress(base64.b64decode(packed["zlib"]))
    volume = np.frombuffer(raw, np.float64, n)
    indices = np.frombuffer(raw, np.int32, 2 * entries, offset=8 * n)
    amount = np.frombuffer(raw, np.float64, entries, offset=8 * n + 8 * entries)
    wells = well_names(n) if packed["wells"] is None else tuple(packed["wells"])
    substances = tuple(Substance(*pair) for pair in packed["substances"])
    return Contents(wells, volume, substances, indices[:entries], indices[entries:], amount)
