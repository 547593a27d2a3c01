"""What a person chose in a panel is there again after a kernel restart, and never stands in the way."""

from __future__ import annotations

import logging

import pytest
from daemon_process import until

from cellos_nb.panels import (
    AutonomyPanel,
    ComparisonPanel,
    ControlRoom,
    DoseResponsePanel,
    PlatesPanel,
    TablePanel,
    WhyThisDosePanel,
)
from cellos_nb.panels.memory import Memory
from cellos_nb.panels.table.model import Query

CHOSEN = {
    "plates": (PlatesPanel, {"colour": "value", "well": "C5"}),
    "table": (TablePanel, {"query": Query("value", is_descending=True, filters=(("dose_um", ">0.1"),))}),
    "doses": (DoseResponsePanel, {"compound": "paclitaxel", "kind": "mean", "has_model": True}),
    "comparison": (ComparisonPanel, {"by": "cell_line", "abscissa": "iteration"}),
    "why": (WhyThisDosePanel, {"proposal_id": "i002-e001"}),
    "autonomy": (AutonomyPanel, {"at_least": "WARNING", "text": "plate"}),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    return tmp_path / "jupyter" / "cellos_nb" / "choices"


@pytest.mark.parametrize(("kind", "chosen"), CHOSEN.values(), ids=CHOSEN)
def test_a_choice_comes_back_in_the_same_cell_and_in_no_other(kind, chosen, lab):
    with kind(lab) as panel:
        panel.remember("a cell")
        assert panel.widget
        panel.choose(**chosen)
        made = panel.choice
    with kind(lab) as again, kind(lab) as elsewhere:
        again.remember("a cell")
        elsewhere.remember("another cell")
        assert again.choice == made != elsewhere.choice
        assert again.widget
        assert again.errors.lines == ()
        assert again.choice == made
        assert again.summary(again.shown) == panel.summary(panel.shown)


def test_the_widgets_of_table_and_log_stand_as_they_were_left(lab):
    for kind, chosen in (CHOSEN["table"], CHOSEN["autonomy"]):
        with kind(lab) as panel:
            panel.remember("a cell")
            assert panel.widget
            panel.choose(**chosen)
    with TablePanel(lab) as table, AutonomyPanel(lab) as autonomy:
        for panel in (table, autonomy):
            panel.remember("a cell")
            assert panel.widget
        asked = table._table.asked
        assert (asked["sort"], asked["filters"]) == (["value", "descending"], {"dose_um": ">0.1"})
        assert (autonomy.level.value, autonomy.text.value) == ("WARNING", "plate")


def test_an_argument_that_was_changed_in_the_cell_goes_before_what_was_chosen(lab):
    with PlatesPanel(lab) as panel:
        panel.remember("a cell")
        panel.choose(colour="value")
    with PlatesPanel(lab, colour="dose") as panel:
        panel.remember("a cell")
        assert panel.choice.colour == "dose"


def test_a_copy_of_the_notebook_begins_anew(lab, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    with PlatesPanel(lab) as panel:
        panel.remember("a cell")
        panel.choose(colour="value")
    monkeypatch.setenv("JPY_SESSION_NAME", "a-copy.ipynb")
    with PlatesPanel(lab) as panel:
        panel.remember("a cell")
        assert panel.choice.colour == "role"


def test_a_choice_of_another_release_is_left_and_said_in_the_log(lab, folder, caplog):
    with PlatesPanel(lab) as panel:
        panel.remember("a cell")
        panel.choose(colour="value")
    (kept,) = folder.iterdir()
    kept.write_text('{"colour": "taste"}', encoding="utf-8")
    with PlatesPanel(lab) as panel, caplog.at_level(logging.WARNING):
        panel.remember("a cell")
        assert panel.choice.colour == "role"
    assert "begins anew" in caplog.text


def test_where_nothing_can_be_kept_the_panel_works_and_the_log_says_so(lab, folder, caplog):
    folder.parent.parent.mkdir(parents=True)
    folder.parent.write_text("no folder", encoding="utf-8")
    with PlatesPanel(lab) as panel, caplog.at_level(logging.WARNING):
        panel.remember("a cell")
        assert panel.widget
        panel.choose(colour="value")
        assert panel.shown.picture is not None
        assert panel.errors.lines == ()
    assert "cannot be kept" in caplog.text


def test_the_control_room_opens_at_the_tab_and_with_the_choices_of_before(lab):
    with ControlRoom(lab) as room:
        room.remember("a cell")
        assert room.widget
        assert room.tab == "Live"
        room.open("Plates")
        room.panels["Plates"].choose(colour="dose")
        until(lambda: room.panels["Plates"]._kept.colour == "dose")
    with ControlRoom(lab) as room:
        room.remember("a cell")
        assert room.widget
        assert room.tab == "Plates"
        assert room.panels["Plates"].choice.colour == "dose"
    Memory.of("a cell", lab.store.identity, "ControlRoom").keep("Cellar")
    with ControlRoom(lab) as room:
        room.remember("a cell")
        assert room.widget
        assert room.tab == "Live"


def test_only_the_tab_in_view_looks_for_news(lab):
    with ControlRoom(lab) as room:
        assert room.widget
        room.open("Table")
        at_rest = {name: panel._worker._is_resting for name, panel in room.panels.items()}
        assert at_rest == {"Live": True, "Table": False}
        room.open("Live")
        assert {name: panel._worker._is_resting for name, panel in room.panels.items()} == {
            "Live": False,
            "Table": True,
        }
