"""A finite table of wells as planners see it: rows, columns as numbers, and which of them are dose and compound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellos_nb.errors import ConfigError
from cellos_nb.planner.curves import Array

_COMPOUND = re.compile(r"compound|drug|treatment|agent|molecule|inhibitor", re.IGNORECASE)

_FEWEST_LEVELS, _DECADE = 3, 10.0
"""Levels above zero, and how many times the lowest the highest is, from which on logarithms are looked at."""


@dataclass(frozen=True, slots=True)
class WellTable:
    """The wells of a space, see `pool_planner`."""

    names: tuple[str, ...]
    wells: tuple[tuple[Any, ...], ...]
    is_category: tuple[bool, ...]
    encoded: Array
    """Shape (n_wells, n_columns): numbers scaled to [0, 1], doses by their logarithms, categories as codes."""
    lines: list[str] | None
    """Cell line of each well, or all that is neither compound nor dose; None without a dose-response structure."""
    compounds: list[str]
    log10_dose: Array
    """As given, in log10 M."""

    @classmethod
    def of(cls, space: Mapping[str, Any]) -> WellTable:
        """From a space as `pool_planner` takes it.

        Raises:
            ConfigError: it has no parameters, an unknown type, or no wells.
        """
        parameters: Mapping[str, Mapping[str, Any]] = space.get("parameters") or {}
        if not parameters:
            raise ConfigError("space.parameters: there are none; give name, type and levels of at least one.")
        kinds = {name: parameter.get("type") for name, parameter in parameters.items()}
        for name, kind in kinds.items():
            if kind not in {"categorical", "log10", "float"}:
                raise ConfigError(f"space.parameters.{name}: type {kind!r}; possible: categorical, log10, float.")
        wells = space.get("wells")
        if wells is None:
            grids = np.meshgrid(*(np.arange(len(p["levels"])) for p in parameters.values()), indexing="ij")
            levels = [list(parameter["levels"]) for parameter in parameters.values()]
            places = np.stack([grid.ravel() for grid in grids], axis=1).tolist()
            wells = [tuple(levels[j][i] for j, i in enumerate(place)) for place in places]
        if not wells:
            raise ConfigError("space.wells: the table is empty; give at least one row.")
        columns = list(zip(*wells, strict=True))
        is_category = tuple(kind == "categorical" for kind in kinds.values())
        encoded = np.column_stack([_encode(column, is_c) for column, is_c in zip(columns, is_category, strict=True)])
        names = tuple(parameters)
        dose, compound = _roles(kinds, columns)
        lines, compounds, log10_dose = None, [""] * len(wells), np.zeros(len(wells))
        if dose is not None and compound is not None:
            rest = [column for i, column in enumerate(columns) if i not in {dose, compound}]
            lines = ["|".join(map(str, row)) for row in zip(*rest, strict=True)] if rest else [""] * len(wells)
            compounds = [str(value) for value in columns[compound]]
            log10_dose = np.array(columns[dose], dtype=float)
        return cls(names, tuple(map(tuple, wells)), is_category, encoded, lines, compounds, log10_dose)


def _encode(column: Sequence[Any], is_category: bool) -> Array:  # noqa: FBT001 - a property of the column
    if is_category:
        return np.unique(np.array([str(value) for value in column]), return_inverse=True)[1].astype(float)
    numbers = _as_spaced(np.array(column, dtype=float))
    scaled: Array = (numbers - numbers.min()) / max(float(np.ptp(numbers)), 1e-12)
    return scaled


def _as_spaced(numbers: Array) -> Array:
    """Logarithms of levels that are spread over a decade or more and spaced more evenly so, as doses are.

    None of a substance stands one median step below the lowest dose.
    """
    levels = np.unique(numbers)
    positive = levels[levels > 0]
    if levels[0] < 0 or len(positive) < _FEWEST_LEVELS or positive[-1] < _DECADE * positive[0]:
        return numbers
    steps, log_steps = np.diff(levels), np.diff(np.log10(positive))
    if log_steps.std() / log_steps.mean() >= steps.std() / steps.mean():
        return numbers
    lowest = np.log10(positive[0]) - np.median(log_steps)
    result: Array = np.where(numbers > 0, np.log10(np.where(numbers > 0, numbers, 1.0)), lowest)
    return result


def _roles(kinds: Mapping[str, Any], columns: Sequence[Sequence[Any]]) -> tuple[int, int] | tuple[None, None]:
    """Places of the dose and the compound; none when the table is not one dose of one compound per row."""
    doses = [i for i, kind in enumerate(kinds.values()) if kind == "log10"]
    categories = [i for i, kind in enumerate(kinds.values()) if kind == "categorical"]
    if len(doses) != 1 or not categories or len(doses) + len(categories) < len(kinds):
        return None, None
    named = [i for i, name in enumerate(kinds) if i in categories and _COMPOUND.search(name)]
    if len(named) == 1:
        return doses[0], named[0]
    return doses[0], max(categories, key=lambda i: len(set(columns[i])))
