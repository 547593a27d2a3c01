"""A facility in numbers: use, queues, the bottleneck, and what a change would bring, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from cellos_nb.operations.banks.inputs import Floats
from cellos_nb.operations.facility.change import changed
from cellos_nb.operations.facility.config import DAY_H, MONTH_H, FacilityConfig
from cellos_nb.operations.facility.run import Replication, replicate
from cellos_nb.operations.facility.work import offered_load


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over replications, with half of its 95 % interval (Student's t)."""

    mean: float
    half_width: float

    @classmethod
    def of(cls, values: Floats) -> Estimate:
        """Over the replications that have a value; not a number where fewer than two have."""
        there = values[np.isfinite(values)]
        if len(there) < 2:
            return cls(float(there.mean()) if len(there) else math.nan, math.nan)
        half = stats.t.ppf(0.975, len(there) - 1) * there.std(ddof=1) / np.sqrt(len(there))
        return cls(float(there.mean()), float(half))


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """One resource over the window."""

    name: str
    capacity: int
    offered: float
    """What is asked of it, over what there is while work on it may begin; from 1 on the queue grows without end."""
    used: Estimate
    """Share of its own hours in which it is in use."""
    queue_h: Estimate
    """Hours that steps waited for it, in a month; where several resources were missing, shared among them."""
    closed_h: Estimate
    """Hours in a month that steps waited only for its hours to begin."""


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """One kind of work over the window."""

    name: str
    n_jobs: float
    """That arrive, on average over replications."""
    finished_per_month: Estimate
    """Plates, or stages of banks."""
    flow_days: Estimate
    """From arrival to end, mean of those that ended."""
    flow_p95_days: Estimate
    wait_h: Estimate
    """That a step waits before it begins, on average."""
    unfinished: float
    """Share of the jobs that arrived in the window and had not ended after as much time again: a sign of overload."""


@dataclass(frozen=True, slots=True, eq=False)
class FacilityPlan:
    """A facility as it is."""

    config: FacilityConfig
    resources: tuple[ResourceUse, ...]
    loads: tuple[LoadOutcome, ...]
    replications: tuple[Replication, ...]

    @property
    def bottleneck(self) -> ResourceUse | None:
        """What work waits for most, not counting nights and weekends; None when nothing waits."""
        waited = [one for one in self.resources if one.queue_h.mean > 0]
        return max(waited, key=lambda one: one.queue_h.mean) if waited else None

    @property
    def overloaded(self) -> tuple[ResourceUse, ...]:
        """Resources of which more is asked than there is."""
        return tuple(one for one in self.resources if one.offered >= 1.0)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a change brings: differences of replications that have the same work, with their intervals."""

    change: str
    """As a person wrote it."""
    flow_days: dict[str, Estimate]
    """Later (+) or earlier (−), by load."""
    wait_h: dict[str, Estimate]
    """Of a step, by load."""
    finished_per_month: Estimate
    """Plates and stages of banks, all together."""
    plan: FacilityPlan


def plan_facility(config: FacilityConfig, *, say: Callable[[str], None] | None = None) -> FacilityPlan:
    """Lives through the months of a facility, as often as its file says.

    Args:
        config: the facility.
        say: hears of each replication that is done.

    Raises:
        ConfigError: a bank's file is refused.
    """
    made = []
    for number in range(config.replications):
        made.append(replicate(config, number))
        if say is not None:
            say(f"{number + 1} of {config.replications}")
    return summarise(config, tuple(made))


def what_if(before: FacilityPlan, change: str) -> WhatIf:
    """The same work in a facility that was changed.

    Args:
        before: the facility as it is.
        change: such as `liquid handler=2`, or `people=3, people.closes=20`; see `changed`.

    Raises:
        InputError: the change cannot be.
    """
    after = plan_facility(changed(before.config, change))
    flow, wait = {}, {}
    for load in (one.name for one in before.loads):
        flow[load] = _paired(before, after, partial(_mean_flow_days, load=load))
        wait[load] = _paired(before, after, partial(_mean_wait_h, load=load))
    finished = _paired(before, after, lambda one: sum(one.n_finished_items.values()) / (one.window_h / MONTH_H))
    return WhatIf(change, flow, wait, finished, after)


def one_more_of_each(before: FacilityPlan) -> tuple[WhatIf, ...]:
    """What one more of each resource brings, that which shortens work most first."""
    found = [what_if(before, f"{one.name}={one.capacity + 1}") for one in before.resources]
    return tuple(sorted(found, key=lambda one: sum(np.nan_to_num(each.mean) for each in one.flow_days.values())))


def summarise(config: FacilityConfig, replications: tuple[Replication, ...]) -> FacilityPlan:
    """Replications in numbers."""
    offered = offered_load(config)
    uses = []
    for one in config.resources:
        accounts = [each.accounts[one.name] for each in replications]
        windows = np.array([each.window_h for each in replications])
        full = windows * one.capacity * one.open_share
        months = windows / MONTH_H
        uses.append(
            ResourceUse(
                one.name,
                one.capacity,
                offered[one.name],
                Estimate.of(np.array([each.used_h for each in accounts]) / full),
                Estimate.of(np.array([each.waited_h for each in accounts]) / months),
                Estimate.of(np.array([each.closed_h for each in accounts]) / months),
            )
        )
    loads = tuple(_outcome(load.name, replications) for load in (*config.campaigns, *config.banks))
    return FacilityPlan(config, tuple(uses), loads, replications)


def _outcome(load: str, replications: tuple[Replication, ...]) -> LoadOutcome:
    def over(value: Callable[[Replication], float]) -> Estimate:
        return Estimate.of(np.array([value(one) for one in replications]))

    jobs = [job for one in replications for job in one.jobs if job.load == load]
    unfinished = float(np.mean([np.isnan(job.flow_h) for job in jobs])) if jobs else math.nan
    return LoadOutcome(
        load,
        len(jobs) / len(replications),
        over(lambda one: one.n_finished_items.get(load, 0) / (one.window_h / MONTH_H)),
        over(partial(_mean_flow_days, load=load)),
        over(lambda one: float(np.quantile(_flow_days(one, load), 0.95)) if len(_flow_days(one, load)) else math.nan),
        over(partial(_mean_wait_h, load=load)),
        unfinished,
    )


def _paired(before: FacilityPlan, after: FacilityPlan, value: Callable[[Replication], float]) -> Estimate:
    pairs = zip(before.replications, after.replications, strict=True)
    return Estimate.of(np.array([value(new) - value(old) for old, new in pairs]))


def _flow_days(one: Replication, load: str) -> Floats:
    """Of the jobs that ended."""
    flows = np.array([job.flow_h for job in one.jobs if job.load == load], dtype=float) / DAY_H
    return flows[np.isfinite(flows)]


def _mean_flow_days(one: Replication, load: str) -> float:
    return _mean(_flow_days(one, load))


def _mean_wait_h(one: Replication, load: str) -> float:
    return _mean(one.waits_h.get(load, np.empty(0)))


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan
