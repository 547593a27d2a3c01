"""What a workflow will take: time, consumables and money, before anything moves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field

from cellos_nb.domain.config_errors import checked
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import plate_format
from cellos_nb.domain.settings import Name, Settings
from cellos_nb.domain.step import Fill, Liquid, Step, StepKind, TipPolicy, TransferList
from cellos_nb.domain.yaml_lines import read_yaml
from cellos_nb.errors import ConfigError
from cellos_nb.workflow.assays import ASSAYS
from cellos_nb.workflow.workflow import Workflow

K = TypeVar("K", int, str)
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_REFERENCE_STOCK_UM = 10_000.0
_UL_PER_ML = 1e3


class Prices(Settings):
    """What consumables cost, in USD."""

    as_of: date
    """When the prices were looked up."""
    source: Name
    """Where they were looked up."""
    plate_usd: dict[int, Usd]
    """One assay plate, by number of wells."""
    dilution_plate_usd: Usd
    """One plate for intermediate dilutions."""
    tube_or_reservoir_usd: Usd
    """One filled position of a source rack."""
    tip_usd: Usd
    """One tip."""
    medium_usd_per_ml: Usd
    """Medium."""
    cells_usd_per_million: Usd
    """Cells, by the million."""
    solvent_usd_per_ml: Usd
    """DMSO."""
    stock_usd_per_ul: Usd
    """Compound stock of 10 mM; other concentrations in proportion."""
    stain_usd_per_ml: Usd
    """Stain."""
    reagent_usd_per_ml: dict[str, Usd]
    """Detection reagent, by assay."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """One item of an estimate."""

    item: str
    quantity: float
    unit: str
    cost_usd: float


@dataclass(frozen=True, slots=True)
class WorkflowEstimate:
    """What one workflow takes."""

    duration_h: float
    """From the first step to the reading, incubations included."""
    robot_minutes: float
    """Pipetting and reading alone."""
    tips: int
    plates: int
    """Assay and dilution plates."""
    liquids_ul: tuple[tuple[str, float], ...]
    """What must be filled in, by name of liquid, dead volumes included; a detection reagent last."""
    lines: tuple[CostLine, ...]
    prices_as_of: str

    @property
    def cost_usd(self) -> float:
        """The sum of all lines."""
        return math.fsum(line.cost_usd for line in self.lines)


@cache
def default_prices() -> Prices:
    """The price list that comes with the package: orders of magnitude, to be replaced by one's own."""
    return load_prices(Path(__file__).with_name("prices.yaml"))


def load_prices(path: str | Path) -> Prices:
    """A price list from a YAML file.

    Raises:
        ConfigError: the file is missing, malformed, or a price in it is refused; the message has its line.
    """
    document = read_yaml(path)
    return checked(Prices, document.content, document)


def estimate(workflow: Workflow, capabilities: Capabilities, prices: Prices | None = None) -> WorkflowEstimate:
    """Time, consumables and cost of a workflow on a machine.

    Raises:
        ConfigError: the price list lacks the plate or the assay.
    """
    prices = prices or default_prices()
    robot_s = sum(step_seconds(step, capabilities) for step in workflow.steps)
    incubated_h = sum(step.duration_h or 0.0 for step in workflow.steps)
    fills = [fill for step in workflow.steps for fill in step.fills]
    tips = sum(count_tips(step.transfers) for step in workflow.steps if step.transfers)
    dilution_plates = {item.barcode for s in workflow.steps for item in s.labware if item.name.startswith("dilutions")}
    reagent_ul = sum(reagent_of(step, workflow) for step in workflow.steps)
    lines = [
        CostLine(
            f"{workflow.layout.n_wells}-well plate", 1, "plates", price_of(prices.plate_usd, workflow.layout.n_wells)
        ),
        _line("dilution plates", len(dilution_plates), "plates", prices.dilution_plate_usd),
        _line("tubes and reservoirs", len(fills), "positions", prices.tube_or_reservoir_usd),
        _line("tips", tips, "tips", prices.tip_usd),
        *_liquid_lines(fills, prices),
        _line("detection reagent", reagent_ul, "µL", price_of(prices.reagent_usd_per_ml, workflow.assay) / _UL_PER_ML),
        _line("machine time", robot_s / 3600, "h", capabilities.usd_per_hour),
    ]
    volumes: dict[str, float] = defaultdict(float)
    for fill in fills:
        volumes[fill.liquid.name] += fill.volume_ul
    if reagent_ul > 0:
        volumes[f"{workflow.assay} reagent"] += reagent_ul
    return WorkflowEstimate(
        duration_h=incubated_h + robot_s / 3600,
        robot_minutes=robot_s / 60,
        tips=tips,
        plates=1 + len(dilution_plates),
        liquids_ul=tuple(volumes.items()),
        lines=tuple(line for line in lines if line.quantity > 0),
        prices_as_of=prices.as_of.isoformat(),
    )


def count_tips(transfers: TransferList) -> int:
    """Tips that a transfer list uses up; equal parts of one transfer share a tip."""
    columns = [transfers.source_labware, transfers.source_well]
    if transfers.tip_policy is TipPolicy.PER_TRANSFER:
        columns += [transfers.destination_labware, transfers.destination_well]
    n, last = 0, ()
    for end in zip(*columns, strict=True):
        n += end != last
        last = end
    return n


def step_seconds(step: Step, machine: Capabilities) -> float:
    """Seconds that a step keeps the machine busy."""
    if step.transfers is not None:
        return len(step.transfers) * machine.seconds_per_transfer
    if step.readout is not None:
        return len(step.readout.wells) * step.readout.n_sites * machine.seconds_per_well_read
    return 0.0


def reagent_of(step: Step, workflow: Workflow) -> float:
    """Detection reagent that a step of a workflow takes, in µL."""
    if step.readout is None or step.kind is not StepKind.READ:
        return 0.0
    assay = ASSAYS.get(workflow.assay)
    per_well = plate_format(workflow.layout.n_wells).working_volume_ul * (assay.reagent_fraction if assay else 0.0)
    return per_well * len(step.readout.wells)


def machine_usd(workflow: Workflow, machine: Capabilities) -> float:
    """What the time of a machine costs that a workflow keeps busy."""
    return sum(step_seconds(step, machine) for step in workflow.steps) / 3600 * machine.usd_per_hour


def _liquid_lines(fills: list[Fill], prices: Prices) -> Iterator[CostLine]:
    volumes: dict[str, float] = defaultdict(float)
    costs: dict[str, float] = defaultdict(float)
    for fill in fills:
        item, usd_per_ul = liquid_price(fill.liquid, prices)
        volumes[item] += fill.volume_ul
        costs[item] += fill.volume_ul * usd_per_ul
    return (CostLine(item, volumes[item], "µL", costs[item]) for item in volumes)


def liquid_price(liquid: Liquid, prices: Prices) -> tuple[str, float]:
    """Under which item a liquid is counted, and its price per µL."""
    medium = prices.medium_usd_per_ml / _UL_PER_ML
    if liquid.cell_line is not None:
        return "cell suspension", medium + liquid.cells_per_ul / 1e6 * prices.cells_usd_per_million
    if liquid.compound is not None:
        return "compound stocks", prices.stock_usd_per_ul * liquid.concentration_um / _REFERENCE_STOCK_UM
    if liquid.stain is not None:
        return "stain", prices.stain_usd_per_ml / _UL_PER_ML
    if liquid.solvent_fraction > 0:
        return "vehicle", prices.solvent_usd_per_ml / _UL_PER_ML
    return "medium", medium


def _line(item: str, quantity: float, unit: str, price_usd: float) -> CostLine:
    return CostLine(item, quantity, unit, quantity * price_usd)


def price_of(prices: Mapping[K, float], key: K) -> float:
    """One price of a list of prices.

    Raises:
        ConfigError: there is none for that.
    """
    if key not in prices:
        raise ConfigError(f"prices: there is none for {key}; possible: {', '.join(map(str, prices))}. Add it.")
    return prices[key]
