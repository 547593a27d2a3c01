"""Why this dose: what the model believed when an experiment was proposed, and what the other doses promised."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.domain.history import History
from cellos_nb.domain.objective import best_condition
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.errors import CampaignError
from cellos_nb.execution.under_way import results_mark
from cellos_nb.lab import Lab
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.histories import conditions_of, results_of
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm
from cellos_nb.panels.text import join, markup, table
from cellos_nb.panels.why.model import (
    MAX_NEIGHBOURS,
    NEIGHBOUR_COLUMNS,
    Asked,
    all_asked,
    explain_asked,
    neighbour_row,
    result_of,
    sentences,
)
from cellos_nb.panels.why.pictures import static_form
from cellos_nb.panels.why.shown import WhyChoice, WhyShown
from cellos_nb.planner.explanation import Explanation
from cellos_nb.records.figures import value_label

if TYPE_CHECKING:
    from ipywidgets import Widget

_NOTHING_YET = "The campaign has proposed nothing yet; its experiments will stand here once it is begun."
_MANY = 5_000
"""Results from which on asking the planner again takes seconds, so that everything else is shown first."""
_REMEMBERED = 32
"""Explanations kept, since each asks the model again."""


class WhyThisDosePanel(Panel[WhyChoice, WhyShown]):
    """Explains the experiments of a campaign one at a time.

    >>> WhyThisDosePanel("lab.db", "demo", "i004-e001")  # doctest: +SKIP
    """

    title = "Why this dose"
    is_of_campaign = True

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        campaign_id: str | None = None,
        proposal_id: str = "",
        *,
        static: bool | None = None,
    ) -> None:
        """An experiment of a campaign: the best found by the newest campaign unless others are named.

        Raises:
            CampaignError: there is no such campaign.
            StoreError: the database cannot be opened.
        """
        super().__init__(lab, WhyChoice(proposal_id), static=static)
        self.campaign = self.source.campaign(campaign_id)
        self._told: dict[Asked, tuple[Explanation, ExperimentResult | None]] = {}

    def subtitle(self) -> str:
        """The campaign."""
        return self.campaign.config.name

    def stamp(self) -> Hashable:
        """How far the campaign is."""
        return results_mark(self.lab.store, self.campaign.campaign_id)

    def read(self) -> WhyShown:
        """Asks the planner again with what was known when the chosen experiment was proposed.

        Raises:
            CampaignError: the campaign has no experiment of that name.
        """
        results, config = results_of(self.campaign), self.campaign.config
        asked = all_asked(self.lab.store, self.campaign.campaign_id, results)
        chosen = self._chosen(asked)
        if chosen is None:
            return WhyShown(asked, None, None, None, (_NOTHING_YET,), value_label(config))
        is_known = chosen in self._told and self._told[chosen][1] is not None
        if not is_known and len(results) > _MANY and not self.static:
            result = result_of(results, chosen.proposal)
            said = (f"The planner is being asked again, with up to {len(results):,} results …",)
            return WhyShown(asked, chosen, None, result, said, value_label(config))
        return self._explained(WhyShown(asked, chosen, None, None, (), value_label(config)), results)

    def complete(self, shown: WhyShown) -> WhyShown | None:
        """The explanation, where the planner has so much to learn again that the rest was shown first."""
        if shown.chosen is None or shown.told is not None:
            return None
        return self._explained(shown, results_of(self.campaign))

    def _explained(self, shown: WhyShown, results: History) -> WhyShown:
        chosen, config = shown.chosen, self.campaign.config
        if chosen is None:
            return shown
        if chosen not in self._told or self._told[chosen][1] is None:
            kept = list(self._told.items())[1 - _REMEMBERED :]
            self._told = dict([*kept, (chosen, explain_asked(self.lab.store, chosen, results))])
        told, result = self._told[chosen]
        return replace(shown, told=told, result=result, words=sentences(config, told, result))

    def summary(self, shown: WhyShown) -> str:
        """The experiment, and the first reason."""
        return shown.words[0] if shown.chosen is None else f"{shown.chosen.label}. {shown.words[0]}"

    def static_form(self, shown: WhyShown) -> StaticForm:
        """Both figures as one picture, all words, and the nearest data."""
        return static_form(self.title, self.subtitle(), shown)

    def body(self) -> Widget:
        """The list of experiments, the words, two figures and the nearest data."""
        from ipywidgets import Box, Dropdown, Select, VBox

        from cellos_nb.panels.why.figures import AcquisitionFigure, CurveFigure

        named: dict[str, Any] = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
        self.iteration = Dropdown(description="iteration", **named)
        self.experiment = Select(description="experiment", rows=8, **named)
        self.iteration.observe(lambda change: self.choose(proposal_id=self._first_of(change.new)), "value")
        self.experiment.observe(lambda change: self.choose(proposal_id=change.new), "value")
        self._curve = CurveFigure()
        self._promise = AcquisitionFigure(self._curve.x)
        self._words, self._key, self._near = (html_widget(Markup()) for _ in range(3))
        left = VBox([self.iteration, self.experiment, self._words, self._near])
        self._figures = VBox([self._key, self._curve.figure, self._promise.figure])
        parts = Box([left, self._figures])
        for part in (left, self._figures):
            part.add_class("cellos-part")
        parts.add_class("cellos-parts")
        return parts

    def draw(self, shown: WhyShown) -> None:
        """Writes the lists only when they changed."""
        write_html(self._words, join(markup("<p>{}</p>", sentence) for sentence in shown.words))
        self._figures.layout.display = "none" if shown.told is None else ""
        if shown.chosen is None:
            return
        laps = tuple(sorted({one.iteration for one in shown.asked}))
        if tuple(self.iteration.options) != laps:
            self.iteration.options = laps
        self.iteration.value = shown.chosen.iteration
        here = [one for one in shown.asked if one.iteration == shown.chosen.iteration]
        options = tuple((one.label, one.proposal.proposal_id) for one in here)
        if tuple(self.experiment.options) != options:
            self.experiment.options = options
        self.experiment.value = shown.chosen.proposal.proposal_id
        if shown.told is None:
            write_html(self._near, Markup())
            return
        self._curve.draw(shown.told, shown.result, shown.value_label)
        self._promise.draw(shown.told.choice, self._curve.mean.x)
        write_html(self._key, _key(shown.told))
        write_html(self._near, _near(shown.told))

    def _chosen(self, asked: tuple[Asked, ...]) -> Asked | None:
        """The experiment that is named, or the best, or the last; None when nothing was proposed."""
        wanted = self.choice.proposal_id
        if not asked:
            return None
        if wanted:
            found = next((one for one in asked if one.proposal.proposal_id == wanted), None)
            if found is None:
                first, last = asked[0].proposal.proposal_id, asked[-1].proposal.proposal_id
                raise CampaignError(
                    f"{self.campaign.campaign_id}: there is no experiment {wanted!r}; possible: {first} to {last}."
                )
            return found
        best = best_condition(conditions_of(self.campaign))
        if best is None:
            return asked[-1]
        condition = (best.cell_line, best.compound, best.dose_um)
        return next((one for one in asked if one.proposal.condition[:3] == condition), asked[-1])

    def _first_of(self, iteration: int | None) -> str:
        asked = () if self.shown is None else self.shown.asked
        return next((one.proposal.proposal_id for one in asked if one.iteration == iteration), "")


def _key(told: Explanation) -> Markup:
    """What is what in the figures."""
    from cellos_nb.panels.theme import GREY
    from cellos_nb.panels.why.figures import CHOSEN, DATA, MODEL

    line = told.proposal.cell_line
    named = [(MODEL, "model: mean, ± 1 and 2 standard deviations"), (DATA, f"measured before on {line}")]
    named += [(GREY, "measured before on other lines"), (CHOSEN, "this experiment")]
    if told.choice is not None:
        named.append((GREY, "below, hollow: doses that were taken already"))
    return join(markup('<span class="cellos-key"><i style="background:{}"></i>{}</span>', *one) for one in named)


def _near(told: Explanation) -> Markup:
    near = told.neighbours[:MAX_NEIGHBOURS]
    if not near:
        return Markup()
    caption = f"nearest data of {told.proposal.compound}: {len(near)} of {len(told.neighbours)}"
    return markup(
        '<div class="cellos-scroll">{}</div>', table(NEIGHBOUR_COLUMNS, [neighbour_row(one) for one in near], caption)
    )
