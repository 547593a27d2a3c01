"""The assays as declarations: which steps, for how long, with how many cells, and what is read."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain.plate import plate_format
from cellos_nb.domain.settings import AssaySettings
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import CompileError

TREAT = "treat"
"""The step whose duration `AssaySettings.treatment_h` replaces: from dosing to reading."""


@dataclass(frozen=True, slots=True)
class AssayStep:
    """One action of an assay; where dilutions are needed, the compiler puts them before the dose."""

    name: str
    """As a biologist says it."""
    kind: StepKind
    duration_h: float | None = None
    """For incubations: hours."""


@dataclass(frozen=True, slots=True)
class AssayDeclaration:
    """Everything that tells one assay from another."""

    name: str
    steps: tuple[AssayStep, ...]
    cells_per_96_well: float
    """Seeding density in a 96-well plate; other formats are scaled by growth area."""
    mode: str
    """What the reader does: `luminescence`, `fluorescence` or `imaging`."""
    channels: tuple[str, ...]
    n_sites: int = 1
    """Fields imaged in each well."""
    stain: str | None = None
    """What the stain step adds, a tenth of the working volume."""
    reagent_fraction: float = 0.0
    """Detection reagent that the reader injects, as a fraction of the working volume; counted in the cost alone."""

    def cells_per_well(self, n_wells: int, settings: AssaySettings) -> float:
        """Cells seeded into one well of a plate format."""
        if settings.name == self.name and settings.cells_per_well is not None:
            return settings.cells_per_well
        return self.cells_per_96_well * plate_format(n_wells).well_area_cm2 / plate_format(96).well_area_cm2

    def duration_h(self, step: AssayStep, settings: AssaySettings) -> float | None:
        """Hours of one step; None for a step that takes as long as the machine takes."""
        is_set = step.name == TREAT and settings.name == self.name and settings.treatment_h is not None
        return settings.treatment_h if is_set else step.duration_h


def _steps(treatment_h: float, *reading: AssayStep) -> tuple[AssayStep, ...]:
    return (
        AssayStep("seed", StepKind.SEED),
        AssayStep("attach", StepKind.INCUBATE, 4.0),
        AssayStep("dose", StepKind.DOSE),
        AssayStep(TREAT, StepKind.INCUBATE, treatment_h),
        *reading,
    )


VIABILITY = AssayDeclaration(
    name="viability",
    steps=_steps(72.0, AssayStep("read", StepKind.READ)),
    cells_per_96_well=2_500,
    mode="luminescence",
    channels=("luminescence",),
    reagent_fraction=1.0,
)
"""Living cells by ATP luminescence, 72 h after dosing.

Sparse enough that untreated cells still grow when they are read: at 10,000 cells a well, the density usual for 24 h,
most lines are confluent long before 72 h and the window between treated and untreated closes.

Source: 72 h, seeded so that the cells are in growth phase at the end: Iorio et al. 2016,
doi:10.1016/j.cell.2016.06.017, "Cell viability assays".
"""

REPORTER = AssayDeclaration(
    name="reporter",
    steps=_steps(24.0, AssayStep("read", StepKind.READ)),
    cells_per_96_well=10_000,
    mode="fluorescence",
    channels=("reporter", "viability"),
    reagent_fraction=0.1,
)
"""Induction of a reporter gene, with the viability that tells induction from death."""

IMAGING = AssayDeclaration(
    name="imaging",
    steps=_steps(48.0, AssayStep("stain", StepKind.STAIN), AssayStep("image", StepKind.IMAGE)),
    cells_per_96_well=5_000,
    mode="imaging",
    channels=("cell_count", "DAPI", "GFP", "RFP"),
    n_sites=9,
    stain="Hoechst 33342 + calcein AM + propidium iodide",
)
"""Nuclei (DAPI), living cells (GFP) and dead cells (RFP) over nine fields of each well."""

ASSAYS: dict[str, AssayDeclaration] = {assay.name: assay for assay in (VIABILITY, REPORTER, IMAGING)}
"""Every assay by name. A new one is one more declaration."""


def assay_named(name: str) -> AssayDeclaration:
    """The declaration of an assay.

    Raises:
        CompileError: there is none by that name.
    """
    if name not in ASSAYS:
        raise CompileError(f"assay: there is no assay '{name}'; possible: {', '.join(ASSAYS)}.")
    return ASSAYS[name]
