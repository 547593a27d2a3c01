"""From transfers to what the pipettes do: which pipette, which tip, how many channels, mixed or not."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cellos_nb.domain.plate import plate_format, row_label, well_position
from cellos_nb.domain.step import Step, TipPolicy, Transfer, TransferList
from cellos_nb.errors import ProtocolRefusedError
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, Pipette
from cellos_nb.units import format_volume

MIX_REPETITIONS = 3
STIR_EVERY = 16
"""Draws from a suspension of cells between two stirs: cells settle within minutes."""
EIGHT = 8
_DIGITS = 6
"""Volumes are written to 1 pL, as the rehearsal logs them."""

Place = tuple[str, str]
"""Labware and well, by their names in the workflow."""


@dataclass(frozen=True, slots=True)
class Move:
    """One aspirate and dispense of one pipette."""

    pipette: Pipette
    source: Place
    destinations: tuple[Place, ...]
    """One well for each channel, the rearmost first."""
    volume_ul: float
    """For each channel."""
    new_tip: bool
    touches: bool
    """Whether the tip goes into the destination's liquid; otherwise it stays above the well."""
    mix_ul: float = 0.0
    """Mixed in the destination afterwards; 0 for not at all."""
    stir_ul: float = 0.0
    """Mixed in the source before, by each channel, because cells settle; 0 for not at all."""

    @property
    def air_gap_ul(self) -> float:
        """The air drawn behind the liquid; none where the tip has no room for it."""
        gap = self.pipette.air_gap_ul
        return gap if self.volume_ul + gap <= self.pipette.max_ul else 0.0


def plan_moves(
    step: Step, robot: OpentronsSettings, reservoirs: frozenset[str], before_ul: Mapping[Place, float]
) -> tuple[Move, ...]:
    """The moves that carry out a step's transfers.

    Args:
        step: one that moves liquid.
        robot: gives the pipettes.
        reservoirs: labware whose wells all channels reach into at once.
        before_ul: what stands in the wells when the step begins, for how much to mix.

    Raises:
        ProtocolRefusedError: no pipette delivers a volume.
    """
    transfers = step.transfers or TransferList()
    has_clean_tip = transfers.tip_policy is TipPolicy.PER_SOURCE and not transfers.mix_after
    volumes = dict(before_ul)
    moves: list[Move] = []
    held: tuple[Pipette, Place] | None = None
    cells = {(fill.labware, fill.well) for fill in step.fills if fill.liquid.cells_per_ul > 0}
    draws: Counter[Place] = Counter()
    for part in _parts(step, robot, reservoirs, eight=has_clean_tip):
        pipette, source = part.pipette, part.source
        is_fresh = part.is_first if not has_clean_tip else held != (pipette, source)
        held = (pipette, source)
        stir = 0.0
        if source in cells and (is_fresh or draws[source] % STIR_EVERY == 0):
            stir = _mixed_ul(pipette, volumes[source] / pipette.n_channels)
        draws[source] += 1
        volumes[source] = volumes.get(source, 0.0) - part.volume_ul * len(part.destinations)
        touches, mix = part.is_last and not has_clean_tip, 0.0
        for place in part.destinations:
            there = volumes.get(place, 0.0)
            volumes[place] = there + part.volume_ul
            if transfers.mix_after and part.is_last and there > 0:
                mix = _mixed_ul(pipette, volumes[place])
        moves.append(Move(pipette, source, part.destinations, part.volume_ul, is_fresh, touches, mix, stir))
    return tuple(moves)


def count_tips(moves: Sequence[Move]) -> dict[Pipette, int]:
    """Tips that the moves use, by pipette."""
    used: Counter[Pipette] = Counter()
    for move in moves:
        if move.new_tip:
            used[move.pipette] += move.pipette.n_channels
    return dict(used)


@dataclass(frozen=True, slots=True)
class _Part:
    """A transfer, or one of the equal parts of one that is too large for the pipette."""

    pipette: Pipette
    source: Place
    destinations: tuple[Place, ...]
    volume_ul: float
    is_first: bool = True
    is_last: bool = True
    """All parts but the last are dispensed from above, so that the tip may go back into the source."""


def _parts(step: Step, robot: OpentronsSettings, reservoirs: frozenset[str], *, eight: bool) -> Iterator[_Part]:
    """Transfers with their pipettes; those of one source and volume that fill columns are taken eight at a time.

    Only neighbours in the list with the same source are reordered: their draws commute, and so do their dispenses.
    """
    for (source, volume), run in groupby(step.transfers or (), key=_source_and_volume):
        rest = list(run)
        multi = _multi_for(volume, robot) if eight and source[0] in reservoirs else None
        if multi is not None:
            columns, rest = _columns(rest, step)
            for wells in columns:
                yield _Part(multi, source, wells, volume)
        if not rest:
            continue
        pipette, n_parts = _single_for(volume, robot, step, rest[0])
        part = round(volume / n_parts, _DIGITS)
        for transfer in rest:
            for number in range(n_parts):
                yield _Part(pipette, source, (_destination(transfer),), part, number == 0, number == n_parts - 1)


def _source_and_volume(transfer: Transfer) -> tuple[Place, float]:
    return (transfer.source_labware, transfer.source_well), round(transfer.volume_ul, _DIGITS)


def _destination(transfer: Transfer) -> Place:
    return transfer.destination_labware, transfer.destination_well


def _multi_for(volume_ul: float, robot: OpentronsSettings) -> Pipette | None:
    able = [p for p in robot.pipettes if p.n_channels == EIGHT and p.delivers(volume_ul)]
    return min(able, key=lambda pipette: pipette.max_ul, default=None)


def _single_for(volume_ul: float, robot: OpentronsSettings, step: Step, first: Transfer) -> tuple[Pipette, int]:
    """The finest pipette that delivers a volume in the fewest equal parts, and how many those are."""
    ways = []
    for pipette in robot.pipettes:
        n_parts = max(1, math.ceil(volume_ul / pipette.max_ul * (1 - 1e-9)))
        if pipette.n_channels == 1 and pipette.delivers(volume_ul / n_parts):
            ways.append((n_parts, pipette.max_ul, pipette))
    if not ways:
        singles = [p for p in robot.pipettes if p.n_channels == 1]
        ranges = "; ".join(f"{p.name} {format_volume(p.min_ul)} to {format_volume(p.max_ul)}" for p in singles)
        raise ProtocolRefusedError(
            f"Step {step.uid}, well {first.destination_well}: one transfer of {format_volume(volume_ul)}, but "
            f"{robot.name} delivers {ranges}. Compile the plate for this robot, or mount a pipette for that volume."
        )
    n_parts, _, pipette = min(ways, key=lambda way: way[:2])
    return pipette, n_parts


def _columns(run: Sequence[Transfer], step: Step) -> tuple[list[tuple[Place, ...]], list[Transfer]]:
    """Groups of eight wells that an eight-channel pipette reaches at once, and the transfers that are left."""
    by_reach: dict[tuple[str, int, int], dict[str, list[Transfer]]] = defaultdict(lambda: defaultdict(list))
    rest: list[Transfer] = []
    for transfer in run:
        name = transfer.destination_labware
        n_wells = step.labware_named(name).n_wells
        if n_wells not in {96, 384}:
            rest.append(transfer)
            continue
        row, column = well_position(transfer.destination_well, n_wells)
        by_reach[name, column, row % (plate_format(n_wells).n_rows // EIGHT)][transfer.destination_well].append(
            transfer
        )
    columns = []
    for (name, column, first_row), by_well in by_reach.items():
        times = min(map(len, by_well.values())) if len(by_well) == EIGHT else 0
        pitch = plate_format(step.labware_named(name).n_wells).n_rows // EIGHT
        wells = tuple((name, f"{row_label(first_row + pitch * channel)}{column + 1}") for channel in range(EIGHT))
        columns += [wells] * times
        rest += [transfer for transfers in by_well.values() for transfer in transfers[times:]]
    return columns, rest


def _mixed_ul(pipette: Pipette, volume_ul: float) -> float:
    """Half of what is in the well, as far as the pipette takes it."""
    return round(min(pipette.max_ul, max(pipette.min_ul, volume_ul / 2)), 1)
