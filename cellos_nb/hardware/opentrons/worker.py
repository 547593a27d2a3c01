"""The `opentrons` package at work in a process of its own, for as many protocols as are asked about."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from cellos_nb.errors import WorkerError
from cellos_nb.hardware.opentrons.environment import Environment

log = logging.getLogger(__name__)

_PROGRAM = Path(__file__).with_name("worker_main.py")
_SAID_LINES = 5

JOBS_PER_PROCESS = 50
"""Each protocol leaves threads and memory behind in the package, so a process is replaced after so many."""
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE")
"""What the worker gets of our environment: no secret that a protocol could print."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the package says of one protocol."""

    analysis: dict[str, Any]
    """As it came, with its times and identifiers; empty when the file was refused as a whole."""
    run_log: str
    """The package's own account in words; empty when the analysis found errors, or it was not asked for."""
    refusal: str | None = None
    """Why the file was refused as a whole."""


@dataclass(slots=True)
class _Process:
    """One process and what it said so far."""

    popen: subprocess.Popen[str]
    answers: queue.SimpleQueue[dict[str, Any] | None]
    """None at the end of its output."""
    folder: tempfile.TemporaryDirectory[str]
    jobs: int = 0


@dataclass(slots=True)
class OpentronsWorker:
    """Asks the package about protocols, one at a time; threads take turns.

    States: no process → (first job) running → (after `jobs_per_process` jobs, or when it died) a new one → `stop`. An
    analysis touches nothing, so one that was under way when the process died is asked for once more.
    """

    environment: Environment
    jobs_per_process: int = JOBS_PER_PROCESS
    timeout_s: float = 300.0
    """For one answer; a large protocol takes some seconds."""
    _process: _Process | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The number of the process; None when there is none."""
        return self._process.popen.pid if self._process else None

    def analyse(self, name: str, text: str, *, with_run_log: bool = True) -> Answer:
        """The package's analysis and run log of a protocol.

        Args:
            name: of the file, `3-dose.py`.
            text: the protocol.
            with_run_log: whether the run log is wanted, for which the package goes through the protocol again.

        Raises:
            WorkerError: the process died twice over it, or fell silent.
        """
        with self._lock:
            said = self._ask(name, text, with_run_log=with_run_log)
            if said is None:
                log.warning("opentrons worker died over %s; starting another", name)
                said = self._ask(name, text, with_run_log=with_run_log)
            if said is None:
                raise WorkerError(
                    f"{name}: the opentrons worker died twice over it. Run `cellos doctor`; if that finds nothing, "
                    "report the protocol: the package itself ends on it."
                )
        return Answer(said.get("analysis", {}), said.get("run_log", ""), said.get("refusal"))

    def analyse_alone(self, name: str, text: str) -> dict[str, Any]:
        """The analysis of a protocol as a robot keeps it; one that is refused as a whole has that as its error."""
        answer = self.analyse(name, text, with_run_log=False)
        if answer.refusal is None:
            return answer.analysis
        return {"result": "not-ok", "errors": [{"detail": answer.refusal}], "commands": []}

    def stop(self) -> None:
        """Ends the process. May be called twice; the next job starts a new one."""
        with self._lock:
            self._end()

    def _ask(self, name: str, text: str, *, with_run_log: bool) -> dict[str, Any] | None:
        """The answer to one job; None when the process died before it gave one."""
        if self._process is not None and self._process.jobs >= self.jobs_per_process:
            self._end()
        if self._process is None:
            self._process = self._start()
        process, number = self._process, next(self._numbers)
        process.jobs += 1
        try:
            job = {"id": number, "name": name, "text": text, "with_run_log": with_run_log}
            _pipe(process.popen.stdin).write(json.dumps(job) + "\n")
            _pipe(process.popen.stdin).flush()
            said = self._hear(process, f"over {name}")
        except (BrokenPipeError, ConnectionResetError):
            said = None
        except BaseException:
            self._end()  # whoever was interrupted leaves an answer on its way that is not for the next job
            raise
        if said is None:
            self._end()
        return said

    def _start(self) -> _Process:
        folder = tempfile.TemporaryDirectory(prefix="cellos-opentrons-", ignore_cleanup_errors=True)
        settings = {**{key: os.environ[key] for key in _KEPT if key in os.environ}, "OT_API_CONFIG_DIR": folder.name}
        with (Path(folder.name) / "said.txt").open("w", encoding="utf-8") as said:
            popen = subprocess.Popen(  # noqa: S603  # our own program, under an interpreter that we installed
                [str(self.environment.python), "-I", "-X", "utf8", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                encoding="utf-8",
                cwd=folder.name,
                env=settings,
            )
        answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(_pipe(popen.stdout), answers), daemon=True).start()
        process = _Process(popen, answers, folder)
        self._process = process
        ready = self._hear(process, "at its start")
        if ready is None or ready.get("ready") != self.environment.version:
            said_last = _last_lines(Path(folder.name) / "said.txt")
            self._end()
            raise WorkerError(
                f"opentrons {self.environment.version} does not start: {said_last or 'it said nothing'}. Remove "
                f"{self.environment.python.parents[1]} and run `cellos hardware install opentrons` again."
            )
        return process

    def _hear(self, process: _Process, when: str) -> dict[str, Any] | None:
        try:
            return process.answers.get(timeout=self.timeout_s)
        except queue.Empty as error:
            self._end()
            raise WorkerError(
                f"The opentrons worker was silent for {self.timeout_s:g} s {when}, and was stopped. Try again; a slow "
                "machine needs a longer timeout_s."
            ) from error

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.popen.kill()  # it holds nothing: an analysis is a pure function of its text
        process.popen.wait()
        for pipe in (process.popen.stdin, process.popen.stdout):
            with contextlib.suppress(BrokenPipeError):  # a job that it did not read any more
                _pipe(pipe).close()
        process.folder.cleanup()


def _read(output: IO[str], answers: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    with contextlib.suppress(ValueError):  # a line that death cut short, or a pipe that was closed: the end either way
        for line in output:
            answers.put(json.loads(line))
    answers.put(None)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise AssertionError("both ends are pipes")
    return pipe


def _last_lines(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return " / ".join(line.strip() for line in lines[-_SAID_LINES:] if line.strip())
