"""A week's report as a page without code: tables, and a picture of what happened."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup, escape

from cellos_nb.errors import OutputError
from cellos_nb.operations.calendar.chart import chart_of
from cellos_nb.operations.calendar.svg import colour_of, svg_of
from cellos_nb.week import words
from cellos_nb.week.config import WeekConfig
from cellos_nb.week.report import WeekReport

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em;
       color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; margin: 0.5em 0 1.5em; }
th, td { text-align: left; vertical-align: top; padding: 3px 14px 3px 0; border-bottom: 1px solid #ddd; }
.picture { overflow-x: auto; }
.key { margin-right: 1.2em; } .key i { display: inline-block; width: 12px; height: 12px; margin-right: 5px; }
@media (prefers-color-scheme: dark) { body { color: #e8e8e8; background: #161616; } th, td { border-color: #444; } }
"""


def write_page(report: WeekReport, config: WeekConfig, folder: Path) -> Path:
    """Writes `report.html` and `week.svg` into a folder and returns the page.

    Raises:
        OutputError: they cannot be written.
    """
    chart = chart_of(report.happened, zone=config.zone, conflicts=report.conflicts)
    picture = svg_of(chart)
    keys = Markup("").join(
        Markup('<span class="key"><i style="background:{}"></i>{}</span>').format(colour_of(chart, owner), owner)
        for owner in chart.owners
    )
    sections = Markup("").join(
        Markup("<h2>{}</h2>{}").format(title, _table(rows))
        for title, rows in (
            ("Campaigns", words.campaign_rows(report, config.zone)),
            ("In use", words.use_rows(report)),
            ("Held", words.hold_rows(report, config.zone)),
            ("Beyond a tolerance", words.conflict_rows(report, config.zone)),
            ("Diary", words.diary_rows(report, config.zone)),
        )
    )
    page = Markup(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title><style>{}</style>'
        "<h1>{}</h1>{}<p>{}</p>"
        '<div class="picture">{}</div>'
        "<p>Grey: nobody is there. Red ground: down or away. Red frame: beyond a tolerance. All simulated.</p>{}</html>"
    ).format(
        report.name,
        Markup(_STYLE),  # noqa: S704 - a sheet of ours
        report.name,
        _table([{"": label, " ": value} for label, value in words.facts(report)]),
        keys,
        Markup(picture),  # noqa: S704 - ElementTree escaped all text in it
        sections,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "week.svg").write_text(picture, encoding="utf-8")
        path = folder / "report.html"
        path.write_text(str(page), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: the report cannot be written ({error.strerror}).") from error
    return path


def _table(rows: list[words.Row]) -> Markup:
    if not rows:
        return Markup("<p>Nothing.</p>")
    head = Markup("").join(Markup("<th>{}</th>").format(key) for key in rows[0])
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(escape(value)) for value in row.values())
        )
        for row in rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)
