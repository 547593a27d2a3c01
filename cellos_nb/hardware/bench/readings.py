"""A reader's file as the reading of a step, after every check that can be made of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

from cellos_nb.domain.plate import PLATE_FORMATS, well_names
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.domain.step import Readout, Step
from cellos_nb.errors import ReaderFileError
from cellos_nb.hardware.bench.entries import Entry, Export
from cellos_nb.hardware.bench.settings import ReaderSettings

SHOWN = 8
"""Problems that are listed one by one."""
_OVERFLOWS = ("ovr", "over", "sat", ">max", "#sat", "high")
"""How readers begin what they write where the detector was at its limit."""
_COUNTED = {"cell_count": "cells"}

Numbers = dict[tuple[str, str], float]
"""By well and signal."""


def check_plate(export: Export, plate_id: str, barcode: str | None) -> None:
    """Returns when the file speaks of this plate, or of none.

    Raises:
        ReaderFileError: it speaks of another.
    """
    if export.barcode is not None and export.barcode not in {plate_id, barcode}:
        known = f"{plate_id}, whose barcode is {barcode}" if barcode else plate_id
        raise ReaderFileError(
            f"{export.barcode_at}: this is plate {export.barcode!r}, but the step reads {known}. Bring that plate's "
            "file."
        )


def reading_of(
    export: Export, step: Step, reader: ReaderSettings, *, skipped: Collection[str], altered: Mapping[str, str]
) -> Reading:
    """The reading that a file gives for a step.

    Wells that were skipped or do not hold what was asked for have no number in it; their numbers stay in the file.

    Args:
        export: what the file says.
        step: a reading of a plate.
        reader: the reader and its limits.
        skipped: wells that the person takes out.
        altered: wells that hold something else than was asked, and what.

    Raises:
        ReaderFileError: it is of another shape of plate, or a well is missing, there twice, saturated or has no number;
            names cells and reasons.
    """
    readout = step.readout
    if readout is None:
        raise AssertionError(f"{step.uid}: is no reading")
    n_wells = step.labware_named("plate").n_wells
    problems = [*_shape(export, n_wells), *_twice(export)]
    numbers: Numbers = {}
    if not problems:
        wanted = [well for well in readout.wells if well not in skipped]
        problems = list(_fill_in(numbers, export, readout, wanted, reader))
    if problems:
        left = f"\n… and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ReaderFileError("\n".join(problems[:SHOWN]) + left)
    channels = tuple(
        Channel(
            signal,
            _COUNTED.get(signal, reader.unit),
            tuple(None if well in altered else numbers.get((well, signal)) for well in readout.wells),
        )
        for signal in readout.channels
    )
    return Reading(step.plate_id, step.uid, readout.wells, channels, instrument=reader.name)


def _shape(export: Export, n_wells: int) -> Iterator[str]:
    """What shows that the file is of another plate format."""
    possible = set(well_names(n_wells))
    last = well_names(n_wells)[-1]
    beyond = next((entry for entry in export.entries if entry.well not in possible), None)
    if beyond is not None:
        yield (
            f"{beyond.where}: well {beyond.well} is beyond the {n_wells} wells of this plate (A1 to {last}). This file "
            "is of a larger plate; bring the right one."
        )
    there = {entry.well for entry in export.entries}
    smaller = next((n for n in PLATE_FORMATS if n < n_wells and there == set(well_names(n))), None)
    if smaller is not None:
        yield (
            f"{export.name}: has the {smaller} wells A1 to {well_names(smaller)[-1]}, but the plate has {n_wells} (A1 "
            f"to {last}). Choose the {n_wells}-well plate in the reader's protocol and read it again."
        )


def _twice(export: Export) -> Iterator[str]:
    first: dict[tuple[str, str], Entry] = {}
    for entry in export.entries:
        before = first.setdefault((entry.well, entry.signal), entry)
        if before is not entry:
            yield (
                f"{entry.where}: well {entry.well} has a second {entry.signal}; the first is {before.where}. Keep the "
                "one that counts."
            )


def _fill_in(
    numbers: Numbers, export: Export, readout: Readout, wells: list[str], reader: ReaderSettings
) -> Iterator[str]:
    """Takes the numbers over; yields what is wrong with those that cannot be."""
    entries = {(entry.well, entry.signal): entry for entry in export.entries}
    for signal in readout.channels:
        for well in wells:
            entry = entries.get((well, signal))
            if entry is None or not entry.text:
                where = entry.where if entry is not None else export.name
                yield f"{where}: well {well} has no {signal}. Read it again, or leave it out: --skip {well}."
                continue
            number = _number(entry.text, export.decimal)
            if number is None and not entry.text.casefold().startswith(_OVERFLOWS):
                yield f"{entry.where}: {entry.text!r} is no number, for well {well}. Correct it, or --skip {well}."
            elif number is None or (reader.saturated_at is not None and number >= reader.saturated_at):
                yield (
                    f"{entry.where}: well {well} is saturated ({entry.text}). Read the plate with less gain, or leave "
                    f"it out: --skip {well}."
                )
            else:
                numbers[well, signal] = number


def _number(text: str, decimal: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        number = float(text.replace(decimal, ".") if decimal != "." else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
