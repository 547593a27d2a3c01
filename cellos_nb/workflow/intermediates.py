"""Dilutions that are made on the deck: in which wells, from what, and in what volume."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

from cellos_nb.errors import PipettingError
from cellos_nb.units import format_dose, format_volume
from cellos_nb.workflow.deck import Draft, Rack, Source
from cellos_nb.workflow.dilution import Mixture, choose_parent, is_same, step_between


def round_up_ul(volume_ul: float) -> float:
    """A volume rounded up to a tenth of a microlitre, where a little more does no harm."""
    return math.ceil(volume_ul * 10 - 1e-6) / 10


@dataclass(slots=True)
class DilutionPlate:
    """The wells for dilutions that have been given out so far."""

    rack: Rack
    wells: list[Source] = field(default_factory=list)

    @property
    def usable_ul(self) -> float:
        """What can be drawn from one well."""
        return self.rack.capacity_ul - self.rack.dead_ul

    def new_well(self) -> Source:
        """An empty well.

        Raises:
            PipettingError: there is none left.
        """
        if len(self.wells) == self.rack.n_places:
            raise PipettingError(
                f"The dilutions need more than the {self.rack.n_places} wells that the dilution plates have. Put fewer "
                "different doses on one plate: lower batch_size, or use a machine that delivers smaller volumes."
            )
        well = Source("dilutions")
        well.places = [self.rack.place("dilutions", len(self.wells))]
        self.wells.append(well)
        return well


@dataclass(slots=True)
class Intermediate:
    """One concentration of a compound in pure solvent, in one well or, when much is drawn, in several."""

    concentration_um: float
    wells: list[Source] = field(default_factory=list)
    drawn_ul: list[float] = field(default_factory=list)
    """From each of the wells."""
    recipe: list[tuple[Source, float, float]] = field(default_factory=list)
    """For each well: its parent, the volume of it, and the volume of solvent, in µL."""


@dataclass(slots=True)
class Series:
    """A compound's stock and all dilutions of it in solvent."""

    compound: str
    stock: Source
    stock_um: float
    plate: DilutionPlate
    min_transfer_ul: float
    made: dict[float, Intermediate] = field(default_factory=dict)

    def source(self, concentration_um: float, volume_ul: float) -> Source:
        """Where to draw a volume of one concentration; what is drawn is reserved."""
        if is_same(concentration_um, self.stock_um):
            return self.stock
        found = self.made.setdefault(concentration_um, Intermediate(concentration_um))
        usable = self.plate.usable_ul
        if volume_ul > usable * (1 + 1e-9):
            raise PipettingError(
                f"{self.compound}: a draw of {format_volume(volume_ul)} exceeds the {format_volume(usable)} that a "
                "dilution well gives. Use a smaller plate_format or more concentrated stock."
            )
        if not found.wells or found.drawn_ul[-1] + volume_ul > usable * (1 + 1e-9):
            found.wells.append(self.plate.new_well())
            found.drawn_ul.append(0.0)
        found.drawn_ul[-1] += volume_ul
        return found.wells[-1]

    def settle(self) -> None:
        """Chooses volume and parent of every dilution, once all that is drawn from them is reserved.

        Raises:
            PipettingError: a dilution cannot be made within the wells.
        """
        waiting = list(self.made)
        heapq.heapify(waiting)
        while waiting:
            concentration = heapq.heappop(waiting)
            between = self._step_above(concentration)
            if between is not None:
                self.made[between] = Intermediate(between)
                heapq.heappush(waiting, between)
            for drawn in self.made[concentration].drawn_ul:
                self._settle_well(self.made[concentration], drawn)

    def write(self, draft: Draft, vehicle: Source) -> None:
        """The transfers that make the dilutions, the most concentrated first, because the others draw from it."""
        for concentration in sorted(self.made, reverse=True):
            made = self.made[concentration]
            for well, (parent, parent_ul, solvent_ul) in zip(made.wells, made.recipe, strict=True):
                draft.add(vehicle, *well.places[0], solvent_ul)
                draft.add(parent, *well.places[0], parent_ul)

    def _step_above(self, concentration_um: float) -> float | None:
        nearest = min((other for other in (self.stock_um, *self.made) if other > concentration_um), default=math.inf)
        max_factor = 0.98 * self.plate.rack.capacity_ul / self.min_transfer_ul
        return step_between(concentration_um, nearest, max_factor)

    def _settle_well(self, made: Intermediate, drawn_ul: float) -> None:
        rack = self.plate.rack
        needed = round_up_ul(drawn_ul + rack.dead_ul)
        mixture = Mixture(made.concentration_um, 1.0, min(needed, rack.capacity_ul), rack.capacity_ul)
        choice = choose_parent(mixture, (self.stock_um, *self.made), self.min_transfer_ul, rack.capacity_ul)
        if choice is None:
            margin = 100 * self.min_transfer_ul / rack.capacity_ul
            raise PipettingError(
                f"{self.compound}: a dilution to {format_dose(made.concentration_um)} is too close to the stock of "
                f"{format_dose(self.stock_um)}, because the machine delivers {format_volume(self.min_transfer_ul)} or "
                f"more into at most {format_volume(rack.capacity_ul)}. Ask for the highest dose that the stock gives, "
                f"or for one at least {margin:.2g} % below it."
            )
        parent_um, volume = choice
        volume = min(round_up_ul(volume), rack.capacity_ul)
        parent_ul, solvent_ul = mixture.parts_ul(parent_um, volume, self.min_transfer_ul)
        made.recipe.append((self.source(parent_um, parent_ul), parent_ul, solvent_ul))
