"""The calendar's picture where nobody can click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellos_nb.operations.calendar.chart import Chart
from cellos_nb.operations.calendar.svg import colour_of
from cellos_nb.panels.static import new_figure
from cellos_nb.panels.theme import GREY, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def calendar_figure(chart: Chart) -> Figure:
    """Rows of resources over time; what is wrong has a frame, nights are grey."""
    from matplotlib.dates import DateFormatter, DayLocator
    from matplotlib.patches import Patch

    figure = new_figure(10.0, 1.2 + 0.34 * max(len(chart.rows), 3))
    axes = figure.subplots()
    for night in chart.nights:
        axes.axvspan(night.start, night.end, color=GREY, alpha=0.18, linewidth=0)
    for place, row in enumerate(chart.rows):
        height = 0.8 / row.n_lanes
        for bar in row.bars:
            axes.barh(
                place - 0.4 + height * (bar.lane + 0.5),
                bar.end - bar.start,
                height * 0.9,
                left=bar.start,  # type: ignore[arg-type]  # dates are drawn
                color=colour_of(chart, bar.owner, SERIES),
                alpha=0.4 if bar.is_forecast else 0.95,
                edgecolor="#C00000" if bar.is_wrong else "none",
                linewidth=1.4 if bar.is_wrong else 0,
            )
    axes.set_yticks(range(len(chart.rows)), [row.name for row in chart.rows])
    axes.invert_yaxis()
    axes.set_xlim(chart.begins, chart.ends)  # type: ignore[arg-type]  # dates are drawn
    axes.xaxis.set_major_locator(DayLocator(tz=chart.zone))
    axes.xaxis.set_major_formatter(DateFormatter("%a %d %b", tz=chart.zone))
    keys = [Patch(color=colour_of(chart, owner, SERIES), label=owner) for owner in chart.owners]
    if keys:
        axes.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, frameon=False, fontsize=8)
    return figure
