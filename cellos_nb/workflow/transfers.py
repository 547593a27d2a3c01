"""What is pipetted onto one plate: exact doses, the same solvent in every well with cells, no volume out of reach."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import PlateLayout, WellRole
from cellos_nb.domain.settings import PlatePlan
from cellos_nb.domain.step import Liquid, StepKind
from cellos_nb.errors import PipettingError
from cellos_nb.units import UM_PER_MM, format_volume
from cellos_nb.workflow.assays import AssayDeclaration
from cellos_nb.workflow.deck import DILUTION_PLATES, Draft, Rack, Source
from cellos_nb.workflow.delivery import (
    Delivery,
    check_dose,
    choose_delivery,
    takes_working_solutions,
    treatments_of,
)
from cellos_nb.workflow.dosing import Dosing

STAIN_FRACTION = 0.1
"""Volume of stain added, per working volume."""


@dataclass(frozen=True, slots=True)
class PlateDrafts:
    """The transfers of one plate, before their sources have places."""

    delivery: Delivery
    dilution_rack: Rack
    by_kind: dict[StepKind, Draft]
    """One draft for each kind of step that moves liquid."""
    dilutions: list[Source]
    """The wells that are mixed on the deck."""


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
    treatments, stock_um = treatments_of(layout), _stocks_um(plan)
    for treatment in treatments:
        check_dose(treatment, stock_um, delivery)
    seed = _seed(layout, assay, plan, delivery, machine)
    medium, vehicle = _medium_of(seed), Source("vehicle", Liquid("DMSO", solvent_fraction=1.0))
    compounds = dict.fromkeys(treatment.compound for treatment in treatments)
    stocks = {compound: _stock(compound, stock_um[compound], at_hand) for compound in compounds}
    refused: PipettingError | None = None
    for rack in _racks_for(delivery, layout, plan):
        dosing = Dosing(delivery, rack, stocks, machine, stock_um, medium, vehicle)
        try:
            dosing.draft(layout, treatments)
        except PipettingError as error:
            refused = error
            continue
        by_kind = {StepKind.SEED: seed, StepKind.DILUTE: dosing.dilute, StepKind.DOSE: dosing.dose}
        if assay.stain:
            by_kind[StepKind.STAIN] = _stain(layout, assay.stain, delivery, machine)
        return PlateDrafts(delivery, rack, by_kind, dosing.plate.wells)
    raise refused or AssertionError("a rack either does or says why not")


def _racks_for(delivery: Delivery, layout: PlateLayout, plan: PlatePlan) -> list[Rack]:
    racks = [rack for rack in DILUTION_PLATES if delivery.is_direct or takes_working_solutions(rack, delivery)]
    if not racks:
        raise PipettingError(
            f"Well {layout.with_cells[0].well}: {plan.max_solvent_percent:g} % solvent is too little to be delivered "
            f"in volumes of {format_volume(delivery.min_transfer_ul)} or more at any dilution. Raise "
            "max_solvent_percent, or use a machine that delivers less."
        )
    return racks


def _stocks_um(plan: PlatePlan) -> dict[str, float]:
    return {stock.name: stock.stock_mm * UM_PER_MM for stock in plan.stocks if stock.stock_mm is not None}


def _stock(compound: str, concentration_um: float, at_hand: dict[str, float]) -> Source:
    name = f"{compound} {concentration_um / UM_PER_MM:g} mM"
    liquid = Liquid(name, compound=compound, concentration_um=concentration_um, solvent_fraction=1.0)
    return Source("stocks", liquid, at_hand.get(compound))


def _seed(
    layout: PlateLayout, assay: AssayDeclaration, plan: PlatePlan, delivery: Delivery, machine: Capabilities
) -> Draft:
    """Cells into every well that gets them, line by line, and medium into the wells that hold nothing else."""
    draft = Draft(machine.min_volume_ul, machine.max_volume_ul)
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
    draft = Draft(machine.min_volume_ul, machine.max_volume_ul)
    volume = max(delivery.volume_ul * STAIN_FRACTION, machine.min_volume_ul)
    wells = [well.well for well in layout.with_cells]
    draft.pour(Source("stains", Liquid(stain, stain=stain)), "plate", wells, volume)
    return draft
