"""The launcher: what is typed is checked, proved and launched; nobody's typing is overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from ipywidgets.widgets.widget import _instances
from panel_campaigns import EVIL, small_config

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.stock import Resource
from cellos_nb.execution.approvals import approvals_of
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.lease import dispatcher
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.panels import LauncherPanel
from cellos_nb.panels.launcher.fields import all_fields
from cellos_nb.panels.launcher.form import SECTIONS


class RealMachine(VirtualMachine):
    """A machine that says it touches something real."""

    def describe(self):
        return replace(super().describe(), machine="real", is_simulated=False, hour_s=0.0)


def config(**changes) -> CampaignConfig:
    small = {"name": "plain", "compounds": ["staurosporine", "paclitaxel"], "batch_size": 4, "max_iterations": 1}
    return small_config(**(small | {"machine": "biology", "planner": "random"} | changes))


@pytest.fixture
def url(tmp_path) -> str:
    return str(tmp_path / "new.db")


@pytest.fixture
def panel(url):
    with LauncherPanel(url, config()) as opened:
        assert opened.widget
        yield opened


def control(panel, *path):
    return panel.form.controls[path][0]


def note(panel, *path) -> str:
    return panel.form._notes[path].value


def head_of(panel) -> str:
    return panel.widget.children[1].value


def foot_of(panel) -> str:
    return panel.widget.children[-1].value


def test_every_field_has_a_labelled_control_on_one_tab(panel):
    assert set(panel.form.controls) == {field.path for field in all_fields()}
    for field in all_fields():
        for widget in panel.form.controls[field.path]:
            assert field.label in widget.description
    assert len(panel.form.tabs.children) == len(SECTIONS)
    assert sum(len(tab.children) for tab in panel.form.tabs.children) == len(all_fields())


def test_what_is_wrong_is_said_beside_the_field_and_counted_on_its_tab(panel):
    control(panel, "replicates").value = 0
    assert "0 is too small; give a number of at least 1" in note(panel, "replicates")
    assert "Plates (1 wrong)" in panel.form.tabs.titles
    assert "1 to correct: replicates" in head_of(panel)
    assert panel.prove_button.disabled
    control(panel, "replicates").value = 2
    assert "too small" not in note(panel, "replicates")
    assert not panel.prove_button.disabled


def test_what_the_machine_refuses_stands_beside_the_field_as_well(panel):
    control(panel, "cell_lines").value = "U2OS\nnobody"
    assert "line 2: &#39;nobody&#39; is unknown to the machine" in note(panel, "cell_lines")
    assert panel.launch_button.disabled


def test_what_it_will_take_follows_what_is_typed(panel):
    before = panel._needed.value
    control(panel, "max_iterations").value = 7
    assert "at most 7" in panel._needed.value
    assert panel._needed.value != before


def test_what_is_short_in_stock_is_said_before_the_launch_and_forgotten_once_it_is_there(panel):
    assert "stock" not in panel._needed.value
    priced = {"price_as_of": date(2026, 1, 5), "price_source": "quotation 12"}
    tips = Resource(name="filter tips", kind="tips", unit="pcs", pack_size=96, pack_price_usd="8.64", **priced)
    panel.lab.inventory.declare(tips)
    control(panel, "max_iterations").value = 7
    assert 'role="alert"' in panel._needed.value
    assert "filter tips" in panel._needed.value
    assert panel.shown.is_short
    panel.lab.inventory.receive("filter tips", 9600, lot_number="T1")
    panel._prove()
    panel.refresh()
    assert "enough for the plates of the first iteration" in panel._needed.value
    assert not panel.shown.is_short


def test_the_names_that_the_machine_knows_can_be_added(panel):
    picker = panel.form.pickers["cell_lines",]
    assert "U2OS" not in picker.options
    picker.value = picker.options[:1]
    added = picker.value[0]
    panel.form.adders["cell_lines",].click()
    assert control(panel, "cell_lines").value.splitlines() == ["U2OS", "HepG2", added]
    assert panel.shown.checked.config.cell_lines == ("U2OS", "HepG2", added)
    assert added not in panel.form.pickers["cell_lines",].options


def test_names_that_are_selected_stay_selected_while_the_panel_redraws(panel):
    picker = panel.form.pickers["cell_lines",]
    picker.value = picker.options[1:3]
    selected = picker.value
    control(panel, "replicates").value = 3
    assert picker.value == selected


def test_kinds_of_machines_and_planners_are_offered(panel):
    assert {"biology", "replay", "virtual"} <= set(control(panel, "machine", "kind").options)
    assert {"mechanistic", "random", "space_filling"} <= set(control(panel, "planner", "kind").options)


def test_a_group_that_is_off_is_greyed_out(panel):
    assert not control(panel, "controls", "positive", "dose_um").disabled
    control(panel, "controls", "positive").value = False
    assert control(panel, "controls", "positive", "dose_um").disabled
    assert panel.shown.checked.config.controls.positive is None


def test_drawing_never_overwrites_what_is_being_typed(panel):
    widget = control(panel, "name")
    with widget.hold_trait_notifications():
        widget.set_trait("value", "typed and not heard of yet")
        panel.refresh()
        assert widget.value == "typed and not heard of yet"


def test_a_campaign_is_proved_then_launched_and_followed_to_its_end(panel, url):
    assert panel.launch_button.disabled
    panel.prove_button.click()
    assert not panel.launch_button.disabled
    assert 'sandbox=""' in panel._proof.value
    panel.launch_button.click()
    assert panel.launched.wait(60)
    panel.refresh()
    assert "plain has finished" in panel._running.value
    with Lab.open(url) as lab:
        assert lab.campaign("plain").status == "finished"


def test_a_change_after_the_proof_asks_for_another_one(panel):
    panel.prove_button.click()
    control(panel, "seed").value = "5"
    assert panel.launch_button.disabled
    assert "changed since it was proved" in panel._proof.value


def test_two_clicks_on_launch_make_one_campaign(panel, url):
    panel.prove_button.click()
    panel.launch_button.click()
    first = panel.launched
    panel.do(panel._launch)
    assert panel.launched is first
    assert "was not proved yet" in foot_of(panel)
    assert first.wait(60)
    with Lab.open(url) as lab:
        assert len(lab.campaigns()) == 1


def test_a_real_machine_is_launched_after_a_person_read_and_approved(url):
    with Lab(Lab.open(url).store, RealMachine()) as lab, LauncherPanel(lab, config(machine="virtual")) as panel:
        assert panel.widget
        assert panel._approval.layout.display == "none"
        panel.prove_button.click()
        assert panel._approval.layout.display == "flex"
        assert panel.launch_button.disabled
        panel.person.value = "Ada"
        panel.approve_button.click()
        assert "read it for every plate" in foot_of(panel)
        panel.has_read.value = True
        panel.approve_button.click()
        (plate,) = panel.shown.proved.plates
        assert [given.person for given in approvals_of(lab.store, plate.workflow_sha256)] == ["Ada"]
        assert not panel.launch_button.disabled


def test_a_configuration_is_saved_and_loaded(panel, tmp_path):
    panel.file.value = str(tmp_path / "saved.yaml")
    panel.save_button.click()
    assert CampaignConfig.from_yaml(tmp_path / "saved.yaml") == config()
    control(panel, "name").value = "another"
    panel.load_button.click()
    assert control(panel, "name").value == "plain"
    panel.save_button.click()
    assert "exists already" in foot_of(panel)


def test_a_file_that_cannot_be_read_is_said_in_the_panel(panel, tmp_path):
    panel.file.value = str(tmp_path / "none.yaml")
    panel.load_button.click()
    assert "there is no such file" in foot_of(panel)
    assert control(panel, "name").value == "plain"


def test_no_name_in_the_form_is_executed(url):
    evil = config(name=EVIL, compounds=[EVIL, "b"], machine="virtual")
    with LauncherPanel(url, evil) as panel:
        assert panel.widget
        panel.prove_button.click()
        assert "&lt;img" in head_of(panel)
        assert "&amp;lt;img" in panel._proof.value
        control(panel, "machine", "kind").value = EVIL
        assert "&lt;img" in note(panel, "machine", "kind")
        assert not any("<img" in w.value for w in _instances.values() if type(w).__name__ == "HTML")


def test_a_form_without_a_configuration_says_what_is_missing(url):
    with LauncherPanel(url) as panel:
        assert panel.widget
        assert "to correct: name, cell lines, compounds, dose range (µM)" in head_of(panel)


def test_the_static_form_holds_every_field_that_says_something_and_what_it_will_take(url, capsys):
    before = len(_instances)
    with LauncherPanel(url, config(), static=True) as panel:
        panel._ipython_display_()
        form = panel.static_form(panel.read())
    assert len(_instances) == before
    fields, needs = (table.frame for table in form.tables)
    left_out = {field.label for field in all_fields()} - set(fields["field"])
    assert {"name", "compounds", "number of doses", "seed"} <= set(fields["field"])
    assert "budget (USD)" in left_out
    assert form.tables[0].caption == f"configuration; {len(left_out)} fields are left out"
    assert "cost" in set(needs["what"])
    assert "configuration" in capsys.readouterr().out


def test_a_campaign_is_handed_to_the_daemon_and_followed_in_the_store(panel, url):
    panel.prove_button.click()
    panel.executed_by.value = "daemon"
    panel.launch_button.click()
    assert "plain was handed to the daemon: 0 iterations begun" in panel._running.value
    assert "start `cellos daemon`" in panel._running.value
    with Lab.open(url) as lab:
        # How many ticks a campaign takes is the machine's speed; each call makes one.
        for _ in range(20):
            if lab.campaign("plain").status == "finished":
                break
            Daemon(lab.store, lab).run(once=True)
        assert lab.campaign("plain").status == "finished"
    panel._refresh()
    assert "plain: finished (the one iteration is done)" in panel._running.value


def test_where_another_process_executes_the_daemon_is_suggested_and_running_here_refused(url):
    with Lab.open(url) as other, dispatcher(other.store), LauncherPanel(url, config()) as panel:
        assert panel.widget
        assert panel.executed_by.value == "daemon"
        panel.prove_button.click()
        panel.executed_by.value = "here"
        panel.launch_button.click()
        assert "so this kernel cannot. Choose &#39;hand to the daemon&#39;" in foot_of(panel)
        assert panel.launched is None
        assert other.campaigns() == ()
