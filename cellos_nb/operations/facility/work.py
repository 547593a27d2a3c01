"""The work that comes to a facility, drawn beforehand: so the same work meets every choice of capacities."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator, SeedSequence

from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.outcome import BankRuns
from cellos_nb.operations.banks.plan import tasks_of_run
from cellos_nb.operations.banks.simulate import simulate
from cellos_nb.operations.facility.config import DAY_H, Arriving, BankLoad, CampaignLoad, FacilityConfig, FacilityStep
from cellos_nb.operations.facility.floor import Claim

N_BANK_RUNS = 200
"""Banks are drawn from so many runs."""


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One action with its duration drawn."""

    name: str
    hours: float
    claims: tuple[Claim, ...]
    stays: bool
    """Whether what it takes stays taken until the next step begins."""
    not_before_h: float = 0.0
    """Hours after the first step of its item began."""


Rounds = tuple[tuple[tuple[WorkStep, ...], ...], ...]
"""One after the other, each of items side by side, each of steps in order."""


@dataclass(frozen=True, slots=True)
class Job:
    """A campaign or a bank: rounds one after the other, each of items side by side, each of steps in order."""

    load: str
    number: int
    arrives_h: float
    rounds: Rounds
    pause_h: float
    """Between two rounds."""

    @property
    def n_items(self) -> int:
        """Plates, or stages of a bank."""
        return sum(len(items) for items in self.rounds)


def draw_work(config: FacilityConfig, replication: int, until_h: float) -> list[Job]:
    """All jobs that arrive before a moment, in order of time.

    Every load has a stream of luck of its own, so that a further load leaves the others as they are.
    """
    jobs: list[Job] = []
    loads: tuple[CampaignLoad | BankLoad, ...] = (*config.campaigns, *config.banks)
    for load in loads:
        key = (config.seed, replication, zlib.crc32(load.name.encode()))
        random = np.random.default_rng(SeedSequence(key))
        for number, arrives in enumerate(_arrivals(load, until_h, random)):
            jobs.append(Job(load.name, number, arrives, *_rounds(load, random)))
    return sorted(jobs, key=lambda job: (job.arrives_h, job.load, job.number))


def offered_load(config: FacilityConfig, n_draws: int = 200) -> dict[str, float]:
    """What the work asks of each resource, over what there is of it, on average; from 1 on queues grow without end.

    A step that needs a person as well can begin only while people are there, so a robot counts for such a step as
    being there no longer than they are. What waits in an incubator beyond its time is not in it.
    """
    known = {one.name: one for one in config.resources}
    offered = dict.fromkeys(known, 0.0)
    loads: tuple[CampaignLoad | BankLoad, ...] = (*config.campaigns, *config.banks)
    for load in loads:
        random = np.random.default_rng(SeedSequence((config.seed, zlib.crc32(load.name.encode()))))
        n = n_draws if isinstance(load, BankLoad) else 1
        for _ in range(n):
            rounds, _ = _rounds(load, random if isinstance(load, BankLoad) else None)
            for step in (step for items in rounds for steps in items for step in steps):
                share = min((known[claim.resource].open_share for claim in step.claims), default=1.0)
                for claim in step.claims:
                    hours = step.hours if claim.hours is None else claim.hours
                    there = known[claim.resource].capacity * (1.0 if step.stays else share)
                    offered[claim.resource] += claim.units * hours / (n * load.every_days * DAY_H * there)
    return offered


def _arrivals(load: Arriving, until_h: float, random: Generator) -> Iterator[float]:
    gap = load.every_days * DAY_H
    now = random.random() * gap if load.regular else random.exponential(gap)
    while now < until_h:
        yield now
        now += gap if load.regular else random.exponential(gap)


def _rounds(load: CampaignLoad | BankLoad, random: Generator | None) -> tuple[Rounds, float]:
    """The rounds of a job and the pause between them; a campaign without luck is as it is on average."""
    if isinstance(load, BankLoad):
        return _bank(load, random or np.random.default_rng(0)), 0.0
    rounds = tuple(
        tuple(tuple(_step(step, random) for step in load.steps) for _ in range(load.plates))
        for _ in range(load.iterations)
    )
    return rounds, load.pause_h


def _step(step: FacilityStep, random: Generator | None) -> WorkStep:
    hours = step.hours
    if random is not None and step.cv > 0:
        hours = float(random.gamma(1.0 / step.cv**2, step.hours * step.cv**2))
    claims = []
    for need in step.needs:
        partly = None if need.hours is None else min(need.hours, hours)
        claims.append(Claim(need.resource, need.units, partly, hours if partly is None else partly))
    return WorkStep(step.name, hours, tuple(claims), step.stays)


def _bank(load: BankLoad, random: Generator) -> Rounds:
    """One of the runs of its bank; each stage is a round, and the tests before the release are in its last step."""
    runs = _bank_runs(load.bank)
    run = int(random.integers(runs.n_runs))
    rounds = []
    for stage, tasks in zip(runs.stages, tasks_of_run(runs, run).values(), strict=True):
        steps: list[WorkStep] = []
        for number, task in enumerate(tasks):
            hands = tuple(Claim(name, 1, None, task.duration_h) for name in (load.people, load.cabinet))
            steps.append(WorkStep(task.name, task.duration_h, hands, stays=False, not_before_h=task.earliest_h))
            if task.incubator_slots and number + 1 < len(tasks):
                hours = max(tasks[number + 1].earliest_h - task.earliest_h - task.duration_h, 0.1)
                places = (Claim(load.incubator, task.incubator_slots, None, hours),)
                steps.append(WorkStep("grow", hours, places, stays=True))
        tests = float(stage.days[run]) * DAY_H - (tasks[-1].earliest_h if tasks else 0.0)
        if steps and tests > 0:
            steps.append(WorkStep("tests", tests, (), stays=False))
        if steps:
            rounds.append((tuple(steps),))
    return tuple(rounds)


@lru_cache(maxsize=8)
def _bank_runs(path: str | None) -> BankRuns:
    config = BankConfig.shipped() if path is None else BankConfig.from_yaml(path)
    return simulate(config, n_runs=N_BANK_RUNS, seed=1)
