"""What an analysis says was pipetted, read out of its commands alone, and compared with what was compiled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellos_nb.domain.step import Step
from cellos_nb.errors import ProtocolRefusedError
from cellos_nb.hardware.opentrons.deck import Deck, physical
from cellos_nb.hardware.opentrons.moves import EIGHT, Place
from cellos_nb.units import format_volume

TOLERANCE_UL = 1e-4
"""For the sum of what went from one well to another: numbers in a protocol have six decimals."""

_AIR: Place = ("air", "")
_ROWS_OF_EIGHT = {8: 1, 16: 2}
"""Rows of a labware, and how many of them lie between two channels."""


@dataclass(frozen=True, slots=True)
class Pipetted:
    """What the commands of one analysis do, by names of labware and physical wells."""

    moved_ul: Mapping[tuple[Place, Place], float]
    """From well to well, mixing left out."""
    filled_ul: Mapping[Place, float]
    """What a person is asked to fill in."""
    n_tips: int
    n_commands: int


@dataclass(slots=True)
class _Reader:
    """Follows the commands: what is in each tip, newest last, because that leaves first."""

    labware: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    tips: dict[str, list[list[tuple[Place, float]]]] = field(default_factory=dict)
    moved: dict[tuple[Place, Place], float] = field(default_factory=lambda: defaultdict(float))
    filled: dict[Place, float] = field(default_factory=dict)
    n_tips: int = 0

    def follow(self, command: Mapping[str, Any]) -> None:
        """Takes one command into account."""
        kind, asked = command["commandType"], command["params"]
        result = command.get("result") or {}
        if kind == "loadLabware":
            self.labware[result["labwareId"]] = result["definition"]
            self.names[result["labwareId"]] = asked.get("displayName") or result["labwareId"]
        elif kind == "loadPipette":
            self.channels[result["pipetteId"]] = EIGHT if "multi" in asked["pipetteName"] else 1
        elif kind == "loadLiquid":
            for well, volume in asked["volumeByWell"].items():
                self.filled[self.names[asked["labwareId"]], well] = volume
        elif kind == "pickUpTip":
            self.tips[asked["pipetteId"]] = [[] for _ in range(self.channels[asked["pipetteId"]])]
            self.n_tips += self.channels[asked["pipetteId"]]
        elif kind in {"aspirate", "dispense", "blowout"}:
            self._pipette(kind, asked)
        elif kind.startswith(_UNREAD):
            raise ProtocolRefusedError(f"The analysis has a command '{kind}', whose volumes are not read here.")

    def _pipette(self, kind: str, asked: Mapping[str, Any]) -> None:
        tips = self.tips[asked["pipetteId"]]
        wells = self._wells(asked["labwareId"], asked["wellName"], len(tips))
        for tip, well in zip(tips, wells, strict=True):
            if kind == "aspirate":
                place = _AIR if _is_above(asked, self.labware[asked["labwareId"]]) else well
                tip.append((place, asked["volume"]))
                continue
            left = asked["volume"] if kind == "dispense" else sum(volume for _, volume in tip)
            while left > TOLERANCE_UL and tip:
                source, volume = tip.pop()
                out = min(volume, left)
                left -= out
                if volume - out > TOLERANCE_UL:
                    tip.append((source, volume - out))
                if source not in {_AIR, well}:
                    self.moved[source, well] += out

    def _wells(self, labware_id: str, first: str, n_channels: int) -> list[Place]:
        """The wells under the channels, the rearmost first."""
        name = self.names[labware_id]
        if n_channels == 1:
            return [(name, first)]
        columns: Sequence[list[str]] = self.labware[labware_id]["ordering"]
        column = next(column for column in columns if first in column)
        if len(column) == 1:
            return [(name, first)] * n_channels
        pitch = _ROWS_OF_EIGHT[len(column)]
        start = column.index(first)
        return [(name, column[start + pitch * channel]) for channel in range(n_channels)]


_UNREAD = ("aspirateInPlace", "aspirateWhile", "dispenseInPlace", "dispenseWhile", "blowOutInPlace", "airGap")


def _is_above(asked: Mapping[str, Any], definition: Mapping[str, Any]) -> bool:
    """Whether the tip is above the well, so that it draws air."""
    location = asked["wellLocation"]
    height = location["offset"]["z"]
    if location["origin"] == "bottom":
        height -= definition["wells"][asked["wellName"]]["depth"]
    return bool(height > 0)


def read_analysis(analysis: Mapping[str, Any]) -> Pipetted:
    """What the commands of an analysis do.

    Raises:
        ProtocolRefusedError: the analysis has pipetting commands of a kind that is not read here.
    """
    reader = _Reader()
    commands = analysis["commands"]
    for command in commands:
        reader.follow(command)
    return Pipetted(dict(reader.moved), reader.filled, reader.n_tips, len(commands))


def check_against(step: Step, deck: Deck, pipetted: Pipetted) -> None:
    """Compares, well by well, what an analysis does with what was compiled.

    Raises:
        ProtocolRefusedError: they differ; names the wells and both volumes.
    """
    asked: dict[tuple[Place, Place], float] = defaultdict(float)
    for transfer in step.transfers or ():
        source = physical(deck, (transfer.source_labware, transfer.source_well))
        destination = physical(deck, (transfer.destination_labware, transfer.destination_well))
        asked[source, destination] += transfer.volume_ul
    for wells in sorted({*asked, *pipetted.moved_ul}):
        wanted, found = asked.get(wells, 0.0), pipetted.moved_ul.get(wells, 0.0)
        if abs(wanted - found) > TOLERANCE_UL:
            (source, destination) = wells
            raise _differs(step, f"from {' '.join(source)} to {' '.join(destination)}", wanted, found)
    filled = _sums((physical(deck, (fill.labware, fill.well)), fill.volume_ul) for fill in step.fills)
    for place in sorted({*filled, *pipetted.filled_ul}):
        wanted, found = filled.get(place, 0.0), pipetted.filled_ul.get(place, 0.0)
        if abs(wanted - found) > TOLERANCE_UL:
            raise _differs(step, f"filled into {' '.join(place)}", wanted, found)


def _sums(pairs: Iterable[tuple[Place, float]]) -> dict[Place, float]:
    sums: dict[Place, float] = defaultdict(float)
    for place, volume in pairs:
        sums[place] += volume
    return sums


def _differs(step: Step, what: str, wanted: float, found: float) -> ProtocolRefusedError:
    return ProtocolRefusedError(
        f"Step {step.uid}: {format_volume(wanted)} {what} were compiled, but by the analysis of the protocol it is "
        f"{format_volume(found)}. Do not run it; this is an error of the protocol writer, so report it with the "
        "workflow."
    )
