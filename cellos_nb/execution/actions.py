"""Actions: the kinds of work that the queue carries beside experiments. A new kind is one class and an entry point."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, Unpack

from cellos_nb.errors import CellosError, InputError
from cellos_nb.execution.artifacts import Artifact, ArtifactStore
from cellos_nb.execution.jobs import Job, JobOptions, JobStatus
from cellos_nb.execution.orders import Call, Halt, Take, WithdrawnError, Work
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import write_log
from cellos_nb.store.store import Store

ENTRY_POINTS = "cellos_nb.actions"
"""An entry point in this group names a class that is an `Action`; the entry point's name is the kind."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What an action has at hand."""

    store: Store
    lab: Any
    """The `Lab` whose work is done."""
    is_real: bool
    """False in PROOF: nothing outside is touched; what would be done is written as an artifact."""

    def keep(self, name: str, content: bytes, message: str) -> Artifact:
        """Writes an artifact beside the database, and logs it with its SHA-256."""
        artifact = ArtifactStore.beside(self.store).write(name, content)
        with self.store.write() as tx:
            write_log(tx, logging.INFO, message, artifact=artifact)
        return artifact

    def log(self, message: str) -> None:
        """Keeps a message with the database."""
        with self.store.write() as tx:
            write_log(tx, logging.INFO, message)


class Action(Protocol):
    """One kind of work.

    It is performed in a thread of its own, and again after a failure or a crash: so it must bear being repeated, or
    find out by itself what it did before.
    """

    limit_s: float
    """After so long it counts as failed."""

    def check(self, payload: dict[str, Any]) -> None:
        """Refuses what can never be performed, before it is queued.

        Raises:
            InputError: says what is possible.
        """
        ...

    def perform(self, payload: dict[str, Any], bench: Bench) -> str:
        """Does it, and returns what was done, in words.

        Raises:
            CellosError: it could not be done now; it is tried again later, and in the end given up.
        """
        ...


def action_of(kind: str) -> Action:
    """The action of a kind.

    Raises:
        InputError: no such kind is installed, or its plug-in cannot be loaded.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=kind):
        try:
            made: Action = entry.load()()
        except Exception as error:
            raise InputError(f"kind: the plug-in {entry.value} cannot be loaded ({error}).") from error
        return made
    raise InputError(f"kind: no action {kind!r} is installed; possible: {', '.join(kinds())}.")


def kinds() -> tuple[str, ...]:
    """All kinds that are installed, beside `experiment`."""
    return tuple(sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)}))


def submit_action(
    store: Store, kind: str, payload: dict[str, Any], *, idempotency_key: str, **options: Unpack[JobOptions]
) -> int:
    """Queues an action and returns its number; the same key again returns the same number.

    Raises:
        InputError: no such kind, or a payload that it refuses; nothing was queued.
    """
    action_of(kind).check(payload)
    return JobQueue(store).submit(kind, payload, idempotency_key=idempotency_key, **options)


def perform_now(kind: str, payload: dict[str, Any], bench: Bench) -> str:
    """Performs an action at once, without queue and daemon, in a thread of its own; returns what was done, in words.

    Raises:
        CellosError: it could not be done.
    """
    action = action_of(kind)
    action.check(payload)
    with ThreadPoolExecutor(1, thread_name_prefix=kind) as worker:
        return worker.submit(action.perform, payload, bench).result()


def action_work(job: Job, bench: Bench, on_done: Callable[[str], None]) -> Work:
    """One attempt at an action, as work for the conductor; `on_done` is told what was done."""
    try:
        yield Take(())
        if JobQueue(bench.store).status(job.job_id) is JobStatus.CANCELLING:
            return Halt(JobStatus.CANCELLED, job.last_error or "cancelled")
        action = action_of(job.kind)
        on_done((yield Call(action.perform, (job.payload, bench), action.limit_s, f"{job.kind} {job.job_id}")))
    except WithdrawnError:
        return Halt(JobStatus.CANCELLED, job.last_error or "cancelled")
    except CellosError as error:
        return Halt(JobStatus.QUEUED, str(error), is_attempt=True)
    return None
