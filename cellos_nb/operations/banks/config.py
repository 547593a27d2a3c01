"""The file of a cell bank: which line, from how many vials, how many are wanted, and what there is to make it with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from cellos_nb.domain.config_errors import checked
from cellos_nb.domain.setting import Name, PositiveFloat, Settings
from cellos_nb.domain.yaml_lines import YamlDocument, read_yaml

MAX_RUNS = 1_000_000
"""More runs than this say nothing new and fill the memory."""


class StartingSettings(Settings):
    """What there is to begin with."""

    vials: Annotated[int, Field(ge=1, le=1000)] = 3
    """Vials at hand; those beyond the first thaw are kept for another attempt."""
    passage: Annotated[int, Field(ge=0, le=200)] = 0
    """Passage number on them."""
    doublings: Annotated[float, Field(ge=0, le=500)] = 0.0
    """Population doublings that their cells have behind them; matters for a line that ages."""


class StageSettings(Settings):
    """One bank: a master bank, or a working bank."""

    vials: Annotated[int, Field(ge=1, le=5000)]
    """Vials wanted in the end, after tests and breakage."""
    cells_per_vial: PositiveFloat = 1e6
    """Living cells frozen in each."""
    thawed: Annotated[int, Field(ge=1, le=50)] = 1
    """Vials thawed at once to begin it."""


class BankConfig(Settings):
    """A master bank, a working bank, or a working bank from the vials of a master bank that is made first."""

    name: Name
    """What it is called in tables and in the stock."""
    cell_line: Name
    """One that the parameters know."""
    starting: StartingSettings = StartingSettings()
    """The vials that the first bank begins from."""
    master: StageSettings | None = None
    """The master bank; none is made when left out."""
    working: StageSettings | None = None
    """The working bank, from vials of the master bank, or from the starting vials where none is made."""
    flask_cm2: Annotated[float, Field(gt=0, le=10_000)] = 75.0
    """Growth area of one flask, in cm²."""
    max_flasks: Annotated[int, Field(ge=1, le=2000)] = 20
    """Flasks that can be looked after at the same time."""
    incubators: Annotated[int, Field(ge=1, le=100)] = 2
    """Incubators over which the flasks are spread evenly."""
    restarts: Annotated[int, Field(ge=0, le=20)] = 0
    """How often each bank may begin anew from vials that are left when all its cells are lost in culture."""
    time_out_days: Annotated[int, Field(ge=1, le=730)] = 60
    """Days of culture after which a bank is given up."""
    weekends: bool = True
    """Whether somebody looks after the cells on Saturdays and Sundays; each bank is begun on a Monday."""
    parameters: Name | None = None
    """A parameter file of one's own, relative to this file; the shipped one when left out."""
    prices: Name | None = None
    """A price list of one's own, relative to this file; the shipped one when left out."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.master is None and self.working is None:
            raise ValueError("master|neither a master nor a working bank is asked for; give `master: {vials: 30}`")
        first = self.stages[0][1]
        if first.thawed > self.starting.vials:
            raise ValueError(
                f"starting.vials|{self.starting.vials} are fewer than the {first.thawed} that are thawed to begin"
            )
        if self.master is not None and self.working is not None and self.working.thawed > self.master.vials:
            raise ValueError(
                f"working.thawed|the master bank has {self.master.vials} vials; no more than that can be thawed"
            )
        return self

    @property
    def stages(self) -> tuple[tuple[str, StageSettings], ...]:
        """The banks in the order in which they are made, by name: `master`, `working`."""
        both = (("master", self.master), ("working", self.working))
        return tuple((name, stage) for name, stage in both if stage is not None)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """The bank in a YAML file; files that it names are looked for beside it.

        Raises:
            ConfigError: the file cannot be read, or a value in it is refused; the message has its line.
        """
        document = read_yaml(path)
        found = cls._of(document)
        beside = {
            key: str(document.path.parent / value)
            for key in ("parameters", "prices")
            if (value := getattr(found, key)) is not None
        }
        return found.model_copy(update=beside)

    @classmethod
    def shipped(cls) -> Self:
        """The bank that `cellos bank template` prints."""
        with resources.as_file(_TEMPLATE) as path:
            return cls._of(read_yaml(path))

    @classmethod
    def _of(cls, document: YamlDocument) -> Self:
        return checked(cls, {str(key): value for key, value in document.content.items()}, document)


def bank_template() -> str:
    """A bank's YAML to begin from, with comments."""
    return _TEMPLATE.read_text(encoding="utf-8")


_TEMPLATE = resources.files("cellos_nb.operations.banks") / "shipped" / "bank.yaml"
