"""The plate's words and its static figure: legend, quality of the controls, and the story of one well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.analysis.artefacts import ArtefactFinding
from cellos_nb.execution.story import Attempt
from cellos_nb.panels.plates.model import Plate
from cellos_nb.panels.plates.picture import Picture, describe
from cellos_nb.panels.plates.story import Event
from cellos_nb.panels.static import new_figure
from cellos_nb.panels.text import cell_text, join, markup, table
from cellos_nb.panels.theme import ink_on

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SIDE = 0.84
"""Of a well on paper, in distances between wells."""


def legend_html(picture: Picture) -> Markup:
    """Colours, marks and what they stand for."""
    key = '<span class="cellos-key"><i style="background:{}"></i>{} {}</span>'
    return markup("<div>{}</div>", join(markup(key, e.colour, e.mark, e.text) for e in picture.legend))


_COLUMNS = ("cell line", "vehicle wells", "positive wells", "Z′", "robust Z′", "SSMD", "vehicle CV")


def _quality_rows(plate: Plate) -> list[tuple[Any, ...]]:
    return [
        (q.cell_line, q.n_vehicle, q.n_positive, q.z_prime, q.robust_z_prime, q.ssmd, q.vehicle_cv)
        for q in (plate.quality.lines if plate.quality else ())
    ]


def quality_table(plate: Plate) -> pd.DataFrame:
    """One row for each cell line; empty before the plate is read."""
    import pandas as pd

    return pd.DataFrame(_quality_rows(plate), columns=list(_COLUMNS))


_FAULTS = {"edge": "edge", "drift": "drift", "bubble": "single wells", "swapped_rows": "swapped rows"}


def artefacts_table(found: tuple[ArtefactFinding, ...]) -> pd.DataFrame:
    """One row for each fault that was looked for; empty before the plate is read."""
    import pandas as pd

    rows = [(_FAULTS[one.kind], "found" if one.is_found else "", one.verdict) for one in found]
    return pd.DataFrame(rows, columns=["fault", "found", "what the replicates say"])


def artefacts_html(found: tuple[ArtefactFinding, ...]) -> Markup:
    """What like wells betray about place and time."""
    if not found:
        return Markup()
    row = '<tr{}><th scope="row">{}</th><td>{}</td></tr>'
    marked = Markup(' class="cellos-found"')
    body = join(
        markup(row, marked if one.is_found else "", f"{'⚠ ' if one.is_found else ''}{_FAULTS[one.kind]}", one.verdict)
        for one in found
    )
    return markup('<h4>Place and time</h4><table class="cellos-rows"><tbody>{}</tbody></table>', body)


def quality_html(plate: Plate) -> Markup:
    """How far the controls are apart, and how well replicates agree."""
    if plate.quality is None:
        return markup("<h4>Plate quality</h4><p>{}</p>", f"Not read yet ({plate.record.status}).")
    cv = plate.quality.replicate_cv
    rows = [
        [f"{cell:.3f}" if isinstance(cell, float) else cell_text(cell) for cell in row] for row in _quality_rows(plate)
    ]
    agree = "no replicates" if cv is None else f"median CV of replicates {cv:.1%}"
    verdict = markup("<p>{}</p>", plate.verdict) if plate.verdict else ""
    return markup(
        '<h4>Plate quality</h4>{}<div class="cellos-scroll">{}</div><p class="cellos-quiet">{}</p>',
        *(verdict, table(_COLUMNS, rows), f"{plate.channel}; {agree}."),
    )


def story_html(plate: Plate, well: str | None, story: tuple[Event, ...]) -> Markup:
    """What happened to the chosen well."""
    if well is None:
        return markup('<h4>Well</h4><p class="cellos-quiet">{}</p>', "Choose a well to see what happened to it.")
    if well not in plate.wells:
        return markup('<h4>Well {}</h4><p class="cellos-quiet">{}</p>', well, "Nothing was put into this well.")
    events = join(_event(event) for event in story)
    return markup('<h4>{}</h4><ol class="cellos-story">{}</ol>', describe(plate.wells[well]), events)


def _event(event: Event) -> Markup:
    transfers = markup("<pre>{}</pre>", "\n".join(event.transfers)) if event.transfers else ""
    tried = join(markup('<div class="cellos-quiet">{}</div>', _attempt(a)) for a in event.attempts)
    return markup("<li><b>{}</b> {} · {}{}{}</li>", event.step_uid, event.what, event.status, transfers, tried)


def _attempt(attempt: Attempt) -> str:
    ended = f" to {attempt.finished_at:%H:%M:%S}" if attempt.finished_at else ""
    error = f": {attempt.error}" if attempt.error else ""
    return (
        f"attempt {attempt.attempt} on {attempt.machine}, {attempt.started_at:%Y-%m-%d %H:%M:%S}{ended} UTC, "
        f"{attempt.status}{error}"
    )


def picture_figure(picture: Picture, title: str) -> Figure:
    """The same picture on paper."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    n_rows, n_columns = len(picture.row_names), len(picture.column_names)
    figure = new_figure(min(0.34 * n_columns + 2.6, 11), min(0.34 * n_rows + 0.9, 8))
    axes = figure.add_subplot()
    used = [cell for cell in picture.cells if cell.colour]
    for cells, look in (
        (picture.cells, {"facecolor": "none", "edgecolor": "#d5d9de"}),
        (used, {"facecolor": [cell.colour for cell in used]}),
    ):
        wells = [Rectangle((c.column - 0.5 * _SIDE, c.row - 0.5 * _SIDE), _SIDE, _SIDE) for c in cells]
        axes.add_collection(PatchCollection(wells, **look))
    for cell in used if n_columns <= 12 else ():
        here: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7, "color": ink_on(cell.colour)}
        axes.text(cell.column, cell.row, cell.mark, parse_math=False, **here)
    axes.set_xticks(range(n_columns), picture.column_names, fontsize=7)
    axes.set_yticks(range(n_rows), picture.row_names, fontsize=7)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.set(xlim=(-0.6, n_columns - 0.4), ylim=(n_rows - 0.4, -0.6), aspect="equal")
    axes.spines[:].set_visible(False)
    # A dollar sign in a name of a user begins no formula.
    axes.set_title(title, fontsize=9, parse_math=False)
    for entry in picture.legend:
        axes.scatter([], [], c=entry.colour, marker="s", label=f"{entry.mark} {entry.text}".strip().replace("$", r"\$"))
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
