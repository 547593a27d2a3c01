"""JobQueue: work that waits for its turn, kept in the store."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Unpack

from sqlalchemy import ColumnElement, func, select, update

from cellos_nb.domain.audit import Act
from cellos_nb.errors import InputError
from cellos_nb.execution.claims import Claim, claim_jobs, first_due
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.jobs import Job, JobOptions, JobStatus, ended_values, job_of, joined, retry_delay_s
from cellos_nb.execution.process import person
from cellos_nb.execution.queue_statements import BY_KEY, BY_NUMBER, INSERT, STATUS, WANTED, change_of
from cellos_nb.store.audit import note
from cellos_nb.store.schema import actions
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

__all__ = ["Job", "JobQueue", "JobStatus", "retry_delay_s"]

_IN_HAND = (JobStatus.RUNNING, JobStatus.CANCELLING)


class JobQueue:
    """Highest priority first, then the earliest submitted, none before its time. Any process may submit and cancel."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def submit(self, kind: str, payload: dict[str, Any], *, idempotency_key: str, **options: Unpack[JobOptions]) -> int:
        """Adds a job and returns its number; the same key again returns the same number and changes nothing.

        Args:
            kind: what sort of work, e.g. `experiment`.
            payload: what that kind needs to know, as JSON has it.
            idempotency_key: the name of this piece of work; there is never a second with it.
            **options: `priority`, `not_before`, `resources` and `max_attempts`; see `JobOptions`.

        Raises:
            InputError: an empty key or kind, less than one attempt, or a resource with a comma in its name.
        """
        if not kind or not idempotency_key:
            raise InputError("A job needs a kind and an idempotency key, so that submitting it twice makes one.")
        max_attempts = options.get("max_attempts", 1)
        if max_attempts < 1:
            raise InputError(f"max_attempts: {max_attempts} is too small; give at least 1.")
        with self._store.write() as tx:
            for (found,) in BY_KEY.rows(tx, {"key": idempotency_key}):
                return int(found)
            return self.add(kind, payload, idempotency_key=idempotency_key, **options)

    def add(self, kind: str, payload: dict[str, Any], *, idempotency_key: str, **options: Unpack[JobOptions]) -> int:
        """Adds a job whose key is known to be new, which `submit` would look for."""
        values = {
            "idempotency_key": idempotency_key,
            "kind": kind,
            "payload": json.dumps(payload, sort_keys=True, ensure_ascii=False, allow_nan=False),
            "status": JobStatus.QUEUED,
            "priority": options.get("priority", 0),
            "not_before": options.get("not_before"),
            "attempts": 0,
            "max_attempts": options.get("max_attempts", 3),
            "created_at": now_utc(),
            "resources": joined(options.get("resources", ())),
        }
        with self._store.write() as tx:
            return INSERT.insert(tx, values)

    def claim(
        self,
        *,
        fencing: int | None = None,
        kind: str | None = None,
        job_id: int | None = None,
        start: bool = False,
        busy: Collection[str] = (),
    ) -> Job | None:
        """Takes the next job that is due, for this caller alone; None when none is.

        Args:
            fencing: the dispatcher's lease, to be seen in the record.
            kind: only jobs of this kind.
            job_id: only this job.
            start: begin it at once, so that there is no moment between in which it could be cancelled.
            busy: resources that cannot be used now; jobs that need one of them are passed over.
        """
        among = None if job_id is None else [job_id]
        jobs = self.claim_many(1, fencing=fencing, kind=kind, among=among, start=start, busy=busy)
        return jobs[0] if jobs else None

    def claim_many(
        self,
        n: int,
        *,
        fencing: int | None = None,
        kind: str | None = None,
        among: Sequence[int] | None = None,
        start: bool = False,
        busy: Collection[str] = (),
    ) -> list[Job]:
        """Takes up to `n` jobs that are due, in one transaction. As `claim`; `among` names the jobs to choose from."""
        asked = Claim(n, kind, among, frozenset(busy))
        status = JobStatus.RUNNING if start else JobStatus.CLAIMED
        with self._store.write() as tx:
            return claim_jobs(tx, asked, status, fencing)

    def start(self, job_id: int) -> bool:
        """Notes that a claimed job begins; False when it was cancelled in the meantime and must not."""
        return self._move(job_id, (JobStatus.CLAIMED,), {"status": JobStatus.RUNNING})

    def complete(self, job_id: int) -> None:
        """Ends a running job as succeeded.

        Raises:
            InputError: it is not running.
        """
        self._end(job_id, JobStatus.SUCCEEDED, None)

    def complete_all(self, job_ids: Sequence[int]) -> None:
        """Ends several running jobs as succeeded; all of them or none.

        Raises:
            InputError: one is not running.
        """
        if not job_ids:
            return
        ended = {f"to_{name}": value for name, value in ended_values(JobStatus.SUCCEEDED, None).items()}
        change = change_of(_IN_HAND, *ended_values(JobStatus.SUCCEEDED, None))
        with self._store.write() as tx:
            n_done = change(tx, [ended | {"of_job": job_id} for job_id in job_ids])
            if n_done != len(job_ids):
                other = next(one for one in job_ids if self.status(one) is not JobStatus.SUCCEEDED)
                raise self._not_in_state(other, "running")

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
            if not self._move(job_id, (JobStatus.CANCELLING,), ended_values(JobStatus.CANCELLED, error)):
                raise self._not_in_state(job_id, "running")

    def hasten(self, job_id: int) -> None:
        """Lets a job that was put back into the queue be claimed at once; one that does not wait stays as it is."""
        self._move(job_id, (JobStatus.QUEUED,), {"not_before": None})

    def end(self, job_id: int, status: JobStatus, error: str | None) -> None:
        """Ends a running job without a further attempt: to the dead letters, in doubt, or cancelled.

        Raises:
            InputError: it is not running.
        """
        self._end(job_id, status, error)

    def cancel(self, job_id: int, reason: str = "cancelled", *, by: str | None = None) -> JobStatus:
        """Cancels a job; a running one ends after the step in progress. One that has ended stays as it is."""
        with self._store.write() as tx:
            before = self.job(job_id)
            idle = (JobStatus.QUEUED, JobStatus.CLAIMED, JobStatus.PAUSED)
            if not self._move(job_id, idle, ended_values(JobStatus.CANCELLED, reason)):
                self._move(job_id, (JobStatus.RUNNING,), {"status": JobStatus.CANCELLING, "last_error": reason})
            after = self.job(job_id).status
            if after is not before.status:
                facts = {"job": job_id, "was": before.status, "status": after}
                note(tx, Act.JOB_CANCELLED, before.what, who=by or person(), why=reason, facts=facts)
        flags_of(self._store).forget()
        return after

    def requeue(self, job_id: int, reason: str = "", *, by: str | None = None) -> None:
        """Gives a job from the dead letters its attempts anew, or asks again about one that is held.

        Raises:
            InputError: it is neither.
        """
        with self._store.write() as tx:
            before = self.job(job_id)
            self.put_back(job_id)
            facts = {"job": job_id, "was": before.status, "error": before.last_error}
            note(tx, Act.JOB_REQUEUED, before.what, who=by or person(), why=reason, facts=facts)

    def put_back(self, job_id: int) -> None:
        """The same as part of another act, which the audit log has under its own name.

        Raises:
            InputError: as `requeue`.
        """
        values = {
            "status": JobStatus.QUEUED,
            "attempts": 0,
            "not_before": None,
            "finished_at": None,
        }
        if not self._move(job_id, (JobStatus.DEAD_LETTER, JobStatus.IN_DOUBT, JobStatus.PAUSED), values):
            raise self._not_in_state(job_id, "in the dead letters, in doubt or paused")

    def recover(self, kind: str | None = None) -> int:
        """Puts back what was claimed or begun and not ended; returns how many jobs that were.

        For the holder of the lease alone, when it has none of that kind in hand: then they are left by a crash.
        """
        begun = (JobStatus.CLAIMED, JobStatus.RUNNING, JobStatus.CANCELLING)
        left: ColumnElement[bool] = actions.c.status.in_(begun)
        if kind is not None:
            left = left & (actions.c.kind == kind)
        with self._store.read() as tx:
            if tx.scalar(select(actions.c.action_id).where(left).limit(1)) is None:
                return 0
        with self._store.write() as tx:
            ending = update(actions).where(left, actions.c.status == JobStatus.CANCELLING)
            tx.execute(ending, {"status": JobStatus.CANCELLED, "finished_at": now_utc()})
            return tx.execute(update(actions).where(left), {"status": JobStatus.QUEUED}).rowcount

    def status(self, job_id: int) -> JobStatus:
        """Where one job stands.

        Raises:
            InputError: there is none with that number.
        """
        with self._store.read() as tx:
            found = STATUS.rows(tx, {"of_job": job_id})
        return JobStatus(found[0][0]) if found else self.job(job_id).status

    def job(self, job_id: int) -> Job:
        """One job.

        Raises:
            InputError: there is none with that number.
        """
        with self._store.read() as tx:
            row = next(iter(BY_NUMBER.rows(tx, {"of_job": job_id})), None)
        if row is None:
            raise InputError(f"There is no job {job_id} in {self._store.where}. List them with `cellos queue`.")
        return job_of(row)

    def jobs(self, status: JobStatus | None = None) -> tuple[Job, ...]:
        """All jobs, or those of one status, in the order submitted."""
        query = select(actions).order_by(actions.c.action_id)
        if status is not None:
            query = query.where(actions.c.status == status)
        with self._store.read() as tx:
            return tuple(job_of(row) for row in tx.execute(query))

    def cancelling(self) -> frozenset[int]:
        """The running jobs that are to end."""
        with self._store.read() as tx:
            found = tx.execute(select(actions.c.action_id).where(actions.c.status == JobStatus.CANCELLING))
            return frozenset(found.scalars())

    def wanted_resources(self, kind: str) -> frozenset[str]:
        """What waiting jobs of a kind need."""
        with self._store.read() as tx:
            return frozenset(name for (needs,) in WANTED.rows(tx, {"kind": kind}) for name in needs.split(","))

    def dead_letters(self) -> tuple[Job, ...]:
        """The jobs that were given up, with their last error."""
        return self.jobs(JobStatus.DEAD_LETTER)

    def stats(self) -> dict[str, int]:
        """How many jobs have each status."""
        query = select(actions.c.status, func.count()).group_by(actions.c.status)
        with self._store.read() as tx:
            counts: dict[str, int] = {status: n for status, n in tx.execute(query)}  # noqa: C416 — rows are no pairs to mypy
        return {status.value: counts.get(status.value, 0) for status in JobStatus}

    def next_due(
        self,
        *,
        kind: str | None = None,
        among: Collection[int] | None = None,
        without: Collection[int] = (),
        busy: Collection[str] = (),
    ) -> datetime | None:
        """The earliest time at which a waiting job may be claimed; None when none waits.

        As for `claim`; jobs `without` count for nothing.
        """
        with self._store.read() as tx:
            return first_due(tx, kind=kind, among=among, without=without, busy=busy)

    def _move(self, job_id: int, from_: tuple[JobStatus, ...], values: dict[str, Any]) -> bool:
        with self._store.write() as tx:
            named = {f"to_{name}": value for name, value in values.items()}
            return change_of(from_, *values)(tx, {"of_job": job_id, **named}) == 1

    def _end(self, job_id: int, status: JobStatus, error: str | None, *, attempts: int | None = None) -> None:
        values = ended_values(status, error)
        if attempts is not None:
            values["attempts"] = attempts
        if not self._move(job_id, _IN_HAND, values):
            raise self._not_in_state(job_id, "running")

    def _not_in_state(self, job_id: int, wanted: str) -> InputError:
        return InputError(f"Job {job_id} is not {wanted} but {self.job(job_id).status}.")
