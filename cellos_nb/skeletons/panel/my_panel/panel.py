"""The panel: what it reads, and how that is drawn."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from ipywidgets import Dropdown, VBox

from cellos_nb import Lab
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.text import markup

BY = {"cell line": "cell_line", "compound": "compound"}


@dataclass(frozen=True)
class Choice:
    """What a person chose in the panel; it comes back after a kernel restart."""

    by: str = "cell line"


@dataclass(frozen=True, eq=False)
class Shown:
    """What the panel shows."""

    by: str
    counts: pd.Series[int]
    """Wells that were measured, by name."""


class MyPanel(Panel[Choice, Shown]):
    """How many wells of a campaign were measured, by cell line or compound. Replace this by what your lab looks for."""

    title = "My panel"
    is_of_campaign: ClassVar[bool] = True

    def __init__(
        self, lab: Lab | str | Path | None = None, campaign_id: str | None = None, *, static: bool | None = None
    ) -> None:
        """A panel on one campaign; the one begun last when none is named."""
        super().__init__(lab, Choice(), static=static)
        self.campaign = self.source.campaign(campaign_id)

    def subtitle(self) -> str:
        """What stands beside the title."""
        return self.campaign.config.name

    def stamp(self) -> Hashable:
        """Changes when `read` would give something else."""
        return self.lab.store.stamp()

    def read(self) -> Shown:
        """The model: no widgets; called in the panel's own thread."""
        frame = self.campaign.history()
        return Shown(self.choice.by, frame[BY[self.choice.by]].value_counts().sort_index())

    def body(self) -> VBox:
        """The widgets, made once; a callback calls `choose` or `do`, nothing else."""
        self.by = Dropdown(options=list(BY), value=self.choice.by, description="count by")
        self.by.observe(self._chosen, "value")
        self.list = html_widget(markup(""))
        return VBox([self.by, self.list])

    def draw(self, shown: Shown) -> None:
        """Writes into the widgets, decides nothing. `markup` escapes what people wrote."""
        self.by.value = shown.by
        rows = [markup("<li>{}: {}</li>", name, int(count)) for name, count in shown.counts.items()]
        self.list.value = str(markup("<ul>{}</ul>", markup("").join(rows)))

    def summary(self, shown: Shown) -> str:
        """The panel in a sentence, for who cannot see it."""
        return f"{int(shown.counts.sum())} wells were measured, of {len(shown.counts)} by {shown.by}."

    def static_form(self, shown: Shown) -> StaticForm:
        """The panel without widgets, for papermill and nbconvert."""
        table = pd.DataFrame({shown.by: shown.counts.index, "wells": shown.counts.to_numpy()})
        return StaticForm(self.title, self.summary(shown), tables=(StaticTable("Wells that were measured", table),))

    def _chosen(self, change: dict[str, Any]) -> None:
        self.choose(by=change["new"])
