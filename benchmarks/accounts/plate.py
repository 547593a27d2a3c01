"""A dose plate of which every well is in use, and what an account of it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cellos_nb.domain.machine import Place
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.workflow import Workflow

FULL = {96: (8, 5, 16), 384: (16, 11, 32)}
"""Doses of each compound, wells of each dose, vehicle wells: together all wells."""
VOLUMES_UL = (5.0, 300.0)
"""What the pipettes of all these machines deliver."""

Account = dict[str, tuple[float, dict[str, float]]]
"""By well: µL, and µM of each compound."""


@dataclass(frozen=True)
class Row:
    """One machine's plate."""

    machine: str
    account: Account
    commands: int
    tips: int
    minutes: float
    checks: str
    planned: Account | None = None
    """What it is compared with, where that is another plate than that of the others."""


def compiled(
    n_wells: int,
    line: str = "U2OS",
    compounds: tuple[str, str] = ("staurosporine", "doxorubicin"),
    places: tuple[Place, ...] = (),
) -> Workflow:
    """Two compounds in two-fold dilution from 10 µM, every well in use."""
    n_doses, n_replicates, n_vehicle = FULL[n_wells]
    plan = PlatePlan(
        n_wells=n_wells,
        replicates=n_replicates,
        controls=ControlSettings(vehicle=n_vehicle),
        outer_wells="use",
        stocks=tuple(CompoundStock(name=name, stock_mm=10.0) for name in compounds),
        max_solvent_percent=0.5,
        assay=AssaySettings(),
    )
    doses = [float(f"{10 * 2.0**-k:.4g}") for k in range(n_doses)]
    asked = [
        ExperimentProposal(line, compound, dose, "viability", f"{compound}{number}")
        for compound in compounds
        for number, dose in enumerate(doses)
    ]
    low_ul, high_ul = VOLUMES_UL
    can = VirtualMachine(min_volume_ul=low_ul, max_volume_ul=high_ul).describe()
    can = replace(can, step_kinds=tuple(StepKind), places=places)
    (workflow,) = compile_plates(asked, plan, can, batch_id=f"same-{n_wells}", seed=1)
    return workflow


def wet_steps(workflow: Workflow) -> list[Step]:
    """Those that move liquid."""
    return [step for step in workflow.steps if step.transfers is not None]


def account_of(steps: list[Step]) -> Account:
    """What the wells hold after these steps, reckoned without a pipette's limits."""
    return carried_out_on(VirtualMachine(min_volume_ul=1e-4, max_volume_ul=1e6), steps)


def carried_out_on(machine: VirtualMachine, steps: list[Step]) -> Account:
    """What a simulated machine says of its wells after these steps."""
    for number, step in enumerate(steps):
        machine.execute(step, str(number))
    return wells_of(machine, steps[0].plate_id)


def wells_of(machine: VirtualMachine, plate_id: str) -> Account:
    wells = [well for well, volume in machine.volumes(plate_id).items() if volume > 0]
    held = {well: machine.contents(plate_id, well) for well in wells}
    return {well: (one.volume_ul, dict(one.dose_um)) for well, one in held.items()}


def largest_difference(planned: Account, found: Account) -> float:
    """In percent, over volumes and doses of all wells; the wells and their compounds are the same."""
    assert planned.keys() == found.keys()
    worst = 0.0
    for well, (volume, doses) in planned.items():
        other, others = found[well]
        assert doses.keys() == others.keys(), well
        pairs = [(volume, other), *((doses[name], others[name]) for name in doses)]
        worst = max(worst, *(abs(b - a) / a * 100 for a, b in pairs))
    return worst
