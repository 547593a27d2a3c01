"""The surface: compounds against doses for one cell line, as colours. What is not known has no colour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal, get_args

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.panels.grid.cell import Cell
from cellos_nb.panels.theme import sequential_colour
from cellos_nb.planner.prediction import CampaignModel
from cellos_nb.units import format_dose

SurfaceOf = Literal["measured", "mean", "sd", "acquisition"]
KINDS: tuple[SurfaceOf, ...] = get_args(SurfaceOf)
WORDS: dict[SurfaceOf, str] = {
    "measured": "measured, fraction of vehicle",
    "mean": "expected by the model, fraction of vehicle",
    "sd": "standard deviation of what the model expects",
    "acquisition": "expected improvement on the best so far",
}
MAX_COMPOUNDS = 60
"""Rows that are shown: the first of the compounds given."""


@dataclass(frozen=True, slots=True)
class Surface:
    """One cell line's conditions as a grid."""

    cell_line: str
    kind: SurfaceOf
    compounds: tuple[str, ...]
    """The rows."""
    doses_um: tuple[float, ...]
    """The columns, ascending: every dose that any compound offers."""
    cells: tuple[Cell, ...]
    """One for each condition that the campaign offers; `name` is "compound number,dose number"."""
    low: float | None
    """The value of the darkest colour; None when nothing is known."""
    high: float | None
    n_hidden: int
    """Compounds beyond `MAX_COMPOUNDS`."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The doses in µM, short."""
        return tuple(f"{dose:.2g}" for dose in self.doses_um)


def surface(
    config: CampaignConfig,
    history: History,
    compounds: tuple[str, ...],
    cell_line: str,
    *,
    kind: SurfaceOf,
    model: CampaignModel | None = None,
) -> Surface:
    """A surface over some compounds; every kind but `measured` needs the model."""
    known = _measured(history, cell_line) if kind == "measured" or model is None else _expected(model, cell_line, kind)
    shown = compounds[:MAX_COMPOUNDS]
    offered = {compound: config.doses_um(compound) for compound in shown}
    doses = tuple(sorted({dose for offers in offered.values() for dose in offers}))
    values = [value for (compound, _), value in known.items() if compound in offered]
    low, high = (min(values), max(values)) if values else (None, None)
    column = {dose: place for place, dose in enumerate(doses)}
    cells = tuple(
        _cell(row, column[dose], compound, dose, known.get((compound, dose)), ends=(low, high), kind=kind)
        for row, compound in enumerate(shown)
        for dose in offered[compound]
    )
    return Surface(cell_line, kind, shown, doses, cells, low, high, len(compounds) - len(shown))


def _cell(
    row: int,
    column: int,
    compound: str,
    dose_um: float,
    value: float | None,
    *,
    ends: tuple[float | None, float | None],
    kind: SurfaceOf,
) -> Cell:
    name, place = f"{row},{column}", f"{compound} {format_dose(dose_um)}"
    low, high = ends
    if value is None or low is None or high is None:
        return Cell(name, row, column, "", "", f"{place}: not measured")
    share = (value - low) / (high - low) if high > low else 0.5
    return Cell(
        name, row, column, sequential_colour(share), _short(value, high), f"{place}: {value:.4g}, {WORDS[kind]}"
    )


def _short(value: float, high: float) -> str:
    """A number that fits into a cell: two decimals, or its power of ten where all are small."""
    return f"{round(value, 2) + 0.0:.2f}" if high >= 0.1 else f"{value:.0e}" if value else "0"


def _measured(history: History, cell_line: str) -> dict[tuple[str, float], float]:
    found: dict[tuple[str, float], list[float]] = defaultdict(list)
    for result in history.learnable:
        if result.proposal.cell_line == cell_line and result.measurement is not None:
            found[result.proposal.compound, result.proposal.dose_um].append(result.measurement)
    return {condition: sum(values) / len(values) for condition, values in found.items()}


def _expected(model: CampaignModel, cell_line: str, kind: SurfaceOf) -> dict[tuple[str, float], float]:
    every = model.expectations()
    values = {"mean": every.mean, "sd": every.sd, "acquisition": every.improvement}[kind]
    rows = zip(every.cell_lines, every.compounds, every.doses_um.tolist(), values.tolist(), strict=True)
    return {(compound, dose): value for line, compound, dose, value in rows if line == cell_line}
