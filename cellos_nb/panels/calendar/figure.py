"""The calendar's picture where nobody can click."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cellos_nb.operations.calendar.chart import Chart
from cellos_nb.operations.calendar.svg import colour_of
from cellos_nb.panels.static import new_figure
from cellos_nb.panels.theme import GREY, WRONG

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def calendar_figure(chart: Chart) -> Figure:
    """Rows of resources over time; what is wrong has a frame, nights are grey."""
    from matplotlib.patches import Patch

    figure = new_figure(10.0, 1.2 + 0.34 * max(len(chart.rows), 3))
    axes = figure.subplots()
    for night in chart.nights:
        axes.axvspan(_day(chart, night.start), _day(chart, night.end), color=GREY, alpha=0.18, linewidth=0)
    for place, row in enumerate(chart.rows):
        height = 0.8 / row.n_lanes
        for bar in row.bars:
            axes.barh(
                place - 0.4 + height * (bar.lane + 0.5),
                _day(chart, bar.end) - _day(chart, bar.start),
                height * 0.9,
                left=_day(chart, bar.start),
                color=colour_of(chart, bar.owner),
                alpha=0.4 if bar.is_forecast else 0.95,
                edgecolor=WRONG if bar.is_wrong else "none",
                linewidth=1.4 if bar.is_wrong else 0,
            )
    axes.set_yticks(range(len(chart.rows)), [row.name for row in chart.rows])
    axes.invert_yaxis()
    last = _day(chart, chart.ends)
    axes.set_xlim(0.0, last)
    marks = [midnight for midnight in _midnights(chart) if 0.0 <= _day(chart, midnight) <= last]
    axes.set_xticks([_day(chart, one) for one in marks], [f"{one:%a %d %b}" for one in marks])
    keys = [Patch(color=colour_of(chart, owner), label=owner) for owner in chart.owners]
    if keys:
        axes.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, frameon=False, fontsize=8)
    return figure


def _day(chart: Chart, moment: datetime) -> float:
    """Days since the chart's beginning."""
    return (moment - chart.begins).total_seconds() / 86_400


def _midnights(chart: Chart) -> list[datetime]:
    first = chart.begins.astimezone(ZoneInfo(chart.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return [first + timedelta(days=n) for n in range(int(_day(chart, chart.ends)) + 2)]
