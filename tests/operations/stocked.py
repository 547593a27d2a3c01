"""A lab with a stock, and the experiments that take of it."""

from __future__ import annotations

from datetime import date

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.stock import Resource

PRICED = {"price_as_of": date(2026, 11, 1), "price_source": "quotation 17"}
RESOURCES = (
    Resource(name="filter tips", kind="tips", unit="pcs", pack_size=96, pack_price_usd="8.64", **PRICED),
    Resource(
        name="96-well plate",
        kind="plate",
        n_wells=96,
        unit="pcs",
        pack_size=50,
        pack_price_usd=300,
        vendor="Corning",
        catalogue_number="3603",
        reorder_point=5,
        lead_time_days=7,
        **PRICED,
    ),
    Resource(
        name="deep-well plate",
        kind="plate",
        n_wells=96,
        plate_use="dilution",
        unit="pcs",
        pack_size=10,
        pack_price_usd=70,
        **PRICED,
    ),
    Resource(name="tubes", kind="tube", unit="pcs", pack_size=100, pack_price_usd=50, **PRICED),
    Resource(name="DMEM", kind="medium", unit="mL", pack_size=500, pack_price_usd="49.99", **PRICED),
    Resource(
        name="CellTiter-Glo",
        kind="reagent",
        used_as="viability",
        unit="mL",
        pack_size=100,
        pack_price_usd=399,
        **PRICED,
    ),
    Resource(name="DMSO", kind="solvent", unit="mL", pack_size=50, pack_price_usd=31, **PRICED),
    Resource(
        name="STS 10 mM",
        kind="compound",
        used_as="staurosporine",
        stock_mm=10,
        solvent="DMSO",
        unit="µL",
        pack_size=500,
        pack_price_usd=77,
        max_freeze_thaws=5,
        **PRICED,
    ),
    Resource(name="U2OS", kind="cells", unit="Mcells", pack_size=10, pack_price_usd=20, max_passage=30, **PRICED),
)
VOLUMES = ("DMEM", "DMSO", "STS 10 mM")
"""What is pipetted out of tubes, by volume; the detection reagent is injected by the reader."""


def stock(lab, *, without=(), **amounts):
    """Declares everything and receives a pack of it, or as much as is said."""
    inventory = lab.inventory
    for resource in RESOURCES:
        inventory.declare(resource)
        key = resource.name.replace(" ", "_").replace("-", "_")
        if resource.name not in without:
            inventory.receive(resource.name, amounts.get(key), lot_number="L1")
    return inventory


def asked(n=4):
    return [ExperimentProposal("U2OS", "staurosporine", 0.1 * 2**k) for k in range(n)]


def config(name="stocked", **changes):
    return CampaignConfig(
        **{
            "name": name,
            "cell_lines": ["U2OS"],
            "compounds": [{"name": "staurosporine", "stock_mm": 10.0}],
            "dose_range_um": (0.01, 10.0),
            "n_doses": 6,
            "batch_size": 4,
            "max_iterations": 2,
            "planner": "random",
            "seed": 5,
            "controls": {"vehicle": 4},
        }
        | changes
    )


def on_hand(inventory):
    """What is there of each resource, in its smallest units."""
    found = dict.fromkeys((resource.name for resource in inventory.resources()), 0)
    for lot in inventory.lots():
        found[lot.resource] += lot.balance.on_hand
    return found
