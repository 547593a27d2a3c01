"""Commands about the machines of a lab: which there are, what their files say, whether they are right."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_facts, print_json, print_table
from cellos_nb.errors import ConfigError

if TYPE_CHECKING:
    from cellos_nb.domain.machine import Capabilities, Place

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", help="Where machine files are. Default: CELLOS_MACHINE_FILES, or machines here.", show_default=False
    ),
]
Machine = Annotated[str, typer.Argument(help="A kind, the name of a machine file, or its path.", metavar="MACHINE")]


def list_machines(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the machines of this lab, from their files, and the kinds that need none."""
    from cellos_nb.hardware.configuration import machine_files
    from cellos_nb.hardware.registry import check_files, kinds

    rows = [
        _row(found.name, found.kind, is_real=found.is_real, file=path, note=found.note)
        if found
        else _row(path.stem, "?", is_real=None, file=path, note="not accepted; see `cellos hardware check`")
        for path, found, _ in check_files(machine_files(folder))
    ]
    simulated = {"virtual", "biology", "replay"}
    rows += [
        _row(kind, kind, is_real=False if kind in simulated else None, file=None, note="needs no file")
        for kind in kinds()
        if kind not in {"cluster", "opentrons"}  # which need an address and a robot's file
    ]
    print_table(rows, as_json=as_json, empty="no machines")


def _row(name: str, kind: str, *, is_real: bool | None, file: Path | None, note: str) -> dict[str, Any]:
    touches = "?" if is_real is None else "the lab" if is_real else "nothing real"
    return {"machine": name, "kind": kind, "touches": touches, "file": file and str(file), "note": note}


def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Machine files; all of the folder when left out.")] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Check machine files: each value, and that each machine can be described. No device moves."""
    from cellos_nb.hardware.configuration import machine_files, machines_folder
    from cellos_nb.hardware.registry import check_files

    paths = tuple(files or machine_files(folder))
    if not paths:
        raise ConfigError(
            f"{folder or machines_folder()}: no machine file here. `cellos hardware new KIND > machines/NAME.yaml` "
            "writes one."
        )
    found = [(path, machine, problem or _trouble(path)) for path, machine, problem in check_files(paths)]
    rows = [
        {"file": str(path), "machine": machine.name if machine else None, "is right": "no" if problem else "yes"}
        | ({"problem": problem} if as_json else {})
        for path, machine, problem in found
    ]
    print_table(rows, as_json=as_json, empty="no machine file")
    wrong = [problem for _, _, problem in found if problem]
    if wrong:
        raise ConfigError("\n".join(wrong))


def describe(machine: Machine, as_json: AsJson = False) -> None:
    """Say what a machine can do: its steps, plates, volumes and assays. No device moves."""
    can = _capabilities(machine)
    if as_json:
        print_json(asdict(can))
        return
    print_facts(_facts(can))


def new(kind: Annotated[str, typer.Argument(help="Kind of machine.", metavar="KIND")]) -> None:
    """Print a machine file to begin with, every key explained: `cellos hardware new bench > machines/bench.yaml`."""
    from cellos_nb.hardware.registry import template_of

    typer.echo(template_of(kind), nl=False)


def _trouble(path: Path) -> str:
    """What keeps a machine whose file is right from being described; empty when nothing does."""
    from cellos_nb.errors import CellosError

    try:
        _capabilities(str(path))
    except CellosError as error:
        return f"{path}: {error}"
    return ""


def _capabilities(named: str) -> Capabilities:
    from cellos_nb.hardware.registry import open_machine, settings_of

    machine = open_machine(settings_of(named))
    try:
        return machine.describe()
    finally:
        machine.stop()


def _place_text(place: Place) -> str:
    return f"{place.name} ({', '.join(place.step_kinds)})"


def _facts(can: Capabilities) -> tuple[tuple[str, str], ...]:
    from cellos_nb.units import format_volume

    def names(values: tuple[Any, ...] | None) -> str:
        return "any" if values is None else ", ".join(str(value) for value in values)

    who = "nothing real" if can.is_simulated else "a person carries out each step" if can.is_by_person else "the lab"
    return (
        ("machine", can.machine),
        ("touches", who),
        ("needs an approval", "yes" if can.needs_approval else "no"),
        ("steps", names(can.step_kinds)),
        ("plates", f"{names(can.plate_formats)} wells"),
        ("assays", names(can.assays)),
        ("one transfer", f"{format_volume(can.min_volume_ul)} to {format_volume(can.max_volume_ul)}"),
        ("devices", names(tuple(device.name for device in can.devices)) or "none: several plates at once"),
        *((("places", " · ".join(_place_text(place) for place in can.places)),) if can.places else ()),
        *((("by a person", names(can.kinds_by_person)),) if can.kinds_by_person else ()),
        ("knows after a crash", "what became of every step" if can.can_reconcile else "not what became of a step"),
        ("cell lines", names(can.cell_lines)),
        ("compounds", names(can.compounds)),
        *((("answers from", can.data_source),) if can.data_source else ()),
    )
