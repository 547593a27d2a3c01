"""The use of a facility week by week, over its replications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellos_nb.operations.banks.inputs import Floats
from cellos_nb.operations.facility.floor import WEEK_H
from cellos_nb.operations.facility.plan import FacilityPlan

if TYPE_CHECKING:
    import pandas as pd


def use_by_week(plan: FacilityPlan, resource: str) -> Floats:
    """Share of a resource's hours in which it is in use; shape (n_replications, n_weeks), whole weeks alone.

    Raises:
        KeyError: there is no such resource.
    """
    one = {each.name: each for each in plan.config.resources}[resource]
    used = np.array([each.accounts[resource].used_by_week_h for each in plan.replications])
    n_whole = int(plan.replications[0].window_h // WEEK_H)
    return np.asarray(used[:, :n_whole] / (WEEK_H * one.capacity * one.open_share))


def week_table(plan: FacilityPlan) -> pd.DataFrame:
    """Use of every resource in every week: mean and highest over the replications, in %."""
    import pandas as pd

    rows = [
        (week + 1, one.name, round(100 * float(used[:, week].mean()), 1), round(100 * float(used[:, week].max()), 1))
        for one in plan.config.resources
        for used in [use_by_week(plan, one.name)]
        for week in range(used.shape[1])
    ]
    table = pd.DataFrame(rows, columns=["week", "resource", "in use, %", "at most, %"])
    return table.sort_values(["week", "resource"], kind="stable").reset_index(drop=True)
