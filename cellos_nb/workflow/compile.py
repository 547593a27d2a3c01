"""Proposals in, workflows out: one for each plate, inert and complete."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import PlateLayout, plate_format
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import PlatePlan
from cellos_nb.domain.step import Fill, Labware, Readout, Step, StepKind, TipPolicy, TransferList
from cellos_nb.errors import StockError
from cellos_nb.units import format_volume
from cellos_nb.workflow.assays import AssayDeclaration, AssayStep, declaration_of
from cellos_nb.workflow.check import check_batch
from cellos_nb.workflow.deck import Deck, Source, collect
from cellos_nb.workflow.layout import assign_plates, lay_out, plate_seed
from cellos_nb.workflow.transfers import PlateDrafts, draft_plate
from cellos_nb.workflow.workflow import Workflow

CONTACTLESS_UL = 0.1
"""A machine that delivers less than this shoots droplets and touches no liquid."""
_LIQUIDS = (StepKind.SEED, StepKind.DILUTE, StepKind.DOSE, StepKind.STAIN)


def compile_plates(
    proposals: Sequence[ExperimentProposal],
    plan: PlatePlan,
    capabilities: Capabilities,
    *,
    batch_id: str,
    seed: int,
) -> tuple[Workflow, ...]:
    """One workflow for each plate that the proposals need; proposals of different assays go onto different plates.

    The same arguments give the same workflows, on every platform.

    Args:
        proposals: each with its own `proposal_id`.
        plan: how plates are made.
        capabilities: of the machine that will run them.
        batch_id: plates are called `<batch_id>-p1`, `<batch_id>-p2` …
        seed: behind the layouts and, on simulated machines, the noise; use another one for every batch.

    Raises:
        ProposalError: a proposal has no identifier of its own.
        LayoutError: an experiment and its controls do not fit a plate.
        PipettingError: a volume or dose is out of reach.
        StockError: a compound has no stock, or not enough.
        CompileError: the machine cannot do what is asked.
    """
    check_batch(proposals, plan, capabilities)
    at_hand = {stock.name: stock.stock_volume_ul for stock in plan.stocks if stock.stock_volume_ul is not None}
    workflows: list[Workflow] = []
    for name in dict.fromkeys(proposal.assay for proposal in proposals):
        assay = declaration_of(name, plan.assay)
        for content in assign_plates([p for p in proposals if p.assay == name], plan):
            number = len(workflows) + 1
            plate_id, own_seed = f"{batch_id}-p{number}", plate_seed(seed, number)
            layout = lay_out(content, plan, own_seed)
            drafts = draft_plate(layout, assay, plan, capabilities, at_hand)
            steps = _Assembly(plate_id, layout, assay, plan, capabilities, own_seed).steps(drafts, at_hand)
            workflows.append(Workflow(plate_id, name, layout, steps, own_seed))
    return tuple(workflows)


@dataclass(slots=True)
class _Assembly:
    """Turns the drafts of one plate into its steps."""

    plate_id: str
    layout: PlateLayout
    assay: AssayDeclaration
    plan: PlatePlan
    machine: Capabilities
    seed: int
    plate: Labware = field(init=False)
    deck: Deck = field(init=False)

    def __post_init__(self) -> None:
        capacity = plate_format(self.layout.n_wells).well_capacity_ul
        self.plate = Labware("plate", self.plate_id, self.layout.n_wells, capacity)
        self.deck = Deck(self.plate_id)

    def steps(self, drafts: PlateDrafts, at_hand: dict[str, float]) -> tuple[Step, ...]:
        """The steps in order; what is taken from stock is taken off `at_hand`."""
        kinds = [kind for kind in _LIQUIDS if kind in drafts.by_kind and drafts.by_kind[kind].volumes]
        first_use = collect(drafts.by_kind[kind] for kind in kinds)
        self._put_on_deck(first_use, drafts, at_hand)
        liquids: dict[StepKind, tuple[tuple[Fill, ...], TransferList]] = {}
        drawn: dict[Source, int] = {}
        for index, kind in enumerate(kinds):
            policy, mix = self._handling(kind, is_direct=drafts.delivery.is_direct)
            fills = tuple(f for source, first in first_use.items() if first == index for f in self._fills(source))
            liquids[kind] = (fills, drafts.by_kind[kind].transfers(policy, mix_after=mix, drawn=drawn))
        declared = self._carried(self._declared(has_dilutions=StepKind.DILUTE in liquids))
        return tuple(self._step(i, step, liquids.get(step.kind)) for i, step in enumerate(declared, start=1))

    def _declared(self, *, has_dilutions: bool) -> Iterator[AssayStep]:
        for step in self.assay.steps:
            if has_dilutions and step.kind is StepKind.DOSE:
                yield AssayStep("dilute", StepKind.DILUTE)
            yield step

    def _carried(self, steps: Iterator[AssayStep]) -> Iterator[AssayStep]:
        """The steps with the ways in between, where the machine's parts stand apart.

        The plate is put where its first step is. It stays where it is while dilutions are made, which do not touch it.
        """
        place: str | None = None
        for step in steps:
            wanted = None if step.kind is StepKind.DILUTE else self.machine.place_for(step.kind)
            if wanted is not None and place not in {None, wanted}:
                yield AssayStep(f"to-{wanted}", StepKind.TRANSPORT, to_place=wanted)
            place = wanted or place
            yield step

    def _step(self, number: int, step: AssayStep, liquid: tuple[tuple[Fill, ...], TransferList] | None) -> Step:
        fills, transfers = liquid or ((), None)
        labware, readout = [self.plate], None
        if transfers is not None:
            filled = (fill.labware for fill in fills)
            named = dict.fromkeys((*filled, *transfers.source_labware, *transfers.destination_labware))
            labware += [self.deck.labware[name] for name in named if name != "plate"]
        if step.kind in {StepKind.READ, StepKind.IMAGE}:
            wells = tuple(well.well for well in self.layout.with_cells)
            readout = Readout(self.assay.mode, self.assay.channels, wells, self.assay.n_sites)
        return Step(
            uid=f"{number}-{step.name}",
            name=step.name,
            kind=step.kind,
            plate_id=self.plate_id,
            labware=tuple(labware),
            fills=fills,
            transfers=transfers,
            duration_h=self.assay.duration_h(step, self.plan.assay),
            readout=readout,
            assay=self.assay.name,
            seed=self.seed,
            to_place=step.to_place,
        )

    def _put_on_deck(self, first_use: dict[Source, int], drafts: PlateDrafts, at_hand: dict[str, float]) -> None:
        by_labware: dict[str, list[Source]] = {}
        for source in first_use:
            by_labware.setdefault(source.labware, []).append(source)
        for name, sources in by_labware.items():
            if name == "dilutions":
                self.deck.put_dilutions(drafts.dilution_rack, drafts.dilutions)
                continue
            rack = self.deck.put(name, sources)
            for source in sources:
                if source.available_ul is not None:
                    self._take(source, rack.dead_ul, at_hand)

    def _take(self, source: Source, dead_ul: float, at_hand: dict[str, float]) -> None:
        """Takes what one plate needs of a compound off what there is of it."""
        compound, available = (source.liquid.compound if source.liquid else None) or "", source.available_ul or 0.0
        drawn, dead = math.fsum(source.draws), dead_ul * len(source.places)
        if drawn + dead > available * (1 + 1e-9):
            raise StockError(
                f"Plate {self.plate_id}: {compound} needs {format_volume(drawn + dead)} of its stock, of which "
                f"{format_volume(dead)} cannot be drawn from the tube, but of its stock_volume_ul "
                f"{format_volume(available)} are left. Provide more stock, or ask for fewer wells or lower doses of it."
            )
        at_hand[compound] = available - drawn

    def _fills(self, source: Source) -> tuple[Fill, ...]:
        return self.deck.fills.get(source, ())

    def _handling(self, kind: StepKind, *, is_direct: bool) -> tuple[TipPolicy, bool]:
        """Tip policy of a step and whether it mixes: a tip that touches another well's liquid is used once."""
        if kind is StepKind.DILUTE:
            return TipPolicy.PER_TRANSFER, True
        is_contactless = self.machine.min_volume_ul < CONTACTLESS_UL
        if kind is StepKind.DOSE and is_direct and not is_contactless:
            return TipPolicy.PER_TRANSFER, True
        return TipPolicy.PER_SOURCE, False
