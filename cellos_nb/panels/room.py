"""The control room: all panels of one database in tabs, each opened when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cellos_nb.lab import Campaign, Lab
from cellos_nb.panels import cells
from cellos_nb.panels.arrange import offer
from cellos_nb.panels.autonomy.panel import AutonomyPanel
from cellos_nb.panels.cells import close_tree
from cellos_nb.panels.comparison.panel import ComparisonPanel
from cellos_nb.panels.dose_response.panel import DoseResponsePanel
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.launcher.panel import LauncherPanel
from cellos_nb.panels.live.panel import LiveCampaignPanel
from cellos_nb.panels.memory import Memory
from cellos_nb.panels.plates.panel import PlatesPanel
from cellos_nb.panels.source import Source
from cellos_nb.panels.static import is_static
from cellos_nb.panels.table.panel import TablePanel
from cellos_nb.panels.why.panel import WhyThisDosePanel

if TYPE_CHECKING:
    from ipywidgets import Widget

for _drawn_with in ("cellos_nb.panels.live.figure", "scipy.special"):
    # With the room and not at its first look: nobody waits twice, and a notebook imports in a cell of its own.
    import_module(_drawn_with)

OF_CAMPAIGN: dict[str, Callable[..., Panel[Any, Any]]] = {
    "Live": LiveCampaignPanel,
    "Doses": DoseResponsePanel,
    "Plates": PlatesPanel,
    "Table": TablePanel,
    "Why": WhyThisDosePanel,
}
TABS = ("Launcher", "Live", "Doses", "Compare", "Plates", "Table", "Why", "Autonomy")


class ControlRoom:
    """All panels of one database; the campaign in view is chosen above them.

    >>> ControlRoom("lab.db")  # doctest: +SKIP
    """

    def __init__(
        self, lab: Lab | str | Path | None = None, campaign_id: str | None = None, *, static: bool | None = None
    ) -> None:
        """A room on one campaign; the one begun last when none is named.

        Raises:
            CampaignError: there is no such campaign, or none at all; `LauncherPanel` begins the first.
            StoreError: the database cannot be opened.
        """
        self._given = lab
        self.source = Source.of(lab)
        self.static = is_static(static)
        self.campaign: Campaign = self.source.campaign(campaign_id)
        self._tab = "Live"
        self.panels: dict[str, Panel[Any, Any]] = {}
        """Those that were opened, by tab."""
        self._root: Widget | None = None
        self._cell: str | None = None
        self._memory: Memory | None = None

    @property
    def widget(self) -> Widget:
        """The room as one widget, open at the live campaign unless another tab was in view last."""
        if self._root is None:
            self._root = self._build()
            self._look()
        return self._root

    def close(self) -> None:
        """Closes every panel that was opened; may be called twice. A campaign that was launched goes on."""
        for panel in self.panels.values():
            panel.close()
        self.panels.clear()
        if self._root is not None:
            close_tree(self._root)
            self._root = None
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ipython_display_(self) -> None:
        if self.static:
            for name in TABS:
                with self._make(name) as panel:
                    panel._ipython_display_()
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
        self._tab = _known_tab(self._memory.recall(str)) or self._tab

    def _build(self) -> Widget:
        from ipywidgets import Dropdown, Tab, VBox

        empty = [VBox() for _ in TABS]
        self.tabs = Tab(children=empty, titles=TABS, selected_index=TABS.index(self._tab))
        self.chosen = Dropdown(description="campaign", style={"description_width": "initial"})
        self._offer_campaigns()
        self.tabs.observe(lambda _: self._look(), "selected_index")
        self.chosen.observe(lambda change: self._choose(change.new), "value")
        return VBox([self.chosen, self.tabs])

    def _look(self) -> None:
        """Opens the panel of the tab in view, lets the others rest, and finds campaigns that were begun meanwhile."""
        self._offer_campaigns()
        name = TABS[self.tabs.selected_index or 0]
        if self._memory is not None and name != self._tab:
            self._memory.keep(name)
        self._tab = name
        for other, panel in self.panels.items():
            if other != name:
                panel.rest()
        if name in self.panels:
            self.panels[name].follow()
            return
        place = self.tabs.children[TABS.index(name)]
        self.panels[name] = panel = self._make(name)
        if self._cell is not None:
            panel.remember(f"{self._cell} {name}")
        place.children = (panel.follow(),)

    def _offer_campaigns(self) -> None:
        """The newest first; one that was launched from here comes into view."""
        known = [*reversed(self.source.lab.store.campaign_ids())]
        launcher = self.panels.get("Launcher")
        launched = getattr(getattr(launcher, "launched", None), "campaign_id", "")
        is_new = launched in known and launched not in self.chosen.options
        offer(self.chosen, known, launched if is_new else self.campaign.campaign_id)

    def _choose(self, campaign_id: str | None) -> None:
        """Shows another campaign; launcher and autonomy stay as they are."""
        if campaign_id is None or campaign_id == self.campaign.campaign_id:
            return
        self.campaign = self.source.campaign(campaign_id)
        for name in OF_CAMPAIGN:
            panel = self.panels.pop(name, None)
            if panel is not None:
                self.tabs.children[TABS.index(name)].children = ()
                panel.close()
        self._look()

    def _make(self, name: str) -> Panel[Any, Any]:
        lab, static = self.source.lab, self.static
        match name:
            case "Launcher":
                # With a connection of its own: what it launches outlives the room.
                return LauncherPanel(self._given, self.campaign.config, static=static)
            case "Compare":
                return ComparisonPanel(lab, static=static)
            case "Autonomy":
                return AutonomyPanel(lab, static=static)
            case _:
                return OF_CAMPAIGN[name](lab, self.campaign.campaign_id, static=static)


def _known_tab(name: str | None) -> str | None:
    return name if name in TABS else None
