"""Every way in which jobs and steps change their state, as data: what the documentation draws and the tests hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.journal import StepStatus

State = TypeVar("State", JobStatus, StepStatus)


@dataclass(frozen=True, slots=True)
class Move(Generic[State]):
    """One change of state."""

    before: State
    after: State
    when: str
    """What brings it about."""
    by_person: bool = False
    """Whether it needs a person's decision."""


JOB_BEGINS = JobStatus.QUEUED
"""How a job begins."""

JOB_MOVES: tuple[Move[JobStatus], ...] = (
    Move(JobStatus.QUEUED, JobStatus.CLAIMED, "the dispatcher takes it, to begin it in a moment"),
    Move(JobStatus.QUEUED, JobStatus.RUNNING, "the dispatcher takes it and begins it at once"),
    Move(JobStatus.QUEUED, JobStatus.CANCELLED, "somebody cancels it", by_person=True),
    Move(JobStatus.CLAIMED, JobStatus.RUNNING, "its work begins"),
    Move(JobStatus.CLAIMED, JobStatus.QUEUED, "it is put back, or its dispatcher died"),
    Move(JobStatus.CLAIMED, JobStatus.CANCELLED, "somebody cancels it before it has begun", by_person=True),
    Move(JobStatus.RUNNING, JobStatus.SUCCEEDED, "all of it is done"),
    Move(JobStatus.RUNNING, JobStatus.QUEUED, "it waits, an attempt failed, or its dispatcher died"),
    Move(JobStatus.RUNNING, JobStatus.DEAD_LETTER, "the last attempt failed, or what failed may not be repeated"),
    Move(JobStatus.RUNNING, JobStatus.IN_DOUBT, "nobody can tell whether a step took effect"),
    Move(JobStatus.RUNNING, JobStatus.PAUSED, "a real machine needs an approval first"),
    Move(JobStatus.RUNNING, JobStatus.CANCELLING, "somebody cancels it", by_person=True),
    Move(JobStatus.RUNNING, JobStatus.CANCELLED, "the work under way is withdrawn"),
    Move(JobStatus.CANCELLING, JobStatus.CANCELLED, "the step in progress has ended"),
    Move(JobStatus.CANCELLING, JobStatus.SUCCEEDED, "it was done before it could be ended"),
    Move(JobStatus.CANCELLING, JobStatus.IN_DOUBT, "nobody can tell whether the step in progress took effect"),
    Move(JobStatus.CANCELLING, JobStatus.DEAD_LETTER, "the step in progress failed and may have begun"),
    Move(JobStatus.CANCELLING, JobStatus.PAUSED, "it turned out to wait for an approval"),
    Move(JobStatus.DEAD_LETTER, JobStatus.QUEUED, "somebody requeues it", by_person=True),
    Move(JobStatus.IN_DOUBT, JobStatus.QUEUED, "somebody says what became of the step", by_person=True),
    Move(JobStatus.PAUSED, JobStatus.QUEUED, "somebody approves it", by_person=True),
    Move(JobStatus.PAUSED, JobStatus.CANCELLED, "somebody cancels it", by_person=True),
    Move(JobStatus.IN_DOUBT, JobStatus.CANCELLED, "somebody discards the plate", by_person=True),
    Move(JobStatus.DEAD_LETTER, JobStatus.CANCELLED, "somebody discards the plate", by_person=True),
)
"""Of jobs, plates' runs among them."""

STEP_BEGINS = StepStatus.STARTED
"""How an attempt at a step begins: as an intent that is stored before the device is called."""

STEP_MOVES: tuple[Move[StepStatus], ...] = (
    Move(StepStatus.STARTED, StepStatus.DONE, "the machine did it, or says after a crash that it did"),
    Move(StepStatus.STARTED, StepStatus.REFUSED, "the machine declined before anything moved"),
    Move(StepStatus.STARTED, StepStatus.FAILED, "it failed, and may have begun"),
    Move(StepStatus.STARTED, StepStatus.INTERRUPTED, "a crash cut short what is harmless to repeat"),
    Move(StepStatus.STARTED, StepStatus.IN_DOUBT, "the machine cannot tell what became of it"),
    Move(StepStatus.STARTED, StepStatus.DISCARDED, "somebody discards the plate", by_person=True),
    Move(StepStatus.IN_DOUBT, StepStatus.DONE, "the machine can tell by now, or somebody saw that it was done"),
    Move(StepStatus.IN_DOUBT, StepStatus.CONTINUED, "somebody saw how many transfers were made", by_person=True),
    Move(StepStatus.IN_DOUBT, StepStatus.DISCARDED, "somebody discards the plate", by_person=True),
    Move(StepStatus.IN_DOUBT, StepStatus.REFUSED, "the machine can tell by now that it never began"),
    Move(StepStatus.IN_DOUBT, StepStatus.FAILED, "the machine can tell by now that it failed"),
    Move(StepStatus.FAILED, StepStatus.DONE, "somebody saw that it was done all the same", by_person=True),
    Move(StepStatus.FAILED, StepStatus.CONTINUED, "somebody saw how many transfers were made", by_person=True),
)
"""Of attempts at steps in the journal."""
