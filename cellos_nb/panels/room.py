"""The control room: the panels of one database in tabs, each opened when it is first looked at."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cellos_nb.errors import InputError
from cellos_nb.lab import Lab
from cellos_nb.panels import cells
from cellos_nb.panels.arrange import offer
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.log import ErrorLog
from cellos_nb.panels.memory import Memory
from cellos_nb.panels.refusal import refusal, refusal_form
from cellos_nb.panels.seat import Seat
from cellos_nb.panels.source import Source
from cellos_nb.panels.static import is_static, show_static
from cellos_nb.panels.tabs import GROUPS, room_tabs
from cellos_nb.panels.theme import style

if TYPE_CHECKING:
    from ipywidgets import Box, Tab, Widget

for _drawn_with in ("cellos_nb.panels.live.figure", "cellos_nb.panels.dose_response.chart", "scipy.special"):
    # With the room and not at its first look: nobody waits twice, and a notebook imports in a cell of its own.
    import_module(_drawn_with)

FIRST, WITHOUT_CAMPAIGN = "Live", "Launcher"
"""The tabs that a room opens at."""


class ControlRoom:
    """The panels of one database, those of plug-ins among them; the campaign in view is chosen above them.

    A panel that cannot be opened says so in its own tab, and the others work.

    >>> ControlRoom("lab.db")  # doctest: +SKIP
    """

    def __init__(
        self, lab: Lab | str | Path | None = None, campaign_id: str | None = None, *, static: bool | None = None
    ) -> None:
        """A room on one campaign; the one begun last when none is named.

        Raises:
            CampaignError: there is no such campaign.
            StoreError: the database cannot be opened.
        """
        self._given = lab
        self.source = Source.of(lab)
        self.static = is_static(static)
        store = self.source.lab.store
        if campaign_id is not None:
            self.source.campaign(campaign_id)
        self.campaign_id: str | None = campaign_id or next(reversed(store.campaign_ids()), None)
        """The campaign in view; None while the database holds none."""
        self.known = {tab.name: tab for tab in room_tabs()}
        """All tabs by name; of a tab that was not looked at, nothing is imported."""
        self.panels: dict[str, Panel[Any, Any]] = {}
        """Those that were opened, by tab."""
        self.errors = ErrorLog()
        """What went wrong in the room itself."""
        self._tab = FIRST if self.campaign_id is not None else WITHOUT_CAMPAIGN
        self._is_offering = False
        """While the list of campaigns is written, which is no choice of anybody."""
        self._root: Box | None = None
        self._cell: str | None = None
        self._memory: Memory | None = None

    @property
    def widget(self) -> Widget:
        """The room as one widget, open at the live campaign unless another tab was in view last."""
        if self._root is None:
            self._root = self._build()
            self._look()
        return self._root

    @property
    def tab(self) -> str:
        """The tab in view."""
        return self._tab

    def open(self, name: str) -> None:
        """Brings a tab into view.

        Raises:
            InputError: there is no such tab.
        """
        if name not in self.known:
            raise InputError(f"{name}: there is no such tab; possible: {', '.join(self.known)}.")
        if self._root is None:
            self._tab = name
            return
        group = self.known[name].group
        self._bars[group].selected_index = self._names(group).index(name)
        self.groups.selected_index = list(self._bars).index(group)

    def close(self) -> None:
        """Closes every panel that was opened; may be called twice. A campaign that was launched goes on."""
        for name in [*self.panels]:
            self._close_panel(name)
        if self._root is not None:
            cells.close_tree(self._root)
            self._root = None
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ipython_display_(self) -> None:
        if self.static:
            for name in self.known:
                self._show_static(name)
            return
        from IPython.display import display

        cell = cells.this_cell()
        cells.register(self, cell)
        if cell is not None:
            self.remember(cell[0])
        display(self.widget)

    def remember(self, cell: str) -> None:
        """Takes up the tab, and in each panel the choice, of an earlier kernel, and keeps those made from now on."""
        self._cell = cell
        self._memory = Memory.of(cell, self.source.lab.store.identity, type(self).__name__)
        recalled = self._memory.recall(str)
        self._tab = recalled if recalled in self.known else self._tab

    def _names(self, group: str) -> list[str]:
        return [tab.name for tab in self.known.values() if tab.group == group]

    def _build(self) -> Box:
        from ipywidgets import Dropdown, Tab, VBox

        self._places: dict[str, VBox] = {name: VBox() for name in self.known}
        self._bars: dict[str, Tab] = {}
        shown = self.known[self._tab].group
        for group in GROUPS:
            if names := self._names(group):
                at = names.index(self._tab) if group == shown else 0
                places = [self._places[name] for name in names]
                self._bars[group] = Tab(children=places, titles=names, selected_index=at)
        bars = [*self._bars.values()]
        self.groups = Tab(children=bars, titles=[*self._bars], selected_index=[*self._bars].index(shown))
        self.chosen = Dropdown(description="campaign", style={"description_width": "initial"})
        self._said = html_widget(self.errors.html())
        for bar in (self.groups, *bars):
            bar.observe(lambda _: self._look(), "selected_index")
        self.chosen.observe(lambda change: self._choose(change.new), "value")
        sheet = html_widget(style())
        sheet.layout.display = "none"
        for bar in (self.groups, *bars):
            bar.add_class("cellos-bar")
        root = VBox([sheet, self.chosen, self._said, self.groups])
        root.add_class("cellos-room")
        return root

    def _look(self) -> None:
        """Opens the panel of the tab in view, lets the others rest, and finds campaigns that were begun meanwhile."""
        self.errors.clear()
        with self.errors.caught():
            self._offer_campaigns()
        write_html(self._said, self.errors.html())
        if self.chosen.value not in {None, self.campaign_id}:
            self._choose(self.chosen.value)
            return
        bar = [*self._bars][self.groups.selected_index or 0]
        name = self._names(bar)[self._bars[bar].selected_index or 0]
        if self._memory is not None and name != self._tab:
            self._memory.keep(name)
        self._tab = name
        for other, panel in self.panels.items():
            if other != name:
                panel.rest()
        if name in self.panels:
            self.panels[name].follow()
        else:
            self._open_panel(name)

    def _open_panel(self, name: str) -> None:
        """Opens a panel in its place; where that fails, what is wrong stands there."""
        place, errors, panel = self._places[name], ErrorLog(), None
        before = place.children
        with errors.caught():
            panel = self.known[name].load().for_room(self._seat())
            if self._cell is not None:
                panel.remember(f"{self._cell} {name}")
            place.children = (panel.follow(),)
            self.panels[name] = panel
        if name not in self.panels:
            place.children = (refusal(self.known[name], errors, again=self._look),)
            if panel is not None:
                with errors.caught():
                    panel.close()
        for widget in before:
            cells.close_tree(widget)

    def _close_panel(self, name: str) -> None:
        with self.errors.caught():
            self.panels.pop(name).close()

    def _show_static(self, name: str) -> None:
        errors = ErrorLog()
        with errors.caught(), self.known[name].load().for_room(self._seat()) as panel:
            panel._ipython_display_()
        if errors.lines:
            show_static(refusal_form(self.known[name], errors))

    def _seat(self) -> Seat:
        return Seat(self.source.lab, self._given, self.campaign_id, self.static)

    def _offer_campaigns(self) -> None:
        """The newest first; one that was begun from here comes into view."""
        known = [*reversed(self.source.lab.store.campaign_ids())]
        begun = [panel.launched.campaign_id for panel in self.panels.values() if panel.launched is not None]
        new = [name for name in begun if name in known and name not in self.chosen.options]
        in_view = [self.campaign_id] if self.campaign_id is not None else known
        self._is_offering = True
        offer(self.chosen, known, next(iter([*new, *in_view]), None))
        self._is_offering = False

    def _choose(self, campaign_id: str | None) -> None:
        """Shows another campaign; panels of the whole laboratory stay as they are."""
        if self._is_offering or campaign_id is None or campaign_id == self.campaign_id:
            return
        self.campaign_id = campaign_id
        for name, panel in [*self.panels.items()]:
            if panel.is_of_campaign:
                self._places[name].children = ()
                self._close_panel(name)
        self._look()
