"""The bank as a panel: what is changed in it changes what comes out, and the pictures say what the numbers say."""

from dataclasses import replace

import pytest

from cellos_nb.errors import ConfigError
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.simulate import simulate
from cellos_nb.operations.banks.stock import receive_vials
from cellos_nb.operations.banks.summary import crash_test
from cellos_nb.operations.banks.trouble import Trouble
from cellos_nb.panels import BankPanel

MASTER = BankConfig.model_validate({"name": "HeLa <b>", "cell_line": "HeLa", "master": {"vials": 20}})


@pytest.fixture
def panel(lab):
    with BankPanel(lab, MASTER) as opened:
        opened.choice = replace(opened.choice, n_runs=300)
        assert opened.widget
        yield opened


def test_it_says_what_a_simulation_says(panel):
    runs = simulate(MASTER, n_runs=300, seed=1)
    assert f"in {runs.measures['success'].mean():.1%} of 300 runs" in panel.summary(panel.shown)


def test_a_changed_number_changes_what_comes_out(panel):
    before = panel.summary(panel.shown)
    panel.choice = replace(panel.choice, master_vials=60)
    panel.refresh()
    assert panel.errors.lines == ()
    assert "60 vials of a master bank" in panel.summary(panel.shown) != before
    assert panel._fields["master_vials"].value == 60


def test_a_working_bank_can_be_added(panel):
    panel.choice = replace(panel.choice, working_vials=40)
    panel.refresh()
    assert [name for name, _ in panel.shown.config.stages] == ["master", "working"]
    assert "40 vials of a working bank" in panel.summary(panel.shown)


def test_what_goes_wrong_is_told_in_words_and_drawn(panel):
    assert panel._crash.layout.display == "none"
    assert panel._fields["on_day"].disabled
    panel.choice = replace(panel.choice, wrong="incubator fails", on_day=5, incubators=1)
    panel.refresh()
    expected = crash_test(panel.shown.config, Trouble(incubator_fails=(5,)), n_runs=300)
    assert f"{expected.saved:.0%} of the runs in culture" in panel._crash_words.value
    assert panel._crash.layout.display is None
    assert bytes(panel._crash.value).startswith(b"<?xml")
    assert not panel._fields["on_day"].disabled


@pytest.mark.parametrize(
    ("wrong", "trouble"),
    [
        ("nothing", Trouble()),
        ("incubator fails", Trouble(incubator_fails=(4,))),
        ("contamination found", Trouble(contamination_found=(4,))),
        ("mycoplasma comes in", Trouble(hidden_from=(4,))),
        ("nobody comes", Trouble(person_away=((4, 6),))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_trouble_that_is_offered_is_one(panel, wrong, trouble):
    assert replace(panel.choice, wrong=wrong, on_day=4, for_days=3).trouble == trouble


def test_what_cannot_be_made_is_said_in_the_panel_and_mended_by_the_next_choice(panel):
    panel.choice = replace(panel.choice, master_vials=0)
    panel.refresh()
    assert "neither a master nor a working bank" in panel.errors.lines[-1].message
    panel.choice = replace(panel.choice, master_vials=20, max_flasks=2)
    panel.refresh()
    assert "Give at least 4 flasks" in panel.errors.lines[-1].message
    panel.choice = replace(panel.choice, max_flasks=8)
    panel.refresh()
    assert panel.errors.lines == ()


def test_vials_in_stock_are_shown_with_their_passage(lab, panel):
    assert "in stock" not in panel._facts.value
    receive_vials(lab.inventory, MASTER, "master", vials=7, passage=4, lot_number="M-1")
    panel._refresh()
    assert "lot M-1: 7 Mcells, passage 4" in panel._facts.value


def test_every_picture_says_what_it_shows_and_names_are_escaped(panel):
    for picture in (panel._fan, panel._histogram, panel._tornado):
        assert len(picture.tooltip) > 20
        assert b"</svg>" in bytes(picture.value)
    assert "<b>" not in panel._facts.value


def test_the_same_choice_draws_the_same_bytes(panel):
    before = bytes(panel._fan.value)
    panel.refresh()
    assert bytes(panel._fan.value) == before


def test_the_static_form_has_all_pictures_and_tables(lab):
    with BankPanel(lab, MASTER, static=True) as panel:
        panel.choice = replace(panel.choice, wrong="nobody comes", on_day=4, n_runs=300)
        form = panel.static_form(panel.read())
    assert [figure.png[:4] for figure in form.figures] == [b"\x89PNG"] * 4
    assert [table.caption for table in form.tables] == ["All runs", "How they ended", "With the trouble"]


def test_a_file_that_is_no_bank_is_refused(lab, tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        BankPanel(lab, tmp_path / "none.yaml")
