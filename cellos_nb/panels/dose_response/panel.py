"""The dose-response panel: curves of one compound on every cell line, and the surface over all compounds."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellos_nb.domain.history import History
from cellos_nb.errors import InputError
from cellos_nb.execution.under_way import results_mark
from cellos_nb.lab import Lab
from cellos_nb.panels.dose_response.drawn import (
    curves_figure,
    curves_html,
    curves_table,
    key_html,
    scale_html,
    surface_figure,
)
from cellos_nb.panels.dose_response.model import LineCurves, compounds_by_interest, line_curves
from cellos_nb.panels.dose_response.surface import KINDS, WORDS, Surface, SurfaceOf, surface
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.histories import results_of
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm, StaticTable, static_figure
from cellos_nb.panels.text import esc
from cellos_nb.planner.prediction import CampaignModel
from cellos_nb.records.figures import value_label
from cellos_nb.units import counted

if TYPE_CHECKING:
    from ipywidgets import Widget

MAX_AT_ONCE = 5_000
"""Experiments up to which the model is fitted unasked; 50,000 take it some 4 s of processor time."""
MAX_LINES = 6
"""Cell lines drawn at once; there are no more colours that every eye can tell apart."""


@dataclass(frozen=True, slots=True)
class DoseResponseChoice:
    """What a person chose."""

    compound: str | None = None
    """The one with the most experiments when None."""
    has_model: bool | None = None
    """Whether the model's expectation is drawn beside the fits; up to `MAX_AT_ONCE` experiments when None."""
    cell_line: str | None = None
    """Of the surface; the campaign's target when None."""
    kind: SurfaceOf = "measured"


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponseShown:
    """What the panel shows."""

    compounds: tuple[str, ...]
    """Those with the most experiments first."""
    compound: str
    lines: tuple[LineCurves, ...]
    surface: Surface
    n_iterations: int
    has_model: bool
    """Whether the model's expectation is among the curves."""


class DoseResponsePanel(Panel[DoseResponseChoice, DoseResponseShown]):
    """What was measured, fitted and expected, over dose."""

    title = "Dose response"
    is_of_campaign = True

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        campaign_id: str | None = None,
        *,
        compound: str | None = None,
        kind: SurfaceOf = "measured",
        static: bool | None = None,
    ) -> None:
        """A panel on one campaign.

        Args:
            lab: an open lab, or the URL or file of a database.
            campaign_id: the campaign begun last when None.
            compound: the one shown first; that with the most experiments when None.
            kind: what the surface shows, one of `KINDS`.
            static: no widget, figures and tables instead; as `CELLOS_STATIC` says when None.

        Raises:
            InputError: no such campaign, compound or kind.
        """
        if kind not in KINDS:
            raise InputError(f"kind: a surface does not show {kind!r}; possible: {', '.join(KINDS)}.")
        super().__init__(lab, DoseResponseChoice(compound, kind=kind), static=static)
        self.campaign = self.source.campaign(campaign_id)
        self.config = self.campaign.config
        if compound is not None and compound not in self.config.compound_names:
            known = ", ".join(self.config.compound_names)
            raise InputError(f"compound: {compound!r} is not in this campaign; possible: {known}.")
        self._history = History()
        self._model: CampaignModel | None = None

    def subtitle(self) -> str:
        """The campaign."""
        return f"{self.config.name} · {self.campaign.campaign_id}"

    def stamp(self) -> Hashable:
        """Changes with every result."""
        return results_mark(self.lab.store, self.campaign.campaign_id)

    def read(self) -> DoseResponseShown:
        """Curves and surface; the history and its model are read once for each change."""
        self._read_history()
        compounds = compounds_by_interest(self.config, self._history)
        compound = self.choice.compound or compounds[0]
        line = self.choice.cell_line or self.config.target_line
        wanted = self.choice.has_model
        has_model = len(self._history) <= MAX_AT_ONCE if wanted is None else wanted
        shown_model = self._known_model() if has_model else None
        lines = line_curves(self.config, self._history, compound, shown_model)[:MAX_LINES]
        model = self._known_model() if self.choice.kind != "measured" else None
        over = surface(self.config, self._history, compounds, line, kind=self.choice.kind, model=model)
        n_iterations = max((result.iteration for result in self._history), default=0)
        return DoseResponseShown(compounds, compound, lines, over, n_iterations, has_model)

    def _read_history(self) -> None:
        history = results_of(self.campaign)
        if history is not self._history:
            self._history, self._model = history, None

    def _known_model(self) -> CampaignModel:
        if self._model is None:
            self._model = CampaignModel(self.config, self._history)
        return self._model

    def body(self) -> Widget:
        """Curves with their choices on the left, the surface with its own on the right."""
        from ipywidgets import Checkbox, Dropdown, HBox, Layout, VBox

        from cellos_nb.panels.dose_response.chart import DoseResponseChart
        from cellos_nb.panels.grid.widget import GridPicture

        def dropdown(options: list[Any], description: str) -> Any:
            initial, fitting = {"description_width": "initial"}, Layout(width="auto", max_width="100%")
            return Dropdown(options=options, description=description, style=initial, layout=fitting)

        self._compound = dropdown(list(self.config.compound_names), "Compound")
        self._with_model = Checkbox(value=True, description="what the model expects (mean ± sd)", indent=False)
        self._line = dropdown(list(self.config.cell_lines), "Cell line")
        self._kind = dropdown([(WORDS[kind], kind) for kind in KINDS], "Show")
        drawn = self.config.cell_lines[:MAX_LINES]
        self._chart = DoseResponseChart(drawn, self.config.dose_range_um, value_label(self.config))
        self._grid = GridPicture(
            cell_size=[42, 24], least_scale=0.85, layout=Layout(max_height="430px", overflow="auto")
        )
        self._key, self._words, self._scale = (html_widget(esc("")) for _ in range(3))
        self._compound.observe(lambda change: self.choose(compound=change.new), "value")
        self._with_model.observe(lambda change: self.choose(has_model=change.new), "value")
        self._line.observe(lambda change: self.choose(cell_line=change.new), "value")
        self._kind.observe(lambda change: self.choose(kind=change.new), "value")
        self._grid.observe(lambda change: self._choose_cell(change.new), "selected")
        row = Layout(flex_flow="row wrap", grid_gap="2px 16px")
        left = VBox(
            [HBox([self._compound, self._with_model], layout=row), self._chart.figure, self._key, self._words],
            layout=Layout(flex="1 1 480px", min_width="280px"),
        )
        right = VBox(
            [HBox([self._line, self._kind], layout=row), self._grid, self._scale],
            layout=Layout(flex="1 1 480px", min_width="280px"),
        )
        return HBox([left, right], layout=Layout(flex_flow="row wrap", grid_gap="8px 20px"))

    def _choose_cell(self, name: str) -> None:
        if name and self.shown is not None:
            self.choose(compound=self.shown.surface.compounds[int(name.partition(",")[0])])

    def draw(self, shown: DoseResponseShown) -> None:
        """Curves, surface and their words."""
        over = shown.surface
        self._compound.value, self._line.value, self._kind.value = shown.compound, over.cell_line, over.kind
        self._with_model.value = shown.has_model
        self._chart.show(shown.compound, shown.lines, shown.n_iterations)
        write_html(self._key, key_html(shown.lines, shown.n_iterations, has_model=shown.has_model))
        write_html(self._words, curves_html(shown.lines))
        caption = f"{over.cell_line}: {WORDS[over.kind]}, compounds by rows, doses in µM by columns"
        self._grid.show(over.compounds, over.column_names, over.cells, caption=caption, selected=self._grid.selected)
        write_html(self._scale, scale_html(over))

    def summary(self, shown: DoseResponseShown) -> str:
        """What was found for the compound in view, line by line."""
        said = "; ".join(
            f"{line.cell_line}: {counted(line.points.value.size, 'experiment')}, {line.verdict}"
            + (f", EC50 {line.ec50}" if line.ec50 else "")
            for line in shown.lines
        )
        left_out = len(self.config.cell_lines) - len(shown.lines)
        more = f" {counted(left_out, 'more cell line is', 'more cell lines are')} not drawn." if left_out > 0 else ""
        return f"{shown.compound}: {said}.{more}"

    def static_form(self, shown: DoseResponseShown) -> StaticForm:
        """Curves and surface as figures, the fits as a table."""
        label = value_label(self.config)
        curves = curves_figure(shown.compound, shown.lines, label)
        about = f"{shown.surface.cell_line}: {WORDS[shown.surface.kind]}"
        figures = (static_figure(curves, self.summary(shown)), static_figure(surface_figure(shown.surface), about))
        tables = (StaticTable(f"{shown.compound}: fits", curves_table(shown.lines)),)
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), figures, tables)
