"""The bench panel: the next task as a page, and answers that are checked as on the command line."""

from __future__ import annotations

import pytest

from cellos_nb import CampaignConfig, Lab
from cellos_nb.execution.daemon import Daemon
from cellos_nb.panels import BenchPanel

HANDS = "kind: bench\npipettes: [{name: P2, min_ul: 0.2, max_ul: 2}, {name: P200, min_ul: 2, max_ul: 200}]\nhour_s: 0\n"


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "hands.yaml").write_text(HANDS)
    config = CampaignConfig(
        name="<b>hand</b>",
        cell_lines=["U2OS"],
        compounds=["<img src=x>"],
        dose_range_um=[0.1, 10],
        objective="minimise",
        batch_size=3,
        max_iterations=1,
        planner="random",
        machine={"kind": "hands", "file": str(tmp_path / "hands.yaml")},
        seed=1,
    )
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.submit(config)
        yield lab


def answered(panel, action):
    """What a click does, in this thread."""
    with panel.errors.caught():
        panel.errors.clear()
        action()
    panel.refresh()


def test_nothing_to_do_is_said_and_nothing_can_be_answered(lab):
    with BenchPanel(lab) as panel:
        assert panel.widget
        assert "Nothing waits for a person" in panel._head.value
        assert panel._answer.layout.display == "none"


def test_a_person_reads_a_task_answers_it_and_sees_the_next(lab):
    Daemon(lab.store, lab).run(once=True)
    with BenchPanel(lab) as panel:
        assert panel.widget
        (first,) = panel.shown.waiting
        assert first.step_uid == "1-seed"
        assert 'class="full"' in panel._page.value
        assert "<img" not in panel._page.value
        panel.by.value, panel.skip.value = "ada", "H99"
        answered(panel, panel._done)
        assert "puts nothing into plate H99" in panel._foot.value
        assert panel.shown.chosen == first
        panel.skip.value, panel.barcode.value = "", "PB-1"
        before = panel.stamp()
        answered(panel, panel._done)
        assert panel.stamp() != before
        assert panel.shown.chosen is None
        assert panel.barcode.value == ""
        Daemon(lab.store, lab).run(once=True)
        panel.refresh()
        assert panel.shown.chosen.barcode == "PB-1"
        assert panel.shown.chosen.step_uid != "1-seed"
        answered(panel, panel._failed)
        assert "say why it failed" in panel._foot.value


def test_without_widgets_the_tasks_are_a_table(lab):
    Daemon(lab.store, lab).run(once=True)
    with BenchPanel(lab, static=True) as panel:
        (table,) = panel.static_form(panel.read()).tables
        assert list(table.frame["step"]) == ["1-seed"]
