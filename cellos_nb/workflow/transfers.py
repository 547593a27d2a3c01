"""What is pipetted onto one plate: exact doses, the same solvent in every well with cells, no volume out of reach.

Two ways to dose. A machine that delivers the allowed volume of solvent, or less, doses from stocks and dilutions in pure
solvent and fills up with vehicle. Any other adds working solutions, about ten times as concentrated as the final dose, in
medium with matching solvent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import PlateLayout, WellRole, plate_format
from cellos_nb.domain.settings import PlatePlan
from cellos_nb.domain.step import Liquid, StepKind
from cellos_nb.errors import PipettingError, StockError
from cellos_nb.units import UM_PER_MM, format_dose, format_volume
from cellos_nb.workflow.assays import AssayDeclaration
from cellos_nb.workflow.deck import DILUTION_PLATES, Draft, Rack, Source
from cellos_nb.workflow.dilution import SLACK, Mixture, choose_sources
from cellos_nb.workflow.intermediates import DilutionPlate, Series, round_up_ul

WORKING_FOLD = 10.0
"""How much more concentrated than the well a working solution is, where the machine's minimum allows."""
STAIN_FRACTION = 0.1
"""Volume of stain added, per working volume."""


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


@dataclass(slots=True)
class PlateDrafts:
    """The transfers of one plate by kind of step, before their sources have places."""

    delivery: Delivery
    dilution_rack: Rack
    stocks: dict[str, Source] = field(default_factory=dict)
    by_kind: dict[StepKind, Draft] = field(default_factory=dict)
    dilutions: list[Source] = field(default_factory=list)


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
            f"Well A1: a dose can be at most half of the {format_volume(volume)} in a well of a {n_wells}-well plate, but "
            f"{machine.machine} delivers {format_volume(minimum)} or more. Choose a plate_format with larger wells."
        )
    return Delivery(volume, fraction, added, minimum)


def draft_plate(
    layout: PlateLayout, assay: AssayDeclaration, plan: PlatePlan, machine: Capabilities, at_hand: dict[str, float]
) -> PlateDrafts:
    """All transfers of one plate.

    Args:
        layout: what each well holds.
        assay: gives cells and stain.
        plan: gives stocks and the solvent allowed.
        machine: gives the volumes that can be delivered.
        at_hand: µL of stock left, for compounds of which that is known.

    Raises:
        PipettingError: a volume is out of reach at any dilution, or a dose at any.
        StockError: a compound has no stock.
    """
    delivery = choose_delivery(layout.n_wells, plan.max_solvent_percent, machine)
    treatments, stock_um = _treatments(layout), _stocks_um(plan)
    for treatment in treatments:
        _check_dose(treatment, stock_um, delivery)
    fitting = [rack for rack in DILUTION_PLATES if delivery.is_direct or _takes_working_solutions(rack, delivery)]
    if not fitting:
        raise PipettingError(
            f"Well {layout.wells[0].well}: {plan.max_solvent_percent:g} % solvent is too little to be delivered in volumes "
            f"of {format_volume(machine.min_volume_ul)} or more at any dilution. Raise max_solvent_percent, or use a "
            "machine that delivers less."
        )
    refused: PipettingError | None = None
    for rack in fitting:
        drafts = PlateDrafts(delivery, rack)
        for treatment in treatments:
            if treatment.compound not in drafts.stocks:
                drafts.stocks[treatment.compound] = _stock(treatment.compound, stock_um, at_hand)
        drafts.by_kind[StepKind.SEED] = _seed(layout, assay, plan, delivery, machine)
        medium, vehicle = (
            _medium_of(drafts.by_kind[StepKind.SEED]),
            Source("vehicle", Liquid("DMSO", solvent_fraction=1.0)),
        )
        try:
            _Dosing(drafts, machine, stock_um, medium, vehicle).draft(layout, treatments)
        except PipettingError as error:
            refused = error
            continue
        if assay.stain:
            drafts.by_kind[StepKind.STAIN] = _stain(layout, assay.stain, delivery, machine)
        return drafts
    raise refused or AssertionError("a rack either fits or says why not")


@dataclass(slots=True)
class _Dosing:
    """Drafts the dilute and dose steps of one plate on one kind of dilution plate."""

    drafts: PlateDrafts
    machine: Capabilities
    stock_um: dict[str, float]
    medium: Source
    vehicle: Source
    dilute: Draft = field(init=False)
    dose: Draft = field(init=False)
    plate: DilutionPlate = field(init=False)

    def __post_init__(self) -> None:
        self.dilute = _draft(self.machine)
        self.dose = _draft(self.machine)
        self.plate = DilutionPlate(self.drafts.dilution_rack)

    def draft(self, layout: PlateLayout, treatments: Sequence[Treatment]) -> None:
        vehicle_wells = tuple(well.well for well in layout.with_role(WellRole.VEHICLE))
        by_compound: dict[str, list[Treatment]] = defaultdict(list)
        for treatment in treatments:
            by_compound[treatment.compound].append(treatment)
        if self.drafts.delivery.is_direct:
            self._from_solvent(vehicle_wells, by_compound)
        else:
            self._from_working_solutions(vehicle_wells, by_compound)
        self.drafts.by_kind[StepKind.DILUTE] = self.dilute
        self.drafts.by_kind[StepKind.DOSE] = self.dose
        self.drafts.dilutions = self.plate.wells

    def _series(self, compound: str) -> Series:
        stock, minimum = self.drafts.stocks[compound], self.drafts.delivery.min_transfer_ul
        return Series(compound, stock, self.stock_um[compound], self.plate, minimum)

    def _from_solvent(self, vehicle_wells: Sequence[str], by_compound: dict[str, list[Treatment]]) -> None:
        delivery = self.drafts.delivery
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
        delivery, rack = self.drafts.delivery, self.drafts.dilution_rack
        fraction, minimum = delivery.added_solvent_fraction, delivery.min_transfer_ul
        late: list[tuple[Source, Source, float]] = []
        for wells in self._batches(vehicle_wells):
            self._check_can_dilute(Treatment("vehicle", 0.0, tuple(wells)))
            needed = len(wells) * delivery.added_ul + rack.dead_ul
            volume = round_up_ul(max(needed, minimum / fraction, minimum / (1 - fraction)))
            self._working_solution(min(volume, rack.capacity_ul), volume * fraction, wells)
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
        fraction = self.drafts.delivery.added_solvent_fraction
        self.dilute.add(self.medium, *made.places[0], volume_ul * (1 - fraction))
        if solvent_ul > 0:
            self.dilute.add(self.vehicle, *made.places[0], solvent_ul)
        self.dose.pour(made, "plate", wells, self.drafts.delivery.added_ul)
        return made

    def _mixture(self, treatment: Treatment, n_wells: int) -> Mixture:
        delivery, rack = self.drafts.delivery, self.drafts.dilution_rack
        concentration = treatment.dose_um * delivery.volume_ul / delivery.added_ul
        needed = n_wells * delivery.added_ul + rack.dead_ul
        return Mixture(concentration, delivery.added_solvent_fraction, needed, rack.capacity_ul)

    def _batches(self, wells: Sequence[str]) -> list[Sequence[str]]:
        """Wells in groups that one dilution well can serve."""
        most = int(self.plate.usable_ul / self.drafts.delivery.added_ul * (1 + SLACK))
        return [wells[i : i + most] for i in range(0, len(wells), most)]

    def _check_can_dilute(self, treatment: Treatment) -> None:
        if StepKind.DILUTE in self.machine.step_kinds:
            return
        where, minimum = f"Well {treatment.wells[0]}", format_volume(self.machine.min_volume_ul)
        delivery, machine = self.drafts.delivery, self.machine.machine
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
            f"{where}: {format_dose(treatment.dose_um)} needs {format_volume(needed)} of the {stock_um / UM_PER_MM:g} mM "
            f"{treatment.compound} stock and {format_volume(allowed - needed)} of vehicle, but {machine} delivers {minimum} "
            f"or more and makes no dilutions. Choose a dose between {format_dose(low)} and "
            f"{format_dose(stock_um * delivery.solvent_fraction - low)}, or another stock concentration."
        )


def _takes_working_solutions(rack: Rack, delivery: Delivery) -> bool:
    fraction = delivery.added_solvent_fraction
    is_deliverable = rack.capacity_ul * min(fraction, 1 - fraction) >= delivery.min_transfer_ul
    return is_deliverable and rack.capacity_ul - rack.dead_ul >= delivery.added_ul


def _check_dose(treatment: Treatment, stock_um: dict[str, float], delivery: Delivery) -> None:
    stock = stock_um.get(treatment.compound)
    where = f"Well {treatment.wells[0]}"
    if stock is None:
        raise StockError(
            f"{where}: {treatment.compound} has no stock. List it under compounds with a stock_mm, or give the campaign a "
            "stock_mm for all."
        )
    highest = stock * delivery.solvent_fraction
    if treatment.dose_um > highest * (1 + SLACK):
        needed = treatment.dose_um * delivery.volume_ul / stock
        allowed = delivery.volume_ul * delivery.solvent_fraction
        stock_needed = treatment.dose_um / delivery.solvent_fraction / UM_PER_MM
        raise PipettingError(
            f"{where}: {format_dose(treatment.dose_um)} needs {format_volume(needed)} of the {stock / UM_PER_MM:g} mM "
            f"{treatment.compound} stock, but {100 * delivery.solvent_fraction:g} % solvent in "
            f"{format_volume(delivery.volume_ul)} allows {format_volume(allowed)}. Lower the dose to {format_dose(highest)} "
            f"or less, or use a stock of {stock_needed:.4g} mM or more."
        )


def _treatments(layout: PlateLayout) -> list[Treatment]:
    wells: dict[tuple[str, float], list[str]] = {}
    for well in layout.wells:
        if well.compound is not None and well.dose_um is not None:
            wells.setdefault((well.compound, well.dose_um), []).append(well.well)
    return [Treatment(compound, dose, tuple(names)) for (compound, dose), names in wells.items()]


def _stocks_um(plan: PlatePlan) -> dict[str, float]:
    return {stock.name: stock.stock_mm * UM_PER_MM for stock in plan.stocks if stock.stock_mm is not None}


def _stock(compound: str, stock_um: dict[str, float], at_hand: dict[str, float]) -> Source:
    concentration = stock_um[compound]
    name = f"{compound} {concentration / UM_PER_MM:g} mM"
    liquid = Liquid(name, compound=compound, concentration_um=concentration, solvent_fraction=1.0)
    return Source("stocks", liquid, at_hand.get(compound))


def _draft(machine: Capabilities) -> Draft:
    return Draft(machine.min_volume_ul, machine.max_volume_ul)


def _seed(
    layout: PlateLayout, assay: AssayDeclaration, plan: PlatePlan, delivery: Delivery, machine: Capabilities
) -> Draft:
    """Cells into every well that gets them, line by line, and medium into the wells that hold nothing else."""
    draft = _draft(machine)
    seeded_ul = delivery.volume_ul - delivery.added_ul
    by_line: dict[str, list[str]] = {}
    for well in layout.with_cells:
        by_line.setdefault(well.cell_line or "", []).append(well.well)
    per_ul = assay.cells_per_well(layout.n_wells, plan.assay) / seeded_ul
    for line in sorted(by_line):
        cells = Source("cells", Liquid(f"{line} cells", cell_line=line, cells_per_ul=per_ul))
        draft.pour(cells, "plate", by_line[line], seeded_ul)
    bare = [well.well for well in layout.with_role(WellRole.MEDIUM)]
    if bare:
        draft.pour(Source("medium", Liquid("medium")), "plate", bare, delivery.volume_ul)
    return draft


def _medium_of(seed: Draft) -> Source:
    """The medium that the seed step uses already, so that it is filled in once."""
    last = seed.sources[-1]
    return last if last.labware == "medium" else Source("medium", Liquid("medium"))


def _stain(layout: PlateLayout, stain: str, delivery: Delivery, machine: Capabilities) -> Draft:
    draft = _draft(machine)
    volume = max(delivery.volume_ul * STAIN_FRACTION, machine.min_volume_ul)
    capacity = plate_format(layout.n_wells).well_capacity_ul
    wells = [well.well for well in layout.with_cells]
    if not math.isfinite(volume) or delivery.volume_ul + volume > capacity:
        raise PipettingError(
            f"Well {wells[0]}: {format_volume(volume)} of stain on {format_volume(delivery.volume_ul)} overflow the well, "
            f"which holds {format_volume(capacity)}. Choose a plate_format with larger wells."
        )
    draft.pour(Source("stains", Liquid(stain, stain=stain)), "plate", wells, volume)
    return draft
