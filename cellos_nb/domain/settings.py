"""The parts of a campaign's configuration that stand under keys of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"\S")]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
RobotName = Annotated[str, Field(max_length=120, pattern=r"^[^\s,/]+$")]
AssayName = Literal["viability", "reporter", "imaging"]


def _short_form(key: str) -> BeforeValidator:
    """Lets a bare text stand for a mapping with one key: `assay: viability`."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _british(goal: Any) -> Any:
    """Accepts the American spelling of a goal as well."""
    return goal.replace("mize", "mise") if isinstance(goal, str) else goal


class Settings(BaseModel):
    """Base of all configuration models: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_yes_and_no(cls, value: Any) -> Any:
        """YAML reads `yes`, `on` and `true` as truth, which Python counts as the number 1."""
        items = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(item, bool) for item in items):
            raise ValueError("yes and no are no answers here; give a number, or put a name in quotes")
        return value


class CompoundStock(Settings):
    """A compound and the stock that it is dosed from."""

    name: Name
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
    dose_um: PositiveFloat
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


class AssaySettings(Settings):
    """The assay and the times that a lab may want to change."""

    name: AssayName = "viability"
    treatment_h: PositiveFloat | None = None
    """Hours from dosing to reading; the assay's default when left out."""
    cells_per_well: PositiveFloat | None = None
    """Seeding density; the assay's default, scaled by growth area, when left out."""


class MachineSettings(Settings):
    """Which machine runs the campaign."""

    kind: Name = "biology"
    """`biology`, `replay`, `virtual`, `cluster`, or a kind that a plug-in brings."""
    screen: str | None = None
    """For `replay`: a CSV of measured responses; the shipped sarcoma screen when left out."""
    parameters: str | None = None
    """For `biology`: a YAML of cell lines and compounds; the shipped one when left out."""
    address: Name | None = None
    """For `cluster`: of the Dask scheduler, as in `tcp://127.0.0.1:8786`."""
    robots: tuple[RobotName, ...] = ()
    """For `cluster`: equal robots that share the campaign, each owned by a `cellos worker`."""


class PlannerSettings(Settings):
    """Which planner proposes, and how."""

    kind: Name = "mechanistic"
    """`mechanistic`, `random`, `space_filling`, or a kind that a plug-in brings."""
    acquisition: Literal["nei", "ei", "ucb", "pi"] = "nei"
    """Noisy expected improvement, expected improvement, upper confidence bound, probability of improvement."""
    n_initial: Annotated[int, Field(ge=1)] | None = None
    """Experiments before the model is asked; one batch when left out."""
    prior: Name = "default"
    """What is known of viability curves before: `default`, `vague`, or a file that `cellos learn-prior` wrote."""


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
