"""JobQueue: work that waits for its turn, kept in the store."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, insert, literal_column, or_, select, update

from cellos_nb.errors import InputError
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 300.0


class JobStatus(StrEnum):
    """Where a job stands.

    queued → claimed → running → succeeded | dead_letter | in_doubt
       ▲        └────────┴── retry, crash ──► queued
       └── requeue ── dead_letter            cancelled from any of the first three
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

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in {JobStatus.SUCCEEDED, JobStatus.CANCELLED, JobStatus.DEAD_LETTER, JobStatus.IN_DOUBT}


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


class JobQueue:
    """Highest priority first, then the earliest submitted, none before its time. Any process may submit and cancel."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def submit(
        self,
        kind: str,
        payload: dict[str, Any],
        *,
        idempotency_key: str,
        priority: int = 0,
        not_before: datetime | None = None,
        max_attempts: int = 3,
    ) -> int:
        """Adds a job and returns its number; the same key again returns the same number and changes nothing.

        Raises:
            InputError: an empty key or kind, or less than one attempt.
        """
        if not kind or not idempotency_key:
            raise InputError("A job needs a kind and an idempotency key, so that submitting it twice makes one.")
        if max_attempts < 1:
            raise InputError(f"max_attempts: {max_attempts} is too small; give at least 1.")
        with self._store.write() as tx:
            found = tx.scalar(_BY_KEY, {"key": idempotency_key})
            if found is not None:
                return int(found)
            return self.add(
                kind,
                payload,
                idempotency_key=idempotency_key,
                priority=priority,
                not_before=not_before,
                max_attempts=max_attempts,
            )

    def add(
        self,
        kind: str,
        payload: dict[str, Any],
        *,
        idempotency_key: str,
        priority: int = 0,
        not_before: datetime | None = None,
        max_attempts: int = 3,
    ) -> int:
        """Adds a job whose key is known to be new, which `submit` would look for."""
        values = {
            "idempotency_key": idempotency_key,
            "kind": kind,
            "payload": json.dumps(payload, sort_keys=True, ensure_ascii=False, allow_nan=False),
            "status": JobStatus.QUEUED,
            "priority": priority,
            "not_before": not_before,
            "attempts": 0,
            "max_attempts": max_attempts,
            "created_at": now_utc(),
        }
        with self._store.write() as tx:
            return _number(tx.execute(_INSERT, values).inserted_primary_key)

    def claim(
        self,
        *,
        fencing: int | None = None,
        kind: str | None = None,
        job_id: int | None = None,
        start: bool = False,
    ) -> Job | None:
        """Takes the next job that is due, for this caller alone; None when none is.

        Args:
            fencing: the dispatcher's lease, to be seen in the record.
            kind: only jobs of this kind.
            job_id: only this job.
            start: begin it at once, so that there is no moment between in which it could be cancelled.
        """
        now, status = now_utc(), JobStatus.RUNNING if start else JobStatus.CLAIMED
        asked = {"now": now, "kind": kind, "of_job": job_id}
        with self._store.write() as tx:
            row = tx.execute(_DUE[kind is not None, job_id is not None], asked).first()
            if row is None:
                return None
            _CLAIM(tx, {"of_job": row.action_id, "to": status.value, "fence": fencing, "at": now})
        return _job(row, status)

    def start(self, job_id: int) -> bool:
        """Notes that a claimed job begins; False when it was cancelled in the meantime and must not."""
        return self._move(job_id, (JobStatus.CLAIMED,), {"status": JobStatus.RUNNING})

    def complete(self, job_id: int) -> None:
        """Ends a running job as succeeded.

        Raises:
            InputError: it is not running.
        """
        self._end(job_id, JobStatus.SUCCEEDED, None)

    def fail(self, job_id: int, error: str) -> Job:
        """Ends an attempt. The job waits for its next one, longer each time, or goes to the dead letters.

        Raises:
            InputError: it is not running.
        """
        with self._store.write():
            job = self.job(job_id)
            if job.status is JobStatus.CANCELLING:
                self._end(job_id, JobStatus.CANCELLED, error)
                return self.job(job_id)
            attempts = job.attempts + 1
            if attempts >= job.max_attempts:
                self._end(job_id, JobStatus.DEAD_LETTER, error, attempts=attempts)
            else:
                self.postpone(job_id, timedelta(seconds=retry_delay_s(attempts)), error, attempts=attempts)
            return self.job(job_id)

    def postpone(self, job_id: int, delay: timedelta, error: str | None = None, *, attempts: int | None = None) -> None:
        """Puts a job that was claimed or is running back into the queue, not to be claimed before a delay is over."""
        values: dict[str, Any] = {"status": JobStatus.QUEUED, "not_before": now_utc() + delay, "last_error": error}
        if attempts is not None:
            values["attempts"] = attempts
        with self._store.write():
            if self._move(job_id, (JobStatus.CLAIMED, JobStatus.RUNNING), values):
                return
            if not self._move(job_id, (JobStatus.CANCELLING,), _ended(JobStatus.CANCELLED, error)):
                raise self._not_in_state(job_id, "running")

    def end(self, job_id: int, status: JobStatus, error: str | None) -> None:
        """Ends a running job without a further attempt: to the dead letters, in doubt, or cancelled.

        Raises:
            InputError: it is not running.
        """
        self._end(job_id, status, error)

    def cancel(self, job_id: int, reason: str = "cancelled") -> JobStatus:
        """Cancels a job; a running one ends after the step in progress. One that has ended stays as it is."""
        with self._store.write():
            if not self._move(job_id, (JobStatus.QUEUED, JobStatus.CLAIMED), _ended(JobStatus.CANCELLED, reason)):
                self._move(job_id, (JobStatus.RUNNING,), {"status": JobStatus.CANCELLING, "last_error": reason})
            return self.job(job_id).status

    def requeue(self, job_id: int) -> None:
        """Gives a job from the dead letters its attempts anew, or asks again about one in doubt.

        Raises:
            InputError: it is neither.
        """
        values = {
            "status": JobStatus.QUEUED,
            "attempts": 0,
            "not_before": None,
            "finished_at": None,
        }
        if not self._move(job_id, (JobStatus.DEAD_LETTER, JobStatus.IN_DOUBT), values):
            raise self._not_in_state(job_id, "in the dead letters or in doubt")

    def recover(self, kind: str) -> int:
        """Puts back what was claimed or begun and not ended; returns how many jobs that were.

        For the holder of the lease alone, when it has none of that kind in hand: then they are left by a crash.
        """
        left = actions.c.kind == kind
        begun = (JobStatus.CLAIMED, JobStatus.RUNNING, JobStatus.CANCELLING)
        with self._store.read() as tx:
            if tx.scalar(select(actions.c.action_id).where(left, actions.c.status.in_(begun)).limit(1)) is None:
                return 0
        with self._store.write() as tx:
            ending = update(actions).where(left, actions.c.status == JobStatus.CANCELLING)
            tx.execute(ending, {"status": JobStatus.CANCELLED, "finished_at": now_utc()})
            back = update(actions).where(left, actions.c.status.in_(begun[:2]))
            return tx.execute(back, {"status": JobStatus.QUEUED}).rowcount

    def job(self, job_id: int) -> Job:
        """One job.

        Raises:
            InputError: there is none with that number.
        """
        with self._store.read() as tx:
            row = tx.execute(_BY_NUMBER, {"of_job": job_id}).first()
        if row is None:
            raise InputError(f"There is no job {job_id} in {self._store.where}. List them with `cellos queue`.")
        return _job(row)

    def jobs(self, status: JobStatus | None = None) -> tuple[Job, ...]:
        """All jobs, or those of one status, in the order submitted."""
        query = select(actions).order_by(actions.c.action_id)
        if status is not None:
            query = query.where(actions.c.status == status)
        with self._store.read() as tx:
            return tuple(_job(row) for row in tx.execute(query))

    def dead_letters(self) -> tuple[Job, ...]:
        """The jobs that were given up, with their last error."""
        return self.jobs(JobStatus.DEAD_LETTER)

    def stats(self) -> dict[str, int]:
        """How many jobs have each status."""
        query = select(actions.c.status, func.count()).group_by(actions.c.status)
        with self._store.read() as tx:
            counts: dict[str, int] = {status: n for status, n in tx.execute(query)}  # noqa: C416 — rows are no pairs to mypy
        return {status.value: counts.get(status.value, 0) for status in JobStatus}

    def next_due(self, *, kind: str | None = None, among: Collection[int] | None = None) -> datetime | None:
        """The earliest time at which a waiting job may be claimed; None when none waits."""
        query = select(actions.c.not_before).where(_WAITING)
        if kind is not None:
            query = query.where(actions.c.kind == kind)
        if among is not None:
            query = query.where(actions.c.action_id.in_(among))
        # No time at all comes first: it is due now.
        with self._store.read() as tx:
            row = tx.execute(query.order_by(actions.c.not_before.is_not(None), actions.c.not_before).limit(1)).first()
        if row is None:
            return None
        return row.not_before or now_utc()

    def _move(self, job_id: int, from_: tuple[JobStatus, ...], values: dict[str, Any]) -> bool:
        with self._store.write() as tx:
            named = {f"to_{name}": value for name, value in values.items()}
            return _change(from_, *values)(tx, {"of_job": job_id, **named}).rowcount == 1

    def _end(self, job_id: int, status: JobStatus, error: str | None, *, attempts: int | None = None) -> None:
        values = _ended(status, error)
        if attempts is not None:
            values["attempts"] = attempts
        if not self._move(job_id, (JobStatus.RUNNING, JobStatus.CANCELLING), values):
            raise self._not_in_state(job_id, "running")

    def _not_in_state(self, job_id: int, wanted: str) -> InputError:
        return InputError(f"Job {job_id} is not {wanted} but {self.job(job_id).status}.")


def retry_delay_s(attempt: int) -> float:
    """Seconds to wait after the given failed attempt: doubling, capped, and spread so that many do not return at once.

    The spread decides when, never what, so it needs no seed.
    """
    longest = min(FIRST_RETRY_S * 2 ** (attempt - 1), LONGEST_RETRY_S)
    return random.uniform(longest / 2, longest)  # noqa: S311


# Spelled out, because an index over waiting jobs alone is not used for a parameter.
_WAITING = actions.c.status == literal_column("'queued'")


def _due(*, has_kind: bool, is_one: bool) -> Select[Any]:
    """The next job to claim."""
    is_time = or_(actions.c.not_before.is_(None), actions.c.not_before <= bindparam("now"))
    query = select(actions).where(_WAITING, is_time)
    if has_kind:
        query = query.where(actions.c.kind == bindparam("kind"))
    if is_one:
        query = query.where(actions.c.action_id == bindparam("of_job"))
    return query.order_by(actions.c.priority.desc(), actions.c.action_id).limit(1)


# Built once: building a statement costs more than executing it.
_DUE = {(kind, one): _due(has_kind=kind, is_one=one) for kind in (False, True) for one in (False, True)}
_BY_KEY = select(actions.c.action_id).where(actions.c.idempotency_key == bindparam("key"))
_BY_NUMBER = select(actions).where(actions.c.action_id == bindparam("of_job"))
_INSERT = insert(actions)
_CLAIM = Prepared(
    update(actions)
    .where(actions.c.action_id == bindparam("of_job"))
    .values(status=bindparam("to"), fencing=bindparam("fence"), claimed_at=bindparam("at"))
)


@cache
def _change(from_: tuple[JobStatus, ...], *columns: str) -> Prepared:
    """Sets columns of one job to `to_<column>`, if it has one of the statuses."""
    # Not IN, whose list SQLAlchemy would expand anew each time.
    is_in_state = or_(*(actions.c.status == status.value for status in from_))
    change = update(actions).where(actions.c.action_id == bindparam("of_job"), is_in_state)
    return Prepared(change.values({name: bindparam(f"to_{name}") for name in columns}))


def _number(primary_key: Any) -> int:
    return int(primary_key[0])


def _ended(status: JobStatus, error: str | None) -> dict[str, Any]:
    return {"status": status, "last_error": error, "finished_at": now_utc()}


def _job(row: Row[Any], status: JobStatus | None = None) -> Job:
    return Job(
        job_id=row.action_id,
        idempotency_key=row.idempotency_key,
        kind=row.kind,
        payload=json.loads(row.payload),
        status=status or JobStatus(row.status),
        priority=row.priority,
        not_before=row.not_before,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        last_error=row.last_error,
        created_at=row.created_at,
        claimed_at=row.claimed_at,
        finished_at=row.finished_at,
    )
