"""The parameters of simulated biology: a YAML with a source for every value, read and checked."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cellos_nb.domain.config_errors import checked
from cellos_nb.domain.settings import Name, PositiveFloat, Settings
from cellos_nb.domain.yaml_lines import read_yaml

NO_SOURCE = "not given"


class _Positive(Settings):
    value: PositiveFloat
    source: str = NO_SOURCE


class _Share(Settings):
    value: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    source: str = NO_SOURCE


class _NotNegative(Settings):
    value: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    source: str = NO_SOURCE


def _bare(value: Any) -> Any:
    """Lets a bare number stand for a value without a source, in a user's own file."""
    return value if isinstance(value, dict) else {"value": value}


Positive = Annotated[_Positive, BeforeValidator(_bare)]
Share = Annotated[_Share, BeforeValidator(_bare)]
NotNegative = Annotated[_NotNegative, BeforeValidator(_bare)]


class GrowthParameters(Settings):
    """How cells multiply between seeding and reading."""

    lag_start_h: NotNegative
    """Hours after seeding until growth begins."""
    lag_end_h: NotNegative
    """Hours after seeding until growth is at full speed; linear in between."""
    edge_slowdown: Share
    """What a rim well loses of its growth rate."""
    contact_slowdown: Share
    """What a confluent well loses of its growth rate, beside the limit of the line."""
    baseline_death_per_h: NotNegative
    """Share of untreated cells that dies in an hour."""
    batch_cv: NotNegative
    """Of the growth rate, from one batch of cells (one plate) to the next."""
    attachment_h: Positive
    """Hours until all adherent cells have settled and can be imaged."""


class DeathParameters(Settings):
    """How treated cells die."""

    commitment_h: NotNegative
    """Hours of exposure before attrition begins."""
    instant_fraction: Share
    """Part of a compound's full effect that shows at once."""
    response_cv: NotNegative
    """Of the cells that a well ends with, from well to well under equal treatment."""


class NoiseParameters(Settings):
    """Coefficients of variation and mishaps of measuring."""

    plate_cv: NotNegative
    """From plate to plate."""
    day_cv: NotNegative
    """From day to day."""
    operator_cv: NotNegative
    """From person to person."""
    well_cv: NotNegative
    """From well to well."""
    viability_cv: NotNegative
    """Of the viability reading."""
    stain_cv: NotNegative
    """Of staining."""
    focus_cv: NotNegative
    """Of focus, from site to site."""
    cell_count_cv: NotNegative
    """Of counted cells."""
    edge_evaporation: Share
    """What a rim well loses of its signal."""
    outlier_fraction: Share
    """Of wells that are far off."""
    outlier_scale: NotNegative
    """Of the Student-t factor on log signal."""
    outlier_degrees_of_freedom: Positive
    """Of the Student-t factor: the fewer, the wilder."""
    failure_fraction: Share
    """Of wells whose signal is multiplied by a factor anywhere between the next two, evenly in its logarithm."""
    failure_lowest_factor: Positive
    """The smallest factor of a failed well."""
    failure_highest_factor: Positive
    """The largest factor of a failed well."""


class Fault(Settings):
    """A fault that befalls some plates, to see whether quality control finds it; none unless it is asked for."""

    share_of_plates: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """Chance that a plate has it."""
    size: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.5
    """Edge: what a rim well loses of its signal. Drift: what the last column loses beside the first, linear in
    between. Bubble: what a well loses. Swapped rows: not used."""
    n_wells: Annotated[int, Field(ge=1, le=1536)] = 1
    """Wells with a bubble; not used by the others."""


class FaultParameters(Settings):
    """Faults put into plates on purpose, beside the noise that every plate has."""

    edge: Fault = Fault()
    drift: Fault = Fault()
    bubble: Fault = Fault()
    swapped_rows: Fault = Fault()
    """Two rows of cells change places, as after a plate was filled the wrong way round."""


class SignalParameters(Settings):
    """How many counts a cell gives."""

    background_rlu: NotNegative
    """Of a well without cells, luminescence."""
    reporter_rlu_per_cell: Positive
    """Of a cell that is not induced."""
    induction_h: Positive
    """Time constant of the reporter."""
    field_area_cm2: Positive
    """One imaged site."""
    background_rfu: NotNegative
    """Of a field without cells, fluorescence."""
    nucleus_rfu: Positive
    """DAPI, for each cell in the field, living or dead."""
    live_cell_rfu: Positive
    """GFP."""
    dead_cell_rfu: Positive
    """RFP."""
    dead_retained: Share
    """Dead cells that still lie in the well."""


class CellLine(Settings):
    """One cell line."""

    name: Name
    """As campaigns call it."""
    doubling_time_h: Positive
    """Hours at full growth."""
    confluence_limit: Share
    """Of the confluent density: where growth ends."""
    confluent_density_per_cm2: Positive
    """Cells on a cm² when it is full."""
    rlu_per_cell: Positive
    """Luminescence of a living cell."""
    growth_form: Literal["adherent", "suspension"] = "adherent"
    """Whether it settles on the bottom."""


class Induction(Settings):
    """A compound's effect on the reporter, below the doses that kill."""

    ec50_um: Positive
    """Dose of half-maximal induction, in µM."""
    hill: Positive
    """Steepness of induction."""
    fold: Positive
    """Of the uninduced signal per cell, at most."""


class CompoundEffect(Settings):
    """One compound: where and how deep its curve goes, and how fast."""

    name: Name
    """As campaigns call it."""
    mechanism: str = ""
    """For people."""
    ic50_um: Positive
    """Dose of the half-maximal effect on viability as a fraction of vehicle."""
    hill: Positive
    """Steepness of the effect on viability."""
    emax: Share
    """Cells that the highest doses kill in the end."""
    death_h: Positive
    """Time constant of attrition after commitment."""
    line_log10_shift: dict[str, Annotated[float, Field(ge=-6, le=6, allow_inf_nan=False)]] = Field(default_factory=dict)
    """For each line that differs: log10 of its IC50 over `ic50_um`."""
    shift_source: str = NO_SOURCE
    """Where the shifts come from."""
    induction: Induction | None = None


class BiologyParameters(Settings):
    """Everything that the biological machine knows."""

    sources: dict[str, str] = Field(default_factory=dict)
    """What each source's short name stands for."""
    growth: GrowthParameters
    death: DeathParameters
    noise: NoiseParameters
    signals: SignalParameters
    faults: FaultParameters = FaultParameters()
    cell_lines: Annotated[tuple[CellLine, ...], Field(min_length=1)]
    compounds: Annotated[tuple[CompoundEffect, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, items in (("cell_lines", self.cell_lines), ("compounds", self.compounds)):
            names = [item.name for item in items]
            twice = next((i for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise ValueError(f"{key}.{twice}.name|{names[twice]} stands twice; keep one")
        lines = [line.name for line in self.cell_lines]
        for i, compound in enumerate(self.compounds):
            unknown = next((name for name in compound.line_log10_shift if name not in lines), None)
            if unknown is not None:
                raise ValueError(
                    f"compounds.{i}.line_log10_shift|{unknown} is none of the cell lines: {', '.join(lines)}"
                )
        if self.growth.lag_end_h.value <= self.growth.lag_start_h.value:
            raise ValueError("growth.lag_end_h|must be later than lag_start_h")
        if self.noise.failure_highest_factor.value < self.noise.failure_lowest_factor.value:
            raise ValueError("noise.failure_highest_factor|must not be below failure_lowest_factor")
        for i, line in enumerate(self.cell_lines):
            if line.confluence_limit.value == 0:
                raise ValueError(f"cell_lines.{i}.confluence_limit|0 leaves no room for a cell; give up to 1")
        return self


def load_parameters(path: str | Path | None = None) -> BiologyParameters:
    """The parameters in a YAML file of one's own, or the shipped ones without a path.

    What it leaves out is taken from the shipped ones; cell lines and compounds as a whole.

    Raises:
        ConfigError: the file cannot be read, or a value is refused; names the line, the value and what is possible.
    """
    if path is None:
        return _shipped()
    document = read_yaml(path)
    content = dict(document.content)
    shipped = _shipped().model_dump()
    for key in ("growth", "death", "noise", "signals"):
        own = content.get(key, {})
        content[key] = {**shipped[key], **own} if isinstance(own, dict) else own
    content = {key: shipped[key] for key in ("cell_lines", "compounds") if _names_nothing(content)} | content
    return checked(BiologyParameters, content, document)


def _names_nothing(content: dict[str, Any]) -> bool:
    """Whether a file changes nothing but how the shipped cells and compounds behave."""
    return "cell_lines" not in content and "compounds" not in content


@cache
def _shipped() -> BiologyParameters:
    with resources.as_file(resources.files("cellos_nb.hardware") / "parameters" / "biology.yaml") as path:
        return BiologyParameters.model_validate(read_yaml(path).content)
