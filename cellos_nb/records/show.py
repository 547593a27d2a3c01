"""How tables and figures appear in a notebook and on its page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import pandas as pd
from IPython.display import HTML, display

from cellos_nb.workflow.render import render_html
from cellos_nb.workflow.workflow import Workflow

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_table(frame: pd.DataFrame) -> None:
    """Displays a table: all rows, no index where it only counts, text escaped."""
    has_labels = not isinstance(frame.index, pd.RangeIndex)
    with pd.option_context("display.max_colwidth", None):
        text = frame.to_html(escape=True, index=has_labels, header=not has_labels, border=0, justify="left")
    for tag in ("td", "th"):
        text = text.replace(f"<{tag}>", f'<{tag} style="text-align:left;white-space:normal">')
    display(HTML(text))


def show_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Displays label and value of each line."""
    show_table(pd.DataFrame({"": [value for _, value in rows]}, index=[label for label, _ in rows]))


def show_heading(text: str) -> None:
    """Displays a heading of the third level; the text is escaped."""
    display(HTML(f"<h3>{escape(text)}</h3>"))


def show_workflow(workflow: Workflow) -> None:
    """Displays a workflow as a person reads it before approving it: plate map, steps, needs and hash."""
    display(HTML(render_html(workflow)))


def show_figure(figure: Figure, description: str) -> None:
    """Displays a figure with a description for those who cannot see it, and closes it."""
    import matplotlib.pyplot as plt

    display(figure, metadata={"image/png": {"alt": description}})
    plt.close(figure)
