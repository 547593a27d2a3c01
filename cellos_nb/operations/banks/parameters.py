"""The parameters and prices of simulated banks: YAML with a source for every value, read and checked."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, model_validator

from cellos_nb.domain.config_errors import checked
from cellos_nb.domain.settings import Name, PositiveFloat, Settings
from cellos_nb.domain.yaml_lines import read_yaml
from cellos_nb.hardware.biology_parameters import (
    NO_SOURCE,
    CellLine,
    GrowthParameters,
    NotNegative,
    Positive,
    Share,
    load_parameters,
)

Model = TypeVar("Model", bound=Settings)
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ThawParameters(Settings):
    """What comes out of a vial."""

    cells_per_vial: Positive
    """Living and dead cells that one vial gives, on average."""
    cells_sd: NotNegative
    """From vial to vial, in cells."""
    viability: Share
    """Of the cells of a vial, those that live after thawing."""
    viability_sd: NotNegative
    """From vial to vial."""


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
    """Living cells that a day in such a flask kills."""
    feed_every_days: Positive
    """Days between changes of medium while cells grow."""


class ContaminationKind(Settings):
    """One kind of contamination."""

    name: Name
    """What grows: bacterial, fungal, …"""
    share: Share
    """Of all contaminations."""
    seen_after_days: Annotated[int, Field(ge=0, le=60)] | None
    """Days until somebody who looks at the flasks sees it; null: nobody does, only a test finds it."""
    source: str = NO_SOURCE
    """Where the days come from."""


class ContaminationParameters(Settings):
    """How often, and with what."""

    hazard_per_flask_day: NotNegative
    """Chance that one flask is contaminated on one day."""
    kinds: Annotated[tuple[ContaminationKind, ...], Field(min_length=1)]


class IncubatorParameters(Settings):
    """How often an incubator fails so that its flasks are lost."""

    failure_per_day: NotNegative
    """Chance that an incubator fails on one day."""


class Senescence(Settings):
    """A line that ages."""

    line: Name
    """Its name, as campaigns know it."""
    limit_doublings: Positive
    """Population doublings after which half of the growth is gone, on average over cultures."""
    limit_sd: NotNegative
    """From culture to culture."""
    width_doublings: Positive
    """Doublings over which growth falls from 73 % before the limit to 50 % at it."""


class FreezingParameters(Settings):
    """From flasks into vials."""

    cell_loss: Share
    """Cells of a harvest that spinning and filling lose."""
    count_cv: NotNegative
    """Coefficient of variation of a cell count."""
    margin: NotNegative
    """Cells that are waited for beyond those that the vials take, because counts err."""
    spare_vials: Share
    """Vials frozen beyond those wanted, against breakage."""
    breakage: Share
    """Vials that break."""
    post_thaw_viability: Share
    """Of the cells that were alive when frozen, those alive after thawing, on average."""
    post_thaw_sd: NotNegative
    """From bank to bank."""


class QcParameters(Settings):
    """What a bank must show before it is released."""

    sterility_share: Share
    """Vials of a bank that the sterility test uses up."""
    sterility_vials_least: NotNegative
    """The same, at the least, whatever the size of the bank."""
    mycoplasma_vials: NotNegative
    """Vials that the mycoplasma test uses up."""
    viability_vials: NotNegative
    """Vials that are thawed to count living cells."""
    min_viability: Share
    """Post-thaw viability below which a bank is not released."""
    sterility_sensitivity: Share
    """Contaminated banks that the sterility test finds."""
    mycoplasma_sensitivity: Share
    """Banks with mycoplasma that its test finds."""
    mixed_up: Share
    """Banks whose cells turn out to be of another line."""
    duration_days: NotNegative
    """Days from freezing until the last test has its result."""


class WorkParameters(Settings):
    """Hours of hands in the cabinet, for each task and each flask or vial in it."""

    thaw_h: Positive
    """One thaw."""
    feed_h: Positive
    """One change of medium, whatever the number of flasks."""
    feed_flask_h: NotNegative
    """The same, for each flask."""
    passage_h: Positive
    """One passage, whatever the number of flasks."""
    passage_flask_h: NotNegative
    """The same, for each flask."""
    freeze_h: Positive
    """One harvest and freezing, whatever the number of vials."""
    freeze_vial_h: NotNegative
    """The same, for each vial."""
    qc_h: Positive
    """Taking the samples of the tests."""


class BankParameters(Settings):
    """Everything that a simulated bank knows, beside how its line grows."""

    sources: dict[str, str] = Field(default_factory=dict)
    """Where values come from, by a short name that the values refer to."""
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
    """Where they stand."""
    flask_usd_per_cm2: Usd
    """Culture flasks, by growth area."""
    medium_usd_per_ml: Usd
    """Growth medium with serum."""
    dissociation_usd_per_flask: Usd
    """What one passage of one flask takes to loosen its cells."""
    vial_usd: Usd
    """One empty cryovial."""
    freezing_medium_usd_per_vial: Usd
    """Freezing medium in one vial."""
    qc_usd: Usd
    """All tests of one bank."""
    person_usd_per_hour: Usd
    """One hour of hands."""
    medium_ml_per_cm2: PositiveFloat
    """Medium that one change takes, by growth area."""


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
    return checked(BankParameters, content, document)


def load_bank_prices(path: str | Path | None = None) -> BankPrices:
    """A price list from a YAML file, or the shipped one: orders of magnitude, to be replaced by one's own.

    Raises:
        ConfigError: as `load_bank_parameters`.
    """
    if path is None:
        return _shipped_prices()
    document = read_yaml(path)
    return checked(BankPrices, document.content, document)


@cache
def _shipped() -> BankParameters:
    return BankParameters.model_validate(_read("banks.yaml"))


@cache
def _shipped_prices() -> BankPrices:
    return BankPrices.model_validate(_read("prices.yaml"))


def _read(name: str) -> dict[str, Any]:
    with resources.as_file(resources.files("cellos_nb.operations.banks") / "shipped" / name) as path:
        return read_yaml(path).content
