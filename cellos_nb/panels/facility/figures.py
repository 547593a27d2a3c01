"""The pictures of the facility panel, the same where nobody can click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellos_nb.operations.facility.config import DAY_H
from cellos_nb.operations.facility.plan import FacilityPlan, WhatIf
from cellos_nb.operations.facility.weeks import use_by_week
from cellos_nb.panels.static import new_figure
from cellos_nb.panels.svg_figure import INK, plain_axes
from cellos_nb.panels.theme import SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = SERIES[0], SERIES[1], SERIES[2]


def queue_figure(plan: FacilityPlan) -> Figure:
    """What is asked of each resource, and how long steps wait for it and for its hours."""
    figure = new_figure(7.2, 1.4 + 0.3 * len(plan.resources))
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(plan.resources))
    for axes in (left, right):
        plain_axes(axes)
    asked = [100 * one.offered for one in plan.resources]
    used = [100 * one.used.mean for one in plan.resources]
    left.barh(places - 0.18, asked, 0.36, color=_BLUE, label="asked of it")
    left.barh(places + 0.18, used, 0.36, color=_GREEN, label="in use")
    left.axvline(100, color=_ORANGE, linestyle="--", linewidth=1.2)
    left.set(xlabel="% of what there is", xlim=(0, max(105, *asked)))
    queue = [one.queue_h.mean for one in plan.resources]
    errors = [np.nan_to_num(one.queue_h.half_width) for one in plan.resources]
    style = {"elinewidth": 1, "ecolor": INK, "capsize": 2}
    right.barh(places - 0.18, queue, 0.36, xerr=errors, color=_BLUE, label="queue", error_kw=style)
    closed = [one.closed_h.mean for one in plan.resources]
    right.barh(places + 0.18, closed, 0.36, color=INK, alpha=0.5, label="closed")
    right.set(xlabel="hours that steps wait, in a month")
    left.set_yticks(places, [f"{one.name} ({one.capacity})" for one in plan.resources])
    left.invert_yaxis()
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def days_figure(plan: FacilityPlan, change: WhatIf | None) -> Figure:
    """Days from asking to the last reading: the share of the jobs that are done within so many."""
    loads = [one.name for one in plan.loads]
    figure = new_figure(7.2, 2.8)
    every = figure.subplots(1, len(loads), squeeze=False)[0]
    both = [(plan, _BLUE, "as it is")] + ([(change.plan, _ORANGE, "changed")] if change is not None else [])
    for axes, load in zip(every, loads, strict=True):
        plain_axes(axes)
        for one, colour, label in both:
            flows = [job.flow_h / DAY_H for each in one.replications for job in each.jobs if job.load == load]
            done = np.sort([flow for flow in flows if np.isfinite(flow)])
            if len(done):
                axes.step(done, np.arange(1, len(done) + 1) / len(flows), where="post", color=colour, label=label)
        axes.set(title=load, xlabel="days", ylim=(0, 1.02))
    every[0].set_ylabel("share done")
    every[0].legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def weeks_figure(plan: FacilityPlan, resource: str) -> Figure:
    """Use of a resource week by week: median, and nine tenths of the replications."""
    figure = new_figure(7.2, 2.4)
    axes = figure.subplots()
    plain_axes(axes)
    used = 100 * use_by_week(plan, resource)
    weeks = np.arange(1, used.shape[1] + 1)
    if len(weeks):
        low, middle, high = np.quantile(used, (0.05, 0.5, 0.95), axis=0)
        axes.fill_between(weeks, low, high, color=_BLUE, alpha=0.3, label="5 to 95 % of the replications")
        axes.plot(weeks, middle, color=_BLUE, label="median")
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    axes.set(xlabel="week", ylabel=f"{resource} in use, %", ylim=(0, None))
    return figure
