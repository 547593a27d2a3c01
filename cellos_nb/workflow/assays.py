"""The assays as declarations: which steps, for how long, with how many cells, and what is read.

A lab's own protocol is an `AssaySettings` with `steps`: written into a campaign, or brought by a plug-in under a name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import entry_points

from cellos_nb.domain.plate import plate_format
from cellos_nb.domain.settings import AssaySettings
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import CompileError

ENTRY_POINTS = "cellos_nb.assays"
"""An entry point in this group names an `AssaySettings` with `steps`; its own name is the protocol's. Its
`cells_per_well` is that of a 96-well plate."""
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
    to_place: str | None = None
    """For transports, which the compiler puts in between where machines stand apart."""


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


def declaration_of(name: str, settings: AssaySettings) -> AssayDeclaration:
    """The declaration of an assay as a campaign's settings change it, down to a protocol of the lab's own.

    Raises:
        CompileError: there is no such assay or protocol, or it is one of another assay, or has no step to change.
    """
    assay = assay_named(name)
    if settings.name != name:
        return assay
    if settings.protocol is not None:
        own = settings if settings.steps else _plugged_in(settings)
        steps = tuple(AssayStep(step.name or step.kind, StepKind(step.kind), step.duration_h) for step in own.steps)
        density = own.cells_per_well if own is not settings and own.cells_per_well else assay.cells_per_96_well
        assay = _changed(replace(assay, steps=steps, cells_per_96_well=density), own)
    return _changed(assay, settings)


def protocols() -> tuple[str, ...]:
    """The protocols that plug-ins bring, by name."""
    return tuple(sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)}))


def _changed(assay: AssayDeclaration, settings: AssaySettings) -> AssayDeclaration:
    return replace(assay, stain=settings.stain or assay.stain, n_sites=settings.n_sites or assay.n_sites)


def _plugged_in(settings: AssaySettings) -> AssaySettings:
    name = settings.protocol
    for entry in entry_points(group=ENTRY_POINTS, name=name or ""):
        try:
            brought = entry.load()
        except Exception as error:
            raise CompileError(f"assay.protocol: the plug-in {entry.value} cannot be loaded ({error}).") from error
        if not isinstance(brought, AssaySettings) or not brought.steps:
            raise CompileError(f"assay.protocol: the plug-in {entry.value} is no AssaySettings with steps. Mend it.")
        if brought.name != settings.name:
            raise CompileError(
                f"assay.protocol: '{name}' is a protocol of the assay '{brought.name}', not of '{settings.name}'. "
                f"Write `assay: {{name: {brought.name}, protocol: {name}}}`."
            )
        if settings.treatment_h is not None and all(step.name != TREAT for step in brought.steps):
            raise CompileError(
                f"assay.treatment_h: the protocol '{name}' has no step called '{TREAT}' whose duration it could be. "
                "Remove it."
            )
        return brought
    known = ", ".join(protocols()) or "none is installed"
    raise CompileError(f"assay.protocol: there is no protocol '{name}'; possible: {known}. Or give its steps.")
