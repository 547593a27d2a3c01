"""Dose-response curves of a table: where the points come from, how they are fitted, and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellos_nb.analysis.fit import fit_dose_responses
from cellos_nb.analysis.logistic import log_logistic
from cellos_nb.colours import GREY, SERIES
from cellos_nb.errors import InputError
from cellos_nb.hardware.screen import load_screen
from cellos_nb.records.figures import new_figure
from cellos_nb.records.folder import HISTORY, read_csv
from cellos_nb.spreadsheet import frame_of, read_table
from cellos_nb.units import format_dose

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("cell_line", "compound", "dose_um", "value")
"""What a table of points holds: doses in µM, values as fractions of vehicle."""


def read_points(source: str | Path) -> pd.DataFrame:
    """Points of dose-response curves, with the columns `COLUMNS`.

    Args:
        source: a CSV or workbook with these columns, a record's folder or its `history.csv`, or nothing for the
            shipped screen of sarcoma lines. Of a history, only wells that passed quality control are taken.

    Raises:
        InputError: the file cannot be read, columns are missing, or a value is no number.
    """
    if not str(source):
        return _shipped()
    path = Path(source)
    path = path / HISTORY if path.is_dir() else path
    table = read_table(path)
    if "experiment" in table.headers:
        return _of_history(path)
    frame = frame_of(table)
    missing = [name for name in COLUMNS if name not in table.headers]
    if missing:
        raise InputError(
            f"{path}: the columns {', '.join(missing)} are missing; expected {', '.join(COLUMNS)}, with doses in µM "
            "and values as fractions of vehicle (1.0 = untreated)."
        )
    for name in COLUMNS[2:]:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise InputError(f"{path}: the column {name} holds something that is no number; correct or empty it.")
    return frame[list(COLUMNS)].reset_index(drop=True)


def choose_curves(points: pd.DataFrame, cell_lines: Sequence[str], compounds: Sequence[str]) -> pd.DataFrame:
    """The points of some cell lines and compounds; all where none is named.

    Raises:
        InputError: a name is not in the table; names those there are.
    """
    for column, asked in (("cell_line", cell_lines), ("compound", compounds)):
        there = dict.fromkeys(points[column])
        unknown = [name for name in asked if name not in there]
        if unknown:
            raise InputError(f"{column}: {', '.join(unknown)} is not in the table; possible: {', '.join(there)}.")
        if asked:
            points = points[points[column].isin(asked)]
    return points


def fit_table(points: pd.DataFrame) -> pd.DataFrame:
    """One row for each cell line and compound, the most potent first; columns as of `fit_dose_responses`."""
    fits = fit_dose_responses(points, ["cell_line", "compound"])
    order = {"fitted": 0, "incomplete": 1, "hook": 2, "flat": 3, "too_few": 4}
    rank = fits["verdict"].map(order)
    return fits.assign(_rank=rank).sort_values(["_rank", "ec50"]).drop(columns="_rank").reset_index(drop=True)


def shown_fits(fits: pd.DataFrame) -> pd.DataFrame:
    """The same for people: EC50 with its interval, a number only where the verdict allows one."""
    rows = [
        {
            "cell line": fit["cell_line"],
            "compound": fit["compound"],
            "verdict": fit["verdict"].replace("_", " "),
            "EC50": format_dose(fit["ec50"]) if fit["verdict"] == "fitted" else "–",
            "95 % interval": _interval(fit),
            "Hill slope": _number(fit, "hill"),
            "lower plateau": _number(fit, "lower"),
            "upper plateau": _number(fit, "upper"),
            "points": str(fit["n"]),
        }
        for fit in fits.to_dict("records")
    ]
    return pd.DataFrame(rows)


def draw_curves(points: pd.DataFrame, fits: pd.DataFrame, n_shown: int) -> Figure:
    """The first `n_shown` fits with their points, one small panel for each."""
    import matplotlib.pyplot as plt

    shown = fits.head(n_shown).to_dict("records")
    if not shown:
        return new_figure(7.2, 1.0)[0]
    n_columns = min(len(shown), 4)
    n_rows = -(-len(shown) // n_columns)
    figure, panels = plt.subplots(
        n_rows, n_columns, figsize=(7.6, 1.9 * n_rows + 0.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    for axes, fit in zip(panels.flat, shown, strict=False):
        own = points[(points["cell_line"] == fit["cell_line"]) & (points["compound"] == fit["compound"])]
        axes.plot(own["dose_um"], own["value"], "o", ms=2.5, color=SERIES[0], alpha=0.6)
        positive = own.loc[own["dose_um"] > 0, "dose_um"]
        if fit["verdict"] != "too_few":
            x = np.geomspace(positive.min(), positive.max(), 120)
            y = log_logistic(x, fit["ec50"], fit["hill"], fit["lower"], fit["upper"])
            axes.plot(x, y, color=GREY if fit["verdict"] == "flat" else SERIES[1], lw=1.3)
        axes.axhline(1.0, color=GREY, lw=0.6, ls=":")
        axes.set(xscale="log")
        axes.set_title(f"{fit['compound']}, {fit['cell_line']}\n{fit['verdict'].replace('_', ' ')}", fontsize=7)
        axes.tick_params(labelsize=6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("dose (µM)", fontsize=8)
    figure.supylabel("value (fraction of vehicle)", fontsize=8)
    return figure


def _shipped() -> pd.DataFrame:
    rows = [
        (line, compound, dose, value)
        for (line, compound), curves in load_screen().curves.items()
        for curve in curves.viability
        for dose, value in zip(curves.dose_um, curve, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_history(path: Path) -> pd.DataFrame:
    return pd.DataFrame(read_csv(path).points(), columns=list(COLUMNS))


def _interval(fit: dict[Any, Any]) -> str:
    low, high = fit["ec50_low"], fit["ec50_high"]
    if fit["verdict"] not in {"fitted", "incomplete"} or math.isnan(low) or math.isnan(high):
        return "–"
    if low <= 0:
        return f"below {format_dose(high)}" if math.isfinite(high) else "unknown"
    return f"{format_dose(low)} to {format_dose(high)}" if math.isfinite(high) else f"above {format_dose(low)}"


def _number(fit: dict[Any, Any], name: str) -> str:
    is_told = fit["verdict"] in {"fitted", "incomplete"} and math.isfinite(fit[name])
    return f"{fit[name]:.3g}" if is_told else "–"
