"""The parts of a campaign's configuration that stand under keys of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cellos_nb.domain.planning import PlannerSettings
from cellos_nb.domain.setting import Name, PositiveFloat, Settings

__all__ = [
    "IMPORTED",
    "Assay",
    "AssayName",
    "AssaySettings",
    "Compound",
    "CompoundStock",
    "ControlSettings",
    "ConvergenceSettings",
    "Machine",
    "MachineSettings",
    "Name",
    "Objective",
    "ObjectiveSettings",
    "PlannerChoice",
    "PlannerSettings",
    "PlatePlan",
    "PositiveControl",
    "PositiveFloat",
    "ProtocolStep",
    "RobotName",
    "Settings",
]

RobotName = Annotated[str, Field(max_length=120, pattern=r"^[^\s,/]+$")]
AssayName = Literal["viability", "reporter", "imaging"]
IMPORTED = "imported"
"""The machine of campaigns whose results were measured elsewhere: there is none."""


def _short_form(key: str) -> BeforeValidator:
    """Lets a bare text stand for a mapping with one key: `assay: viability`."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _british(goal: Any) -> Any:
    """Accepts the American spelling of a goal as well."""
    return goal.replace("mize", "mise") if isinstance(goal, str) else goal


class CompoundStock(Settings):
    """A compound and the stock that it is dosed from."""

    name: Name
    """By the name that the machine knows."""
    stock_mm: PositiveFloat | None = None
    """Stock concentration in mM, in pure DMSO; the campaign's `stock_mm` when left out."""
    stock_volume_ul: PositiveFloat | None = None
    """Volume at hand in µL; not checked when left out."""
    max_dose_um: PositiveFloat | None = None
    """Never dose above this; the campaign's range when left out."""


class ObjectiveSettings(Settings):
    """What the campaign looks for."""

    goal: Annotated[Literal["maximise", "minimise", "selectivity"], BeforeValidator(_british)] = "minimise"
    """`selectivity`: lowest value among the spared cell lines, 1.0 at most, minus that of the target, made large."""
    target: Name | None = None
    """The cell line to hit, for selectivity; the first of `cell_lines` when left out."""


class PositiveControl(Settings):
    """A compound and dose known to act."""

    compound: Name
    """One of the campaign's, or another one, dosed from the campaign's `stock_mm`."""
    dose_um: PositiveFloat
    """Final dose in µM."""
    wells: Annotated[int, Field(ge=1, le=96)] = 2
    """Wells for each cell line on each plate."""


class ControlSettings(Settings):
    """Control wells for each cell line on each plate."""

    vehicle: Annotated[int, Field(ge=1, le=96)] = 4
    """Wells with solvent alone."""
    positive: PositiveControl | None = None


class ConvergenceSettings(Settings):
    """When a campaign has nothing more to gain."""

    patience: Annotated[int, Field(ge=1)] = 3
    """Iterations without improvement after which it stops."""
    min_improvement: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    """What counts as an improvement of the best score."""


class ProtocolStep(Settings):
    """One action of a protocol of a lab's own."""

    kind: Literal["seed", "incubate", "dose", "stain", "read", "image"]
    """What is done; dilutions are put before the dose where they are needed."""
    duration_h: PositiveFloat | None = None
    """Hours of an incubation; other steps take as long as the machine takes."""
    name: Annotated[str, Field(max_length=40)] | None = None
    """As a biologist says it: attach, treat, recover; the kind when left out."""

    @field_validator("name")
    @classmethod
    def _is_fit_for_a_file(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9 _-]*", name):
            raise ValueError("begin with a letter and use letters, digits, blanks, - and _")
        return name


class AssaySettings(Settings):
    """The assay and what a lab may want to change about it, down to a protocol of its own."""

    name: AssayName = "viability"
    """What is read, and how it is concluded."""
    treatment_h: PositiveFloat | None = None
    """Hours from dosing to reading; the assay's default when left out."""
    cells_per_well: PositiveFloat | None = None
    """Seeding density; the assay's default, scaled by growth area, when left out."""
    protocol: Name | None = None
    """The name of a protocol of the lab's: the one that `steps` gives, or one that a plug-in brings."""
    steps: tuple[ProtocolStep, ...] = ()
    """What is done to a plate, in order; the assay's own steps when left out."""
    stain: Name | None = None
    """What the stain step of an imaging assay adds; its default when left out."""
    n_sites: Annotated[int, Field(ge=1, le=100)] | None = None
    """Fields imaged in each well of an imaging assay; its default when left out."""

    @model_validator(mode="after")
    def _check_protocol(self) -> Self:
        if self.name != "imaging":
            for key in ("stain", "n_sites"):
                if getattr(self, key) is not None:
                    raise ValueError(f"assay.{key}|belongs to imaging alone; remove it or change the assay")
        if not self.steps:
            return self
        if self.protocol is None:
            raise ValueError("assay.protocol|steps of one's own need a name; add one, such as 'early death'")
        if self.treatment_h is not None:
            raise ValueError("assay.treatment_h|stands beside steps, which have durations of their own; remove it")
        problem = _problem_of(self.steps, "image" if self.name == "imaging" else "read")
        if problem:
            raise ValueError(f"assay.steps|{problem}")
        return self


def _problem_of(steps: tuple[ProtocolStep, ...], reading: str) -> str:
    """Why steps in this order are no protocol, and what to do; empty when they are one."""
    kinds: list[str] = [step.kind for step in steps]
    for number, step in enumerate(steps, start=1):
        if (step.duration_h is not None) != (step.kind == "incubate"):
            cure = "give its duration_h" if step.kind == "incubate" else "only incubations have a duration_h; remove it"
            return f"step {number} ({step.name or step.kind}): {cure}"
    for kind in ("seed", "dose", reading):
        if kinds.count(kind) != 1:
            return f"there are {kinds.count(kind)} steps of the kind {kind}; a protocol has exactly one"
    if kinds[0] != "seed" or kinds[-1] != reading:
        return f"begins with {kinds[0]} and ends with {kinds[-1]}; begin with seed and end with {reading}"
    n_stains = 1 if reading == "image" else 0
    other = "read" if reading == "image" else "image"
    if kinds.count("stain") != n_stains or other in kinds:
        wanted = "stain once, then image" if n_stains else "read without stain or image"
        return f"this assay needs other steps: {wanted}"
    if n_stains and kinds.index("stain") < kinds.index("dose"):
        return "stains before the dose; stain after it, since the image is of treated cells"
    return ""


class MachineSettings(Settings):
    """Which machine runs the campaign."""

    kind: Name = "biology"
    """`biology`, `replay`, `virtual`, `cluster`, `opentrons`, a plug-in's kind, or the name of a machine file."""
    screen: str | None = None
    """For `replay`: a CSV of measured responses; the shipped sarcoma screen when left out."""
    parameters: str | None = None
    """For `biology`: a YAML of cell lines and compounds; the shipped one when left out. For `opentrons`: the robot's
    YAML file."""
    address: Name | None = None
    """For `cluster`: of the Dask scheduler, as in `tcp://127.0.0.1:8786`."""
    robots: tuple[RobotName, ...] = ()
    """For `cluster`: equal robots that share the campaign, each owned by a `cellos worker`."""
    file: str | None = None
    """A machine file, as `machines/bench.yaml`; when left out, the one of that name in the folder `machines`."""


def _expand_compound(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Compound = Annotated[CompoundStock, BeforeValidator(_expand_compound)]
Objective = Annotated[ObjectiveSettings, _short_form("goal")]
Assay = Annotated[AssaySettings, _short_form("name")]
Machine = Annotated[MachineSettings, _short_form("kind")]
PlannerChoice = Annotated[PlannerSettings, _short_form("kind")]


@dataclass(frozen=True, slots=True)
class PlatePlan:
    """All that the compiler needs beside the proposals: how plates of this campaign are made."""

    n_wells: int
    replicates: int
    controls: ControlSettings
    outer_wells: Literal["use", "medium"]
    stocks: tuple[CompoundStock, ...]
    """One for each compound, the positive control among them, with `stock_mm` filled in."""
    max_solvent_percent: float
    """Volume of DMSO per volume of well, in percent; the same in every well of a plate."""
    assay: AssaySettings

    def stock_of(self, compound: str) -> CompoundStock | None:
        """The stock of a compound; None when there is none."""
        return next((stock for stock in self.stocks if stock.name == compound), None)
