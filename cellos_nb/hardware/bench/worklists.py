"""A step's transfers in the forms that liquid handlers and acoustic dispensers import."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping

from cellos_nb.domain.plate import PLATE_FORMATS, well_position
from cellos_nb.domain.step import Labware, Step, TipPolicy, Transfer
from cellos_nb.errors import MachineRefusedError
from cellos_nb.units import format_volume

ECHO_DROPLET_NL = 2.5
ECHO_TOLERANCE = 0.001
"""What rounding to whole droplets may change of a transfer."""
_NL_PER_UL = 1e3
ENDINGS: Mapping[str, str] = {"csv": "csv", "echo": "echo.csv", "hamilton": "hamilton.csv", "gwl": "gwl"}


def write_worklist(step: Step, form: str) -> str:
    """The worklist of a step that moves liquid.

    Args:
        step: what is to be moved.
        form: `csv` for people and programs; `echo` (Beckman, picks by barcode); `hamilton` (VENUS); `gwl` (Tecan).

    Raises:
        MachineRefusedError: the form cannot say what the step asks for; names the transfer.
    """
    return _WRITERS[form](step)


def worklist_name(step: Step, form: str) -> str:
    """The name of its file: `3-dose.gwl`."""
    return f"{step.uid}.{ENDINGS[form]}"


def _generic(step: Step) -> str:
    rows = (
        (n, t.source_labware, t.source_well, t.destination_labware, t.destination_well, _exact(t.volume_ul))
        for n, t in enumerate(step.transfers or (), 1)
    )
    head = ("transfer", "source_labware", "source_well", "destination_labware", "destination_well", "volume_ul")
    return _table(head, rows)


def _echo(step: Step) -> str:
    """Echo Cherry Pick: barcodes and nanolitres, in whole droplets."""
    rows = []
    for t in step.transfers or ():
        volume_nl = t.volume_ul * _NL_PER_UL
        rounded_nl = round(volume_nl / ECHO_DROPLET_NL) * ECHO_DROPLET_NL
        if abs(rounded_nl - volume_nl) > ECHO_TOLERANCE * volume_nl:
            raise MachineRefusedError(
                f"Step {step.uid}, {t.destination_labware} {t.destination_well}: {format_volume(t.volume_ul)} is no "
                f"whole number of an Echo's droplets of {ECHO_DROPLET_NL:g} nL. Use another worklist for this step, "
                "or a machine file whose smallest volume is 0.0025 µL."
            )
        source, destination = step.labware_named(t.source_labware), step.labware_named(t.destination_labware)
        rows.append((source.barcode, t.source_well, destination.barcode, t.destination_well, f"{rounded_nl:g}"))
    head = (
        *("Source Plate Barcode", "Source Well", "Destination Plate Barcode", "Destination Well"),
        "Transfer Volume",
    )
    return _table(head, rows)


def _hamilton(step: Step) -> str:
    """A VENUS worklist: labware identifiers, positions counted down the columns, µL."""
    rows = []
    for n, t in enumerate(step.transfers or (), 1):
        source, destination = step.labware_named(t.source_labware), step.labware_named(t.destination_labware)
        rows.append(
            (
                *(n, source.name, _position(source, t.source_well, step), t.source_well),
                *(destination.name, _position(destination, t.destination_well, step), t.destination_well),
                _exact(t.volume_ul),
            )
        )
    head = (
        *("TransferID", "SourceLabwareID", "SourcePositionNo", "SourcePositionID"),
        *("TargetLabwareID", "TargetPositionNo", "TargetPositionID", "TransferVolume"),
    )
    return _table(head, rows)


def _gwl(step: Step) -> str:
    """A Tecan worklist: aspirate, dispense, and a new tip by the step's policy; positions down the columns."""
    moves = step.transfers
    lines = [f"C;{step.plate_id} step {step.uid}"]
    before: Transfer | None = None
    for t in moves or ():
        if before is not None and moves is not None and _changes_tip(before, t, moves.tip_policy):
            lines.append("W;")
        source, destination = step.labware_named(t.source_labware), step.labware_named(t.destination_labware)
        lines.append(_gwl_line("A", source, t.source_well, t.volume_ul, step))
        lines.append(_gwl_line("D", destination, t.destination_well, t.volume_ul, step))
        before = t
    return "\r\n".join((*lines, "W;", ""))


def _gwl_line(verb: str, item: Labware, well: str, volume_ul: float, step: Step) -> str:
    return f"{verb};{item.name};{item.barcode};;{_position(item, well, step)};;{_exact(volume_ul)};;;"


def _changes_tip(before: Transfer, after: Transfer, policy: TipPolicy) -> bool:
    same_source = (before.source_labware, before.source_well) == (after.source_labware, after.source_well)
    same_well = (before.destination_labware, before.destination_well) == (
        after.destination_labware,
        after.destination_well,
    )
    return not same_source or (policy is TipPolicy.PER_TRANSFER and not same_well)


def _position(item: Labware, well: str, step: Step) -> int:
    """A well as its number, counted from 1 down the columns."""
    if item.n_wells in PLATE_FORMATS:
        row, column = well_position(well, item.n_wells)
        return column * PLATE_FORMATS[item.n_wells].n_rows + row + 1
    raise MachineRefusedError(
        f"Step {step.uid}: {item.name} has {item.n_wells} places, whose order no worklist knows. Use the csv worklist."
    )


def _exact(volume_ul: float) -> str:
    """A volume to a tenth of a nanolitre: below what any dispenser resolves."""
    return f"{volume_ul:.4f}".rstrip("0").rstrip(".")


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


_WRITERS: Mapping[str, Callable[[Step], str]] = {
    "csv": _generic,
    "echo": _echo,
    "hamilton": _hamilton,
    "gwl": _gwl,
}
