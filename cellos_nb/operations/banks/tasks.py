"""A bank as tasks with times and needs: what a calendar places and a facility carries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TaskKind(StrEnum):
    """What is done to the cells."""

    THAW = "thaw"
    FEED = "feed"
    PASSAGE = "passage"
    FREEZE = "freeze"
    QC = "qc"


@dataclass(frozen=True, slots=True)
class BankTask:
    """One piece of work of a bank; hours count from the bank's first task. Each task comes after the one before it."""

    name: str
    """As a person reads it: `passage 2`."""
    kind: TaskKind
    earliest_h: float
    """Before this the cells are not ready."""
    latest_h: float
    """After this the cells suffer: they overgrow, starve, or lie in freezing medium."""
    duration_h: float
    """From its beginning to its end, in one go."""
    person_h: float
    """Hours of one person's hands within it; no more than `duration_h`."""
    cabinet_h: float
    """Hours of one safety cabinet within it, 0 where none is needed; no more than `duration_h`."""
    incubator_slots: int
    """Places of one flask each that are taken in incubators from the end of this task until the end of the next."""
