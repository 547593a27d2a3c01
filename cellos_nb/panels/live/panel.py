"""The live campaign: how it goes, and the buttons that steer it, whatever process runs it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.execution.under_way import mark_of
from cellos_nb.lab import Lab
from cellos_nb.panels.arrange import part, parts, row
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.live.model import LiveShown, Reader, go_on, kill
from cellos_nb.panels.live.trajectory import Trajectory
from cellos_nb.panels.live.words import best_html, key_html, numbers_html, plates_html, static_form, summary
from cellos_nb.panels.static import StaticForm

if TYPE_CHECKING:
    from ipywidgets import Widget


@dataclass(frozen=True, slots=True)
class LiveChoice:
    """Nothing is chosen: the panel follows its campaign."""


class LiveCampaignPanel(Panel[LiveChoice, LiveShown]):
    """Follows a campaign, and pauses, resumes, stops and kills it through the store alone.

    >>> LiveCampaignPanel("lab.db", "my-campaign")  # doctest: +SKIP
    """

    title = "Live campaign"
    is_of_campaign = True

    def __init__(
        self, lab: Lab | str | Path | None = None, campaign_id: str | None = None, *, static: bool | None = None
    ) -> None:
        """A panel on one campaign; the one begun last when none is named.

        Raises:
            CampaignError: there is no such campaign.
            StoreError: the database cannot be opened.
        """
        super().__init__(lab, LiveChoice(), static=static)
        self.campaign = self.source.campaign(campaign_id)
        self._reader = Reader(self.lab, self.campaign)
        self._drawn: Trajectory | None = None

    def subtitle(self) -> str:
        """The campaign."""
        return f"{self.campaign.config.name} · {self.campaign.campaign_id}"

    def stamp(self) -> Hashable:
        """Changes with every step of every plate."""
        return mark_of(self.lab.store, self.campaign.campaign_id)

    def read(self) -> LiveShown:
        """The campaign as it stands."""
        return self._reader.read()

    def summary(self, shown: LiveShown) -> str:
        """The campaign in two or three sentences."""
        return summary(shown)

    def static_form(self, shown: LiveShown) -> StaticForm:
        """Numbers and plates as tables, the trajectory as a figure."""
        return static_form(f"{self.title}: {self.subtitle()}", shown)

    def body(self) -> Widget:
        """Numbers, buttons, the trajectory and the plates."""
        from ipywidgets import Button, Text, VBox

        from cellos_nb.panels.live.figure import TrajectoryFigure

        def button(name: str, tooltip: str, action: Any, style: str = "") -> Any:
            made = Button(description=name, tooltip=tooltip, button_style=style)
            made.on_click(lambda _: self.do(action))
            return made

        self.reason = Text(
            description="reason", placeholder="kept with the campaign", style={"description_width": "initial"}
        )
        self.pause_button = button(
            "Pause", "No further plate begins; plates under way are brought to their end", self._pause
        )
        self.resume_button = button("Resume", "Go on; handed to the daemon unless somebody executes it", self._resume)
        self.stop_button = button("Stop after this iteration", "The iteration under way is the last one", self._stop)
        self.kill_button = button(
            "Kill", "End all work on this database, of every campaign, after the step in progress", self._kill, "danger"
        )
        self._numbers, self._best, self._key, self._plates = (html_widget(Markup()) for _ in range(4))
        self._figure = TrajectoryFigure()
        buttons = row(self.pause_button, self.resume_button, self.stop_button, self.kill_button, self.reason)
        below = parts(part("What each iteration found", self._figure.figure, self._key), part("Plates", self._plates))
        return VBox([self._numbers, self._best, buttons, below])

    def draw(self, shown: LiveShown) -> None:
        """Writes everything; what did not change is not sent."""
        write_html(self._numbers, numbers_html(shown))
        write_html(self._best, best_html(shown.summary.best))
        write_html(self._key, key_html(shown.found))
        write_html(self._plates, plates_html(shown))
        if shown.found is not self._drawn:
            self._figure.draw(shown.found)
            self._drawn = shown.found
        allowed = shown.allowed
        self.pause_button.disabled = not allowed.pause
        self.resume_button.disabled = not allowed.resume
        self.stop_button.disabled = not allowed.stop
        self.kill_button.disabled = not allowed.kill

    def _pause(self) -> None:
        self.campaign.pause(self._said())

    def _resume(self) -> None:
        go_on(self.lab, self.campaign.campaign_id)

    def _stop(self) -> None:
        self.campaign.stop_after_iteration(self._said())

    def _kill(self) -> None:
        kill(self.lab.store, self.campaign.campaign_id, self._said())

    def _said(self) -> str:
        """The reason, which serves once."""
        said, self.reason.value = self.reason.value.strip(), ""
        return str(said)
