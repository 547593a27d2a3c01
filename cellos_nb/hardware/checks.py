"""Whether a step is one that a machine can execute at all, before its liquids are looked at."""

from __future__ import annotations

import math
from collections import Counter

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.step import Readout, Step, StepKind
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.contents import fixed_wells
from cellos_nb.hardware.timeline import Timeline


def check_shape(step: Step, machine: Capabilities) -> None:
    """Refuses a step of another machine's kind, on labware it cannot hold, or without what its kind needs.

    Raises:
        MachineRefusedError: says what is possible.
    """
    where = f"Step {step.uid}"
    if step.kind not in machine.step_kinds:
        raise MachineRefusedError(
            f"{where}: {machine.machine} cannot do '{step.kind}'; possible: {', '.join(machine.step_kinds)}."
        )
    if step.assay not in machine.assays:
        raise MachineRefusedError(
            f"{where}: {machine.machine} cannot run the assay '{step.assay}'; possible: {', '.join(machine.assays)}."
        )
    _check_labware(step, machine, where)
    if step.kind.moves_liquid and step.transfers is None:
        raise MachineRefusedError(f"{where}: a step of kind '{step.kind}' needs a transfer list.")
    if not step.kind.moves_liquid and (step.transfers is not None or step.fills):
        raise MachineRefusedError(f"{where}: a step of kind '{step.kind}' moves no liquid. Leave its transfers out.")
    if step.kind == "incubate" and not (
        step.duration_h is not None and math.isfinite(step.duration_h) and step.duration_h > 0
    ):
        raise MachineRefusedError(f"{where}: an incubation of {step.duration_h} h is none; give a time above zero.")
    if (step.kind is StepKind.TRANSPORT) != (step.to_place is not None):
        raise MachineRefusedError(f"{where}: a transport, and nothing else, needs the place that the plate goes to.")


def _check_labware(step: Step, machine: Capabilities, where: str) -> None:
    for column in ("name", "barcode"):
        twice = [value for value, n in Counter(getattr(item, column) for item in step.labware).items() if n > 1]
        if twice:
            raise MachineRefusedError(f"{where}: two labware have the {column} '{twice[0]}'; each needs its own.")
    plate = next((item for item in step.labware if item.name == "plate"), None)
    if plate is None or plate.barcode != step.plate_id:
        found = f"has the barcode {plate.barcode}" if plate else "is missing"
        raise MachineRefusedError(f"{where}: its assay plate is {step.plate_id}, but the labware 'plate' {found}.")
    if plate.n_wells not in machine.plate_formats:
        raise MachineRefusedError(
            f"{where}: {machine.machine} holds no plate of {plate.n_wells} wells; possible: "
            f"{', '.join(map(str, machine.plate_formats))}."
        )
    for item in step.labware:
        if item.n_wells < 1 or not item.well_capacity_ul > 0 or not item.dead_volume_ul >= 0:
            raise MachineRefusedError(
                f"{where}: labware '{item.name}' with {item.n_wells} wells of {item.well_capacity_ul:g} µL and "
                f"{item.dead_volume_ul:g} µL dead volume cannot exist."
            )


def check_same_labware(step: Step, timelines: dict[str, Timeline]) -> None:
    """Refuses a barcode that stood for labware of another format before.

    Raises:
        MachineRefusedError: names both formats.
    """
    for item in step.labware:
        known = timelines.get(item.barcode)
        if known is not None and known.n_wells != item.n_wells:
            raise MachineRefusedError(
                f"Step {step.uid}: {item.barcode} has {known.n_wells} wells, but the step takes it for labware of "
                f"{item.n_wells}. Check the barcode."
            )


def check_readout(step: Step, timeline: Timeline | None) -> Readout:
    """The wells and channels to read.

    Raises:
        MachineRefusedError: there are none, or a well does not exist or is empty.
    """
    readout = step.readout
    if readout is None or not readout.wells or not readout.channels:
        raise MachineRefusedError(f"Step {step.uid}: a step of kind '{step.kind}' needs wells and channels to read.")
    if readout.n_sites < 1:
        raise MachineRefusedError(f"Step {step.uid}: {readout.n_sites} sites to image; give at least 1.")
    plate = step.labware_named("plate")
    positions = fixed_wells(plate.n_wells)
    unknown = next((well for well in readout.wells if well not in positions), None)
    if unknown is not None:
        raise MachineRefusedError(
            f"Step {step.uid}: the plate has no well {unknown}; its {plate.n_wells} wells are A1 to {[*positions][-1]}."
        )
    contents = timeline.contents if timeline else None
    empty = [w for w in readout.wells if contents is None or not contents.volume_ul[positions[w]] > 0]
    if empty:
        raise MachineRefusedError(
            f"Step {step.uid}: well {empty[0]} of {step.plate_id} is empty, so there is nothing to read "
            f"({len(empty)} of {len(readout.wells)} wells). Read wells that were filled."
        )
    return readout
