"""The control room: every panel in a tab, opened when it is looked at."""

from __future__ import annotations

import threading

import pytest
from ipywidgets.widgets.widget import _instances

from cellos_nb import Lab
from cellos_nb.errors import CampaignError
from cellos_nb.panels import ControlRoom
from cellos_nb.panels.room import TABS


def test_every_tab_opens_its_panel_when_it_is_looked_at_and_all_is_given_back(lab_url):
    before, threads = set(_instances), set(threading.enumerate())
    room = ControlRoom(lab_url)
    assert room.widget
    assert set(room.panels) == {"Live"}
    for index, name in enumerate(TABS):
        room.tabs.selected_index = index
        room.panels[name].refresh()
        assert room.panels[name].errors.lines == ()
        assert room.panels[name].shown is not None
    assert set(room.panels) == set(TABS)
    room.close()
    room.close()
    assert set(_instances) == before
    assert set(threading.enumerate()) <= threads


def test_another_campaign_comes_into_view_in_every_panel_of_a_campaign(lab):
    first = lab.campaigns()[0]
    with ControlRoom(lab) as room:
        assert room.widget
        other = lab.store.add_campaign(first.config)
        room.tabs.selected_index = TABS.index("Plates")
        assert room.chosen.options == (other, first.campaign_id)
        assert room.panels["Plates"].campaign.campaign_id == first.campaign_id
        room.chosen.value = other
        assert set(room.panels) == {"Plates"}
        assert room.panels["Plates"].campaign.campaign_id == other


def test_a_campaign_that_is_launched_from_the_room_comes_into_view(lab):
    with ControlRoom(lab) as room:
        assert room.widget
        room.tabs.selected_index = TABS.index("Launcher")
        launcher = room.panels["Launcher"]
        launcher._worker.stop()
        launcher.refresh()
        launcher._prove()
        launcher.executed_by.value = "daemon"
        launcher._launch()
        room.tabs.selected_index = TABS.index("Live")
        assert room.campaign.campaign_id == launcher.launched.campaign_id
        assert room.panels["Live"].campaign.campaign_id == launcher.launched.campaign_id


def test_in_static_mode_every_panel_leaves_its_form_and_no_widget(lab, capsys):
    n_widgets = len(_instances)
    with ControlRoom(lab, static=True) as room:
        room._ipython_display_()
    assert len(_instances) == n_widgets
    said = capsys.readouterr().out
    assert all(title in said for title in ("Launcher", "Live campaign", "Comparison", "Autonomy", "Why this dose"))


def test_a_campaign_that_is_not_there_is_refused_at_once(lab, tmp_path):
    with pytest.raises(CampaignError, match="no such campaign"):
        ControlRoom(lab, "nothing")
    with Lab.open(tmp_path / "empty.db") as empty, pytest.raises(CampaignError, match="holds no campaign yet"):
        ControlRoom(empty)
