"""What Opentrons sells, as far as protocols here use it: pipettes, tips, labware, decks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RobotKind = Literal["OT-2", "Flex"]

API_LEVELS: dict[RobotKind, str] = {"OT-2": "2.19", "Flex": "2.20"}
"""The oldest that has all that is used here, so that robots with older software run the protocols, too."""


@dataclass(frozen=True, slots=True)
class PipetteModel:
    """A pipette as its vendor specifies it."""

    robot: RobotKind
    n_channels: int
    min_ul: float
    max_ul: float
    tips: str
    """Load name of the tip rack that it comes with."""
    air_gap_ul: float
    """Drawn behind the liquid so that nothing drips on the way: ours, a tenth of small volumes."""


PIPETTES: dict[str, PipetteModel] = {
    "p20_single_gen2": PipetteModel("OT-2", 1, 1.0, 20.0, "opentrons_96_tiprack_20ul", 1.0),
    "p20_multi_gen2": PipetteModel("OT-2", 8, 1.0, 20.0, "opentrons_96_tiprack_20ul", 1.0),
    "p300_single_gen2": PipetteModel("OT-2", 1, 20.0, 300.0, "opentrons_96_tiprack_300ul", 10.0),
    "p300_multi_gen2": PipetteModel("OT-2", 8, 20.0, 300.0, "opentrons_96_tiprack_300ul", 10.0),
    "p1000_single_gen2": PipetteModel("OT-2", 1, 100.0, 1000.0, "opentrons_96_tiprack_1000ul", 20.0),
    "flex_1channel_50": PipetteModel("Flex", 1, 5.0, 50.0, "opentrons_flex_96_tiprack_50ul", 2.0),
    "flex_8channel_50": PipetteModel("Flex", 8, 5.0, 50.0, "opentrons_flex_96_tiprack_50ul", 2.0),
    "flex_1channel_1000": PipetteModel("Flex", 1, 5.0, 1000.0, "opentrons_flex_96_tiprack_1000ul", 10.0),
    "flex_8channel_1000": PipetteModel("Flex", 8, 5.0, 1000.0, "opentrons_flex_96_tiprack_1000ul", 10.0),
}
"""By load name. Volumes: Opentrons' pipette specifications; Flex 50 µL pipettes go below 5 µL in a mode that is not
used here."""

TIP_CAPACITY_UL: dict[str, float] = {
    "opentrons_96_tiprack_20ul": 20.0,
    "opentrons_96_filtertiprack_20ul": 20.0,
    "opentrons_96_tiprack_300ul": 300.0,
    "opentrons_96_filtertiprack_200ul": 200.0,
    "opentrons_96_tiprack_1000ul": 1000.0,
    "opentrons_96_filtertiprack_1000ul": 1000.0,
    "opentrons_flex_96_tiprack_50ul": 50.0,
    "opentrons_flex_96_filtertiprack_50ul": 50.0,
    "opentrons_flex_96_tiprack_200ul": 200.0,
    "opentrons_flex_96_filtertiprack_200ul": 200.0,
    "opentrons_flex_96_tiprack_1000ul": 1000.0,
    "opentrons_flex_96_filtertiprack_1000ul": 1000.0,
}
"""By load name of the rack."""

TIPS_PER_RACK = 96


@dataclass(frozen=True, slots=True)
class LabwareModel:
    """A plate, rack or reservoir of the vendor's library."""

    load_name: str
    n_wells: int
    capacity_ul: float


PLATES: dict[int, LabwareModel] = {
    model.n_wells: model
    for model in (
        LabwareModel("corning_6_wellplate_16.8ml_flat", 6, 16800.0),
        LabwareModel("corning_12_wellplate_6.9ml_flat", 12, 6900.0),
        LabwareModel("corning_24_wellplate_3.4ml_flat", 24, 3400.0),
        LabwareModel("corning_48_wellplate_1.6ml_flat", 48, 1600.0),
        LabwareModel("corning_96_wellplate_360ul_flat", 96, 360.0),
        LabwareModel("corning_384_wellplate_112ul_flat", 384, 112.0),
    )
}
"""Assay plates by number of wells. A 1536-well plate cannot be reached by these pipettes."""

SOURCES: tuple[LabwareModel, ...] = (
    LabwareModel("opentrons_6_tuberack_falcon_50ml_conical", 6, 50_000.0),
    LabwareModel("opentrons_24_tuberack_nest_1.5ml_snapcap", 24, 1_500.0),
    LabwareModel("nest_24_wellplate_10.4ml", 24, 10_400.0),
    LabwareModel("nest_96_wellplate_2ml_deep", 96, 2_000.0),
    LabwareModel("greiner_384_wellplate_240ul", 384, 240.0),
)
"""What liquids stand in; the first with as many wells, each large enough, is taken."""

RESERVOIR = LabwareModel("usascientific_12_reservoir_22ml", 12, 22_000.0)
"""Stands in for a rack of tubes where eight channels at once are worth it: all eight reach into one of its wells."""

CHILLED_RACK = LabwareModel("opentrons_24_aluminumblock_nest_1.5ml_snapcap", 24, 1_500.0)
"""What holds tubes on a temperature module."""

TEMPERATURE_MODULE = "temperature module gen2"

SLOTS: dict[RobotKind, tuple[str, ...]] = {
    "OT-2": ("2", "1", "3", "5", "4", "6", "8", "7", "9", "10", "11"),
    "Flex": ("D2", "D1", "D3", "C2", "C1", "C3", "B2", "B1", "B3", "A2", "A1", "A3"),
}
"""In the order in which they are used: the plate in front, where a person reaches it. Slot 12 of an OT-2 is trash."""

MODULE_SLOTS: dict[RobotKind, tuple[str, ...]] = {
    "OT-2": ("1", "3", "4", "6", "7", "9", "10"),
    "Flex": ("A1", "B1", "C1", "D1", "A3", "B3", "C3", "D3"),
}
"""Where a temperature module fits: on a Flex the outer columns, on an OT-2 those that leave its cable a way out."""

TRASH_SLOTS: tuple[str, ...] = ("A1", "B1", "C1", "D1", "A3", "B3", "C3", "D3")
"""Where the trash bin of a Flex can stand."""
