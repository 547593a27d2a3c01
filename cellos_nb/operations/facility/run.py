"""One replication: the work of some months goes through a facility, in simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from simpy import AllOf, Environment, Event

from cellos_nb.operations.banks.inputs import Floats
from cellos_nb.operations.facility.config import DAY_H, MONTH_H, FacilityConfig
from cellos_nb.operations.facility.floor import Account, Floor
from cellos_nb.operations.facility.work import Job, WorkStep, draw_work


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What became of one campaign or bank."""

    load: str
    number: int
    arrives_h: float
    flow_h: float
    """From its arrival to its end; not a number when it had none after another window's time."""
    waited_h: float
    """Of its items, on average, with nothing to do but wait for resources."""
    n_items: int


@dataclass(frozen=True, slots=True, eq=False)
class Replication:
    """What was counted in the window of measurement."""

    jobs: tuple[JobRecord, ...]
    """Those that arrived in it."""
    accounts: dict[str, Account]
    """By resource."""
    waits_h: dict[str, Floats]
    """Hours that each step waited before it began, by load, of steps asked for in the window."""
    n_finished_items: dict[str, int]
    """Plates and stages of banks that were finished in the window, by load, whenever they arrived."""
    window_h: float


def replicate(config: FacilityConfig, replication: int) -> Replication:
    """Lives through warm-up and window once, and on until all that arrived in the window has ended.

    Work goes on arriving meanwhile, so the last jobs do not find an empty laboratory. Where more is asked than there
    is, that time might never come: after another window's length it is over.

    Args:
        config: the facility.
        replication: number of the luck.
    """
    begins = config.warm_up_days * DAY_H
    ends = begins + config.months * MONTH_H
    last = ends + (ends - begins)
    jobs = draw_work(config, replication, last)
    measured = [job for job in jobs if begins <= job.arrives_h < ends]
    env = Environment()
    run = _Run(env, Floor(env, config.resources, begins, ends), begins, ends, len(measured), env.event())
    env.process(run.let_in(jobs))
    env.run(until=ends)
    if run.n_open:
        env.run(until=run.is_over | env.timeout(last - ends))
    run.floor.settle()
    return Replication(
        jobs=tuple(run.record(job) for job in measured),
        accounts=run.floor.accounts,
        waits_h={load: np.array(waits) for load, waits in run.waits.items()},
        n_finished_items=run.n_finished,
        window_h=ends - begins,
    )


@dataclass(slots=True)
class _Progress:
    ended_h: float = np.nan
    waited_h: float = 0.0


@dataclass(slots=True)
class _Run:
    env: Environment
    floor: Floor
    begins_h: float
    ends_h: float
    n_open: int
    """Jobs of the window that have not ended yet."""
    is_over: Event
    """Happens when the last of them ends."""
    waits: dict[str, list[float]] = field(default_factory=dict)
    n_finished: dict[str, int] = field(default_factory=dict)
    progress: dict[tuple[str, int], _Progress] = field(default_factory=dict)

    def let_in(self, jobs: list[Job]) -> Iterator[Event]:
        """Jobs arrive."""
        for job in jobs:
            if job.arrives_h > self.env.now:
                yield self.env.timeout(job.arrives_h - self.env.now)
            self.env.process(self._job(job))

    def record(self, job: Job) -> JobRecord:
        """What became of a job."""
        progress = self.progress.get((job.load, job.number), _Progress())
        waited = progress.waited_h / max(job.n_items, 1)
        return JobRecord(job.load, job.number, job.arrives_h, progress.ended_h - job.arrives_h, waited, job.n_items)

    def _job(self, job: Job) -> Iterator[Event]:
        progress = self.progress[job.load, job.number] = _Progress()
        for number, items in enumerate(job.rounds):
            if number and job.pause_h:
                yield self.env.timeout(job.pause_h)
            yield AllOf(self.env, [self.env.process(self._item(job.load, steps, progress)) for steps in items])
        progress.ended_h = self.env.now
        if self._is_measured(job.arrives_h):
            self.n_open -= 1
            if not self.n_open:
                self.is_over.succeed()

    def _item(self, load: str, steps: tuple[WorkStep, ...], progress: _Progress) -> Iterator[Event]:
        """One plate, or one stage of a bank."""
        held: tuple[WorkStep, ...] = ()
        began_h: float | None = None
        for step in steps:
            if began_h is not None and began_h + step.not_before_h > self.env.now:
                yield self.env.timeout(began_h + step.not_before_h - self.env.now)
            asked_h = self.env.now
            yield self.floor.ask(step.claims)
            self._note_wait(load, asked_h, progress)
            began_h = self.env.now if began_h is None else began_h
            for before in held:
                self.floor.give_back(before.claims)
            yield self.env.timeout(step.hours)
            held = (step,) if step.stays else ()
            if not step.stays:
                self.floor.give_back(step.claims)
        for before in held:
            self.floor.give_back(before.claims)
        if self._is_measured(self.env.now):
            self.n_finished[load] = self.n_finished.get(load, 0) + 1

    def _note_wait(self, load: str, asked_h: float, progress: _Progress) -> None:
        waited = self.env.now - asked_h
        progress.waited_h += waited
        if self._is_measured(asked_h):
            self.waits.setdefault(load, []).append(waited)

    def _is_measured(self, moment_h: float) -> bool:
        return self.begins_h <= moment_h < self.ends_h
