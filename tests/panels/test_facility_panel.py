"""The facility as a panel: a changed capacity is compared with the file, with the same work."""

from dataclasses import replace

import pytest

from cellos_nb.operations.facility.config import FacilityConfig
from cellos_nb.operations.facility.plan import plan_facility, what_if
from cellos_nb.panels import FacilityPanel

SMALL = FacilityConfig.model_validate({
    "name": "small <b>", "months": 1, "warm_up_days": 5, "replications": 8,
    "resources": [{"name": "robot <i>"}, {"name": "people", "opens": 8, "closes": 18}],
    "campaigns": [{"name": "screen", "every_days": 2, "plates": 3, "steps": [
        {"name": "dose", "hours": 2, "needs": [{"resource": "robot <i>"}, {"resource": "people", "hours": 0.5}]},
    ]}],
})  # fmt: skip


@pytest.fixture
def panel(lab):
    with FacilityPanel(lab, SMALL) as opened:
        assert opened.widget
        yield opened


def test_it_says_what_a_plan_says(panel):
    plan = plan_facility(SMALL)
    assert f"screen {plan.loads[0].flow_days.mean:.1f} days" in panel.summary(panel.shown)
    assert plan.bottleneck.name in panel.summary(panel.shown)
    assert "Change a capacity" in panel._change.value


def test_a_changed_capacity_is_compared_with_the_file(panel):
    panel.choice = replace(panel.choice, capacities=(2, 1))
    panel.refresh()
    assert panel.errors.lines == ()
    expected = what_if(plan_facility(SMALL), "robot <i>=2")
    assert panel.shown.change.flow_days == expected.flow_days
    assert "With robot <i>=2: screen" in panel.summary(panel.shown)
    assert panel._capacities[0].value == 2


def test_two_quick_changes_of_capacities_both_count(panel):
    panel._set(0, 3)
    panel._set(1, 2)
    panel._worker.start()
    panel.follow()
    panel._worker.stop()
    panel.refresh()
    assert panel.choice.capacities == (3, 2)


def test_names_are_escaped_and_pictures_say_what_they_show(panel):
    assert "<i>" not in panel._resources.value
    assert "robot &lt;i&gt;" in panel._resources.value
    for picture in (panel._queues, panel._days, panel._weeks):
        assert len(picture.tooltip) > 20
        assert b"</svg>" in bytes(picture.value)


def test_the_static_form_has_the_change_too(lab):
    with FacilityPanel(lab, SMALL, static=True) as panel:
        panel.choice = replace(panel.choice, capacities=(1, 3))
        form = panel.static_form(panel.read())
    assert [figure.png[:4] for figure in form.figures] == [b"\x89PNG"] * 3
    assert form.tables[-1].caption == "What the change brings"
