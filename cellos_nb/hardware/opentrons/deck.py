"""Where everything stands during one step: labware, tip racks, modules and trash, one slot each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cellos_nb.domain.plate import well_names
from cellos_nb.domain.step import Fill, Labware, Step
from cellos_nb.errors import ProtocolRefusedError
from cellos_nb.hardware.opentrons.catalogue import (
    CHILLED_RACK,
    PLATES,
    RESERVOIR,
    SLOTS,
    SOURCES,
    TIPS_PER_RACK,
    LabwareModel,
)
from cellos_nb.hardware.opentrons.moves import EIGHT, Move, Place, count_tips, plan_moves
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, Pipette

_TUBES = 6
"""Positions of the tube racks that a reservoir can stand in for."""


@dataclass(frozen=True, slots=True)
class PlacedLabware:
    """One piece of labware in its slot."""

    name: str
    """In the workflow: `plate`, `cells`, `dilutions-2`."""
    barcode: str
    load_name: str
    slot: str
    chilled_c: float | None = None
    """Temperature of the module under it; None when it stands on the deck."""
    is_reservoir: bool = False

    def well(self, name: str) -> str:
        """The physical well for a well of the workflow: tubes become the wells of a reservoir in order."""
        return f"A{well_names(_TUBES).index(name) + 1}" if self.is_reservoir else name


@dataclass(frozen=True, slots=True)
class TipRack:
    """A rack of fresh tips, used by one pipette."""

    pipette: Pipette
    number: int
    """Counted from 1 for each pipette."""
    slot: str


@dataclass(frozen=True, slots=True)
class Deck:
    """What stands where while one step is carried out."""

    robot: OpentronsSettings
    labware: tuple[PlacedLabware, ...]
    """What the step touches, the plate first; while dilutions are made, the plate stays in its incubator."""
    tip_racks: tuple[TipRack, ...]
    fills: tuple[Fill, ...]
    """What a person puts into the labware before the step begins."""

    def labware_named(self, name: str) -> PlacedLabware:
        """The labware that transfers call by this name.

        Raises:
            KeyError: there is none.
        """
        for placed in self.labware:
            if placed.name == name:
                return placed
        raise KeyError(name)


def choose_reservoirs(steps: Sequence[Step], robot: OpentronsSettings) -> frozenset[str]:
    """Tube racks in whose place a reservoir lets eight channels work at once, in all steps of a workflow alike."""
    if not any(pipette.n_channels == EIGHT for pipette in robot.pipettes):
        return frozenset()
    wet = [step for step in steps if step.transfers is not None]
    racks = {item.name for step in wet for item in step.labware if item.n_wells == _TUBES and item.name != "plate"}
    racks -= {*robot.labware, *robot.chilled}
    racks -= {name for step in wet if step.transfers for name in step.transfers.destination_labware}
    racks -= {fill.labware for step in wet for fill in step.fills if fill.volume_ul > RESERVOIR.capacity_ul}
    racks -= {name for step in wet for name, well in _drawn_from(step) if well not in well_names(_TUBES)}
    candidates = frozenset(racks)
    return frozenset(
        move.source[0]
        for step in wet
        for move in plan_moves(step, robot, candidates, _filled(step))
        if move.pipette.n_channels == EIGHT
    )


def _filled(step: Step) -> dict[Place, float]:
    return {(fill.labware, fill.well): fill.volume_ul for fill in step.fills}


def _drawn_from(step: Step) -> set[Place]:
    if step.transfers is None:
        return set()
    return set(zip(step.transfers.source_labware, step.transfers.source_well, strict=True))


def lay_out_deck(step: Step, robot: OpentronsSettings, reservoirs: frozenset[str], moves: Sequence[Move]) -> Deck:
    """A slot for everything that a step needs.

    Raises:
        ProtocolRefusedError: the deck is full, a module is missing, or there is no such labware.
    """
    taken = {*robot.closed_slots, *robot.temperature_modules, robot.used_trash}
    free = [slot for slot in SLOTS[robot.robot] if slot not in taken | {*robot.slots.values()}]
    modules = list(robot.temperature_modules)
    used = {place[0] for move in moves for place in (move.source, *move.destinations)}
    used |= {fill.labware for fill in step.fills}
    items = sorted((item for item in step.labware if item.name in used), key=lambda item: item.name != "plate")
    tips = [(pipette, math.ceil(n / TIPS_PER_RACK)) for pipette, n in count_tips(moves).items()]
    on_deck = [item for item in items if item.name not in robot.chilled and item.name not in robot.slots]
    needed = len(on_deck) + sum(n for _, n in tips)
    if needed > len(free):
        racks, names = sum(n for _, n in tips), ", ".join(item.name for item in on_deck)
        raise ProtocolRefusedError(
            f"Step {step.uid}: the deck of {robot.name} is full: {names} and {racks} "
            f"tip racks need {needed} slots, but {len(free)} are free. Ask for fewer wells or doses on one plate "
            "(lower batch_size or replicates), or clear closed_slots."
        )
    slots = _Slots(free, modules)
    labware = tuple(_place(item, step, robot, slots, is_reservoir=item.name in reservoirs) for item in items)
    numbered = [(pipette, number) for pipette, n in tips for number in range(1, n + 1)]
    tip_racks = tuple(TipRack(pipette, number, free.pop(0)) for pipette, number in numbered)
    return Deck(robot, labware, tip_racks, step.fills)


@dataclass(slots=True)
class _Slots:
    """What is still to be given away on one deck."""

    free: list[str]
    modules: list[str]
    """Slots of temperature modules."""


def _place(item: Labware, step: Step, robot: OpentronsSettings, slots: _Slots, *, is_reservoir: bool) -> PlacedLabware:
    chilled_c = robot.chilled.get(item.name)
    if chilled_c is not None:
        if not slots.modules:
            raise ProtocolRefusedError(
                f"Step {step.uid}: '{item.name}' is to stand at {chilled_c:g} °C, but {robot.name} has "
                f"{len(robot.temperature_modules)} temperature modules for it. List one under temperature_modules, or "
                "take the labware out of chilled."
            )
        load_name = robot.labware.get(item.name) or _chilled_rack(item, step).load_name
        return PlacedLabware(item.name, item.barcode, load_name, slots.modules.pop(0), chilled_c)
    load_name = robot.labware.get(item.name) or (RESERVOIR if is_reservoir else _model(item, step)).load_name
    slot = robot.slots.get(item.name) or slots.free.pop(0)
    return PlacedLabware(item.name, item.barcode, load_name, slot, None, is_reservoir)


def _chilled_rack(item: Labware, step: Step) -> LabwareModel:
    if (item.n_wells, item.well_capacity_ul) == (CHILLED_RACK.n_wells, CHILLED_RACK.capacity_ul):
        return CHILLED_RACK
    raise ProtocolRefusedError(
        f"Step {step.uid}: '{item.name}' has {item.n_wells} positions of {item.well_capacity_ul:g} µL, but a "
        f"temperature module holds a block of {CHILLED_RACK.n_wells} tubes of "
        f"{CHILLED_RACK.capacity_ul:g} µL. Name a block for it under labware, or take it out of chilled."
    )


def _model(item: Labware, step: Step) -> LabwareModel:
    if item.name == "plate":
        model = PLATES.get(item.n_wells)
        possible = f"plates of {', '.join(map(str, PLATES))} wells"
    else:
        fitting = (m for m in SOURCES if m.n_wells == item.n_wells and m.capacity_ul >= item.well_capacity_ul)
        model = next(fitting, None)
        possible = ", ".join(f"{m.n_wells} × {m.capacity_ul:g} µL" for m in SOURCES)
    if model is None:
        raise ProtocolRefusedError(
            f"Step {step.uid}: there is no labware for '{item.name}' with {item.n_wells} wells of "
            f"{item.well_capacity_ul:g} µL; possible: {possible}. Name one under labware in the robot's "
            "configuration."
        )
    return model


def physical(deck: Deck, place: Place) -> Place:
    """A place of the workflow as the robot knows it."""
    return place[0], deck.labware_named(place[0]).well(place[1])


def physical_fills(deck: Deck) -> Mapping[Place, Fill]:
    """What is filled in, by place as the robot knows it."""
    return {physical(deck, (fill.labware, fill.well)): fill for fill in deck.fills}
