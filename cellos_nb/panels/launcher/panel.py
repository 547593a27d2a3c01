"""Launcher: every field of a campaign, what it will take, PROOF, approval and launch."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import InputError, OutOfStockError
from cellos_nb.execution.preflight import Preflight
from cellos_nb.hardware.registry import kinds as machine_kinds
from cellos_nb.lab import Lab, default_url
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.launcher.draft import Checked, Draft, by_field, check, first_cells
from cellos_nb.panels.launcher.fields import Path
from cellos_nb.panels.launcher.form import Form
from cellos_nb.panels.launcher.known import KnownNames
from cellos_nb.panels.launcher.shown import (
    LauncherChoice,
    LauncherShown,
    needed,
    problem_lines,
    proof,
    static_form,
    summary,
)
from cellos_nb.panels.launcher.start import (
    HandedOver,
    Launched,
    Proved,
    approve_plates,
    launch,
    not_approved,
    other_dispatcher,
    prove_campaign,
    require_free,
    require_ready,
    save_yaml,
)
from cellos_nb.panels.source import Source
from cellos_nb.panels.static import StaticForm
from cellos_nb.panels.text import markup
from cellos_nb.planner.registry import kinds as planner_kinds

if TYPE_CHECKING:
    from ipywidgets import Widget

    from cellos_nb.panels.seat import Seat

HERE, DAEMON = "here", "daemon"
"""Where a campaign is executed."""


class LauncherPanel(Panel[LauncherChoice, LauncherShown]):
    """Sets up, checks, proves and launches a campaign.

    >>> LauncherPanel("lab.db", "campaign.yaml")  # doctest: +SKIP
    """

    title = "Launcher"
    is_remembered = False
    """A form is kept as YAML, by the button Save."""

    def __init__(
        self,
        lab: Lab | str | File | None = None,
        config: CampaignConfig | str | File | None = None,
        *,
        static: bool | None = None,
    ) -> None:
        """A form with a configuration, one from a YAML file, or the defaults.

        Raises:
            ConfigError: the file cannot be read, or holds what the form cannot show.
            StoreError: the database cannot be opened; one that does not exist is made.
        """
        self._where = lab if lab is not None else default_url()
        loaded = config if isinstance(config, CampaignConfig | None) else CampaignConfig.from_yaml(config)
        draft = Draft.empty() if loaded is None else Draft.of(loaded)
        opened = self._where if isinstance(self._where, Lab) else Lab.open(self._where)
        super().__init__(opened, LauncherChoice(draft), static=static)
        self.source = Source(opened, is_own=opened is not self._where)
        self.launched: Launched | HandedOver | None = None
        """The campaign that this panel launched last; it goes on when the panel is closed."""
        self._proved: Proved | None = None
        self._needs: dict[CampaignConfig, Preflight | InputError] = {}
        self._stock: dict[CampaignConfig, tuple[str, bool]] = {}
        self._names = KnownNames(opened)
        self._n_filled = -1

    @classmethod
    def for_room(cls, seat: Seat) -> LauncherPanel:
        """A form with the campaign in view; its connection is its own, since what it launches outlives the room."""
        config = None if seat.campaign_id is None else seat.lab.campaign(seat.campaign_id).config
        return cls(seat.given, config, static=seat.static)

    def stamp(self) -> Hashable:
        """How far the launched campaign is."""
        return None if self.launched is None else self.launched.standing

    def read(self) -> LauncherShown:
        """Checks what stands in the form, by itself and with the machine."""
        checked, needs = check(self.choice.draft), None
        if checked.config is not None:
            found = self._checked(checked.config)
            if isinstance(found, InputError):
                checked = Checked(None, by_field(found))
            else:
                needs = found
        stock, is_short = self._stock_for(checked.config) if needs is not None else ("", False)
        proved = self._proved
        is_current = proved is not None and proved.config == checked.config
        return LauncherShown(
            choice=self.choice,
            checked=checked,
            needs=needs,
            known=self._names.known_to(self.choice.draft),
            proved=proved,
            is_proof_current=is_current,
            stock=stock,
            is_short=is_short,
            waiting=not_approved(self.lab, proved) if proved is not None and is_current else (),
            launched="" if self.launched is None else self.launched.standing,
        )

    def summary(self, shown: LauncherShown) -> str:
        """What is asked, or how much is to be corrected."""
        return summary(shown)

    def static_form(self, shown: LauncherShown) -> StaticForm:
        """The configuration and what it will take, as tables."""
        return static_form(self.title, shown)

    def body(self) -> Widget:
        """File, form, what it will take, and the three steps."""
        from ipywidgets import Box, Button, Checkbox, FloatText, Text, VBox

        initial: dict[str, Any] = {"style": {"description_width": "initial"}}
        self.form = Form(self._typed, self._added)
        # Once: to look for plug-ins takes longer than everything else that a keystroke causes.
        self.form.suggest(("machine", "kind"), machine_kinds())
        self.form.suggest(("planner", "kind"), planner_kinds())
        self.file = Text(description="YAML file", placeholder="campaign.yaml", continuous_update=False, **initial)
        self.replace_file = Checkbox(description="replace an existing file", indent=False, **initial)
        self.load_button = Button(description="Load", tooltip="Fill the form from the file")
        self.save_button = Button(description="Save", tooltip="Write the form to the file")
        self.prove_button = Button(
            description="1. Prove", tooltip="PROOF: rehearse the first plates and write the protocol; nothing moves"
        )
        self.launch_button = Button(description="2. Launch", tooltip="Begin the campaign")
        self.executed_by = self._executed_by()
        self.person = Text(description="approved by", placeholder="your name", **initial)
        self.hours = FloatText(value=24.0, description="for hours", **initial)
        self.has_read = Checkbox(description="I have read the protocol of every plate", indent=False, **initial)
        self.approve_button = Button(description="Approve", tooltip="Allow the real machine to execute these plates")
        for button, action in (
            (self.load_button, self._load),
            (self.save_button, self._save),
            (self.prove_button, self._prove),
            (self.approve_button, self._approve),
            (self.launch_button, self._launch),
        ):
            button.on_click(lambda _, action=action: self.do(action))
        self._problem, self._needed, self._proof, self._running = (html_widget(Markup()) for _ in range(4))
        self._approval = Box([self.person, self.hours, self.has_read, self.approve_button])
        rows = [
            Box([self.file, self.load_button, self.save_button, self.replace_file]),
            Box([self.prove_button, self.executed_by, self.launch_button]),
        ]
        for row in (*rows, self._approval):
            row.add_class("cellos-row")
        parts = [rows[0], self.form.tabs, self._problem, self._needed, rows[1], self._proof, self._approval]
        return VBox([*parts, self._running])

    def _executed_by(self) -> Any:
        from ipywidgets import ToggleButtons

        return ToggleButtons(
            options=[("run here", HERE), ("hand to the daemon", DAEMON)],
            tooltips=["In this kernel: ends with it", "`cellos daemon` executes it; the notebook may be closed"],
            # Whoever executes already is the one that can.
            value=DAEMON if other_dispatcher(self.lab) else HERE,
            description="where",
            style={"description_width": "initial"},
        )

    def draw(self, shown: LauncherShown) -> None:
        """Writes the form only when it was filled anew, so that nobody's typing is overwritten."""
        if shown.choice.n_filled != self._n_filled:
            self._n_filled = shown.choice.n_filled
            self.form.fill(shown.choice.draft)
        self.form.mark(shown.checked.problems)
        self.form.switch(shown.choice.draft)
        self._suggest(shown)
        write_html(self._problem, problem_lines(shown.checked.problems.get((), ())))
        write_html(self._needed, needed(shown))
        write_html(self._proof, proof(shown))
        write_html(self._running, markup('<p class="cellos-summary" role="status">{}</p>', shown.launched))
        self._approval.layout.display = "flex" if shown.waiting else "none"
        self.prove_button.disabled = shown.needs is None
        self.launch_button.disabled = not shown.is_proof_current or bool(shown.waiting)
        # Coloured only when it can be pressed: a disabled primary button looks like any other in the dark theme.
        self.launch_button.button_style = "" if self.launch_button.disabled else "primary"
        self.save_button.disabled = shown.checked.config is None

    def _suggest(self, shown: LauncherShown) -> None:
        values = shown.choice.draft.values
        self.form.suggest(("objective", "target"), first_cells(values[("cell_lines",)]))
        self.form.suggest(("controls", "positive", "compound"), first_cells(values[("compounds",)]))
        for path, names in zip((("cell_lines",), ("compounds",)), shown.known, strict=True):
            held = set(first_cells(values[path]))
            self.form.suggest(path, (name for name in names if name not in held))

    def _typed(self, path: Path, value: Any) -> None:
        self.change(lambda choice: replace(choice, draft=choice.draft.with_value(path, value)))

    def _added(self, path: Path, names: tuple[str, ...]) -> None:
        def with_names(choice: LauncherChoice) -> LauncherChoice:
            lines = [line for line in str(choice.draft.values[path]).splitlines() if line.strip()]
            return LauncherChoice(choice.draft.with_value(path, "\n".join((*lines, *names))), choice.n_filled + 1)

        self.change(with_names)

    def _load(self) -> None:
        draft = Draft.of(CampaignConfig.from_yaml(self.file.value.strip()))
        self.choice = LauncherChoice(draft, self.choice.n_filled + 1)

    def _save(self) -> None:
        config = check(self.choice.draft).config
        if config is not None:
            save_yaml(config, self.file.value, may_replace=self.replace_file.value)

    def _prove(self) -> None:
        config = check(self.choice.draft).config
        if config is not None:
            self._proved, self._stock = prove_campaign(self.lab, config), {}

    def _approve(self) -> None:
        if not self.has_read.value:
            raise InputError("The protocol decides what moves: read it for every plate, then tick that you have.")
        if self._proved is not None:
            approve_plates(self.lab, self._proved, person=self.person.value, hours=self.hours.value)
            self.has_read.value = False

    def _launch(self) -> None:
        config = require_ready(self.lab, check(self.choice.draft).config, self._proved)
        if self.executed_by.value == HERE:
            require_free(self.lab)
            self.launched, self._proved = launch(self._where, config), None
        else:
            self.launched, self._proved = HandedOver(self.lab, config), None

    def _checked(self, config: CampaignConfig) -> Preflight | InputError:
        """What a configuration needs, or why it is refused; remembered, since the panel looks often."""
        if config not in self._needs:
            try:
                self._needs = {config: self.lab.check(config)}
            except InputError as error:
                self._needs = {config: error}
        return self._needs[config]

    def _stock_for(self, config: CampaignConfig | None) -> tuple[str, bool]:
        """What is said of the stock, and whether it is short; asked again with each configuration and each proof."""
        if config is None:
            return "", False
        if config not in self._stock:
            try:
                said = "enough for the plates of the first iteration" if self.lab.check_stock(config) else ""
                self._stock = {config: (said, False)}
            except OutOfStockError as error:
                self._stock = {config: (str(error), True)}
        return self._stock[config]
