"""What happens during execution, as frozen values that a progress bar or a panel can follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cellos_nb.domain.step import StepKind


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A plate begins, or goes on after a crash or a retry."""

    plate_id: str
    n_steps: int
    n_wells: int
    """Wells that hold cells."""
    n_done: int
    """Steps that were done before."""
    at: datetime


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step is about to be executed."""

    plate_id: str
    step_uid: str
    name: str
    """As a biologist says it: seed, dose, read."""
    kind: StepKind
    attempt: int
    """Counted from 1."""
    at: datetime


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step was executed."""

    plate_id: str
    step_uid: str
    name: str
    kind: StepKind
    at: datetime


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed; `retry_at` says whether and when it is tried again."""

    plate_id: str
    step_uid: str
    name: str
    kind: StepKind
    error: str
    retry_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RunDone:
    """A plate came to an end."""

    plate_id: str
    n_wells: int
    status: str
    """`succeeded`, `cancelled`, `dead_letter` or `in_doubt`."""
    error: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RunPostponed:
    """A plate waits for another attempt, or for a device that another plate holds."""

    plate_id: str
    error: str
    until: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ResultsStored:
    """The conclusions of a batch are in the store."""

    batch_id: str
    iteration: int
    n_experiments: int
    at: datetime


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """A daemon found that another process took its database over."""

    process: str
    """Host and number of the process that lost it."""
    fencing: int
    """The token that it had."""
    error: str
    at: datetime


Event = RunStarted | StepStarted | StepDone | StepFailed | RunDone | RunPostponed | ResultsStored | LeaseLost
OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Follows nothing."""
