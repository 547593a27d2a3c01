"""The bench's own account: what every well holds after what was done, replayed from what people reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cellos_nb.domain.step import Step
from cellos_nb.hardware.contents import WellContents
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.units import format_dose, format_volume

ALTERED = 0.02
"""A well whose volume, cells or dose differ by more than this share from the plan does not count as what was asked."""
_SMALLEST_UL, _LARGEST_UL = 1e-5, 1e7


def account_of(steps: Iterable[Step]) -> VirtualMachine:
    """A machine on numbers on which these steps were carried out, in their order.

    Raises:
        MachineRefusedError: they cannot have been; says where and why.
    """
    # Without a pipette's limits: what a person did is what they did.
    account = VirtualMachine(name="the bench's account", min_volume_ul=_SMALLEST_UL, max_volume_ul=_LARGEST_UL)
    for number, step in enumerate(steps):
        account.execute(step, f"{number}")
    return account


def altered_wells(plate_id: str, wells: Iterable[str], planned: VirtualMachine, done: VirtualMachine) -> dict[str, str]:
    """The wells that do not hold what was asked for, and what differs in each."""
    found = {}
    for well in wells:
        differences = list(_differences(planned.contents(plate_id, well), done.contents(plate_id, well)))
        if differences:
            found[well] = ", ".join(differences)
    return found


def _differences(planned: WellContents, done: WellContents) -> Iterator[str]:
    if _differ(planned.volume_ul, done.volume_ul):
        yield f"{format_volume(done.volume_ul)} in place of {format_volume(planned.volume_ul)}"
    for name, wanted, there in _pairs(planned.cells, done.cells):
        yield f"{there:.0f} {name} cells in place of {wanted:.0f}"
    for name, wanted, there in _pairs(planned.dose_um, done.dose_um):
        yield f"{name} {format_dose(there)} in place of {format_dose(wanted)}"


def _pairs(planned: Mapping[str, float], done: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    for name in dict.fromkeys((*planned, *done)):
        wanted, there = planned.get(name, 0.0), done.get(name, 0.0)
        if _differ(wanted, there):
            yield name, wanted, there


def _differ(planned: float, done: float) -> bool:
    return abs(done - planned) > ALTERED * max(planned, done)
