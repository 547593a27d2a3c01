"""What each step of a workflow takes from the stock, so that it can be reserved before and booked after."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cellos_nb.domain.amounts import picolitres
from cellos_nb.domain.step import Fill, Labware, Liquid, Step, TransferList
from cellos_nb.domain.stock import Need, ResourceKind, serves_key
from cellos_nb.workflow.estimate import Prices, count_tips, default_prices, liquid_price, price_of, reagent_of
from cellos_nb.workflow.workflow import Workflow

_UL_PER_ML = 1e3
_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Item:
    kind: ResourceKind
    serves: str
    count: int
    list_usd: float


def needs_of(workflow: Workflow, prices: Prices | None = None) -> tuple[Need, ...]:
    """What every step of a workflow takes, in order; the same thing once for each step.

    A filled tube is booked whole: what is drawn when it is drawn, and what no tip reaches in the step that it is filled
    for. Cells count twice, as cells and as the medium that they are suspended in.

    Raises:
        ConfigError: the price list lacks a plate or an assay.
    """
    prices = prices or default_prices()
    filled = {(fill.labware, fill.well): fill for step in workflow.steps for fill in step.fills}
    seen: set[str] = set()
    found: list[Need] = []
    after_h = 0.0
    for step in workflow.steps:
        new = [item for item in step.labware if item.barcode not in seen]
        seen.update(item.barcode for item in new)
        items = [*_labware(new, prices), *_filled(step, workflow, prices), *_reagent(step, workflow, prices)]
        if step.transfers is not None:
            items += _moved(step.transfers, filled, 0, len(step.transfers), prices)
        found += _together(step.uid, items, after_h)
        after_h += step.duration_h or 0.0
    return tuple(found)


def part_taken(workflow: Workflow, step_uid: str, first: int, last: int) -> dict[str, int]:
    """What the transfers of a step from `first` up to, without, `last` take, by what serves it.

    With the first transfer goes what the step takes whatever it transfers: plates, tubes, and what no tip reaches.
    """
    needs = [need for need in needs_of(workflow) if need.step_uid == step_uid]
    step = next(step for step in workflow.steps if step.uid == step_uid)
    if step.transfers is None:
        return {need.serves: need.count for need in needs} if last > first else {}
    filled = {(fill.labware, fill.well): fill for each in workflow.steps for fill in each.fills}
    prices, n = default_prices(), len(step.transfers)
    taken: defaultdict[str, int] = defaultdict(int)
    for item in _moved(step.transfers, filled, first, last, prices):
        taken[item.serves] += item.count
    if first == 0 and last > 0:
        by_moves: defaultdict[str, int] = defaultdict(int)
        for item in _moved(step.transfers, filled, 0, n, prices):
            by_moves[item.serves] += item.count
        for need in needs:
            taken[need.serves] += need.count - by_moves[need.serves]
    return {serves: count for serves, count in taken.items() if count}


def _together(step_uid: str, items: list[_Item], after_h: float) -> Iterator[Need]:
    sums: dict[str, _Item] = {}
    for item in items:
        before = sums.get(item.serves)
        sums[item.serves] = (
            item
            if before is None
            else replace(before, count=before.count + item.count, list_usd=before.list_usd + item.list_usd)
        )
    for item in sums.values():
        if item.count > 0:
            yield Need(step_uid, item.kind, item.serves, item.count, after_h, item.list_usd)


def _labware(new: list[Labware], prices: Prices) -> Iterator[_Item]:
    for item in new:
        if item.name == "plate":
            price = price_of(prices.plate_usd, item.n_wells)
            yield _Item(ResourceKind.PLATE, serves_key(ResourceKind.PLATE, n_wells=item.n_wells), 1, price)
        elif item.name.startswith("dilutions"):
            serves = serves_key(ResourceKind.PLATE, n_wells=item.n_wells, use="dilution")
            yield _Item(ResourceKind.PLATE, serves, 1, prices.dilution_plate_usd)


def _filled(step: Step, workflow: Workflow, prices: Prices) -> Iterator[_Item]:
    """The tubes of a step, and what stays in them."""
    if not step.fills:
        return
    n = len(step.fills)
    yield _Item(ResourceKind.TUBE, serves_key(ResourceKind.TUBE), n, n * prices.tube_or_reservoir_usd)
    drawn = _drawn(workflow, {(fill.labware, fill.well) for fill in step.fills})
    for fill in step.fills:
        yield from _liquid(fill.liquid, fill.volume_ul - drawn[fill.labware, fill.well], prices)


def _drawn(workflow: Workflow, places: set[_Place]) -> dict[_Place, float]:
    volumes: dict[_Place, list[float]] = {place: [] for place in places}
    for moves in (step.transfers for step in workflow.steps if step.transfers is not None):
        for labware, well, volume_ul in zip(moves.source_labware, moves.source_well, moves.volume_ul, strict=True):
            if (labware, well) in volumes:
                volumes[labware, well].append(volume_ul)
    return {place: math.fsum(each) for place, each in volumes.items()}


def _moved(
    moves: TransferList, filled: Mapping[_Place, Fill], first: int, last: int, prices: Prices
) -> Iterator[_Item]:
    """Tips and liquids of some transfers; what is drawn from a well that was mixed on the deck is no longer stock."""
    part = replace(
        moves,
        source_labware=moves.source_labware[first:last],
        source_well=moves.source_well[first:last],
        destination_labware=moves.destination_labware[first:last],
        destination_well=moves.destination_well[first:last],
        volume_ul=moves.volume_ul[first:last],
    )
    tips = count_tips(part)
    yield _Item(ResourceKind.TIPS, serves_key(ResourceKind.TIPS), tips, tips * prices.tip_usd)
    volumes: dict[_Place, list[float]] = defaultdict(list)
    for labware, well, volume_ul in zip(part.source_labware, part.source_well, part.volume_ul, strict=True):
        if (labware, well) in filled:
            volumes[labware, well].append(volume_ul)
    for place, each in volumes.items():
        yield from _liquid(filled[place].liquid, math.fsum(each), prices)


def _liquid(liquid: Liquid, volume_ul: float, prices: Prices) -> Iterator[_Item]:
    _, usd_per_ul = liquid_price(liquid, prices)
    count, usd = picolitres(volume_ul), volume_ul * usd_per_ul
    if liquid.cell_line is not None:
        medium_usd = volume_ul * prices.medium_usd_per_ml / _UL_PER_ML
        cells = round(liquid.cells_per_ul * volume_ul)
        yield _Item(ResourceKind.CELLS, serves_key(ResourceKind.CELLS, liquid.cell_line), cells, usd - medium_usd)
        yield _Item(ResourceKind.MEDIUM, serves_key(ResourceKind.MEDIUM), count, medium_usd)
    elif liquid.compound is not None:
        serves = serves_key(ResourceKind.COMPOUND, liquid.compound, stock_um=liquid.concentration_um)
        yield _Item(ResourceKind.COMPOUND, serves, count, usd)
    elif liquid.stain is not None:
        yield _Item(ResourceKind.REAGENT, serves_key(ResourceKind.REAGENT, liquid.stain), count, usd)
    elif liquid.solvent_fraction > 0:
        yield _Item(ResourceKind.SOLVENT, serves_key(ResourceKind.SOLVENT, liquid.name), count, usd)
    else:
        yield _Item(ResourceKind.MEDIUM, serves_key(ResourceKind.MEDIUM), count, usd)


def _reagent(step: Step, workflow: Workflow, prices: Prices) -> Iterator[_Item]:
    volume_ul = reagent_of(step, workflow)
    if volume_ul > 0:
        usd = volume_ul * price_of(prices.reagent_usd_per_ml, workflow.assay) / _UL_PER_ML
        yield _Item(ResourceKind.REAGENT, serves_key(ResourceKind.REAGENT, workflow.assay), picolitres(volume_ul), usd)
