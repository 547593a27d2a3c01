from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from cellos_nb.errors import InputError
from cellos_nb.execution import queue as queue_module
from cellos_nb.execution.queue import JobQueue, JobStatus, retry_delay_s
from cellos_nb.execution.queue_statements import RELEASE, due
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def queue(database):
    with Store.open(database) as store:
        yield JobQueue(store)


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch):
    monkeypatch.setattr(queue_module, "retry_delay_s", lambda attempt: 0.0)


def test_the_same_key_never_makes_two_jobs(queue):
    first = queue.submit("notify", {"text": "a"}, idempotency_key="k")
    assert queue.submit("notify", {"text": "b"}, idempotency_key="k") == first
    assert [job.payload for job in queue.jobs()] == [{"text": "a"}]


def test_the_highest_priority_is_claimed_first_then_the_earliest(queue):
    for key, priority in (("a", 0), ("b", 5), ("c", 5), ("d", 1)):
        queue.submit("x", {}, idempotency_key=key, priority=priority)
    assert [queue.claim().idempotency_key for _ in range(4)] == ["b", "c", "d", "a"]
    assert queue.claim() is None


def test_a_job_is_not_claimed_before_its_time_and_holds_up_no_other(queue):
    later = now_utc() + timedelta(hours=1)
    queue.submit("x", {}, idempotency_key="later", priority=9, not_before=later)
    queue.submit("x", {}, idempotency_key="now")
    assert queue.claim().idempotency_key == "now"
    assert queue.claim() is None
    assert queue.next_due() == later


def test_only_jobs_of_the_kind_asked_for_are_claimed(queue):
    queue.submit("notify", {}, idempotency_key="n")
    assert queue.claim(kind="workflow") is None
    assert queue.next_due(kind="workflow") is None
    assert queue.claim(kind="notify").idempotency_key == "n"


def test_a_job_that_is_cancelled_between_claim_and_start_does_not_start(queue):
    job = queue.submit("x", {}, idempotency_key="k")
    assert queue.claim().job_id == job
    assert queue.cancel(job) is JobStatus.CANCELLED
    assert queue.start(job) is False
    assert queue.job(job).status is JobStatus.CANCELLED


def test_a_running_job_that_is_cancelled_ends_as_cancelled_whatever_happens_to_it(queue):
    job = queue.submit("x", {}, idempotency_key="k")
    queue.claim()
    queue.start(job)
    assert queue.cancel(job, "not needed") is JobStatus.CANCELLING
    assert queue.fail(job, "oops").status is JobStatus.CANCELLED
    assert queue.claim() is None


def test_a_job_that_fails_is_tried_again_and_then_given_up(queue):
    job = queue.submit("x", {}, idempotency_key="k", max_attempts=3)
    for attempt in (1, 2, 3):
        assert queue.claim().job_id == job
        assert queue.start(job)
        assert queue.fail(job, f"error {attempt}").attempts == attempt
    assert queue.claim() is None
    assert [(j.job_id, j.last_error) for j in queue.dead_letters()] == [(job, "error 3")]
    assert queue.stats()["dead_letter"] == 1


def test_a_dead_letter_can_be_queued_again_with_new_attempts(queue):
    job = queue.submit("x", {}, idempotency_key="k", max_attempts=1)
    queue.claim()
    queue.start(job)
    queue.fail(job, "once")
    queue.requeue(job)
    assert queue.claim().attempts == 0
    with pytest.raises(InputError, match="is not in the dead letters, in doubt or paused but claimed"):
        queue.requeue(job)


def test_what_a_crash_left_behind_is_put_back(queue):
    jobs = [queue.submit("x", {}, idempotency_key=str(k)) for k in range(4)]
    for _ in range(3):
        queue.claim()
    queue.start(jobs[1])
    queue.start(jobs[2])
    queue.cancel(jobs[2])
    assert queue.recover("x") == 2
    assert [job.status.value for job in queue.jobs()] == ["queued", "queued", "cancelled", "queued"]


@pytest.mark.parametrize("call", ["complete", "fail"])
def test_a_job_that_does_not_run_cannot_end(queue, call):
    job = queue.submit("x", {}, idempotency_key="k")
    with pytest.raises(InputError, match=f"Job {job} is not running but queued"):
        getattr(queue, call)(job, *(["error"] if call == "fail" else []))


def test_an_unknown_job_is_named(queue):
    with pytest.raises(InputError, match="There is no job 7"):
        queue.job(7)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        pytest.param({"idempotency_key": ""}, "needs a kind and an idempotency key", id="no key"),
        pytest.param({"idempotency_key": "k", "max_attempts": 0}, "give at least 1", id="no attempt"),
    ],
)
def test_a_job_that_cannot_be_is_refused(queue, values, match):
    with pytest.raises(InputError, match=match):
        queue.submit("x", {}, **values)
    assert queue.jobs() == ()


def test_retries_wait_longer_each_time_and_never_all_at_once():
    for attempt, longest in ((1, 0.5), (2, 1.0), (3, 2.0), (40, 300.0)):
        waits = {retry_delay_s(attempt) for _ in range(20)}
        assert len(waits) > 1
        assert all(longest / 2 <= wait <= longest for wait in waits)


class QueueMachine(RuleBasedStateMachine):
    """The queue beside a dictionary of what it should hold."""

    jobs = Bundle("jobs")
    claimed = Bundle("claimed")
    running = Bundle("running")

    def __init__(self, database):
        super().__init__()
        self.store = Store.open(database)
        self.queue = JobQueue(self.store)
        self.expected: dict[int, JobStatus] = {}
        self.priority: dict[int, int] = {}
        self.attempts: dict[int, int] = {}

    def teardown(self):
        self.store.close()

    @rule(target=jobs, key=st.integers(0, 30), priority=st.integers(-2, 2))
    def submit(self, key, priority):
        job = self.queue.submit("x", {"key": key}, idempotency_key=str(key), priority=priority, max_attempts=2)
        if job not in self.expected:
            self.expected[job], self.priority[job], self.attempts[job] = JobStatus.QUEUED, priority, 0
        return job

    @rule(target=claimed)
    def claim(self):
        waiting = [job for job, status in self.expected.items() if status is JobStatus.QUEUED]
        job = self.queue.claim()
        if not waiting:
            assert job is None
            return multiple()
        assert job.job_id == min(waiting, key=lambda one: (-self.priority[one], one))
        self.expected[job.job_id] = JobStatus.CLAIMED
        return job.job_id

    @rule(target=running, job=consumes(claimed))
    def start(self, job):
        may = self.expected[job] is JobStatus.CLAIMED
        assert self.queue.start(job) is may
        if not may:
            return multiple()
        self.expected[job] = JobStatus.RUNNING
        return job

    @rule(job=consumes(running))
    def complete(self, job):
        if self.expected[job] in {JobStatus.RUNNING, JobStatus.CANCELLING}:
            self.queue.complete(job)
            self.expected[job] = JobStatus.SUCCEEDED

    @rule(job=consumes(running))
    def fail(self, job):
        if self.expected[job] is JobStatus.CANCELLING:
            self.queue.fail(job, "error")
            self.expected[job] = JobStatus.CANCELLED
        elif self.expected[job] is JobStatus.RUNNING:
            self.queue.fail(job, "error")
            self.attempts[job] += 1
            self.expected[job] = JobStatus.DEAD_LETTER if self.attempts[job] == 2 else JobStatus.QUEUED

    @rule(job=jobs)
    def cancel(self, job):
        after = {
            JobStatus.QUEUED: JobStatus.CANCELLED,
            JobStatus.CLAIMED: JobStatus.CANCELLED,
            JobStatus.RUNNING: JobStatus.CANCELLING,
        }
        self.expected[job] = after.get(self.expected[job], self.expected[job])
        assert self.queue.cancel(job) is self.expected[job]

    @rule()
    def crash(self):
        self.queue.recover("x")
        after = {
            JobStatus.CLAIMED: JobStatus.QUEUED,
            JobStatus.RUNNING: JobStatus.QUEUED,
            JobStatus.CANCELLING: JobStatus.CANCELLED,
        }
        self.expected = {job: after.get(status, status) for job, status in self.expected.items()}

    @rule(job=jobs)
    def requeue(self, job):
        if self.expected[job] is JobStatus.DEAD_LETTER:
            self.queue.requeue(job)
            self.expected[job], self.attempts[job] = JobStatus.QUEUED, 0

    @invariant()
    def nothing_is_lost_or_doubled(self):
        assert {job.job_id: job.status for job in self.queue.jobs()} == self.expected


def test_whatever_is_asked_in_whatever_order_no_job_is_lost_or_doubled(new_database):
    run_state_machine_as_test(
        lambda: QueueMachine(new_database()),
        settings=settings(max_examples=30, stateful_step_count=30, deadline=None),
    )


def test_a_job_whose_time_has_come_goes_by_its_priority(queue):
    moment = now_utc() - timedelta(seconds=1)
    for name, priority, not_before in (("a", 0, None), ("b", 5, moment), ("c", 9, now_utc() + timedelta(days=1))):
        queue.submit("x", {}, idempotency_key=name, priority=priority, not_before=not_before)
    assert queue.next_due() <= now_utc()
    assert [job.idempotency_key for job in queue.claim_many(3)] == ["b", "a"]
    assert queue.next_due() > now_utc()


def test_jobs_of_several_kinds_are_claimed_in_one_order(queue):
    for k, (kind, priority) in enumerate([("x", 0), ("y", 9), ("z", 5), ("x", 7)]):
        queue.submit(kind, {}, idempotency_key=str(k), priority=priority)
    assert [job.kind for job in queue.claim_many(3)] == ["y", "x", "z"]


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        pytest.param(due("of_kind"), "ix_actions_due_of_kind (kind=?)", id="of a kind"),
        pytest.param(due("for"), "ix_actions_due_for (resources=?)", id="for a resource"),
        pytest.param(RELEASE, "ix_actions_later (status=? AND not_before<?)", id="whose time has come"),
    ],
)
def test_a_claim_looks_at_no_job_that_is_for_later(tmp_path, statement, index):
    with Store.open(tmp_path / "lab.db") as store, store.read() as tx:
        sql = str(statement.statement.compile(dialect=tx.dialect))
        (row,) = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?"))
        assert row.detail.endswith(index)
