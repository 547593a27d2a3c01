"""What every panel promises, whatever it shows; one check for each promise stands in `cellos_nb.panels.contract`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cellos_nb.lab import Lab
from cellos_nb.panels.contract import broken_promises, hostile_lab
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.room import ControlRoom
from cellos_nb.panels.seat import Seat
from cellos_nb.panels.tabs import RoomTab, room_tabs


class PanelContract:
    """Inherit it, and name the tab as it stands in the control room.

    class TestMine(PanelContract):
        tab = "Incubators"
    """

    tab: ClassVar[str]
    """As it stands on the tab: the entry point `laboratory.cold_rooms` is "Cold rooms"."""

    @pytest.fixture
    def lab(self, tmp_path: Path) -> Iterator[Lab]:
        """A laboratory with one small finished campaign, whose names show what is not escaped."""
        with hostile_lab(tmp_path) as opened:
            yield opened

    @pytest.fixture
    def room_tab(self) -> RoomTab:
        """The tab; override it with `params` to test several."""
        found = {each.name: each for each in room_tabs()}
        assert self.tab in found, f"no package brings it; there are {', '.join(found)}"
        return found[self.tab]

    def opened(self, room_tab: RoomTab, lab: Lab) -> Panel[Any, Any]:
        """The panel as the control room opens it."""
        return room_tab.load().for_room(Seat(lab, lab, lab.store.campaign_ids()[-1], static=False))

    def test_it_breaks_no_promise(self, room_tab: RoomTab, lab: Lab) -> None:
        assert broken_promises(room_tab.load(), lab) == []

    def test_opened_again_it_says_the_same(self, room_tab: RoomTab, lab: Lab) -> None:
        said = []
        for _ in range(2):
            with self.opened(room_tab, lab) as panel:
                assert panel.widget
                assert panel.shown is not None
                said.append(panel.summary(panel.shown))
        assert said[0] == said[1]

    def test_the_control_room_opens_it_in_its_tab(self, room_tab: RoomTab, lab: Lab) -> None:
        with ControlRoom(lab) as room:
            room.open(room_tab.name)
            assert room.widget
            assert room_tab.name in room.panels, "it could not be opened; its tab says why"
            assert room.panels[room_tab.name].errors.lines == ()
