"""What a panel leaves where nobody can click: a figure and a table in place of widgets."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.panels.text import cell_text, join, markup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATIC_VARIABLE = "CELLOS_STATIC"
"""Set to 1 for static panels throughout: papermill and nbconvert cannot be told from a notebook in use."""
MAX_ROWS = 200
"""Rows of a table that are written out."""
_SHORT = 24
"""Characters of a value that stands on one line."""


@dataclass(frozen=True, slots=True)
class StaticFigure:
    """A picture, and what it shows in words."""

    png: bytes
    description: str
    """For those who cannot see it."""


@dataclass(frozen=True, slots=True)
class StaticTable:
    """A table; what is beyond `MAX_ROWS` is counted, not shown."""

    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True, slots=True)
class StaticForm:
    """A panel without widgets."""

    title: str
    summary: str
    """The panel in a sentence or two."""
    figures: tuple[StaticFigure, ...] = ()
    tables: tuple[StaticTable, ...] = ()


def is_static(chosen: bool | None) -> bool:  # noqa: FBT001 - the panel's own parameter, passed on
    """Whether a panel is static: as its parameter says, or else as the environment does."""
    return chosen if chosen is not None else os.environ.get(STATIC_VARIABLE, "") in {"1", "true", "yes"}


def new_figure(width_in: float = 7.2, height_in: float = 3.8) -> Figure:
    """An empty figure that no global state of matplotlib knows, so that any thread may draw it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def over_doses(axes: Axes) -> None:
    """Makes the lower axis one of doses: logarithmic, with numbers as a person writes them."""
    from matplotlib.ticker import StrMethodFormatter

    axes.set(xscale="log", xlabel="dose (µM)")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def static_figure(figure: Figure, description: str) -> StaticFigure:
    """A matplotlib figure as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=110)
    return StaticFigure(buffer.getvalue(), description)


def bundles(form: StaticForm) -> tuple[tuple[dict[str, str], dict[str, Any]], ...]:
    """The form as display bundles with their metadata, in order: heading, figures, tables."""
    heading = markup("<h4>{}</h4><p>{}</p>", form.title, form.summary)
    found: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"text/html": str(heading), "text/plain": f"{form.title}: {form.summary}"}, {})
    ]
    # As HTML, since nbconvert drops the description of a bare PNG.
    found += [({"text/html": str(_picture(each)), "text/plain": each.description}, {}) for each in form.figures]
    for table in form.tables:
        shown = _plain_table(table.frame.head(MAX_ROWS), table.caption)
        more = len(table.frame) - MAX_ROWS
        left = markup("<p>{} more rows are not shown.</p>", f"{more:,}") if more > 0 else ""
        found.append(({"text/html": str(join([shown, left])), "text/plain": table.caption}, {}))
    return tuple(found)


def _picture(figure: StaticFigure) -> Markup:
    source = f"data:image/png;base64,{base64.b64encode(figure.png).decode()}"
    return markup('<img src="{}" alt="{}" style="max-width:100%">', source, figure.description)


def _plain_table(frame: pd.DataFrame, caption: str) -> Markup:
    """A table for a page that has no style sheet of ours; Jupyter would set all text to the right."""
    from pandas.api.types import is_numeric_dtype

    sides = ["right" if is_numeric_dtype(kind) else "left" for kind in frame.dtypes]
    styles = [f"text-align:{side}" + _unbroken(frame.iloc[:, i]) for i, side in enumerate(sides)]
    if sides and sides[-1] == "left":
        # What is said at the end may hold a path or a digest, longer than the page is wide.
        styles[-1] += ";overflow-wrap:anywhere"
    head = join(
        markup('<th scope="col" style="text-align:{}">{}</th>', side, name)
        for side, name in zip(sides, frame.columns, strict=True)
    )
    rows = (
        join(
            markup('<td style="{}">{}</td>', style, cell_text(value)) for style, value in zip(styles, row, strict=True)
        )
        for row in frame.itertuples(index=False, name=None)
    )
    body = join(markup("<tr>{}</tr>", row) for row in rows)
    above = markup('<caption style="text-align:left;font-weight:600">{}</caption>', caption)
    return markup("<table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>", above, head, body)


def _unbroken(column: pd.Series[Any]) -> str:
    """Short values are not broken at their hyphens."""
    return ";white-space:nowrap" if column.map(lambda value: len(cell_text(value))).max() <= _SHORT else ""


def show_static(form: StaticForm) -> None:
    """Displays a form; no widget is made."""
    from IPython.display import display

    for bundle, metadata in bundles(form):
        display(bundle, raw=True, metadata=metadata)
