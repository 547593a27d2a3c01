"""The dilute and dose steps of a plate: which source each well is dosed from, and what makes those sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import PlateLayout, WellRole
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import PipettingError
from cellos_nb.units import UM_PER_MM, format_dose, format_volume
from cellos_nb.workflow.deck import Draft, Rack, Source
from cellos_nb.workflow.delivery import Delivery, Treatment
from cellos_nb.workflow.dilution import SLACK, Mixture, choose_sources
from cellos_nb.workflow.intermediates import DilutionPlate, Series, round_up_ul


@dataclass(slots=True)
class Dosing:
    """Drafts the dilute and dose steps of one plate, on one kind of dilution plate."""

    delivery: Delivery
    rack: Rack
    stocks: dict[str, Source]
    machine: Capabilities
    stock_um: dict[str, float]
    medium: Source
    vehicle: Source
    dilute: Draft = field(init=False)
    dose: Draft = field(init=False)
    plate: DilutionPlate = field(init=False)

    def __post_init__(self) -> None:
        self.dilute = Draft(self.machine.min_volume_ul, self.machine.max_volume_ul)
        self.dose = Draft(self.machine.min_volume_ul, self.machine.max_volume_ul)
        self.plate = DilutionPlate(self.rack)

    def draft(self, layout: PlateLayout, treatments: Sequence[Treatment]) -> None:
        """Fills `dilute`, `dose` and the wells of `plate`.

        Raises:
            PipettingError: this kind of dilution plate does not do.
        """
        vehicle_wells = tuple(well.well for well in layout.with_role(WellRole.VEHICLE))
        by_compound: dict[str, list[Treatment]] = defaultdict(list)
        for treatment in treatments:
            by_compound[treatment.compound].append(treatment)
        if self.delivery.is_direct:
            self._from_solvent(vehicle_wells, by_compound)
        else:
            self._from_working_solutions(vehicle_wells, by_compound)

    def _series(self, compound: str) -> Series:
        stock, minimum = self.stocks[compound], self.delivery.min_transfer_ul
        return Series(compound, stock, self.stock_um[compound], self.plate, minimum)

    def _from_solvent(self, vehicle_wells: Sequence[str], by_compound: dict[str, list[Treatment]]) -> None:
        delivery = self.delivery
        volume, fraction, minimum = delivery.volume_ul, delivery.solvent_fraction, delivery.min_transfer_ul
        doses: dict[Source, list[tuple[str, float]]] = defaultdict(list)
        self.dose.pour(self.vehicle, "plate", vehicle_wells, delivery.added_ul)
        for compound, treatments in by_compound.items():
            series = self._series(compound)
            mixtures = [Mixture(treatment.dose_um, fraction, volume, volume) for treatment in treatments]
            sources = choose_sources(series.stock_um, mixtures, minimum)
            for treatment, mixture, source_um in zip(treatments, mixtures, sources, strict=True):
                if source_um != series.stock_um:
                    self._check_can_dilute(treatment)
                dose_ul, solvent_ul = mixture.parts_ul(source_um, volume, minimum)
                if solvent_ul > 0:
                    self.dose.pour(self.vehicle, "plate", treatment.wells, solvent_ul)
                for well in treatment.wells:
                    doses[series.source(source_um, dose_ul)].append((well, dose_ul))
            series.settle()
            series.write(self.dilute, self.vehicle)
        for source, dispenses in doses.items():
            for well, dose_ul in dispenses:
                self.dose.add(source, "plate", well, dose_ul)

    def _from_working_solutions(self, vehicle_wells: Sequence[str], by_compound: dict[str, list[Treatment]]) -> None:
        delivery, rack = self.delivery, self.rack
        fraction, minimum = delivery.added_solvent_fraction, delivery.min_transfer_ul
        late: list[tuple[Source, Source, float]] = []
        for wells in self._batches(vehicle_wells):
            self._check_can_dilute(Treatment("vehicle", 0.0, tuple(wells)))
            needed = len(wells) * delivery.added_ul + rack.dead_ul
            volume = round_up_ul(max(needed, minimum / fraction, minimum / (1 - fraction)))
            volume = min(volume, rack.capacity_ul)
            self._working_solution(volume, volume * fraction, wells)
        for compound, treatments in by_compound.items():
            series = self._series(compound)
            batches = [(treatment, wells) for treatment in treatments for wells in self._batches(treatment.wells)]
            mixtures = [self._mixture(treatment, len(wells)) for treatment, wells in batches]
            sources = choose_sources(series.stock_um, mixtures, minimum)
            for (treatment, wells), mixture, source_um in zip(batches, mixtures, sources, strict=True):
                self._check_can_dilute(treatment)
                volume = min(round_up_ul(mixture.volume_from(source_um, minimum)), rack.capacity_ul)
                source_ul, solvent_ul = mixture.parts_ul(source_um, volume, minimum)
                made = self._working_solution(volume, solvent_ul, wells)
                late.append((series.source(source_um, source_ul), made, source_ul))
            series.settle()
            series.write(self.dilute, self.vehicle)
        for source, made, source_ul in late:
            self.dilute.add(source, *made.places[0], source_ul)

    def _working_solution(self, volume_ul: float, solvent_ul: float, wells: Sequence[str]) -> Source:
        """Medium and pure solvent of one working solution, and its transfers to the wells."""
        made = self.plate.new_well()
        fraction = self.delivery.added_solvent_fraction
        self.dilute.add(self.medium, *made.places[0], volume_ul * (1 - fraction))
        if solvent_ul > 0:
            self.dilute.add(self.vehicle, *made.places[0], solvent_ul)
        self.dose.pour(made, "plate", wells, self.delivery.added_ul)
        return made

    def _mixture(self, treatment: Treatment, n_wells: int) -> Mixture:
        delivery, rack = self.delivery, self.rack
        concentration = treatment.dose_um * delivery.volume_ul / delivery.added_ul
        needed = n_wells * delivery.added_ul + rack.dead_ul
        return Mixture(concentration, delivery.added_solvent_fraction, needed, rack.capacity_ul)

    def _batches(self, wells: Sequence[str]) -> list[Sequence[str]]:
        """Wells in groups that one dilution well can serve."""
        most = int(self.plate.usable_ul / self.delivery.added_ul * (1 + SLACK))
        return [wells[i : i + most] for i in range(0, len(wells), most)]

    def _check_can_dilute(self, treatment: Treatment) -> None:
        if StepKind.DILUTE in self.machine.step_kinds:
            return
        where, minimum = f"Well {treatment.wells[0]}", format_volume(self.machine.min_volume_ul)
        delivery, machine = self.delivery, self.machine.machine
        allowed = delivery.volume_ul * delivery.solvent_fraction
        if not delivery.is_direct:
            raise PipettingError(
                f"{where}: the {format_volume(allowed)} of solvent allowed must be added in medium, because {machine} "
                f"delivers {minimum} or more, and it makes no dilutions. Use a machine that dilutes or delivers less."
            )
        stock_um = self.stock_um[treatment.compound]
        needed = treatment.dose_um * delivery.volume_ul / stock_um
        low = stock_um * self.machine.min_volume_ul / delivery.volume_ul
        raise PipettingError(
            f"{where}: {format_dose(treatment.dose_um)} needs {format_volume(needed)} of the "
            f"{stock_um / UM_PER_MM:g} mM {treatment.compound} stock and {format_volume(allowed - needed)} of vehicle, "
            f"but {machine} delivers {minimum} or more and makes no dilutions. Choose a dose between "
            f"{format_dose(low)} and {format_dose(stock_um * delivery.solvent_fraction - low)}, or another stock "
            "concentration."
        )
