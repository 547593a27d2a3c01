"""The table panel: every result, one row for each well, sorted, filtered and saved as CSV or Parquet."""

from __future__ import annotations

import io
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.history import History
from cellos_nb.errors import InputError
from cellos_nb.execution.under_way import results_mark
from cellos_nb.lab import Lab
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.histories import results_of
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.table.model import Query, Window, asked_of, is_number, query_of, select, window
from cellos_nb.records.exports import frame_csv

if TYPE_CHECKING:
    import pandas as pd
    from ipywidgets import Widget

FORMATS = ("csv", "parquet")


@dataclass(frozen=True, slots=True)
class TableChoice:
    """What a person asked for, and which rows are in sight."""

    query: Query = field(default_factory=Query)
    first: int = 0
    n: int = 76


@dataclass(frozen=True, slots=True, eq=False)
class TableShown:
    """What the panel shows."""

    frame: pd.DataFrame
    """Every result, columns as in `cellos_nb.domain.history.COLUMNS`."""
    places: NDArray[np.intp]
    """Of the rows that match, in the order asked for."""
    window: Window


class TablePanel(Panel[TableChoice, TableShown]):
    """All results of a campaign as a table."""

    title = "Results"
    is_of_campaign = True

    def __init__(
        self, lab: Lab | str | Path | None = None, campaign_id: str | None = None, *, static: bool | None = None
    ) -> None:
        """A panel on one campaign.

        Args:
            lab: an open lab, or the URL or file of a database.
            campaign_id: the campaign begun last when None.
            static: no widget, a table instead; as `CELLOS_STATIC` says when None.

        Raises:
            CampaignError: there is no such campaign.
        """
        super().__init__(lab, TableChoice(), static=static)
        self.campaign = self.source.campaign(campaign_id)
        self._read_of: History | None = None
        self._frame: pd.DataFrame | None = None
        self._selected: tuple[Query, NDArray[np.intp]] | None = None

    def subtitle(self) -> str:
        """The campaign."""
        return f"{self.campaign.config.name} · {self.campaign.campaign_id}"

    def stamp(self) -> Hashable:
        """Changes with every result."""
        return results_mark(self.lab.store, self.campaign.campaign_id)

    def read(self) -> TableShown:
        """The rows in sight; the history is read once for each change, and searched once for each question."""
        frame = self._current()
        if self._selected is None or self._selected[0] != self.choice.query:
            self._selected = (self.choice.query, select(frame, self.choice.query))
        places = self._selected[1]
        return TableShown(frame, places, window(frame, places, self.choice.first, self.choice.n))

    def _current(self) -> pd.DataFrame:
        results = results_of(self.campaign)
        if self._frame is None or results is not self._read_of:
            self._frame, self._read_of, self._selected = results.frame(), results, None
        return self._frame

    def file(self, file_format: str) -> tuple[str, bytes]:
        """The rows that match, all of them, as a file: its name and content.

        Raises:
            InputError: no such format.
        """
        if file_format not in FORMATS:
            raise InputError(f"{file_format!r}: a table is not saved as that; possible: {', '.join(FORMATS)}.")
        shown = self.read()
        part = shown.frame.iloc[shown.places].reset_index(drop=True)
        name = f"{self.campaign.campaign_id}.{file_format}"
        if file_format == "csv":
            return name, frame_csv(part).encode()
        buffer = io.BytesIO()
        part.to_parquet(buffer, index=False)
        return name, buffer.getvalue()

    def body(self) -> Widget:
        """The table with its own head, filters and buttons."""
        from cellos_nb.panels.table.widget import VirtualTable

        self._table = VirtualTable(lambda file_format: self.do(lambda: self._table.offer(*self.file(file_format))))
        self._table.asked = asked_of(self.choice.query)
        self._table.observe(lambda change: self._asked(change.new), "asked")
        return self._table

    def _asked(self, asked: dict[str, Any]) -> None:
        query = query_of(asked.get("sort") or (), asked.get("filters") or {})
        self.choose(query=query, first=int(asked.get("first", 0)), n=int(asked.get("n", 0)))

    def draw(self, shown: TableShown) -> None:
        """The rows in sight."""
        columns = [[name, is_number(shown.frame, name)] for name in shown.frame.columns]
        part = shown.window
        with self._table.hold_sync():
            self._table.columns = columns
            self._table.caption = f"Results of {self.campaign.config.name}"
            self._table.answer = {
                "first": part.first,
                "rows": [list(row) for row in part.rows],
                "n_matching": part.n_matching,
                "n_all": part.n_all,
            }

    def summary(self, shown: TableShown) -> str:
        """How much there is."""
        n_experiments = shown.frame["experiment"].nunique()
        matching = "" if shown.window.n_matching == shown.window.n_all else f"; {shown.window.n_matching:,} match"
        return f"{shown.window.n_all:,} rows of {n_experiments:,} experiments, one for each well{matching}."

    def static_form(self, shown: TableShown) -> StaticForm:
        """The first rows."""
        table = StaticTable("Results, one row for each well", shown.frame.iloc[shown.places])
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), tables=(table,))
