"""What a piece of work asks of the conductor: devices, a call, or time. Work is a generator that yields these."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cellos_nb.execution.jobs import JobStatus


@dataclass(frozen=True, slots=True)
class Take:
    """Between two steps: goes on when work is allowed and all of these devices are free, which it then holds.

    What was held before is free again. The answer is None, or the plate that holds one of them until a person decides.
    """

    devices: tuple[str, ...]
    """By name, with their machine: `ot2-left/liquid_handler`."""
    step_uid: str = ""
    """The step that needs them."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may take long; the answer is what it returns, and what it raises is raised where it was asked for."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    limit_s: float
    """After so long `StuckError` is raised; the devices stay taken until the call has come back."""
    what: str
    """For people: `step 3-dose`."""
    is_after_commit: bool = False
    """Whether what was noted about it has to be stored first; calls of several plates then share that commit."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Time that has to pass, without any device."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a piece of work does not go on now."""

    status: JobStatus
    error: str
    retry_in: timedelta | None = None
    is_attempt: bool = False
    """Whether it counts as one of the job's attempts."""
    is_held: bool = False
    """Whether it waits for a device that only a person can release."""
    is_waiting: bool = False
    """Whether nothing went wrong: a person is at it."""


class NotSentError(Exception):
    """Raised where work waits for a call that was not made and no longer will be."""


class WithdrawnError(Exception):
    """Raised where work waits for devices or time, when a person has cancelled it."""


Order = Take | Call | Rest
Work = Generator[Order, Any, Halt | None]
"""Ends with None when everything is done."""
