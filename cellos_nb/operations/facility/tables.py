"""A facility as data frames, for the command line, panels, templates and notebooks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellos_nb.operations.facility.plan import Estimate, FacilityPlan, WhatIf

if TYPE_CHECKING:
    import pandas as pd


def resource_table(plan: FacilityPlan) -> pd.DataFrame:
    """One row for each resource; hours are those of steps that waited, in a month."""
    import pandas as pd

    rows = [
        (
            one.name,
            one.capacity,
            f"{one.offered:.0%}",
            f"{one.used.mean:.0%}",
            estimate_text(one.queue_h),
            estimate_text(one.closed_h),
        )
        for one in plan.resources
    ]
    columns = ["resource", "there", "asked of it", "in use", "queue, h", "closed, h"]
    return pd.DataFrame(rows, columns=columns)


def load_table(plan: FacilityPlan) -> pd.DataFrame:
    """One row for each kind of work."""
    import pandas as pd

    rows = [
        (
            one.name,
            f"{one.n_jobs:.1f}",
            estimate_text(one.finished_per_month),
            estimate_text(one.flow_days),
            estimate_text(one.flow_p95_days),
            estimate_text(one.wait_h),
            f"{one.unfinished:.0%}",
        )
        for one in plan.loads
    ]
    columns = ["work", "jobs", "plates a month", "days", "95 % within", "step waits, h", "never ended"]
    return pd.DataFrame(rows, columns=columns)


def change_table(changes: Sequence[WhatIf]) -> pd.DataFrame:
    """One row for each change and kind of work: days and waits against the facility as it is."""
    import pandas as pd

    rows = [
        (one.change, load, signed_text(flow), signed_text(one.wait_h[load]), signed_text(one.finished_per_month))
        for one in changes
        for load, flow in one.flow_days.items()
    ]
    return pd.DataFrame(rows, columns=["change", "work", "days", "step waits, h", "all plates a month"])


def bottleneck_text(plan: FacilityPlan) -> str:
    """What work waits for most, in a sentence."""
    if plan.overloaded:
        names = " and ".join(one.name for one in plan.overloaded)
        return f"More is asked of {names} than there is: the queue grows without end, and its numbers mean little."
    found = plan.bottleneck
    if found is None:
        return "Nothing waits for anything but opening hours."
    return (
        f"The bottleneck is {found.name}: steps wait for it {estimate_text(found.queue_h)} hours in a month, and "
        f"{found.offered:.0%} of it is asked for."
    )


def estimate_text(value: Estimate) -> str:
    """A mean with half of its 95 % interval; a bar where nothing was counted."""
    if math.isnan(value.mean):
        return "-"
    if math.isnan(value.half_width):
        return _number(value.mean)
    return f"{_number(value.mean)} ± {_number(value.half_width)}"


def signed_text(value: Estimate) -> str:
    """A difference with half of its 95 % interval."""
    if math.isnan(value.mean) or math.isnan(value.half_width):
        return "-"
    return f"{'+' if value.mean >= 0 else '-'}{_number(abs(value.mean))} ± {_number(value.half_width)}"


def _number(value: float) -> str:
    """To about three digits, without exponents.

    >>> _number(1387.2), _number(16.34), _number(0.0179), _number(0.0)
    ('1,387', '16.3', '0.018', '0')
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"
