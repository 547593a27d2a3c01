"""Commands of one step, and the write-ahead log that says of each whether it was begun and whether it ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.hardware.cluster.step_log import Entry, Progress, StepLog


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that an instrument is told."""

    text: str
    """For people: `dispense 5 µL into plate B4`."""
    make: Callable[[], Coroutine[Any, Any, Any]]
    is_transfer: bool = False
    """Whether a transfer of the step is made with its end."""


class CommandLog:
    """The log of one line of instruments. The last line about a step, and about its last command, counts."""

    def __init__(self, log: StepLog) -> None:
        self._log = log

    def step(self, token: str) -> Entry:
        """What is known of a step."""
        return self._log.entry(token)

    def begin(self, token: str, digest: str) -> None:
        """Notes that a step begins."""
        self._log.note(token, Entry(Progress.BEGUN, digest))

    def end(
        self, token: str, digest: str, progress: Progress, *, reading: Reading | None = None, error: str = ""
    ) -> None:
        """Notes how a step ended."""
        self._log.note(token, Entry(progress, digest, reading=reading, error=error))

    def command(self, token: str, progress: Progress, text: str) -> None:
        """Notes that a command begins, before the instrument is told, or that it ended."""
        self._log.note(f"{token}#", Entry(progress, error=text))

    def outcome(self, token: str) -> Outcome:
        """What became of a step, as far as the log knows."""
        entry = self._log.entry(token)
        match entry.progress:
            case Progress.DONE:
                return Outcome(OutcomeState.DONE, entry.reading, "executed and recorded")
            case Progress.FAILED:
                return Outcome(OutcomeState.FAILED, detail=entry.error)
            case None | Progress.REFUSED:
                return Outcome(OutcomeState.NEVER_STARTED, detail=entry.error or "not in the log")
        last = self._log.entry(f"{token}#")
        if last.progress is None:
            return Outcome(OutcomeState.NEVER_STARTED, detail="no command was begun")
        if last.progress is Progress.DONE:
            return Outcome(OutcomeState.UNKNOWN, detail=f"its last command ended: {last.error}; no other was begun")
        return Outcome(OutcomeState.UNKNOWN, detail=f"the end of a command was not heard: {last.error}")

    def close(self) -> None:
        """Releases the file."""
        self._log.close()
