"""The file of a facility: what there is, what work comes how often, and how long is looked ahead."""

from __future__ import annotations

from importlib import resources as files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from cellos_nb.domain.config_errors import checked, describe_all
from cellos_nb.domain.setting import Name, PositiveFloat, Settings
from cellos_nb.domain.yaml_lines import YamlDocument, read_yaml
from cellos_nb.errors import ConfigError

DAY_H = 24.0
MONTH_H = DAY_H * 365.25 / 12


class FacilityResource(Settings):
    """Something that work waits for: a machine, places in incubators, a cabinet, people."""

    name: Name
    """Unique."""
    capacity: Annotated[int, Field(ge=1, le=100_000)] = 1
    """How many there are, or how many places."""
    opens: Annotated[float, Field(ge=0, lt=24)] = 0.0
    """Hour of the day from which work on it may begin."""
    closes: Annotated[float, Field(gt=0, le=24)] = 24.0
    """Hour of the day by which it ends."""
    weekends: bool = True
    """Whether Saturdays and Sundays count."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if set(self.name) & set(",="):
            raise ValueError("name|a comma or an equals sign in a name would break `--what-if`; leave it out")
        if self.closes <= self.opens:
            raise ValueError(f"closes|{self.closes:g} is not after {self.opens:g}, when it opens")
        return self

    @property
    def is_always_open(self) -> bool:
        """Whether it knows no hours."""
        return self.weekends and self.closes - self.opens == DAY_H

    @property
    def open_share(self) -> float:
        """Of all time."""
        return (self.closes - self.opens) / DAY_H * (1.0 if self.weekends else 5 / 7)


class FacilityNeed(Settings):
    """What a step takes of one resource."""

    resource: Name
    """One of the facility's."""
    units: Annotated[int, Field(ge=1, le=100_000)] = 1
    """How many of it."""
    hours: PositiveFloat | None = None
    """From the beginning of the step; the whole step when left out, as of a person who only loads a robot."""


class FacilityStep(Settings):
    """One action on a plate."""

    name: Name
    """As a person reads it."""
    hours: PositiveFloat
    """How long it takes, on average."""
    cv: Annotated[float, Field(ge=0, le=3)] = 0.1
    """Coefficient of variation of its duration, which is gamma-distributed; 0 for one that is set, 1 for an
    exponential one."""
    stays: bool = False
    """Whether what it needs stays taken until the next step begins, as a plate stays in its incubator."""
    needs: Annotated[tuple[FacilityNeed, ...], Field(min_length=1)]
    """All of it at once, or the step waits."""


class Arriving(Settings):
    """What all work has in common."""

    name: Name
    """Unique."""
    every_days: PositiveFloat
    """Days from one to the next, on average."""
    regular: bool = False
    """One after exactly so many days; at random, as independent people ask, when left out."""


class CampaignLoad(Arriving):
    """Campaigns of one kind."""

    iterations: Annotated[int, Field(ge=1, le=1000)] = 1
    """One after the other."""
    plates: Annotated[int, Field(ge=1, le=1000)] = 1
    """Of each iteration, side by side."""
    pause_h: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """From the last reading of an iteration to the first step of the next."""
    steps: Annotated[tuple[FacilityStep, ...], Field(min_length=1)]
    """Of each plate, in order."""


class BankLoad(Arriving):
    """Cell banks of one kind, as `cellos bank` simulates them: each is another run, with its own luck."""

    bank: Name | None = None
    """The bank's YAML file, relative to this one; the one that `cellos bank template` prints when left out."""
    people: Name
    """Whose hands it takes."""
    cabinet: Name
    """Where they work."""
    incubator: Name
    """Where its flasks stand, one place each."""


class FacilityConfig(Settings):
    """Everything about a facility."""

    name: Name
    """In reports."""
    months: Annotated[float, Field(gt=0, le=600)] = 6.0
    """How long is looked at, after the warm-up."""
    warm_up_days: Annotated[float, Field(ge=0, le=1000)] = 30.0
    """Days that fill the empty laboratory and are not counted."""
    replications: Annotated[int, Field(ge=2, le=10_000)] = 20
    """How often all of it is simulated, each time with other luck."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """The same seed gives the same luck, also under other capacities."""
    resources: Annotated[tuple[FacilityResource, ...], Field(min_length=1)]
    """What there is."""
    campaigns: tuple[CampaignLoad, ...] = ()
    """Work of plates."""
    banks: tuple[BankLoad, ...] = ()
    """Work of cell banks."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.campaigns and not self.banks:
            raise ValueError("campaigns|there is no work; give campaigns or banks")
        for key, names in (
            ("resources", [one.name for one in self.resources]),
            ("campaigns", [one.name for one in (*self.campaigns, *self.banks)]),
        ):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{key}|{twice} stands twice; give each a name of its own")
        for place, load in enumerate(self.campaigns):
            for number, step in enumerate(load.steps):
                self._check_step(f"campaigns.{place}.steps.{number}", step)
        for place, bank in enumerate(self.banks):
            for field in ("people", "cabinet", "incubator"):
                self._known(f"banks.{place}.{field}", getattr(bank, field))
        return self

    def _check_step(self, key: str, step: FacilityStep) -> None:
        for number, need in enumerate(step.needs):
            where = f"{key}.needs.{number}"
            resource = self._known(f"{where}.resource", need.resource)
            if need.units > resource.capacity:
                raise ValueError(
                    f"{where}.units|{need.units} are needed at once, but there are {resource.capacity}; it never begins"
                )
            hours = step.hours if need.hours is None else need.hours
            if not resource.is_always_open and hours > resource.closes - resource.opens:
                raise ValueError(
                    f"{where}.hours|{hours:g} h do not fit between {resource.opens:g} and {resource.closes:g} o'clock, "
                    f"when {resource.name} is there; split the step, or say for how long it is needed"
                )

    def _known(self, key: str, name: str) -> FacilityResource:
        found = next((one for one in self.resources if one.name == name), None)
        if found is None:
            possible = ", ".join(one.name for one in self.resources)
            raise ValueError(f"{key}|{name} is none of the resources: {possible}")
        return found

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """The facility in a YAML file; bank files that it names are looked for beside it.

        Raises:
            ConfigError: the file cannot be read, or a value in it is refused; the message has its line.
        """
        document = read_yaml(path)
        found = cls._of(document)
        beside = tuple(
            bank if bank.bank is None else bank.model_copy(update={"bank": str(document.path.parent / bank.bank)})
            for bank in found.banks
        )
        return found.model_copy(update={"banks": beside})

    @classmethod
    def shipped(cls) -> Self:
        """A small screening laboratory, as `examples/facility.yaml` has it."""
        with files.as_file(files.files("cellos_nb.operations.facility") / "shipped" / "facility.yaml") as path:
            return cls._of(read_yaml(path))

    @classmethod
    def _of(cls, document: YamlDocument) -> Self:
        return checked(cls, {str(key): value for key, value in document.content.items()}, document)

    def with_settings(self, settings: dict[str, Any]) -> Self:
        """The same with other values for some keys of the file.

        Raises:
            ConfigError: a value is refused.
        """
        try:
            return self.model_validate(self.model_dump() | settings)
        except ValidationError as error:
            raise ConfigError("\n".join(describe_all(error, type(self), None))) from None
