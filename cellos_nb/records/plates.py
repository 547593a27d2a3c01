"""The plates of a record, looked at one by one: controls, artefacts, and a map of the signal."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import ValidationError

from cellos_nb.analysis.artefacts import ArtefactFinding, plate_artefacts
from cellos_nb.analysis.gates import QualityGates, broken_gates
from cellos_nb.analysis.quality import PlateQuality, plate_quality
from cellos_nb.analysis.signals import plate_wells, read_signal
from cellos_nb.domain import codec
from cellos_nb.domain.plate import WellRole, plate_format, row_label, well_position
from cellos_nb.domain.reading import Reading
from cellos_nb.errors import InputError
from cellos_nb.records.evidence import RAW, WORKFLOWS, short_name
from cellos_nb.workflow.workflow import Workflow

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class ReadPlate:
    """One plate that was read, as a record holds it."""

    name: str
    """Within its campaign: `i003-p1`."""
    workflow: Workflow
    reading: Reading

    @property
    def channel(self) -> str:
        """The signal that is looked at: the first of the reading."""
        return self.reading.channels[0].name

    @property
    def quality(self) -> PlateQuality:
        """Its controls."""
        return plate_quality(self.workflow.layout, self.reading, self.channel)

    @property
    def artefacts(self) -> tuple[ArtefactFinding, ...]:
        """What its own replicates betray."""
        return plate_artefacts(self.workflow.layout, self.reading, self.channel)


def read_plates(folder: str | Path) -> tuple[ReadPlate, ...]:
    """Every reading of a record that gave signals, with the workflow of its plate, in the order in which it was read.

    Raises:
        InputError: the folder is no record with readings, or they cannot be read.
    """
    folder = Path(folder)
    try:
        readings = json.loads((folder / RAW).read_bytes())
        found = []
        for each in readings:
            reading = codec.from_jsonable(Reading, each)
            name = short_name(reading.plate_id)
            workflow = Workflow.from_json((folder / WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
            if any(value is not None for channel in reading.channels for value in channel.values):
                found.append(ReadPlate(name, workflow, reading))
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(
            f"{folder}: its plates cannot be read ({error}). Give the folder of a record, as `cellos record` writes it."
        ) from error
    return tuple(found)


def quality_table(plates: tuple[ReadPlate, ...]) -> pd.DataFrame:
    """One row for each plate and cell line: controls, Z′ and spread; a dash where there are too few wells to tell."""
    rows = [
        {
            "plate": plate.name,
            "cell line": line.cell_line,
            "vehicle wells": str(line.n_vehicle),
            "positive wells": str(line.n_positive),
            "vehicle median": _number(line.vehicle_median),
            "vehicle CV": _percent(line.robust_vehicle_cv),
            "Z′": _number(line.robust_z_prime),
            "SSMD": _number(line.ssmd),
        }
        for plate in plates
        for line in plate.quality.lines
    ]
    return pd.DataFrame(rows)


def artefact_table(plates: tuple[ReadPlate, ...]) -> pd.DataFrame:
    """One row for each plate: what each test says, in words; replicates are needed to tell."""
    rows = [
        {"plate": plate.name, **{each.kind.replace("_", " "): each.verdict for each in plate.artefacts}}
        for plate in plates
    ]
    return pd.DataFrame(rows)


def verdicts(plates: tuple[ReadPlate, ...], *, min_z_prime: float, max_vehicle_cv: float) -> pd.DataFrame:
    """One row for each plate: what speaks against it, in words."""
    gates = QualityGates(min_z_prime=min_z_prime, max_vehicle_cv=max_vehicle_cv)
    rows = []
    for plate in plates:
        against = [
            f"{line.cell_line}: {flag.replace('_', ' ')}"
            for line in plate.quality.lines
            for flag in broken_gates(gates, line, samples=None)
        ]
        against += [each.verdict for each in plate.artefacts if each.is_found]
        rows.append({"plate": plate.name, "verdict": "; ".join(against) or "nothing speaks against it"})
    return pd.DataFrame(rows)


def plate_map(plate: ReadPlate) -> Figure:
    """The signal of every well in its place; V marks vehicle wells, P positive controls."""
    import matplotlib.pyplot as plt

    layout = plate.workflow.layout
    about, wells = plate_format(layout.n_wells), plate_wells(layout)
    signal = read_signal(wells, plate.reading, plate.channel)
    grid = np.full((about.n_rows, about.n_columns), np.nan)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 7.0 * about.n_rows / about.n_columns), layout="constrained")
    values = signal.raw if signal is not None else np.full(len(wells.assignments), np.nan)
    for well, value in zip(wells.assignments, values.tolist(), strict=True):
        row, column = well_position(well.well, layout.n_wells)
        grid[row, column] = value
        mark = {WellRole.VEHICLE: "V", WellRole.POSITIVE: "P"}.get(well.role)
        if mark:
            axes.text(column, row, mark, ha="center", va="center", fontsize=7, color="white", weight="bold")
    axes.set_facecolor("#EEEEEE")
    image = axes.imshow(grid, cmap="cividis", aspect="equal", vmin=0)
    axes.set_xticks(range(about.n_columns), [str(n + 1) for n in range(about.n_columns)], fontsize=7)
    axes.set_yticks(range(about.n_rows), [row_label(n) for n in range(about.n_rows)], fontsize=7)
    axes.tick_params(length=0)
    axes.set_title(f"{plate.name}: {plate.channel} (grey: no cells; V: vehicle; P: positive control)", fontsize=9)
    unit = plate.reading.channel(plate.channel)[0].unit
    figure.colorbar(image, ax=axes, label=unit, fraction=0.03, pad=0.02)
    return figure


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:,.3g}"


def _percent(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.1%}"
