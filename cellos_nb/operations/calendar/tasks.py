"""What is to be scheduled: steps of plates and of cell banks, with what each needs and how far it may move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a task uses while it lasts, or for its first minutes."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    any_of: tuple[str, ...]
    """Names of resources, one of which is enough."""
    minutes: int | None = None
    """How long it is used from the task's beginning, as a person who loads a deck is; to its end when None."""
    amount: int = 1
    """How much of it: the flasks of a culture in an incubator."""
    is_bound: bool = False
    """Whether all tasks of the job that need the same ones use the same one: a plate stays on its robot."""


@dataclass(frozen=True, slots=True)
class After:
    """What has to be over before a task begins."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    task_id: str
    at_least_min: int = 0
    """Minutes from the end of that task to the beginning of this one, at least."""
    at_most_min: int | None = None
    """The same, at most: 0 after an incubation, which ends when the plate is taken out. No limit when None."""


@dataclass(frozen=True, slots=True)
class Task:
    """One step."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    task_id: str
    """Unique in a schedule: `kinase/i001-p1:3-dose`."""
    job_id: str
    """The plate or culture that it is a step of; steps of one job follow one another."""
    owner: str
    """The campaign or cell bank behind the job."""
    name: str
    """As a biologist says it: dose, feed."""
    minutes: int
    """How long it takes."""
    needs: tuple[Need, ...] = ()
    after: tuple[After, ...] = ()
    longer_min: int = 0
    """Minutes that an incubation may last longer."""
    shorter_min: int = 0
    """Minutes that an incubation may last shorter."""
    arrived_at: datetime | None = None
    """When the lab heard of it; nothing begins before."""
    due: datetime | None = None
    """When it should begin, of a task by the calendar such as a feed."""
    earlier_min: int = 0
    """Minutes before `due` at which it may begin."""
    later_min: int = 0
    """Minutes after `due` at which it may begin."""
    is_forecast: bool = False
    """Whether it is expected and nobody has asked for it yet: a plate of an iteration to come."""

    @property
    def is_elastic(self) -> bool:
        """Whether it lasts until its successor begins: an incubation."""
        return self.longer_min > 0 or self.shorter_min > 0
