"""A panel: what each campaign measured of each compound."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from ipywidgets import VBox

from cellos_nb import Lab
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.text import markup

COLUMNS = ("campaign", "compound", "wells")


@dataclass(frozen=True)
class Choice:
    """Nothing can be chosen."""


class ShelfPanel(Panel[Choice, tuple[tuple[str, str, int], ...]]):
    """How many wells of each compound the campaigns of a laboratory used, the newest campaign first."""

    title = "Shelf"

    def __init__(self, lab: Lab | str | Path | None = None, *, static: bool | None = None) -> None:
        """A panel on a whole database."""
        super().__init__(lab, Choice(), static=static)

    def stamp(self) -> Hashable:
        """Changes whenever something was stored."""
        return self.lab.store.stamp()

    def read(self) -> tuple[tuple[str, str, int], ...]:
        """One row for each campaign and compound."""
        rows: list[tuple[str, str, int]] = []
        for campaign in reversed(self.lab.campaigns()):
            counts = campaign.history()["compound"].value_counts().sort_index()
            rows += [(campaign.config.name, str(name), int(count)) for name, count in counts.items()]
        return tuple(rows)

    def body(self) -> VBox:
        """A table."""
        self.table = html_widget(markup(""))
        return VBox([self.table])

    def draw(self, shown: tuple[tuple[str, str, int], ...]) -> None:
        """Writes the rows; `markup` escapes them."""
        head = markup("<tr><th>{}</th><th>{}</th><th>{}</th></tr>", *COLUMNS)
        rows = (markup("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", *row) for row in shown)
        self.table.value = str(markup("<table>{}{}</table>", head, markup("").join(rows)))

    def summary(self, shown: tuple[tuple[str, str, int], ...]) -> str:
        """In words."""
        return f"{sum(row[2] for row in shown)} wells of {len({row[1] for row in shown})} compounds were used so far."

    def static_form(self, shown: tuple[tuple[str, str, int], ...]) -> StaticForm:
        """The same table without widgets."""
        frame = pd.DataFrame(list(shown), columns=list(COLUMNS))
        return StaticForm(self.title, self.summary(shown), tables=(StaticTable("Wells that were used", frame),))
