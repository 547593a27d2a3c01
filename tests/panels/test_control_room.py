"""The control room: every panel in a tab, opened when it is looked at."""

from __future__ import annotations

import sys
import threading

import pytest
from ipywidgets import HTML, Button
from ipywidgets.widgets.widget import _instances

from cellos_nb import Lab
from cellos_nb.errors import CampaignError, InputError
from cellos_nb.panels import ControlRoom
from cellos_nb.panels.cells import tree_of
from cellos_nb.panels.tabs import BUILT_IN, room_tabs

TABS = tuple(tab.name for tab in BUILT_IN)
INCUBATORS = '''
from dataclasses import dataclass
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.static import StaticForm

@dataclass(frozen=True)
class Choice:
    shelf: int = 1

class IncubatorPanel(Panel[Choice, int]):
    """How many campaigns a laboratory has, for want of an incubator."""
    title = "Incubators"
    def __init__(self, lab, *, static=None):
        super().__init__(lab, Choice(), static=static)
    def read(self):
        return len(self.lab.store.campaign_ids())
    def body(self):
        from ipywidgets import Label
        self.label = Label()
        return self.label
    def draw(self, shown):
        self.label.value = str(shown)
    def summary(self, shown):
        return f"This laboratory has {shown} campaigns."
    def static_form(self, shown):
        import pandas as pd
        from cellos_nb.panels.static import StaticTable
        return StaticForm(self.title, self.summary(shown), tables=(StaticTable("n", pd.DataFrame({"n": [shown]})),))

class HalfMade(IncubatorPanel):
    def body(self):
        raise ZeroDivisionError("<b>half made</b>")

class BadToClose(IncubatorPanel):
    def close(self):
        super().close()
        raise OSError("the door is stuck")
'''
ENTRIES = """[cellos_nb.panels]
laboratory.incubators = my_incubators:IncubatorPanel
half_made = my_incubators:HalfMade
gone = my_incubators_gone:Panel
stuck = my_incubators:BadToClose
no_panel = my_incubators:Choice
Table = my_incubators:IncubatorPanel
"""


@pytest.fixture
def plugged_in(tmp_path, monkeypatch):
    """Installs a package that brings panels, good and bad."""
    folder = tmp_path / "site"
    info = folder / "my_incubators-1.2.dist-info"
    info.mkdir(parents=True)
    (folder / "my_incubators.py").write_text(INCUBATORS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-incubators\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("my_incubators", None)


def text_of(room, name) -> str:
    return " ".join(each.value for each in tree_of(room._places[name]) if isinstance(each, HTML))


def test_every_tab_opens_its_panel_when_it_is_looked_at_and_all_is_given_back(lab_url):
    before, threads = set(_instances), set(threading.enumerate())
    room = ControlRoom(lab_url)
    assert room.widget
    assert set(room.panels) == {"Live"}
    for name in TABS:
        room.open(name)
        assert room.tab == name
        room.panels[name].refresh()
        assert room.panels[name].errors.lines == ()
        assert room.panels[name].shown is not None
    assert set(room.panels) == set(TABS)
    room.close()
    room.close()
    assert set(_instances) == before
    assert set(threading.enumerate()) <= threads


def test_of_a_tab_that_was_not_looked_at_nothing_is_imported(lab, plugged_in):
    with ControlRoom(lab) as room:
        assert room.widget
        room.open("Plates")
        assert "my_incubators" not in sys.modules
        room.open("Incubators")
        assert "my_incubators" in sys.modules


def test_a_tab_that_is_not_there_is_refused_with_those_that_are(lab):
    with ControlRoom(lab) as room, pytest.raises(InputError, match=r"Cellar: there is no such tab; .* Plates"):
        room.open("Cellar")


def test_a_panel_of_a_plug_in_stands_in_the_group_that_its_entry_names(lab, plugged_in):
    with ControlRoom(lab) as room:
        assert room.widget
        laboratory = room.groups.titles.index("Laboratory")
        assert "Incubators" in room.groups.children[laboratory].titles
        assert set(room.groups.children[-1].titles) >= {"Half made", "Gone", "Stuck", "No panel"}
        room.open("Incubators")
        room.panels["Incubators"].refresh()
        assert room.panels["Incubators"].shown == 1


def test_a_plug_in_cannot_take_the_name_of_another_tab(lab, plugged_in):
    names = [tab.name for tab in room_tabs()]
    assert "Table" in names
    assert "Table (my-incubators 1.2)" in names
    assert room_tabs()[names.index("Table")].value.startswith("cellos_nb.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Half made", "ZeroDivisionError: &lt;b&gt;half made"),
        ("Gone", "No module named &#39;my_incubators_gone&#39;"),
        ("No panel", "my_incubators:Choice is no panel"),
    ],
    ids=["breaks while it is built", "cannot be imported", "is something else"],
)
def test_a_broken_panel_shows_its_error_in_its_own_tab_and_the_others_work(lab, plugged_in, name, said):
    with ControlRoom(lab) as room:
        assert room.widget
        room.open(name)
        assert said in text_of(room, name)
        assert "my-incubators 1.2" in text_of(room, name)
        assert name not in room.panels
        room.open("Plates")
        room.panels["Plates"].refresh()
        assert room.panels["Plates"].errors.lines == ()
        assert room.errors.lines == ()


def test_a_panel_that_was_mended_opens_at_a_click(lab, plugged_in, monkeypatch):
    before = set(_instances)
    with ControlRoom(lab) as room:
        assert room.widget
        room.open("Half made")
        monkeypatch.delattr(sys.modules["my_incubators"].HalfMade, "body")
        again = next(each for each in tree_of(room._places["Half made"]) if isinstance(each, Button))
        again.click()
        assert "Half made" in room.panels
        assert "cannot be opened" not in text_of(room, "Half made")
    assert set(_instances) == before


def test_a_panel_that_cannot_be_closed_keeps_no_other_open(lab, plugged_in):
    before = set(_instances)
    room = ControlRoom(lab)
    assert room.widget
    room.open("Stuck")
    room.open("Plates")
    room.close()
    assert "the door is stuck" in room.errors.lines[-1].message
    assert set(_instances) == before


def test_another_campaign_comes_into_view_in_every_panel_of_a_campaign(lab):
    first = lab.campaigns()[0]
    with ControlRoom(lab) as room:
        assert room.widget
        room.open("Autonomy")
        other = lab.store.add_campaign(first.config)
        room.open("Plates")
        assert room.chosen.options == (other, first.campaign_id)
        assert room.panels["Plates"].campaign.campaign_id == first.campaign_id
        room.chosen.value = other
        assert set(room.panels) == {"Autonomy", "Plates"}
        assert room.panels["Plates"].campaign.campaign_id == other


def test_a_campaign_that_is_launched_from_the_room_comes_into_view(lab):
    with ControlRoom(lab) as room:
        assert room.widget
        room.open("Launcher")
        launcher = room.panels["Launcher"]
        launcher._worker.stop()
        launcher.refresh()
        launcher._prove()
        launcher.executed_by.value = "daemon"
        launcher._launch()
        room.open("Live")
        assert room.campaign_id == launcher.launched.campaign_id
        assert room.panels["Live"].campaign.campaign_id == launcher.launched.campaign_id


def test_a_database_without_campaigns_opens_at_the_launcher_and_says_so_elsewhere(lab, tmp_path):
    with Lab.open(tmp_path / "empty.db") as empty, ControlRoom(empty) as room:
        assert room.widget
        assert room.tab == "Launcher"
        room.open("Live")
        assert "holds no campaign yet" in text_of(room, "Live")
        room.open("Autonomy")
        assert set(room.panels) == {"Launcher", "Autonomy"}
        begun = empty.store.add_campaign(lab.campaigns()[0].config)
        room.open("Live")
        assert room.campaign_id == begun
        assert room.panels["Live"].campaign.campaign_id == begun


def test_in_static_mode_every_panel_leaves_its_form_and_no_widget(lab, plugged_in, capsys):
    n_widgets = len(_instances)
    with ControlRoom(lab, static=True) as room:
        room._ipython_display_()
    assert len(_instances) == n_widgets
    said = capsys.readouterr().out
    titles = ("Launcher", "Live campaign", "Comparison", "Autonomy", "Why this dose", "Bench", "Calendar")
    assert all(title in said for title in titles)
    assert "This laboratory has 1 campaigns" in said
    assert "No module named 'my_incubators_gone'" in said


def test_a_campaign_that_is_not_there_is_refused_at_once(lab):
    with pytest.raises(CampaignError, match="no such campaign"):
        ControlRoom(lab, "nothing")
