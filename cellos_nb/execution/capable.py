"""Whether a machine says of itself that it can do a step."""

from __future__ import annotations

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.step import Step
from cellos_nb.errors import MachineRefusedError
from cellos_nb.units import format_volume

_ROUNDING_UL = 1e-6


def check_step(step: Step, machine: Capabilities) -> None:
    """Returns when the machine's description covers the step.

    Raises:
        MachineRefusedError: it does not; says what is possible.
    """
    if step.kind not in machine.step_kinds:
        raise MachineRefusedError(
            f"{machine.machine} cannot {step.kind}; possible: {', '.join(machine.step_kinds)}. Use another machine."
        )
    n_wells = next((item.n_wells for item in step.labware if item.name == "plate"), None)
    if n_wells not in machine.plate_formats:
        raise MachineRefusedError(
            f"{machine.machine} holds no plate of {n_wells} wells; "
            f"possible: {', '.join(map(str, machine.plate_formats))}. Change the plate format."
        )
    if step.readout is not None and step.assay not in machine.assays:
        raise MachineRefusedError(
            f"{machine.machine} does not measure {step.assay}; possible: {', '.join(machine.assays)}. Change the assay."
        )
    if step.transfers is None or not step.transfers.volume_ul:
        return
    low, high = min(step.transfers.volume_ul), max(step.transfers.volume_ul)
    if low < machine.min_volume_ul - _ROUNDING_UL or high > machine.max_volume_ul + _ROUNDING_UL:
        raise MachineRefusedError(
            f"transfers of {format_volume(low)} to {format_volume(high)} are asked for, but {machine.machine} delivers "
            f"{format_volume(machine.min_volume_ul)} to {format_volume(machine.max_volume_ul)}. "
            "Compile the plate for this machine."
        )
