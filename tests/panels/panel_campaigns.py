"""Small campaigns for the tests of the launcher, the comparison and the explanations."""

from __future__ import annotations

from cellos_nb import CampaignConfig

EVIL = "<img src=x onerror=alert(1)> & co"


def small_config(**changes) -> CampaignConfig:
    return CampaignConfig(
        **{
            "name": EVIL,
            "cell_lines": ["U2OS", "HepG2"],
            "compounds": ["=staurosporine<b>", "paclitaxel"],
            "dose_range_um": [0.001, 10],
            "n_doses": 7,
            "objective": "minimise",
            "batch_size": 14,
            "max_iterations": 2,
            "replicates": 2,
            "controls": {"vehicle": 6, "positive": {"compound": "bortezomib", "dose_um": 1.0, "wells": 4}},
            "machine": "virtual",
            "planner": {"kind": "mechanistic", "n_initial": 14},
            "seed": 3,
        }
        | changes
    )
