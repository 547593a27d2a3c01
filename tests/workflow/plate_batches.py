"""Batches to compile, and a bench that carries out transfer lists one by one, written apart from the compiler."""

from collections import defaultdict

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import plate_format
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan, PositiveControl
from cellos_nb.domain.step import StepKind
from cellos_nb.workflow.compile import compile_plates

FORMATS = (6, 12, 24, 48, 96, 384, 1536)
COMPOUNDS = ("staurosporine", "tunicamycin", "doxorubicin")


def machine(min_ul=0.0025, max_ul=1000.0, **changes):
    values = {
        "machine": "bench",
        "is_simulated": True,
        "can_reconcile": True,
        "step_kinds": tuple(StepKind),
        "plate_formats": FORMATS,
        "assays": ("viability", "reporter", "imaging"),
        "min_volume_ul": min_ul,
        "max_volume_ul": max_ul,
        "usd_per_hour": 30.0,
    }
    return Capabilities(**values | changes)


def plan(n_wells=96, **changes):
    values = {
        "n_wells": n_wells,
        "replicates": 1,
        "controls": ControlSettings(vehicle=2, positive=PositiveControl(compound=COMPOUNDS[0], dose_um=1.0, wells=1)),
        "outer_wells": "use",
        "stocks": tuple(CompoundStock(name=name, stock_mm=10.0) for name in COMPOUNDS),
        "max_solvent_percent": 0.5,
        "assay": AssaySettings(),
    }
    return PlatePlan(**values | changes)


def proposal(dose_um=1.0, compound=COMPOUNDS[1], line="U2OS", assay="viability", uid="e1"):
    return ExperimentProposal(line, compound, dose_um, assay, uid)


def batch(n, *, lines=("U2OS", "A549"), compounds=COMPOUNDS, low=1e-3, high=40.0, n_doses=9, assay="viability"):
    doses = [float(f"{low * (high / low) ** (i / (n_doses - 1)):.6g}") for i in range(n_doses)]
    return [
        proposal(
            doses[i % n_doses], compounds[i // n_doses % len(compounds)], lines[i % len(lines)], assay, f"e{i:04d}"
        )
        for i in range(n)
    ]


def compiled(proposals, chosen_plan=None, chosen_machine=None, seed=7):
    return compile_plates(
        proposals, chosen_plan or plan(), chosen_machine or machine(), batch_id="test/i001", seed=seed
    )


class Bench:
    """Volume and contents of every well, by barcode and well name."""

    def __init__(self, limits):
        self.limits = limits
        self.volume = defaultdict(float)
        self.contents = defaultdict(lambda: defaultdict(float))

    def run(self, step):
        items = {item.name: item for item in step.labware}
        for fill in step.fills:
            at = (items[fill.labware].barcode, fill.well)
            assert at not in self.volume, f"{at} is filled twice"
            assert 0 < fill.volume_ul <= items[fill.labware].well_capacity_ul
            self.volume[at] = fill.volume_ul
            self.contents[at]["DMSO"] = fill.liquid.solvent_fraction * fill.volume_ul
            self.contents[at]["cells"] = fill.liquid.cells_per_ul * fill.volume_ul
            if fill.liquid.compound:
                self.contents[at][fill.liquid.compound] = fill.liquid.concentration_um * fill.volume_ul
        for move in step.transfers or ():
            self._move(move, items, step.uid)

    def _move(self, move, items, uid):
        source, destination = items[move.source_labware], items[move.destination_labware]
        here, there = (source.barcode, move.source_well), (destination.barcode, move.destination_well)
        low, high = self.limits
        assert low * (1 - 1e-9) <= move.volume_ul <= high * (1 + 1e-9), f"{uid}: {move}"
        assert self.volume[here] - move.volume_ul >= source.dead_volume_ul - 1e-6, f"{uid}: {move} overdraws"
        assert self.volume[there] + move.volume_ul <= destination.well_capacity_ul + 1e-6, f"{uid}: {move} overflows"
        share = move.volume_ul / self.volume[here]
        for name, amount in list(self.contents[here].items()):
            self.contents[here][name] -= amount * share
            self.contents[there][name] += amount * share
        self.volume[here] -= move.volume_ul
        self.volume[there] += move.volume_ul


def check_plate(workflow, chosen_plan, chosen_machine):
    """Carries out a workflow and compares every well with its layout when dosing is done."""
    bench = Bench((chosen_machine.min_volume_ul, chosen_machine.max_volume_ul))
    working_ul = plate_format(workflow.layout.n_wells).working_volume_ul
    for step in workflow.steps:
        bench.run(step)
        if step.kind is not StepKind.DOSE:
            continue
        for well in workflow.layout:
            at = (workflow.plate_id, well.well)
            volume, contents = bench.volume[at], bench.contents[at]
            assert abs(volume / working_ul - 1) < 1e-9, well
            solvent = 0.0 if well.cell_line is None else chosen_plan.max_solvent_percent / 100
            assert abs(contents["DMSO"] / volume - solvent) < 1e-9, well
            assert (contents["cells"] > 0) == (well.cell_line is not None), well
            found = {name: amount / volume for name, amount in contents.items() if name not in {"DMSO", "cells"}}
            if well.compound is None:
                assert not any(found.values()), well
            else:
                assert list(found) == [well.compound], well
                assert abs(found[well.compound] / well.dose_um - 1) < 1e-6, well
        filled = {well for barcode, well in bench.volume if barcode == workflow.plate_id}
        assert filled == {well.well for well in workflow.layout}
    return bench
