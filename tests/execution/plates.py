"""Workflows of five steps, made by hand."""

from __future__ import annotations

from cellos_nb.domain.plate import PlateLayout, WellAssignment, WellRole
from cellos_nb.domain.step import Fill, Labware, Liquid, Readout, Step, StepKind, TransferList
from cellos_nb.workflow.workflow import Workflow


def plate(plate_id: str = "demo/i001-p1", n_samples: int = 2, dose_um: float = 1.0) -> Workflow:
    rows = [WellAssignment(f"A{k}", WellRole.VEHICLE, "U2OS", replicate=k) for k in range(1, 4)]
    rows += [
        WellAssignment(f"B{k}", WellRole.SAMPLE, "U2OS", "drug", dose_um * k, f"e{k}") for k in range(1, n_samples + 1)
    ]
    wells = tuple(row.well for row in rows)
    on_deck = (Labware("plate", plate_id, 96, 360.0), Labware("stocks", f"{plate_id}-stocks", 96, 1000.0))

    def step(uid, kind, **values):
        return Step(uid, uid.split("-")[1], kind, plate_id, on_deck, **values)

    def moves(volume_ul):
        n = len(wells)
        return TransferList(("stocks",) * n, ("A1",) * n, ("plate",) * n, wells, (volume_ul,) * n)

    stock = (Fill("stocks", "A1", Liquid("U2OS cells", cell_line="U2OS", cells_per_ul=50.0), 900.0),)
    steps = (
        step("1-seed", StepKind.SEED, fills=stock, transfers=moves(50.0)),
        step("2-attach", StepKind.INCUBATE, duration_h=24.0),
        step("3-dose", StepKind.DOSE, transfers=moves(0.5)),
        step("4-treat", StepKind.INCUBATE, duration_h=72.0),
        step("5-read", StepKind.READ, readout=Readout("luminescence", ("luminescence",), wells)),
    )
    return Workflow(plate_id, "viability", PlateLayout(96, tuple(rows)), steps)


WET = ("1-seed", "3-dose")
