"""What happened to one well, down to each transfer, from its plate's workflow and journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cellos_nb.domain.step import Step, Transfer
from cellos_nb.execution.story import Attempt
from cellos_nb.panels.plates.model import Plate
from cellos_nb.units import format_duration, format_volume
from cellos_nb.workflow.overview import describe_step

PLATE = "plate"
"""What transfers call the assay plate."""
MAX_DEPTH = 6
"""Dilutions of dilutions that are followed back."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step as one well saw it."""

    step_uid: str
    what: str
    """In words."""
    transfers: tuple[str, ...]
    """Each transfer into or out of the well; where a source was mixed on this machine, how, indented below it."""
    attempts: tuple[Attempt, ...]
    """Empty while the step is pending."""

    @property
    def status(self) -> str:
        """What became of the step: that of its last attempt."""
        return str(self.attempts[-1].status) if self.attempts else "pending"


def well_story(plate: Plate, well: str) -> tuple[Event, ...]:
    """The steps that touched a well, in order; all wells are incubated together."""
    by_step: dict[str, list[Attempt]] = {}
    for attempt in plate.attempts:
        by_step.setdefault(attempt.step_uid, []).append(attempt)
    liquids = _Liquids(plate.workflow.steps)
    return tuple(
        Event(step.uid, what, tuple(transfers), tuple(by_step.get(step.uid, ())))
        for step in plate.workflow.steps
        if (seen := _seen_by(plate, step, well, liquids)) is not None
        for what, transfers in [seen]
    )


class _Liquids:
    """What stands in the source wells of a workflow, and how it came there."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.filled = {(f.labware, f.well): f.liquid.name for step in steps for f in step.fills}
        self.mixed: dict[tuple[str, str], list[tuple[str, Transfer]]] = {}
        for step in steps:
            for transfer in step.transfers or ():
                if transfer.destination_labware != PLATE:
                    place = (transfer.destination_labware, transfer.destination_well)
                    self.mixed.setdefault(place, []).append((step.uid, transfer))

    def name(self, place: tuple[str, str]) -> str:
        named = self.filled.get(place)
        return f"{place[0]} {place[1]}" + (f" ({named})" if named else "")

    def origin(self, place: tuple[str, str], depth: int = 1) -> Iterator[str]:
        for uid, transfer in self.mixed.get(place, ()) if depth <= MAX_DEPTH else ():
            source = (transfer.source_labware, transfer.source_well)
            amount = format_volume(transfer.volume_ul)
            yield f"{'  ' * depth}↳ {amount} from {self.name(source)} into {place[0]} {place[1]}, in {uid}"
            yield from self.origin(source, depth + 1)


def _seen_by(plate: Plate, step: Step, well: str, liquids: _Liquids) -> tuple[str, list[str]] | None:
    if step.transfers is not None:
        lines = list(_transfers(step, well, liquids))
        return (step.name, lines) if lines else None
    if step.readout is not None:
        return _read(plate, step, well) if well in step.readout.wells else None
    return f"{step.name}: incubated {format_duration((step.duration_h or 0.0) * 3600)} at {step.temperature_c:g} °C", []


def _transfers(step: Step, well: str, liquids: _Liquids) -> Iterator[str]:
    for transfer in step.transfers or ():
        amount = format_volume(transfer.volume_ul)
        if (transfer.destination_labware, transfer.destination_well) == (PLATE, well):
            source = (transfer.source_labware, transfer.source_well)
            yield f"{amount} from {liquids.name(source)}"
            yield from liquids.origin(source)
        elif (transfer.source_labware, transfer.source_well) == (PLATE, well):
            yield f"{amount} out, into {transfer.destination_labware} {transfer.destination_well}"


def _read(plate: Plate, step: Step, well: str) -> tuple[str, list[str]]:
    reading = plate.reading
    if reading is None or reading.step_uid != step.uid or well not in reading.wells:
        return describe_step(step), []
    place = reading.wells.index(well)
    lines = []
    for channel in reading.channels:
        value = channel.values[place] if place < len(channel.values) else None
        site = f", site {channel.site}" if channel.site is not None else ""
        number = "no number" if value is None else f"{value:,.6g} {channel.unit}".strip()
        lines.append(f"{channel.name}{site}: {number}")
    return describe_step(step), lines
