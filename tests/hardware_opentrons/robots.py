"""Robots, and workflows for them made by hand or by the compiler."""

from __future__ import annotations

from dataclasses import replace

from cellos_nb.domain.plate import plate_format, well_names
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan
from cellos_nb.domain.step import Fill, Labware, Liquid, Step, StepKind, TipPolicy, TransferList
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, capabilities
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.workflow import Workflow

OT2 = OpentronsSettings(name="ot2", robot="OT-2", left="p20_single_gen2", right="p300_single_gen2")
OT2_MULTI = OpentronsSettings(name="ot2-multi", robot="OT-2", left="p20_single_gen2", right="p300_multi_gen2")
FLEX = OpentronsSettings(name="flex", robot="Flex", left="flex_1channel_50", right="flex_1channel_1000")
FLEX_MULTI = OpentronsSettings(name="flex-multi", robot="Flex", left="flex_1channel_1000", right="flex_8channel_1000")
ROBOTS = (OT2, OT2_MULTI, FLEX, FLEX_MULTI)

WORKFLOW_SHA256 = "0123456789abcdef" * 4
TUBES = Labware("cells", "demo/cells", 6, 50_000.0, 500.0)
STOCKS = Labware("stocks", "demo/stocks", 24, 1_500.0, 10.0)
CELLS = Liquid("U2OS cells", cell_line="U2OS", cells_per_ul=25.0)


def assay_plate(n_wells=96):
    return Labware("plate", "demo/p1", n_wells, plate_format(n_wells).well_capacity_ul)


def seed_step(n_wells=96, volume_ul=40.0, wells=None, filled_ul=20_000.0, source_well="A1"):
    """The same volume of cells from one tube into the wells of a plate."""
    wells = well_names(n_wells) if wells is None else wells
    n = len(wells)
    moves = TransferList(("cells",) * n, (source_well,) * n, ("plate",) * n, tuple(wells), (volume_ul,) * n)
    fills = (Fill("cells", source_well, CELLS, filled_ul),)
    return Step("1-seed", "seed", StepKind.SEED, "demo/p1", (assay_plate(n_wells), TUBES), fills, moves)


def dose_step(rows, filled_ul=1_000.0, mix=True, uid="2-dose"):
    """Doses from tubes: rows of (tube, well, µL), each with a tip of its own."""
    tubes, wells, volumes = zip(*rows, strict=True)
    n = len(rows)
    policy = TipPolicy.PER_TRANSFER if mix else TipPolicy.PER_SOURCE
    moves = TransferList(("stocks",) * n, tubes, ("plate",) * n, wells, volumes, policy, mix)
    stock = {tube: Liquid(f"drug {tube}", compound=f"drug {tube}", concentration_um=1e4) for tube in tubes}
    fills = tuple(Fill("stocks", tube, liquid, filled_ul) for tube, liquid in stock.items())
    return Step(uid, "dose", StepKind.DOSE, "demo/p1", (assay_plate(), STOCKS), fills, moves)


def compiled(robot, n_wells=96, n=3, doses=(0.3, 3.0), lines=("U2OS",), seed=1) -> Workflow:
    """A viability plate for a robot, its reading left to another machine."""
    able = replace(capabilities(robot), step_kinds=tuple(StepKind))
    compounds = ("staurosporine", "doxorubicin")
    plan = PlatePlan(
        n_wells=n_wells,
        replicates=1,
        controls=ControlSettings(vehicle=2),
        outer_wells="use",
        stocks=tuple(CompoundStock(name=name, stock_mm=10.0) for name in compounds),
        max_solvent_percent=0.5,
        assay=AssaySettings(),
    )
    asked = [
        ExperimentProposal(lines[k % len(lines)], compounds[k % 2], doses[k % len(doses)], "viability", f"e{k}")
        for k in range(n)
    ]
    (workflow,) = compile_plates(asked, plan, able, batch_id="demo/i001", seed=seed)
    return workflow
