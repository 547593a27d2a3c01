"""A chart as SVG: every bar can be reached by the keyboard and says what it is; all text in it is escaped."""

from __future__ import annotations

from datetime import datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from cellos_nb.colours import GREY, WRONG, series_colour
from cellos_nb.operations.calendar.chart import Bar, Chart, Row

WIDTH, LEFT, TOP, LANE, GAP = 1100, 130, 26, 18, 6
"""In pixels: of the picture, of the names, of the days, of a lane, between rows."""
THIN_FROM, THIN = 4, 7
"""A row of so many lanes has thin ones."""


def svg_of(chart: Chart, *, now: datetime | None = None) -> str:
    """The picture as one SVG element; it takes the text colour of the page that it stands on.

    Args:
        chart: what to draw.
        now: a line is drawn there.
    """
    heights = [_lane(row) * row.n_lanes + GAP for row in chart.rows]
    height = TOP + sum(heights) + 4
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height}",
            "role": "group",
            "aria-label": f"Calendar of {len(chart.rows)} resources",
            "font-size": "11",
            "font-family": "sans-serif",
            "style": "width:100%;min-width:760px;height:auto;color:inherit",
        },
    )
    for night in chart.nights:
        _rect(root, chart, night.start, night.end, top=TOP, height=height - TOP - 4, fill=GREY, opacity="0.18")
    _days(root, chart, height)
    top = TOP
    for row, tall in zip(chart.rows, heights, strict=True):
        _row(root, chart, row, top=top, height=tall - GAP)
        top += tall
    if now is not None and chart.begins <= now <= chart.ends:
        x = f"{_x(chart, now):.1f}"
        ET.SubElement(root, "line", {"x1": x, "x2": x, "y1": str(TOP), "y2": str(height), "stroke": WRONG})
    return ET.tostring(root, encoding="unicode")


def colour_of(chart: Chart, owner: str) -> str:
    """The colour of a campaign or bank; begun anew when there are more than colours."""
    return series_colour(chart.owners.index(owner))


def _row(root: ET.Element, chart: Chart, row: Row, *, top: float, height: float) -> None:
    label = ET.SubElement(
        root, "text", {"x": "4", "y": f"{top + min(height, LANE) / 2 + 4:.1f}", "fill": "currentColor"}
    )
    label.text = row.name
    ET.SubElement(
        root,
        "line",
        {"x1": "0", "x2": str(WIDTH), "y1": f"{top + height + GAP / 2:.1f}", "y2": f"{top + height + GAP / 2:.1f}",
         "stroke": "currentColor", "stroke-opacity": "0.15"},
    )  # fmt: skip
    for span in row.closed:
        gone = _rect(root, chart, span.start, span.end, top=top, height=height, fill=WRONG, opacity="0.18")
        ET.SubElement(gone, "title").text = f"{row.name} is not there: {span.reason or 'away'}"
    for bar in row.bars:
        colour = colour_of(chart, bar.owner)
        _bar(root, chart, row, bar, top=top + bar.lane * _lane(row), colour=colour)


def _bar(root: ET.Element, chart: Chart, row: Row, bar: Bar, *, top: float, colour: str) -> None:
    what = f"{bar.task_id} on {row.name}, {chart.local(bar.start)} to {chart.local(bar.end)}"
    what += ", expected" if bar.is_forecast else ""
    what += f". {bar.note}" if bar.note else ""
    group = ET.SubElement(root, "g", {"tabindex": "0", "role": "img", "aria-label": what})
    ET.SubElement(group, "title").text = what
    left, right = _x(chart, bar.start), _x(chart, bar.end)
    tall = _lane(row) - 2
    box = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{max(right - left, 1.5):.1f}", "height": str(tall)}
    style = {"fill": colour, "rx": "2", "fill-opacity": "0.35" if bar.is_forecast else "0.9"}
    if bar.is_wrong:
        style |= {"stroke": WRONG, "stroke-width": "2"}
    ET.SubElement(group, "rect", box | style)
    if bar.is_wrong and tall > THIN:
        ET.SubElement(
            group, "text", {"x": f"{left:.1f}", "y": f"{top - 1:.1f}", "fill": WRONG, "font-size": "10"}
        ).text = "⚠"


def _days(root: ET.Element, chart: Chart, height: float) -> None:
    zone = ZoneInfo(chart.zone)
    day = chart.begins.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while day < chart.ends:
        if day >= chart.begins:
            x = f"{_x(chart, day):.1f}"
            line = {"x1": x, "x2": x, "y1": "4", "y2": str(height), "stroke": "currentColor", "stroke-opacity": "0.35"}
            ET.SubElement(root, "line", line)
            text = ET.SubElement(root, "text", {"x": f"{float(x) + 3:.1f}", "y": "16", "fill": "currentColor"})
            text.text = f"{day:%a %d %b}"
        day += timedelta(days=1)


def _rect(
    root: ET.Element,
    chart: Chart,
    start: datetime,
    end: datetime,
    *,
    top: float,
    height: float,
    fill: str,
    opacity: str,
) -> ET.Element:
    left, right = _x(chart, max(start, chart.begins)), _x(chart, min(end, chart.ends))
    return ET.SubElement(
        root,
        "rect",
        {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{max(right - left, 0):.1f}", "height": f"{height:.1f}",
         "fill": fill, "fill-opacity": opacity},
    )  # fmt: skip


def _x(chart: Chart, moment: datetime) -> float:
    whole = (chart.ends - chart.begins).total_seconds() or 1.0
    return LEFT + (WIDTH - LEFT - 4) * (moment - chart.begins).total_seconds() / whole


def _lane(row: Row) -> int:
    return THIN if row.n_lanes >= THIN_FROM else LANE
