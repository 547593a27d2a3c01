"""The file of a lab week: who and what there is, what is asked for when, and what goes wrong."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.config_errors import checked, refusal
from cellos_nb.domain.setting import Name, PositiveFloat, Settings
from cellos_nb.domain.stock import Resource as StockResource
from cellos_nb.domain.yaml_lines import read_yaml
from cellos_nb.errors import ConfigError
from cellos_nb.operations.banks.tasks import BankTask
from cellos_nb.operations.calendar.load import LabRules
from cellos_nb.operations.calendar.resources import Resource, ResourceKind, Shift, Span
from cellos_nb.week.moments import hour, moment, weekdays, zone_named

Minutes = Annotated[int, Field(ge=0, le=24 * 60)]


class Absence(Settings):
    """When somebody is not there, or a machine is down."""

    begins: Name
    """As in `Wed 09:40`."""
    ends: Name
    """Likewise."""
    reason: str = ""
    """In words, for the report."""
    is_planned: bool = True
    """Whether it is known from the beginning; otherwise the lab learns of it when it begins."""


class PersonSettings(Settings):
    """Somebody who works in the lab."""

    name: Name
    """Unique among people, machines and places."""
    days: str = "Mon-Fri"
    """Working days: `Mon-Fri`, or `Mon, Wed-Thu`."""
    begins: str
    """Of the working day, on the wall's clock: `08:00`."""
    ends: str
    """Likewise."""
    away: tuple[Absence, ...] = ()
    """Holidays and illness."""


class HandlerSettings(Settings):
    """A liquid handler; all of a week's are equal."""

    name: Annotated[str, Field(pattern=r"^[^\s,/]+$", max_length=120)]
    """Unique, without spaces, commas and slashes."""
    down: tuple[Absence, ...] = ()
    """Maintenance and breakdowns."""


class IncubatorSettings(Settings):
    """An incubator."""

    name: Name = "incubator"
    """Unique."""
    slots: Annotated[int, Field(ge=1)]
    """Plates or flasks that it holds."""


class ToleranceSettings(Settings):
    """How far steps may move, and where people are needed; as `LabRules`."""

    loading_min: Minutes = 10
    """A person's minutes to load a liquid handler before a step on it."""
    carrying_min: Minutes = 5
    """A person's minutes to carry a plate to the reader."""
    longer_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    """How much longer than written an incubation may last, as a share of it …"""
    longer_at_least_min: Minutes = 120
    """… and in minutes, whichever is more."""
    bench_min: Minutes = 30
    """Minutes that a plate may stand between two steps outside the incubator."""


class CampaignSettings(Settings):
    """A campaign that somebody asks for in the week."""

    arrives: Name
    """When, as in `Mon 08:00`."""
    campaign: dict[str, Any]
    """As in the campaign's own YAML file."""


class BankSettings(Settings):
    """A cell bank that is made in the week."""

    name: Name
    """What its cells are called in the report."""
    begins: Name
    """When its first task is due."""
    tasks: Annotated[tuple[BankTask, ...], Field(min_length=1)]
    """What is done to the cells, in order."""


class LotSettings(Settings):
    """A lot that is there when the week begins, or is delivered in it."""

    resource: Name
    """One of those declared."""
    quantity: PositiveFloat
    """In the unit of the resource."""
    lot: Name
    """Its number."""
    arrives: Name | None = None
    """There from the beginning when left out."""


class StockSettings(Settings):
    """What is kept in stock; nothing when the week has no such part."""

    resources: Annotated[tuple[StockResource, ...], Field(min_length=1)]
    """What the lab buys or makes."""
    lots: tuple[LotSettings, ...]
    """What there is of it."""


class WeekConfig(Settings):
    """Everything about a lab week."""

    name: Name
    """Of the week, in reports."""
    begins: date
    """A Monday."""
    zone: Name = "UTC"
    """Time zone of the lab, for shifts and times in this file."""
    days: Annotated[int, Field(ge=7, le=60)] = 21
    """How far is planned ahead."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of what is left to chance."""
    handlers: Annotated[tuple[HandlerSettings, ...], Field(min_length=1)]
    """Equal liquid handlers that share the plates."""
    seconds_per_transfer: PositiveFloat = 4.0
    """How long a handler takes for one transfer."""
    readers: Annotated[tuple[Name, ...], Field(min_length=1)] = ("reader",)
    """Plate readers, by name."""
    incubators: Annotated[tuple[IncubatorSettings, ...], Field(min_length=1)]
    """Where plates and flasks stand."""
    cabinets: tuple[Name, ...] = ()
    """Safety cabinets, which cell banks need."""
    people: Annotated[tuple[PersonSettings, ...], Field(min_length=1)]
    """Who loads, carries, feeds and splits."""
    tolerances: ToleranceSettings = ToleranceSettings()
    """How far steps may move."""
    campaigns: Annotated[tuple[CampaignSettings, ...], Field(min_length=1)]
    """In the order in which they are asked for."""
    banks: tuple[BankSettings, ...] = ()
    """Cell banks that are made beside them."""
    stock: StockSettings | None = None
    """What runs out; nothing does when left out."""
    plan: Literal["solved", "first_come"] = "solved"
    """How the calendar is made: solved, or each plate on the first place that is free."""

    _campaigns: tuple[CampaignConfig, ...] = PrivateAttr(default=())

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """The week in a YAML file.

        Raises:
            ConfigError: the file cannot be read, or a value in it is refused; the message has its line.
        """
        document = read_yaml(path)
        week = checked(cls, {str(key): value for key, value in document.content.items()}, document)
        for number in range(len(week.campaigns)):
            try:
                week.campaign(number)
            except ConfigError as error:
                raise ConfigError(refusal(("campaigns", number, "campaign"), str(error), document)) from None
        return week

    def campaign(self, number: int) -> CampaignConfig:
        """One of the campaigns.

        Raises:
            ConfigError: it is refused.
        """
        return CampaignConfig.from_dict(self.campaigns[number].campaign)

    def moment(self, text: str) -> datetime:
        """A moment of this week, in UTC."""
        return moment(text, self.begins, self.zone)

    @property
    def starts_at(self) -> datetime:
        """Midnight of the first day in the lab, in UTC."""
        return self.moment("Mon 00:00")

    @property
    def ends_at(self) -> datetime:
        """Up to when is planned."""
        return self.starts_at + timedelta(days=self.days)

    @property
    def rules(self) -> LabRules:
        """What steps need."""
        return LabRules(
            handlers=tuple(handler.name for handler in self.handlers),
            readers=self.readers,
            incubators=tuple(one.name for one in self.incubators),
            people=tuple(person.name for person in self.people),
            **self.tolerances.model_dump(),
        )

    def resources(self) -> tuple[Resource, ...]:
        """Everything there is, with the absences that are known from the beginning."""
        handler, person = ResourceKind.LIQUID_HANDLER, ResourceKind.PERSON
        return (
            *(Resource(one.name, handler, away=self._away(one.down)) for one in self.handlers),
            *(Resource(one.name, ResourceKind.INCUBATOR, one.slots) for one in self.incubators),
            *(Resource(name, ResourceKind.READER) for name in self.readers),
            *(Resource(name, ResourceKind.CABINET) for name in self.cabinets),
            *(
                Resource(
                    one.name,
                    person,
                    shifts=(Shift(weekdays(one.days), hour(one.begins), hour(one.ends)),),
                    zone=self.zone,
                    away=self._away(one.away),
                )
                for one in self.people
            ),
        )

    def span(self, absence: Absence) -> Span:
        """When an absence is, in UTC."""
        return Span(self.moment(absence.begins), self.moment(absence.ends), absence.reason)

    def surprises(self) -> tuple[tuple[str, Span], ...]:
        """Resources and stretches of time in which they are unexpectedly not there, in order of time."""
        every = [(one.name, each) for one in self.handlers for each in one.down]
        every += [(one.name, each) for one in self.people for each in one.away]
        found = [(name, self.span(each)) for name, each in every if not each.is_planned]
        return tuple(sorted(found, key=lambda pair: pair[1].start))

    def _away(self, absences: tuple[Absence, ...]) -> tuple[Span, ...]:
        return tuple(self.span(each) for each in absences if each.is_planned)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.begins.weekday() != 0:
            raise ValueError(f"begins|{self.begins} is no Monday; a week begins on one")
        _tell("zone", lambda: zone_named(self.zone))
        for k, one in enumerate(self.people):
            _tell(f"people.{k}", lambda one=one: (weekdays(one.days), hour(one.begins), hour(one.ends)))
        absences = [(f"handlers.{k}", each) for k, one in enumerate(self.handlers) for each in one.down]
        absences += [(f"people.{k}", each) for k, one in enumerate(self.people) for each in one.away]
        for key, each in absences:
            _tell(key, lambda each=each: self._check_span(each))
        for k, entry in enumerate(self.campaigns):
            _tell(f"campaigns.{k}.arrives", lambda entry=entry: self.moment(entry.arrives))
        for k, bank in enumerate(self.banks):
            _tell(f"banks.{k}.begins", lambda bank=bank: self.moment(bank.begins))
        self._check_names()
        return self

    def _check_span(self, absence: Absence) -> None:
        span = self.span(absence)
        if span.end <= span.start:
            raise ValueError(f"{absence.begins} to {absence.ends} ends before it begins")

    def _check_names(self) -> None:
        names = [resource.name for resource in self.resources()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"handlers|{', '.join(twice)} stands twice; give everybody and everything a name of its own"
            )
        if self.banks and not self.cabinets:
            raise ValueError("cabinets|cell banks are handled in a cabinet; name at least one")
        known = {resource.name for resource in self.stock.resources} if self.stock else set()
        for k, lot in enumerate(self.stock.lots if self.stock else ()):
            if lot.resource not in known:
                raise ValueError(
                    f"stock.lots.{k}.resource|{lot.resource} is not declared; possible: {', '.join(known)}"
                )
            if lot.arrives is not None:
                _tell(f"stock.lots.{k}.arrives", lambda lot=lot: self.moment(lot.arrives))


def _tell(key: str, check: Any) -> None:
    """Says which key a refused value stands under."""
    try:
        check()
    except ValueError as error:
        raise ValueError(f"{key}|{error}") from None
