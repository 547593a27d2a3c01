"""The use of a facility week by week, over its replications."""

from __future__ import annotations

import numpy as np

from cellos_nb.operations.banks.inputs import Floats
from cellos_nb.operations.facility.floor import WEEK_H
from cellos_nb.operations.facility.plan import FacilityPlan


def use_by_week(plan: FacilityPlan, resource: str) -> Floats:
    """Share of a resource's hours in which it is in use; shape (n_replications, n_weeks), whole weeks alone.

    Raises:
        KeyError: there is no such resource.
    """
    one = {each.name: each for each in plan.config.resources}[resource]
    used = np.array([each.accounts[resource].used_by_week_h for each in plan.replications])
    n_whole = int(plan.replications[0].window_h // WEEK_H)
    return np.asarray(used[:, :n_whole] / (WEEK_H * one.capacity * one.open_share))
