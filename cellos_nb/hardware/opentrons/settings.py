"""The configuration of one robot: pipettes, tips, trash, modules, labware."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cellos_nb.domain.config_errors import checked
from cellos_nb.domain.machine import STANDARD_DEVICES, Capabilities
from cellos_nb.domain.settings import Name, PositiveFloat, Settings
from cellos_nb.domain.step import StepKind
from cellos_nb.domain.yaml_lines import read_yaml
from cellos_nb.errors import ConfigError
from cellos_nb.hardware.configuration import MachineFile
from cellos_nb.hardware.opentrons.catalogue import (
    MODULE_SLOTS,
    PIPETTES,
    PLATES,
    SLOTS,
    TIP_CAPACITY_UL,
    TRASH_SLOTS,
    PipetteModel,
    RobotKind,
)
from cellos_nb.hardware.opentrons.requests import Address

CelsiusOnModule = Annotated[float, Field(ge=4, le=95)]
Millimetres = Annotated[float, Field(ge=-10, le=10)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class PipetteSettings(Settings):
    """One pipette and the tips on it."""

    name: Name
    """Load name: `p20_single_gen2`, `flex_8channel_1000`."""
    tips: Name | None = None
    """Load name of its tip rack; the plain rack of the pipette's size when left out."""
    air_gap_ul: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Air drawn behind the liquid, where the tip has room; 0 for none; the pipette's own when left out."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.name not in PIPETTES:
            raise ValueError(f"there is no pipette {self.name!r}; possible: {', '.join(PIPETTES)}")
        if self.tips is not None and self.tips not in TIP_CAPACITY_UL:
            raise ValueError(f"there is no tip rack {self.tips!r}; possible: {', '.join(TIP_CAPACITY_UL)}")
        return self


def _expand_pipette(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class VolumeRange(Settings):
    """Volumes of one transfer, narrower than what the pipettes could do."""

    min_volume_ul: PositiveFloat | None = None
    """What this robot is trusted with at least, from its calibration; the pipettes' own limit when left out."""
    max_volume_ul: PositiveFloat | None = None
    """What it is trusted with at most; the pipettes' own limit when left out."""


class LabwareOffset(Settings):
    """Where labware really stands, against where its definition has it: from the position check of Opentrons' app."""

    labware: Name
    """Load name; tip racks have offsets, too."""
    slot: str
    """As the deck names it: `2` on an OT-2, `C2` on a Flex."""
    x_mm: Millimetres = 0.0
    """To the right."""
    y_mm: Millimetres = 0.0
    """To the back."""
    z_mm: Millimetres = 0.0
    """Upwards."""


PipetteChoice = Annotated[PipetteSettings, BeforeValidator(_expand_pipette)]


class OpentronsSettings(Settings):
    """One OT-2 or Flex as it stands in the lab."""

    name: Name
    """As approvals and records call it: `ot2-left`."""
    robot: RobotKind
    """Which robot it is."""
    left: PipetteChoice | None = None
    right: PipetteChoice | None = None
    trash: str = "A3"
    """Slot of the trash bin of a Flex; an OT-2 has its own."""
    closed_slots: tuple[str, ...] = ()
    """Slots where something else stands that no protocol touches."""
    temperature_modules: tuple[str, ...] = ()
    """Slots of temperature modules (gen2)."""
    chilled: dict[Name, CelsiusOnModule] = Field(default_factory=dict)
    """Tube racks that stand on a temperature module, by their name in the workflow: `stocks: 4`."""
    address: str | None = None
    """Where its server listens, for REAL: `192.168.1.20`, `ot2.local`; protocols are written and proved without."""
    slots: dict[Name, str] = Field(default_factory=dict)
    """Where labware always stands, by name in the workflow: `plate: "2"`; the others get the free slots."""
    limits: VolumeRange = VolumeRange()
    labware_offsets: tuple[LabwareOffset, ...] = ()
    """Sent with each run, where that labware stands in that slot."""
    deck_check: Literal["person", "none"] = "person"
    """`person`: each protocol waits at its beginning until somebody has looked at the deck and resumes it at the
    robot. `none`: it begins at once, for decks that are filled by an arm or for all steps at the same time."""
    poll_s: Seconds = 2.0
    """How often a run is looked at, and its commands copied."""
    answer_s: Seconds = 30.0
    """How long one answer of the robot may take."""
    analysis_s: Seconds = 900.0
    """How long the robot may take for its own analysis: seconds for a plate of 96 wells, minutes for one of 384."""
    patience_s: Seconds = 300.0
    """How long a robot that runs may be out of reach, before its plate is held for a person."""
    labware: dict[Name, Name] = Field(default_factory=dict)
    """Load names in place of the usual ones, by name in the workflow: `plate: greiner_96_wellplate_340ul_chimney`."""

    @model_validator(mode="after")
    def _check_deck(self) -> Self:
        slots = SLOTS[self.robot]
        for slot in (*self.closed_slots, *self.temperature_modules):
            if slot not in slots:
                raise ValueError(f"an {self.robot} has no free slot {slot!r}; possible: {', '.join(slots)}")
        for slot in self.temperature_modules:
            if slot not in MODULE_SLOTS[self.robot] or slot in self.closed_slots or slot == self.used_trash:
                possible = ", ".join(s for s in MODULE_SLOTS[self.robot] if s != self.used_trash)
                raise ValueError(f"a temperature module does not fit into slot {slot}; possible: {possible}")
        wrong = [slot for slot in self.slots.values() if slot not in slots or slot in self._taken]
        if wrong or len(set(self.slots.values())) < len(self.slots):
            slot = wrong[0] if wrong else Counter(self.slots.values()).most_common(1)[0][0]
            raise ValueError(f"slot {slot!r} cannot be given away: it does not exist, or something stands there")
        if self.robot == "Flex" and (self.trash not in TRASH_SLOTS or self.trash in self.closed_slots):
            raise ValueError(f"a trash bin does not fit into slot {self.trash!r}; possible: {', '.join(TRASH_SLOTS)}")
        return self

    @model_validator(mode="after")
    def _check_pipettes(self) -> Self:
        wrong = [p.name for p in (self.left, self.right) if p and PIPETTES[p.name].robot != self.robot]
        if wrong:
            possible = ", ".join(name for name, model in PIPETTES.items() if model.robot == self.robot)
            raise ValueError(f"{wrong[0]} does not fit an {self.robot}; possible: {possible}")
        if not any(pipette.n_channels == 1 for pipette in self.pipettes):
            raise ValueError("doses go into single wells, so at least one pipette must have a single channel")
        return self

    @field_validator("address")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                Address.of(value)
            except ConfigError as error:
                raise ValueError(str(error).removeprefix("address: ")) from error
        return value

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        low, high = volume_range_ul(self)
        if low > high:
            raise ValueError(f"limits: the pipettes deliver nothing between {low:g} and {high:g} µL")
        return self

    @property
    def _taken(self) -> frozenset[str]:
        return frozenset({*self.closed_slots, *self.temperature_modules, *filter(None, (self.used_trash,))})

    @property
    def used_trash(self) -> str | None:
        """The slot that the trash bin takes from the labware; None where it has a place of its own."""
        return self.trash if self.robot == "Flex" else None

    @property
    def pipettes(self) -> tuple[Pipette, ...]:
        """The pipettes, left first."""
        mounts = (("left", self.left), ("right", self.right))
        return tuple(_pipette(mount, chosen) for mount, chosen in mounts if chosen is not None)


@dataclass(frozen=True, slots=True)
class Pipette:
    """A mounted pipette with its tips."""

    mount: str
    name: str
    n_channels: int
    min_ul: float
    max_ul: float
    """What pipette and tip both take."""
    tips: str
    air_gap_ul: float

    def delivers(self, volume_ul: float) -> bool:
        """Whether it delivers a volume at once."""
        return self.min_ul * (1 - 1e-9) <= volume_ul <= self.max_ul * (1 + 1e-9)


def _pipette(mount: str, chosen: PipetteSettings) -> Pipette:
    model: PipetteModel = PIPETTES[chosen.name]
    tips = chosen.tips or model.tips
    gap = model.air_gap_ul if chosen.air_gap_ul is None else chosen.air_gap_ul
    return Pipette(
        mount, chosen.name, model.n_channels, model.min_ul, min(model.max_ul, TIP_CAPACITY_UL[tips]), tips, gap
    )


def volume_range_ul(robot: OpentronsSettings) -> tuple[float, float]:
    """The least and the most that one transfer into one well may be, in µL."""
    low = min(pipette.min_ul for pipette in robot.pipettes if pipette.n_channels == 1)
    high = max(pipette.max_ul for pipette in robot.pipettes)
    return max(low, robot.limits.min_volume_ul or low), min(high, robot.limits.max_volume_ul or high)


def capabilities(robot: OpentronsSettings) -> Capabilities:
    """The robot as the compiler sees it: it moves liquids, and reads nothing."""
    low_ul, high_ul = volume_range_ul(robot)
    return Capabilities(
        machine=robot.name,
        is_simulated=False,
        can_reconcile=False,
        step_kinds=tuple(kind for kind in StepKind if kind.moves_liquid),
        plate_formats=tuple(PLATES),
        assays=("viability", "reporter", "imaging"),
        min_volume_ul=low_ul,
        max_volume_ul=high_ul,
        seconds_per_transfer=12.0,
        devices=STANDARD_DEVICES[:1],
    )


class OpentronsFile(MachineFile, OpentronsSettings):
    """The same as a machine file: with its kind and a note for people."""

    kind: Literal["opentrons"] = "opentrons"

    @property
    def settings(self) -> OpentronsSettings:
        """The robot alone: what a proof names, so that a changed note voids no approval."""
        return OpentronsSettings.model_validate(self.model_dump(exclude={"kind", "note"}))


def load_robot(path: str | Path) -> OpentronsSettings:
    """The configuration of a robot from a YAML file; `kind: opentrons` may stand in it, as in a machine file.

    Raises:
        ConfigError: the file is missing or malformed, or a value in it is refused; the message has its line.
    """
    document = read_yaml(path)
    content = {"name": Path(path).stem, **document.content}
    return checked(OpentronsFile, content, document).settings
