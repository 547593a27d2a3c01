"""The configuration of a campaign: the question, the plates, the machine and when to stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, StrictBool, ValidationError, model_validator

from cellos_nb.domain.config_errors import describe_all, refusal
from cellos_nb.domain.constraints import n_permitted, refusals
from cellos_nb.domain.settings import (
    IMPORTED,
    Assay,
    AssaySettings,
    Compound,
    CompoundStock,
    ControlSettings,
    ConvergenceSettings,
    Machine,
    MachineSettings,
    Name,
    Objective,
    ObjectiveSettings,
    PlannerChoice,
    PlannerSettings,
    PlatePlan,
    PositiveFloat,
    Settings,
)
from cellos_nb.domain.yaml_lines import KeyPath, YamlDocument, read_yaml, yaml_text
from cellos_nb.errors import ConfigError


class CampaignConfig(Settings):
    """Everything that defines a campaign; equal configurations with equal seeds give equal campaigns.

    Raises:
        ConfigError: from every constructor; names the key, the value, what is possible and the line of the YAML.
    """

    name: Name
    """Free text; folders and identifiers are made from it."""
    cell_lines: Annotated[tuple[Name, ...], Field(min_length=1)]
    """By the names that the machine knows, each once."""
    compounds: Annotated[tuple[Compound, ...], Field(min_length=1)]
    """Names, or mappings with `name`, `stock_mm`, `stock_volume_ul` and `max_dose_um`."""
    dose_range_um: tuple[PositiveFloat, PositiveFloat]
    """Lowest and highest final dose in µM."""
    n_doses: Annotated[int, Field(ge=1, le=200)] = 12
    """Doses to choose from for each compound, evenly spaced in log dose over the range."""
    assay: Assay = AssaySettings()
    objective: Objective = ObjectiveSettings()
    batch_size: Annotated[int, Field(ge=1, le=20_000)] = 12
    """Experiments in one iteration."""
    max_iterations: Annotated[int, Field(ge=1, le=10_000)] = 10
    """The campaign ends after so many."""
    budget_usd: PositiveFloat | None = None
    """The campaign stops before an iteration that would exceed it."""
    convergence: ConvergenceSettings | None = None
    """Stop early when nothing improves; never when left out."""
    plate_format: Literal[6, 12, 24, 48, 96, 384, 1536] = 96
    """Wells of a plate."""
    replicates: Annotated[int, Field(ge=1, le=96)] = 1
    """Wells for each experiment."""
    controls: ControlSettings = ControlSettings()
    outer_wells: Literal["use", "medium"] = "use"
    """`medium`: the rim of the plate holds medium alone, against evaporation."""
    stock_mm: PositiveFloat | None = 10.0
    """Concentration in mM of every stock that names none of its own; null when each must name its own."""
    max_solvent_percent: Annotated[float, Field(gt=0, le=0.5)] = 0.5
    """DMSO in the well, percent by volume; the same in every well."""
    machine: Machine = MachineSettings()
    planner: PlannerChoice = PlannerSettings()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Behind all chance: layouts, proposals, and the noise of simulated machines."""
    record: StrictBool = False
    """Whether its record is written into `records/` beside the database whenever it has ended."""

    _document: YamlDocument | None = PrivateAttr(default=None)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError("\n".join(describe_all(error, type(self), None))) from None

    def __eq__(self, other: object) -> bool:
        # Where a configuration was read from does not make it another one.
        return self.to_dict() == other.to_dict() if isinstance(other, CampaignConfig) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.to_json())

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """The configuration in a YAML file; file names inside it are relative to the file.

        Raises:
            ConfigError: the file cannot be read, or a value in it is refused; the message has its line.
        """
        document = read_yaml(path)
        return cls._from_document(document)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The configuration in a mapping, as YAML or JSON would give it."""
        if not isinstance(values, dict):
            raise ConfigError(f"A campaign is a mapping of keys to values, not {type(values).__name__}.")
        return cls(**{str(key): value for key, value in values.items()})

    @classmethod
    def _from_document(cls, document: YamlDocument) -> Self:
        content = {str(key): value for key, value in document.content.items()}
        machine = content.get("machine")
        if isinstance(machine, str):
            machine = machine_named(document.path.parent, machine) or machine
            content["machine"] = machine
        elif isinstance(machine, dict):
            files = [key for key in ("screen", "parameters", "file") if key in machine]
            content["machine"] = {**machine, **{key: _beside(document.path, machine[key]) for key in files}}
        try:
            config = cls.__pydantic_validator__.validate_python(content, self_instance=cls.__new__(cls))
        except ValidationError as error:
            raise ConfigError("\n".join(describe_all(error, cls, document))) from None
        result: Self = config
        result._document = document
        return result

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain values, every default spelled out."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """The configuration as one line of JSON with sorted keys."""
        return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)

    def to_yaml(self) -> str:
        """The configuration as YAML that `from_yaml` reads back as an equal value."""
        return yaml_text(self.to_dict())

    def refuse(self, at: KeyPath, problem: str) -> ConfigError:
        """An error that points at one key of this configuration, for checks that need more than the configuration."""
        return ConfigError(refusal(at, problem, self._document))

    @property
    def compound_names(self) -> tuple[str, ...]:
        """The compounds by name, in the order given."""
        return tuple(compound.name for compound in self.compounds)

    @property
    def is_imported(self) -> bool:
        """Whether the results were measured elsewhere, so that no machine can go on with it."""
        return self.machine.kind == IMPORTED

    @property
    def target_line(self) -> str:
        """The cell line that a selective compound should hit."""
        return self.objective.target or self.cell_lines[0]

    def doses_um(self, compound: str) -> tuple[float, ...]:
        """The doses to choose from for one compound, ascending, in µM.

        Rounded to 6 significant digits, so that a dose reads the same everywhere.
        """
        low, high = self.dose_range_um
        cap = next((c.max_dose_um for c in self.compounds if c.name == compound), None)
        if self.n_doses == 1:
            grid = [high]
        else:
            ratio = high / low
            grid = [low * ratio ** (i / (self.n_doses - 1)) for i in range(self.n_doses)]
            grid[-1] = high
        # Rounding must not step over the ends of the range.
        inside = (min(max(float(f"{dose:.6g}"), low), high) for dose in grid)
        return tuple(dict.fromkeys(dose for dose in inside if cap is None or dose <= cap))

    def plate_plan(self) -> PlatePlan:
        """How this campaign's plates are made."""
        default = self.stock_mm
        stocks = tuple(
            stock if stock.stock_mm is not None or default is None else stock.model_copy(update={"stock_mm": default})
            for stock in self.compounds
        )
        positive = self.controls.positive
        if positive and positive.compound not in self.compound_names:
            stocks += (CompoundStock(name=positive.compound, stock_mm=default),)
        return PlatePlan(
            n_wells=self.plate_format,
            replicates=self.replicates,
            controls=self.controls,
            outer_wells=self.outer_wells,
            stocks=stocks,
            max_solvent_percent=self.max_solvent_percent,
            assay=self.assay,
        )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for key, names in (("cell_lines", self.cell_lines), ("compounds", self.compound_names)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{key}|{', '.join(twice)} stands twice; name each once")
        for index, compound in enumerate(self.compounds):
            if compound.stock_mm is None and self.stock_mm is None:
                raise ValueError(
                    f"compounds.{index}|{compound.name} has no stock; give it stock_mm, "
                    "or the campaign a stock_mm for all"
                )
        positive = self.controls.positive
        if positive and self.stock_mm is None and positive.compound not in self.compound_names:
            raise ValueError(
                f"controls.positive|{positive.compound} has no stock; list it under compounds with a stock_mm, "
                "or give the campaign a stock_mm for all"
            )
        return self

    @model_validator(mode="after")
    def _check_doses(self) -> Self:
        low, high = self.dose_range_um
        if low > high:
            raise ValueError(
                f"dose_range_um|[{low:g}, {high:g}] is reversed; give the lowest dose first: [{high:g}, {low:g}]"
            )
        if low == high and self.n_doses > 1:
            raise ValueError(
                f"dose_range_um|[{low:g}, {high:g}] is one dose but n_doses is {self.n_doses}; widen the range"
            )
        for index, compound in enumerate(self.compounds):
            if compound.max_dose_um is not None and compound.max_dose_um < low:
                raise ValueError(
                    f"compounds.{index}.max_dose_um|{compound.max_dose_um:g} µM for {compound.name} is below "
                    f"the whole range [{low:g}, {high:g}]; raise it or leave the compound out"
                )
        return self

    @model_validator(mode="after")
    def _check_question(self) -> Self:
        problem = next(refusals(self), None)
        if problem:
            raise ValueError(problem)
        n_candidates = n_permitted(self)
        if self.batch_size > n_candidates:
            raise ValueError(
                f"batch_size|{self.batch_size} is more than the {n_candidates} experiments there are "
                "(cell lines × compounds × doses that are not excluded); lower it or widen the question"
            )
        if self.objective.goal != "selectivity":
            if self.objective.target is not None:
                raise ValueError(
                    "objective.target|belongs to the goal 'selectivity' alone; remove it or change the goal"
                )
            return self
        if len(self.cell_lines) < 2:
            raise ValueError("cell_lines|selectivity compares cell lines; give at least 2")
        if self.target_line not in self.cell_lines:
            raise ValueError(
                f"objective.target|{self.target_line} is not among cell_lines; possible: {', '.join(self.cell_lines)}"
            )
        if self.batch_size < len(self.cell_lines):
            raise ValueError(
                f"batch_size|{self.batch_size} cannot hold one comparison over {len(self.cell_lines)} cell lines; "
                f"give at least {len(self.cell_lines)}"
            )
        return self


def machine_named(folder: Path, name: str) -> dict[str, str] | None:
    """The machine file that a name stands for beside a campaign, by its path or in the folder `machines`; or None."""
    is_path = name.endswith((".yaml", ".yml"))
    path = folder / (name if is_path else f"machines/{name}.yaml")
    if not is_path and not path.is_file():
        return None
    return {"kind": path.stem, "file": str(path.resolve())}


def _beside(document: Path, named: Any) -> Any:
    """A file name as it is meant in a YAML file: relative to that file; a non-text is left for validation to refuse."""
    return str((document.parent / named).resolve()) if isinstance(named, str) else named
