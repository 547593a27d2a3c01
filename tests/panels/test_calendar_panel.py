"""The calendar as a panel: a plan beside what the database says of it."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from small_lab import MONDAY, feed, plate, problem

from cellos_nb.colours import WRONG
from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.conflicts import find_conflicts
from cellos_nb.operations.calendar.listing import first_come_first_served
from cellos_nb.operations.calendar.live import schedule_of_store
from cellos_nb.panels import CalendarPanel


@pytest.fixture
def plan():
    """Two plates and a feed at night, in a lab of two robots and two people."""
    return first_come_first_served(
        problem(*plate("a/p1", "a"), *plate("b/p1", "b"), feed("f", MONDAY - timedelta(hours=2)))
    )


def pages(panel):
    assert panel.widget
    return panel._picture.value, panel._wrong.value, panel._rows.value


def test_every_bar_can_be_reached_by_the_keyboard_and_says_what_it_is(lab, plan):
    with CalendarPanel(lab, plan) as panel:
        picture, _, _ = pages(panel)
    bars = re.findall(r'<g tabindex="0" role="img" aria-label="([^"]+)"', picture)
    assert len(bars) == len(list(plan.bookings()))
    assert any(label.startswith("a/p1:dose on lh-1, Mon 02 Mar") for label in bars)


def test_a_conflict_is_marked_in_the_picture_and_told_in_words(lab, plan):
    wrong = replace(plan, placements=tuple(
        replace(one, resources=("lh-1", *one.resources[1:])) if one.resources[:1] == ("lh-2",) else one
        for one in plan.placements
    ))  # fmt: skip
    assert find_conflicts(wrong)
    with CalendarPanel(lab, wrong) as panel:
        picture, said, _ = pages(panel)
    assert "double-booked" in said
    assert f'stroke="{WRONG}"' in picture
    assert "⚠" in picture


def test_nights_are_shaded_and_a_moved_feed_is_told(lab, plan):
    with CalendarPanel(lab, plan) as panel:
        picture, said, _ = pages(panel)
        assert picture.count('fill-opacity="0.18"') == len(panel.shown.chart.nights)
    assert "night: f would fall when nobody is there" in said


def test_what_should_have_begun_long_ago_is_late(lab, plan):
    with CalendarPanel(lab, plan) as panel:
        _, said, rows = pages(panel)
        assert {one.task_id for one in panel.shown.late} == {"a/p1:seed", "b/p1:seed", "f"}
    assert "late: a/p1:seed: not submitted" in said
    assert "not submitted" in rows


def test_one_campaign_can_be_looked_at_alone(lab, plan):
    with CalendarPanel(lab, plan) as panel:
        assert panel.widget
        panel.choice = replace(panel.choice, owner="b")
        panel.refresh()
        rows = panel._rows.value
    assert "b/p1:dose" in rows
    assert "a/p1:dose" not in rows


def test_a_plan_in_a_file_is_the_same(lab, plan, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(plan.to_json(), encoding="utf-8")
    with CalendarPanel(lab, plan) as first, CalendarPanel(lab, path) as second:
        assert first.widget
        assert second.widget
        assert first._picture.value == second._picture.value


def test_a_plan_that_is_none_is_refused(lab, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="no schedule"):
        CalendarPanel(lab, path)
    with pytest.raises(InputError, match="cannot be read"):
        CalendarPanel(lab, tmp_path / "none.json")


def test_without_a_plan_it_shows_what_happened(lab):
    with CalendarPanel(lab) as panel:
        assert panel.widget
        happened = schedule_of_store(lab.store, panel.shown.now)
        assert len(happened.placements) > 0
        assert "what happened" in panel.summary(panel.shown)


def test_the_static_form_has_the_chart_and_all_tasks(lab, plan):
    with CalendarPanel(lab, plan, static=True) as panel:
        form = panel.static_form(panel.read())
    assert form.figures[0].png.startswith(b"\x89PNG")
    assert len(form.tables[0].frame) == len(plan.placements)
