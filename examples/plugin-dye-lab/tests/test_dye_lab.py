"""Everything that the package brings holds its contract; and does what is special about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from dye_lab.reader import EC50_UM

from cellos_nb import CampaignConfig, Lab, fit_dose_response
from cellos_nb.execution.actions import Bench, perform_now
from cellos_nb.panels.tabs import RoomTab
from cellos_nb.testing import ActionContract, AssayContract, MachineContract, PanelContract, PlannerContract


class TestDyeReader(MachineContract):
    """The machine."""

    kind = "dye_reader"
    compound = "aurora"


class TestHalving(PlannerContract):
    """The planner."""

    settings = {"kind": "halving"}


class TestOvernight(AssayContract):
    """The assay."""

    protocol = "overnight"


class TestShoppingList(ActionContract):
    """The action."""

    kind = "shopping_list"
    payload = {"items": {"aurora": 3.5, "borealis": 40}, "below": 10}
    refused = ({}, {"items": {}, "below": 1}, {"items": {"a": -1}, "below": 1}, {"items": {"a": 1}, "below": "few"})

    def test_in_real_it_lists_what_runs_short(self, lab: Lab) -> None:
        perform_now(self.kind, dict(self.payload), Bench(lab.store, lab, is_real=True))
        assert (lab.store.folder / "shopping.txt").read_text(encoding="utf-8") == "aurora: 3.5\n"


class TestShelf(PanelContract):
    """The panel."""

    tab = "Shelf"

    def test_it_counts_every_well(self, room_tab: RoomTab, lab: Lab) -> None:
        with room_tab.load()(lab) as panel:
            rows = panel.read()
        assert sum(row[2] for row in rows) == len(lab.campaigns()[-1].history())


def test_the_campaign_of_the_example_finds_where_the_dyes_fade(tmp_path: Path) -> None:
    config = CampaignConfig.from_yaml(Path(__file__).parents[1] / "campaign.yaml")
    with Lab.open(tmp_path / "lab.db") as lab:
        history = lab.run(config).history()
    for compound, truth in EC50_UM.items():
        wells = history[history["compound"] == compound]
        found = fit_dose_response(wells["dose_um"], wells["value"], lower=(0, 0), upper=(1, 1)).ec50
        assert found == pytest.approx(truth, rel=0.1)
