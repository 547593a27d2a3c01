"""The tabs of the control room: those that come with this package, and those that plug-ins bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cellos_nb.errors import ConfigError
from cellos_nb.panels.frame import Panel

ENTRY_POINT_GROUP = "cellos_nb.panels"
"""An entry of this group names a class derived from `Panel`."""
GROUPS = ("Begin", "Campaign", "Laboratory", "More")
"""What the tabs are grouped by, in this order; the last is for plug-ins that name no group."""


@dataclass(frozen=True, slots=True)
class RoomTab:
    """A tab, of which nothing is imported before it is looked at.

    >>> RoomTab("Table", "Campaign", "cellos_nb.panels.table.panel:TablePanel").load().title
    'Results'
    """

    name: str
    """As it stands on the tab; no two have the same."""
    group: str
    """One of `GROUPS`."""
    value: str
    """`module:class`."""
    brought_by: str = ""
    """The package that brings it, with its release; empty for ours."""

    def load(self) -> type[Panel[Any, Any]]:
        """The class of its panel.

        Raises:
            ConfigError: what the entry names is no panel.
            Exception: whatever importing it raises.
        """
        kind = EntryPoint(self.name, self.value, ENTRY_POINT_GROUP).load()
        if not (isinstance(kind, type) and issubclass(kind, Panel)):
            raise ConfigError(
                f"{self.value} is no panel: an entry of the group {ENTRY_POINT_GROUP!r} names a class derived from "
                "cellos_nb.panels.frame.Panel."
            )
        return kind


BUILT_IN = (
    RoomTab("Launcher", "Begin", "cellos_nb.panels.launcher.panel:LauncherPanel"),
    RoomTab("Import", "Begin", "cellos_nb.panels.history_import.panel:HistoryImportPanel"),
    RoomTab("Live", "Campaign", "cellos_nb.panels.live.panel:LiveCampaignPanel"),
    RoomTab("Doses", "Campaign", "cellos_nb.panels.dose_response.panel:DoseResponsePanel"),
    RoomTab("Compare", "Campaign", "cellos_nb.panels.comparison.panel:ComparisonPanel"),
    RoomTab("Plates", "Campaign", "cellos_nb.panels.plates.panel:PlatesPanel"),
    RoomTab("Table", "Campaign", "cellos_nb.panels.table.panel:TablePanel"),
    RoomTab("Why", "Campaign", "cellos_nb.panels.why.panel:WhyThisDosePanel"),
    RoomTab("Autonomy", "Laboratory", "cellos_nb.panels.autonomy.panel:AutonomyPanel"),
    RoomTab("Bench", "Laboratory", "cellos_nb.panels.bench.panel:BenchPanel"),
    RoomTab("Calendar", "Laboratory", "cellos_nb.panels.calendar.panel:CalendarPanel"),
    RoomTab("Inventory", "Laboratory", "cellos_nb.panels.inventory.panel:InventoryPanel"),
    RoomTab("Cell bank", "Laboratory", "cellos_nb.panels.bank.panel:BankPanel"),
    RoomTab("Facility", "Laboratory", "cellos_nb.panels.facility.panel:FacilityPanel"),
)
"""A panel joins the control room, and the tests of what all panels must do, by one line here."""


def room_tabs() -> tuple[RoomTab, ...]:
    """All tabs, by group: ours, then those of plug-ins by name."""
    known: dict[str, RoomTab] = {}
    for tab in (*BUILT_IN, *_plugged_in()):
        name = tab.name if tab.name not in known else f"{tab.name} ({tab.brought_by or tab.value})"
        known[name] = replace(tab, name=name)
    return tuple(sorted(known.values(), key=lambda tab: GROUPS.index(tab.group)))


def _plugged_in() -> Iterable[RoomTab]:
    return (_tab_of(entry) for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name))


def _tab_of(entry: EntryPoint) -> RoomTab:
    """`laboratory.cold_rooms` is "Cold rooms" in the group Laboratory; without a group, it is in the last."""
    first, _, rest = entry.name.partition(".")
    named = next((group for group in GROUPS if rest and group.lower() == first.lower()), None)
    title = (rest if named else entry.name).replace("_", " ").strip()
    brought_by = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
    return RoomTab(title[:1].upper() + title[1:], named or GROUPS[-1], entry.value, brought_by)
