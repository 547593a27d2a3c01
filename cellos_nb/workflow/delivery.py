"""How doses reach wells of one size on one machine, and which doses can.

Two ways. A machine that delivers the allowed volume of solvent, or less, doses from stocks and dilutions in pure
solvent and fills up with vehicle. Any other adds working solutions, about ten times as concentrated as the final dose,
in medium with matching solvent.
"""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import PlateLayout, plate_format
from cellos_nb.errors import PipettingError, StockError
from cellos_nb.units import UM_PER_MM, format_dose, format_volume
from cellos_nb.workflow.deck import Rack
from cellos_nb.workflow.dilution import SLACK

WORKING_FOLD = 10.0
"""How much more concentrated than the well a working solution is, where the machine's minimum allows."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How doses reach the wells of a plate."""

    volume_ul: float
    """Final volume of a well."""
    solvent_fraction: float
    """Of the final volume."""
    added_ul: float
    """What the dose step adds to each well with cells."""
    min_transfer_ul: float

    @property
    def is_direct(self) -> bool:
        """Whether pure solvent is added, rather than a working solution in medium."""
        return self.added_solvent_fraction > 1 - SLACK

    @property
    def added_solvent_fraction(self) -> float:
        """Solvent in what is added."""
        return self.volume_ul * self.solvent_fraction / self.added_ul


@dataclass(frozen=True, slots=True)
class Treatment:
    """Wells of one plate that get the same dose of the same compound."""

    compound: str
    dose_um: float
    wells: tuple[str, ...]


def choose_delivery(n_wells: int, max_solvent_percent: float, machine: Capabilities) -> Delivery:
    """The way to dose that the machine's smallest transfer allows.

    Raises:
        PipettingError: that is too large for wells of this size.
    """
    volume, minimum, fraction = (
        plate_format(n_wells).working_volume_ul,
        machine.min_volume_ul,
        max_solvent_percent / 100,
    )
    solvent = volume * fraction
    if solvent >= minimum * (1 - SLACK):
        return Delivery(volume, fraction, solvent, minimum)
    added = max(volume / WORKING_FOLD, minimum)
    if added > volume / 2:
        raise PipettingError(
            f"plate_format: a dose can be at most half of the {format_volume(volume)} in a well of a "
            f"{n_wells}-well plate, but {machine.machine} delivers {format_volume(minimum)} or more. Choose a "
            "plate_format with larger wells."
        )
    return Delivery(volume, fraction, added, minimum)


def takes_working_solutions(rack: Rack, delivery: Delivery) -> bool:
    """Whether the parts of a working solution can be delivered into a well of this size, and its dose out of it."""
    fraction = delivery.added_solvent_fraction
    is_deliverable = rack.capacity_ul * min(fraction, 1 - fraction) >= delivery.min_transfer_ul
    return is_deliverable and rack.capacity_ul - rack.dead_ul >= delivery.added_ul


def treatments_of(layout: PlateLayout) -> list[Treatment]:
    """The doses of a plate, positive controls among them, in the order of their first wells."""
    wells: dict[tuple[str, float], list[str]] = {}
    for well in layout.wells:
        if well.compound is not None and well.dose_um is not None:
            wells.setdefault((well.compound, well.dose_um), []).append(well.well)
    return [Treatment(compound, dose, tuple(names)) for (compound, dose), names in wells.items()]


def check_dose(treatment: Treatment, stock_um: dict[str, float], delivery: Delivery) -> None:
    """Refuses a dose that the stock cannot give within the solvent allowed.

    Raises:
        StockError: the compound has no stock.
        PipettingError: the dose is too high; says the highest possible one and the stock that it would take.
    """
    stock = stock_um.get(treatment.compound)
    where = f"Well {treatment.wells[0]}"
    if stock is None:
        raise StockError(
            f"{where}: {treatment.compound} has no stock. List it under compounds with a stock_mm, or give the "
            "campaign a stock_mm for all."
        )
    highest = stock * delivery.solvent_fraction
    if treatment.dose_um > highest * (1 + SLACK):
        needed = treatment.dose_um * delivery.volume_ul / stock
        allowed = delivery.volume_ul * delivery.solvent_fraction
        stock_needed = treatment.dose_um / delivery.solvent_fraction / UM_PER_MM
        raise PipettingError(
            f"{where}: {format_dose(treatment.dose_um)} needs {format_volume(needed)} of the {stock / UM_PER_MM:g} mM "
            f"{treatment.compound} stock, but {100 * delivery.solvent_fraction:g} % solvent in "
            f"{format_volume(delivery.volume_ul)} allows {format_volume(allowed)}. Lower the dose to "
            f"{format_dose(highest)} or less, or use a stock of {stock_needed:.4g} mM or more."
        )
