"""Comparison: box plots, campaigns side by side, and a Pareto front."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from cellos_nb.execution.under_way import results_mark
from cellos_nb.lab import Lab
from cellos_nb.panels.arrange import offer
from cellos_nb.panels.comparison.front import Front, Objective, answered, make_front
from cellos_nb.panels.comparison.model import ABSCISSAS, Compared, group_boxes, progress, read_campaigns, summary
from cellos_nb.panels.comparison.shown import (
    ComparisonChoice,
    ComparisonShown,
    Selected,
    detail,
    key,
    static_form,
)
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm
from cellos_nb.panels.text import markup
from cellos_nb.panels.theme import SERIES

if TYPE_CHECKING:
    from ipywidgets import Widget

MAX_CAMPAIGNS = len(SERIES)
"""Colours that can be told apart."""
_NEWEST = 2
"""Campaigns compared when none is named."""


class ComparisonPanel(Panel[ComparisonChoice, ComparisonShown]):
    """Compares campaigns of one database.

    >>> ComparisonPanel("lab.db", ["demo", "demo-2"])  # doctest: +SKIP
    """

    title = "Comparison"

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        campaign_ids: Iterable[str] | str | None = None,
        *,
        static: bool | None = None,
    ) -> None:
        """A comparison of the campaigns named, or of the newest two.

        Raises:
            CampaignError: one does not exist, or there is none at all.
            StoreError: the database cannot be opened.
        """
        super().__init__(lab, ComparisonChoice(()), static=static)
        if campaign_ids is None:
            chosen = list(self.lab.store.campaign_ids()[-_NEWEST:])
        else:
            chosen = [campaign_ids] if isinstance(campaign_ids, str) else list(campaign_ids)
        named = [self.source.campaign(campaign_id) for campaign_id in chosen]
        self.campaign = named[0] if named else self.source.campaign(None)
        """The first of those named; the newest when an empty list was."""
        self.choice = ComparisonChoice(tuple(chosen)[:MAX_CAMPAIGNS])
        self._remembered: dict[str, tuple[Hashable, Compared]] = {}

    def stamp(self) -> Hashable:
        """How far the compared campaigns are."""
        return tuple(self._standing(campaign_id) for campaign_id in self.choice.campaign_ids)

    def read(self) -> ComparisonShown:
        """Reads the campaigns that went on, and makes everything anew that depends on the choice."""
        choice = self.choice
        campaigns = tuple(self._read(campaign_id) for campaign_id in choice.campaign_ids)
        objectives = answered(campaigns)
        x, y = _axis(objectives, choice.x_key, 0), _axis(objectives, choice.y_key, 1)
        front = None if x is None or y is None else make_front(campaigns, x, y)
        return ComparisonShown(
            choice=choice,
            known=tuple(reversed(self.lab.store.campaign_ids())),
            campaigns=campaigns,
            boxes=group_boxes(campaigns, choice.by),
            progress=tuple(progress(one, choice.abscissa) for one in campaigns),
            objectives=objectives,
            front=front,
            selected=None if front is None else _number_of(front, choice.selected),
        )

    def summary(self, shown: ComparisonShown) -> str:
        """What each campaign found."""
        return summary(shown.campaigns)

    def static_form(self, shown: ComparisonShown) -> StaticForm:
        """Three pictures and two tables."""
        return static_form(self.title, shown)

    def body(self) -> Widget:
        """Choices above, three figures below."""
        from ipywidgets import Box, Dropdown, Select, SelectMultiple, VBox

        from cellos_nb.panels.comparison.figures import BoxFigure, FrontFigure, ProgressFigure

        named: dict[str, Any] = {"style": {"description_width": "initial"}}
        over = [(label, name) for name, label in ABSCISSAS.items()]
        self.campaigns = SelectMultiple(description="campaigns", rows=4, **named)
        self.by = Dropdown(options=[("compound", "compound"), ("cell line", "cell_line")], description="by", **named)
        self.measure = Dropdown(options=["best so far", "regret"], description="show", **named)
        self.abscissa = Dropdown(options=over, description="over", **named)
        self.x, self.y = Dropdown(description="across", **named), Dropdown(description="up", **named)
        self.members = Select(description="on the front", rows=6, layout={"width": "auto"}, **named)
        for widget, field in (
            (self.by, "by"),
            (self.measure, "measure"),
            (self.abscissa, "abscissa"),
            (self.x, "x_key"),
            (self.y, "y_key"),
            (self.members, "selected"),
        ):
            widget.observe(lambda change, field=field: self.choose(**{field: change.new}), "value")
        self.campaigns.observe(lambda change: self.choose(campaign_ids=change.new[:MAX_CAMPAIGNS]), "value")
        self._boxes, self._laps, self._front = BoxFigure(), ProgressFigure(), FrontFigure(self._select)
        self._key, self._detail = html_widget(Markup()), html_widget(Markup())
        parts = [
            ("How far the campaigns came", [self.measure, self.abscissa], [self._laps.figure]),
            ("Pareto front", [self.x, self.y], [self._front.figure, self.members, self._detail]),
            ("What was measured", [self.by], [self._boxes.figure]),
        ]
        figures = [_part(title, choices, shown) for title, choices, shown in parts]
        figures[-1].add_class("cellos-wide")
        grid = Box(figures)
        grid.add_class("cellos-parts")
        return VBox([self.campaigns, self._key, grid])

    def draw(self, shown: ComparisonShown) -> None:
        """Writes lists before values, so that a value is always among its list."""
        choice, colours = shown.choice, shown.colours
        offer(self.campaigns, shown.known, choice.campaign_ids)
        axes = [(objective.label, objective.key) for objective in shown.objectives]
        for widget, wanted, place in ((self.x, choice.x_key, 0), (self.y, choice.y_key, 1)):
            axis = _axis(shown.objectives, wanted, place)
            offer(widget, axes, None if axis is None else axis.key)
        self.by.value, self.measure.value, self.abscissa.value = choice.by, choice.measure, choice.abscissa
        members = [] if shown.front is None else _members(shown.front)
        on_front = choice.selected if any(choice.selected == value for _, value in members) else None
        offer(self.members, members, on_front)
        self._boxes.draw(shown.boxes, colours, shown.value_label)
        self._laps.draw(shown.progress, colours, shown.progress_labels, is_regret=choice.measure == "regret")
        self._front.draw(shown.front, colours, shown.selected)
        write_html(self._key, key(shown))
        write_html(self._detail, detail(shown))

    def _select(self, number: int) -> None:
        front = None if self.shown is None else self.shown.front
        if front is not None and number < len(front.conditions):
            self.choose(selected=_name_of(front, number))

    def _standing(self, campaign_id: str) -> Hashable:
        store = self.lab.store
        return campaign_id, results_mark(store, campaign_id), str(store.standing(campaign_id).status)

    def _read(self, campaign_id: str) -> Compared:
        """A campaign as it stands; read again only when it went on."""
        standing = self._standing(campaign_id)
        known = self._remembered.get(campaign_id)
        if known is None or known[0] != standing:
            (read,) = read_campaigns(self.lab, [campaign_id])
            self._remembered[campaign_id] = known = (standing, read)
        return known[1]


def _part(title: str, choices: list[Widget], shown: list[Widget]) -> Widget:
    from ipywidgets import Box, VBox

    row = Box(choices)
    row.add_class("cellos-row")
    part = VBox([html_widget(markup("<h4>{}</h4>", title)), row, *shown])
    part.add_class("cellos-part")
    return part


def _axis(objectives: tuple[Objective, ...], wanted: str, place: int) -> Objective | None:
    """The objective of one axis: the one wanted, or the one at its place; None when there are fewer than two."""
    if len(objectives) < 2:
        return None
    return next((one for one in objectives if one.key == wanted), objectives[place])


def _name_of(front: Front, number: int) -> Selected:
    campaign_id, condition = front.conditions[number]
    return campaign_id, condition.cell_line, condition.compound, condition.dose_um


def _number_of(front: Front, selected: Selected | None) -> int | None:
    return next((i for i in range(len(front.conditions)) if _name_of(front, i) == selected), None)


def _members(front: Front) -> list[tuple[str, Selected]]:
    order = sorted(np.flatnonzero(front.is_front).tolist(), key=lambda i: float(front.x[i]))
    return [(front.name(i), _name_of(front, i)) for i in order]
