"""The panel holds what every panel promises; add tests of what is special about yours."""

from __future__ import annotations

from cellos_nb import Lab
from cellos_nb.panels.tabs import RoomTab
from cellos_nb.testing import PanelContract


class TestMyPanel(PanelContract):
    """Each test of the contract, on this panel."""

    tab = "My panel"

    def test_it_counts_what_was_measured(self, room_tab: RoomTab, lab: Lab) -> None:
        with self.opened(room_tab, lab) as panel:
            shown = panel.read()
        assert shown.counts.sum() == len(lab.campaigns()[-1].history())
