"""The parameters and prices of simulated banks: YAML with a source for every value, read and checked."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from cellos_nb.domain.config_errors import describe_all
from cellos_nb.domain.settings import Name, PositiveFloat, Settings
from cellos_nb.domain.yaml_lines import YamlDocument, read_yaml
from cellos_nb.errors import ConfigError
from cellos_nb.hardware.biology_parameters import (
    NO_SOURCE,
    CellLine,
    GrowthParameters,
    NotNegative,
    Positive,
    Share,
    load_parameters,
)

Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
M = TypeVar("M", bound=Settings)


class ThawParameters(Settings):
    """What comes out of a vial."""

    cells_per_vial: Positive
    cells_sd: NotNegative
    viability: Share
    viability_sd: NotNegative


class PassageParameters(Settings):
    """When cells are split, and what that costs them."""

    at_confluence: Share
    """Cells in a flask over those of a confluent one, above which they are split."""
    seeding_confluence: Share
    """What a flask is begun with."""
    stress_low: Share
    """Living cells that a passage kills, evenly between this …"""
    stress_high: Share
    """… and this."""
    overgrown_from: Share
    """Of the line's confluence limit: from there on viability falls."""
    overgrown_loss_per_day: Share
    feed_every_days: Positive


class ContaminationKind(Settings):
    """One kind of contamination."""

    name: Name
    share: Share
    """Of all contaminations."""
    seen_after_days: Annotated[int, Field(ge=0, le=60)] | None
    """Days until somebody who looks at the flasks sees it; null: nobody does, only a test finds it."""
    source: str = NO_SOURCE


class ContaminationParameters(Settings):
    """How often, and with what."""

    hazard_per_flask_day: NotNegative
    kinds: Annotated[tuple[ContaminationKind, ...], Field(min_length=1)]


class IncubatorParameters(Settings):
    """How often an incubator fails so that its flasks are lost."""

    failure_per_day: NotNegative


class Senescence(Settings):
    """A line that ages."""

    line: Name
    limit_doublings: Positive
    """Population doublings after which half of the growth is gone, on average over cultures."""
    limit_sd: NotNegative
    """From culture to culture."""


class FreezingParameters(Settings):
    """From flasks into vials."""

    cell_loss: Share
    count_cv: NotNegative
    margin: NotNegative
    """Cells that are waited for beyond those that the vials take, because counts err."""
    spare_vials: Share
    breakage: Share
    post_thaw_viability: Share
    post_thaw_sd: NotNegative


class QcParameters(Settings):
    """What a bank must show before it is released."""

    sterility_share: Share
    sterility_vials_least: NotNegative
    mycoplasma_vials: NotNegative
    viability_vials: NotNegative
    min_viability: Share
    sterility_sensitivity: Share
    mycoplasma_sensitivity: Share
    mixed_up: Share
    duration_days: NotNegative


class WorkParameters(Settings):
    """Hours of hands in the cabinet, for each task and each flask or vial in it."""

    thaw_h: Positive
    feed_h: Positive
    feed_flask_h: NotNegative
    passage_h: Positive
    passage_flask_h: NotNegative
    freeze_h: Positive
    freeze_vial_h: NotNegative
    qc_h: Positive


class BankParameters(Settings):
    """Everything that a simulated bank knows, beside how its line grows."""

    sources: dict[str, str] = Field(default_factory=dict)
    thaw: ThawParameters
    passage: PassageParameters
    contamination: ContaminationParameters
    incubator: IncubatorParameters
    senescence: tuple[Senescence, ...] = ()
    cell_lines: tuple[CellLine, ...] = ()
    """Beside those of the simulated machine; one by the same name takes its place."""
    freezing: FreezingParameters
    qc: QcParameters
    work: WorkParameters

    @model_validator(mode="after")
    def _check(self) -> Self:
        total = sum(kind.share.value for kind in self.contamination.kinds)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"contamination.kinds|the shares add up to {total:g}; make it 1")
        if self.passage.stress_high.value < self.passage.stress_low.value:
            raise ValueError("passage.stress_high|must not be below stress_low")
        if self.passage.seeding_confluence.value >= self.passage.at_confluence.value:
            raise ValueError("passage.seeding_confluence|must be below at_confluence, or cells are never left to grow")
        if self.passage.seeding_confluence.value == 0:
            raise ValueError("passage.seeding_confluence|0 puts no cells into a flask; give more")
        return self

    @property
    def growth(self) -> GrowthParameters:
        """How cells multiply in a flask: as in a well."""
        return load_parameters().growth

    @property
    def known_lines(self) -> dict[str, CellLine]:
        """All lines that can be banked, by name."""
        return {line.name: line for line in (*load_parameters().cell_lines, *self.cell_lines)}

    def ageing_of(self, line: str) -> Senescence | None:
        """How a line ages; None when it divides for ever."""
        return next((one for one in self.senescence if one.line == line), None)


class BankPrices(Settings):
    """What a bank costs, in USD."""

    as_of: date
    """When the prices were looked up."""
    source: Name
    flask_usd_per_cm2: Usd
    medium_usd_per_ml: Usd
    dissociation_usd_per_flask: Usd
    vial_usd: Usd
    freezing_medium_usd_per_vial: Usd
    qc_usd: Usd
    person_usd_per_hour: Usd
    medium_ml_per_cm2: PositiveFloat


def load_bank_parameters(path: str | Path | None = None) -> BankParameters:
    """The parameters in a YAML file of one's own, or the shipped ones; what a file leaves out is taken from those.

    Raises:
        ConfigError: the file cannot be read, or a value is refused; names the line, the value and what is possible.
    """
    if path is None:
        return _shipped()
    document = read_yaml(path)
    shipped = _shipped().model_dump()
    content: dict[str, Any] = {**shipped, **document.content}
    for key, own in document.content.items():
        if isinstance(own, dict) and isinstance(shipped.get(key), dict):
            content[key] = {**shipped[key], **own}
    return _checked(BankParameters, content, document)


def load_bank_prices(path: str | Path | None = None) -> BankPrices:
    """A price list from a YAML file, or the shipped one: orders of magnitude, to be replaced by one's own.

    Raises:
        ConfigError: as `load_bank_parameters`.
    """
    if path is None:
        return _shipped_prices()
    document = read_yaml(path)
    return _checked(BankPrices, document.content, document)


def _checked(model: type[M], content: dict[str, Any], document: YamlDocument) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(describe_all(error, model, document))) from None


@cache
def _shipped() -> BankParameters:
    return BankParameters.model_validate(_read("banks.yaml"))


@cache
def _shipped_prices() -> BankPrices:
    return BankPrices.model_validate(_read("prices.yaml"))


def _read(name: str) -> dict[str, Any]:
    with resources.as_file(resources.files("cellos_nb.operations.banks") / "shipped" / name) as path:
        return read_yaml(path).content
