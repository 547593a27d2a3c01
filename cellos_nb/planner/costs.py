"""What each experiment costs, as the campaign states it."""

from __future__ import annotations

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.plate import plate_format
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array

_UM_PER_MM = 1e3


def treatment_prices_usd(config: CampaignConfig, pool: CandidatePool) -> Array | None:
    """Shape (n_treatments,): USD of one experiment, its replicates included; None where the campaign states no cost.

    Each well bears its share of the plate, the robot's seconds, and the stock that its dose takes.
    """
    cost = config.planner.cost
    if cost is None:
        return None
    volume_ul = plate_format(config.plate_format).working_volume_ul
    usd_per_ul = {each.compound: each.usd_per_ul for each in cost.stocks}
    stock_um = {each.name: (each.stock_mm or config.stock_mm or np.inf) * _UM_PER_MM for each in config.compounds}
    prices = np.array([usd_per_ul.get(name, 0.0) for name in pool.compounds])
    stock_ul = volume_ul * pool.doses_um / np.array([stock_um[name] for name in pool.compounds])
    well = cost.plate_usd / config.plate_format + cost.robot_usd_per_s * cost.robot_s_per_well
    result: Array = config.replicates * (well + stock_ul * prices)
    return result
