"""Why this dose, where nobody can click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellos_nb.panels.static import StaticForm, StaticTable, new_figure, over_doses, static_figure
from cellos_nb.panels.theme import GREY, SERIES
from cellos_nb.panels.why.model import ACQUISITIONS, MAX_NEIGHBOURS, NEIGHBOUR_COLUMNS, neighbour_row
from cellos_nb.panels.why.shown import WhyShown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellos_nb.planner.explanation import Explanation


def static_form(title: str, subtitle: str, shown: WhyShown) -> StaticForm:
    """All words, both figures in one picture, and the nearest data."""
    import pandas as pd

    if shown.chosen is None or shown.told is None:
        asked = pd.DataFrame([], columns=["experiment"])
        return StaticForm(title, f"{subtitle}: {shown.words[0]}", tables=(StaticTable("experiments", asked),))
    near = [neighbour_row(one) for one in shown.told.neighbours[:MAX_NEIGHBOURS]]
    frame = pd.DataFrame(near, columns=list(NEIGHBOUR_COLUMNS))
    words = " ".join((f"{subtitle}, {shown.chosen.label}.", *shown.words))
    picture = static_figure(_picture(shown, shown.told), f"Predicted curve and acquisition over dose. {words}")
    return StaticForm(title, words, figures=(picture,), tables=(StaticTable("nearest data", frame),))


def _picture(shown: WhyShown, told: Explanation) -> Figure:
    choice = told.choice
    figure = new_figure(7.2, 3.8 if choice is None else 5.4)
    grid = figure.subplots(1 if choice is None else 2, squeeze=False, sharex=True)
    _draw_curve(grid[0, 0], shown, told)
    if choice is not None:
        axes = grid[1, 0]
        colours = np.where(choice.is_open, SERIES[0], GREY)
        colours[choice.here] = SERIES[1]
        axes.vlines(choice.doses_um, 0, choice.acquisition, color=GREY, lw=0.8)
        axes.scatter(choice.doses_um, choice.acquisition, c=colours.tolist(), zorder=3)
        axes.scatter([], [], color=GREY, label="below: doses that were taken already")
        axes.set_ylabel(ACQUISITIONS[choice.name])
    over_doses(grid[-1, 0])
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return figure


def _draw_curve(axes: Axes, shown: WhyShown, told: Explanation) -> None:
    line = told.proposal.cell_line.replace("$", r"\$")
    for width in (1, 2):
        low, high = told.mean - width * told.sd, told.mean + width * told.sd
        axes.fill_between(told.doses_um, low, high, color=SERIES[0], alpha=0.16, lw=0)
    axes.plot(told.doses_um, told.mean, color=SERIES[0], label="model: mean, ± 1 and 2 standard deviations")
    for is_same, colour, marker, where in ((True, SERIES[2], "o", line), (False, GREY, "x", "other lines")):
        known = [one.result for one in told.neighbours if one.is_same_line == is_same]
        look: dict[str, Any] = {"color": colour, "marker": marker, "s": 18, "label": f"measured before on {where}"}
        axes.scatter([each.proposal.dose_um for each in known], [each.measurement or 0.0 for each in known], **look)
    axes.axvline(told.proposal.dose_um, color=SERIES[1], ls="--", lw=1, label="this experiment")
    if shown.result is not None and shown.result.measurement is not None:
        axes.scatter([told.proposal.dose_um], [shown.result.measurement], color=SERIES[1], marker="D", zorder=3)
    axes.set(ylabel=shown.value_label)
