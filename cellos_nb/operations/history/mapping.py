"""What a mapping of earlier results may say: which column holds what, in which unit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from cellos_nb.domain.config_errors import describe_all
from cellos_nb.domain.setting import Name, Settings
from cellos_nb.domain.settings import AssayName
from cellos_nb.domain.yaml_lines import read_yaml, yaml_text
from cellos_nb.errors import ConfigError
from cellos_nb.operations.history.units import DoseUnit, ResponseKind, dose_unit_named

ROLES = ("cell_line", "compound", "dose", "response", "plate", "well", "replicate", "date")
"""What a column may hold, in the order of the mapping."""
REQUIRED = ROLES[:4]


class Columns(Settings):
    """The header of the column for each thing, as it stands in the file."""

    cell_line: Name
    """Cell lines, by the names that later campaigns use."""
    compound: Name
    """Compounds, by the names that later campaigns use."""
    dose: Name
    """Final doses in the well, in `dose_unit`."""
    response: Name
    """What was measured."""
    plate: Name | None = None
    """Plates; all wells count as one plate when left out."""
    well: Name | None = None
    """Wells, as in B7; wells are named by their lines when left out."""
    replicate: Name | None = None
    """Replicates, counted from 1; in the order of the lines when left out."""
    date: Name | None = None
    """Days, as 2024-05-31: each becomes an iteration of its own. One iteration when left out."""

    @model_validator(mode="after")
    def _check_once(self) -> Self:
        named = [name for name in self.model_dump().values() if name is not None]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"columns|the column {twice[0]!r} stands for two things; name another one")
        return self


class ResponseMapping(Settings):
    """What the responses are fractions of, or how they become fractions."""

    kind: ResponseKind
    """`fraction` and `percent` of vehicle, or `raw` signals."""
    vehicle_column: Name | None = None
    """For `raw`: the column with the mean signal of the vehicle that belongs to the line."""
    unit: Annotated[str, Field(max_length=20)] = ""
    """For `raw`: the unit of the signals, such as RLU; kept as it is."""


class HistoryMapping(Settings):
    """How one table of earlier results is understood.

    Raises:
        ConfigError: from every constructor; names the key, the value, what is possible and the line of the YAML.
    """

    name: Name
    """The campaign's name."""
    assay: AssayName = "viability"
    """What was measured: viability, reporter or imaging."""
    goal: Literal["maximise", "minimise"] = "minimise"
    """What counts as the best result."""
    columns: Columns
    dose_unit: Annotated[DoseUnit, BeforeValidator(dose_unit_named)]
    """The unit of the doses: pM, nM, µM (or uM), mM or M."""
    response: ResponseMapping
    vehicle: Name | None = None
    """What the column of compounds says of wells with solvent alone; they are controls, not experiments."""
    decimal: Literal[".", ","] = "."
    """The sign before the decimals of a number that is written as text."""
    sheet: Name | None = None
    """Of a workbook; needed when it has several."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError("\n".join(describe_all(error, type(self), None))) from None

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """The mapping in a YAML file.

        Raises:
            ConfigError: the file cannot be read, or a value in it is refused; the message has its line.
        """
        document = read_yaml(path)
        content = {str(key): value for key, value in document.content.items()}
        try:
            read: Self = cls.__pydantic_validator__.validate_python(content, self_instance=cls.__new__(cls))
        except ValidationError as error:
            raise ConfigError("\n".join(describe_all(error, cls, document))) from None
        return read

    def to_yaml(self) -> str:
        """The mapping as YAML that `from_yaml` reads back as an equal value."""
        return yaml_text(self.model_dump(mode="json", exclude_none=True))

    @property
    def sha256(self) -> str:
        """Of all that shapes the numbers; the campaign's name is left out."""
        text = json.dumps(self.model_dump(mode="json", exclude={"name"}), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @model_validator(mode="after")
    def _check_vehicle(self) -> Self:
        raw = self.response.kind == "raw"
        if self.response.vehicle_column is not None and not raw:
            raise ValueError("response.vehicle_column|belongs to raw responses alone; remove it, or set kind: raw")
        if self.response.unit and not raw:
            raise ValueError("response.unit|belongs to raw responses alone; remove it, or set kind: raw")
        if raw and self.response.vehicle_column is None and self.vehicle is None:
            raise ValueError(
                "response.kind|raw signals are compared with vehicle; name the vehicle, as in 'vehicle: DMSO', or its "
                "column, as response.vehicle_column"
            )
        vehicle_column = self.response.vehicle_column
        if vehicle_column is not None and vehicle_column in self.columns.model_dump().values():
            raise ValueError(
                f"response.vehicle_column|the column {vehicle_column!r} stands for two things; name another one"
            )
        return self
