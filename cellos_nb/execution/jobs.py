"""Jobs: pieces of work, and where each stands."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from cellos_nb.errors import InputError
from cellos_nb.store.schema import actions
from cellos_nb.units import now_utc

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 300.0


class JobStatus(StrEnum):
    """Where a job stands.

    queued → claimed → running → succeeded | dead_letter | in_doubt | paused
       ▲        └────────┴── retry, crash ──► queued
       └── requeue ── dead_letter | in_doubt | paused        cancelled from any of the first three, and from paused
    """

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    CANCELLING = "cancelling"
    """Running, and to be ended after the step in progress."""
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    DEAD_LETTER = "dead_letter"
    IN_DOUBT = "in_doubt"
    """It cannot be told what happened; a person must choose."""
    PAUSED = "paused"
    """It waits for a person to allow it."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in {JobStatus.QUEUED, JobStatus.CLAIMED, JobStatus.RUNNING, JobStatus.CANCELLING}

    @property
    def is_held(self) -> bool:
        """Whether a person has to decide before it can go on or end."""
        return self in {JobStatus.IN_DOUBT, JobStatus.PAUSED}


class QueueOptions(TypedDict, total=False):
    """When work is done that is queued."""

    priority: int
    """Higher goes first; 0 when left out."""
    not_before: datetime | None
    """A moment to come; now when left out."""
    resources: Collection[str]
    """Names of what it needs; while one of them is busy, jobs that do not need it go first."""


class JobOptions(QueueOptions, total=False):
    """How a job is queued."""

    max_attempts: int
    """After so many it goes to the dead letters; 3 when left out."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work."""

    job_id: int
    idempotency_key: str
    kind: str
    payload: dict[str, Any]
    status: JobStatus
    priority: int
    not_before: datetime | None
    attempts: int
    """Attempts that failed."""
    max_attempts: int
    last_error: str | None
    created_at: datetime
    claimed_at: datetime | None
    """When it was last claimed; of a job just claimed, the time before. None the first time."""
    finished_at: datetime | None
    resources: tuple[str, ...] = ()
    """What it needs, by name; a machine that is stuck holds up those that need it and no other."""

    @property
    def what(self) -> str:
        """The plate or campaign that it is about, or else its key."""
        return str(self.payload.get("plate_id") or self.payload.get("campaign_id") or self.idempotency_key)


def retry_delay_s(attempt: int) -> float:
    """Seconds to wait after the given failed attempt: doubling, capped, and spread so that many do not return at once.

    The spread decides when, never what, so it needs no seed.
    """
    longest = min(FIRST_RETRY_S * 2 ** (attempt - 1), LONGEST_RETRY_S)
    return random.uniform(longest / 2, longest)  # noqa: S311


def ended_values(status: JobStatus, error: str | None) -> dict[str, Any]:
    """What stands in the row of a job that has ended."""
    return {"status": status, "last_error": error, "finished_at": now_utc()}


def joined(resources: Collection[str]) -> str:
    """Names of resources as a row has them.

    Raises:
        InputError: one is empty or has a comma in it.
    """
    wrong = [name for name in resources if not name or "," in name]
    if wrong:
        raise InputError(f"resources: {wrong[0]!r} cannot be a name; it is empty or has a comma in it.")
    return ",".join(sorted(set(resources)))


def job_of(row: Sequence[Any], status: JobStatus | None = None) -> Job:
    """A job from all columns of its row, in their order."""
    values = dict(zip(_COLUMNS, row, strict=True))
    del values["fencing"]
    resources = values.pop("resources")
    return Job(
        job_id=values.pop("action_id"),
        payload=json.loads(values.pop("payload")),
        status=status or JobStatus(values["status"]),
        resources=tuple(resources.split(",")) if resources else (),
        **{name: value for name, value in values.items() if name != "status"},
    )


_COLUMNS = tuple(actions.c.keys())
