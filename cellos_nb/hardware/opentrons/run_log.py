"""Our own record of a robot's runs: each intent on the disk before it is sent, and every command that was carried out.

The robot forgets: a restart loses the commands of a run, and old runs are deleted. What was pulled stays here.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cellos_nb.errors import MachineError
from cellos_nb.hardware.append_log import AppendLog

log = logging.getLogger(__name__)

MAGIC = "cellos_nb opentrons log 1"
COMMANDS_MAGIC = "cellos_nb opentrons commands 1"
_ENDED = frozenset({"succeeded", "failed"})


class Phase(StrEnum):
    """How far a token has come."""

    UPLOADING = "uploading"
    CREATING = "creating"
    """A run is being asked for; it may be on the robot without our knowing its id."""
    PLAYING = "playing"
    """Play was, or was about to be, sent; no end is known."""
    DONE = "done"
    FAILED = "failed"
    """It may have moved liquid, and did not come to its end."""
    REFUSED = "refused"
    """It moved nothing, and cannot any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """All that is known of one token."""

    token: str
    digest: str
    """Of the step: what tells a repeated command from another one under the same token."""
    phase: Phase
    keys_sha256: str = ""
    """Of the keys of the protocol's commands: what must have been carried out."""
    protocol_id: str = ""
    run_id: str = ""
    detail: str = ""
    """For a person: what went wrong."""


class RunLog:
    """The log of one robot and, beside it, a folder with the commands of each run; held by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Opens or begins the log.

        Raises:
            MachineError: the file cannot be written, is another kind of file, is damaged, or another process holds it.
        """
        self.path = path
        self._entries: dict[str, Entry] = {}
        self._run_ids: dict[str, str] = {}
        self._protocol_ids: set[str] = set()
        self._turn = threading.Lock()
        self._log = AppendLog(path, magic=MAGIC, what="run log", on_record=self._keep)

    def entry(self, token: str) -> Entry | None:
        """What is known of a token; None when nothing was ever sent under it."""
        return self._entries.get(token)

    def note(self, entry: Entry) -> Entry:
        """Keeps an entry; it is on the disk when this returns.

        Raises:
            MachineError: the disk is full or the file cannot be written; the entry counts for nothing.
        """
        with self._turn:
            self._log.append({name: str(getattr(entry, name)) for name in Entry.__slots__})
        return entry

    def token_of(self, run_id: str) -> str | None:
        """The token that a run belongs to; None when the run is none of ours."""
        return self._run_ids.get(run_id)

    def has_protocol(self, protocol_id: str | None) -> bool:
        """Whether a protocol was put onto the robot from here."""
        return protocol_id in self._protocol_ids

    def commands(self, run_id: str) -> CommandArchive:
        """The commands of a run, as far as they were pulled; close it after use.

        Raises:
            MachineError: the file cannot be written.
        """
        return CommandArchive(self.path.with_name(f"{self.path.name}.runs") / f"{run_id}.jsonl")

    def keep_analysis(self, protocol_id: str, analysis: Mapping[str, Any]) -> None:
        """Keeps the robot's own analysis of a protocol, without which the commands of its runs cannot be read.

        Raises:
            MachineError: the disk is full or the folder cannot be written.
        """
        path = self._analysis_of(protocol_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            begun = path.with_suffix(".new")
            begun.write_text(json.dumps(analysis), encoding="utf-8")
            begun.replace(path)
        except OSError as error:
            raise MachineError(f"{path}: cannot be written ({error.strerror}). Free space.") from error

    def analysis(self, protocol_id: str) -> dict[str, Any] | None:
        """What `keep_analysis` kept; None when it is not there, or not whole."""
        try:
            found: dict[str, Any] = json.loads(self._analysis_of(protocol_id).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.warning("%s: the analysis of protocol %s cannot be read (%s)", self.path, protocol_id, error)
            return None
        return found

    def close(self) -> None:
        """Releases the file; may be called twice."""
        self._log.close()

    def _analysis_of(self, protocol_id: str) -> Path:
        return self.path.with_name(f"{self.path.name}.runs") / f"protocol-{protocol_id}.json"

    def _keep(self, record: dict[str, Any], offset: int, length: int) -> None:
        del offset, length
        entry = Entry(**{**record, "phase": Phase(record["phase"])})
        self._entries[entry.token] = entry
        if entry.run_id:
            self._run_ids[entry.run_id] = entry.token
        if entry.protocol_id:
            self._protocol_ids.add(entry.protocol_id)


@dataclass(slots=True)
class CommandArchive:
    """What a run has carried out, copied from the robot while it runs."""

    path: Path
    _commands: dict[str, dict[str, Any]] = field(default_factory=dict)
    _log: AppendLog = field(init=False)

    def __post_init__(self) -> None:
        self._log = AppendLog(self.path, magic=COMMANDS_MAGIC, what="command archive", on_record=self._keep)

    @property
    def commands(self) -> tuple[dict[str, Any], ...]:
        """The commands in order; one that had begun when it was last looked at has the status `running`."""
        return tuple(self._commands.values())

    @property
    def n_ended(self) -> int:
        """Commands from the first on that will not change any more: where to go on pulling."""
        ended = (command["status"] in _ENDED for command in self._commands.values())
        return next((number for number, has_ended in enumerate(ended) if not has_ended), len(self._commands))

    def add(self, commands: Iterable[dict[str, Any]]) -> None:
        """Keeps what is new among commands that follow those that had ended.

        Raises:
            MachineError: the disk is full.
        """
        new = [
            command
            for command in commands
            if command["status"] not in {"queued", self._commands.get(command["id"], {}).get("status")}
        ]
        if new:
            self._log.append_all(new)

    def close(self) -> None:
        """Releases the file; may be called twice."""
        self._log.close()

    def _keep(self, record: dict[str, Any], offset: int, length: int) -> None:
        del offset, length
        self._commands[record["id"]] = record
