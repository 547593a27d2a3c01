"""`cellos calendar`: a plan from a week's file, looked at, checked, changed by hand, and made anew."""

import json
from datetime import timedelta

import pytest
import yaml
from short_week import small
from typer.testing import CliRunner

from cellos_nb import Lab
from cellos_nb.cli.app import app
from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.ics import to_ics
from cellos_nb.operations.calendar.live import State, schedule_of_store, standings, unplanned
from cellos_nb.operations.calendar.schedule import Schedule


def call(*arguments, code=0):
    done = CliRunner().invoke(app, ["calendar", *map(str, arguments)])
    assert done.exit_code == code, done.output + str(done.exception)
    return done.stdout


@pytest.fixture
def planned(tmp_path):
    """A small week's plan, first come, first served."""
    week, plan = tmp_path / "week.yaml", tmp_path / "plan.json"
    week.write_text(yaml.safe_dump(small(), allow_unicode=True), encoding="utf-8")
    call("plan", week, "--first-come", "--out", plan)
    return plan


def read(path):
    return Schedule.from_json(path.read_text(encoding="utf-8"))


def test_a_plan_has_the_first_plates_those_to_expect_and_the_banks(planned):
    schedule = read(planned)
    owners = {task.owner for task in schedule.tasks}
    assert owners == {"panel", "potency", "U2OS master bank"}
    assert {task.job_id for task in schedule.tasks if task.is_forecast} == {"potency/i002-p1 expected"}
    assert len(schedule.placements) == len(schedule.tasks)


def test_the_solved_plan_is_free_of_conflicts(tmp_path):
    week = tmp_path / "week.yaml"
    week.write_text(yaml.safe_dump(small(), allow_unicode=True), encoding="utf-8")
    told = json.loads(call("plan", week, "--effort", "0.05", "--json"))
    assert told["conflicts"] == []
    assert len(told["tasks"]) > 15


def test_show_tells_one_person_what_to_do(planned):
    mine = json.loads(call("show", planned, "--for", "Ada", "--json"))
    assert mine
    assert all("Ada" in row["on"] for row in mine)


def test_check_finds_nothing_in_a_plan_and_what_a_hand_did_to_it(planned):
    assert "no conflict" in call("check", planned)
    content = json.loads(planned.read_text(encoding="utf-8"))
    dose = next(one for one in content["placements"] if one["task_id"].endswith("dose"))
    dose["resources"][0] = "lh-1" if dose["resources"][0] == "lh-2" else "lh-2"
    planned.write_text(json.dumps(content), encoding="utf-8")
    assert "changed robots" in call("check", planned, code=1)


def test_replan_says_what_moved_and_by_how_much(planned, tmp_path):
    schedule = read(planned)
    seed = schedule.placed["panel/i001-p1:1-seed"]
    at = seed.start + timedelta(minutes=1)
    told = json.loads(
        call("replan", planned, "--at", at.isoformat(), "--late", "panel/i001-p1:1-seed=60", "--first-come", "--json",
             "--out", tmp_path / "after.json")
    )  # fmt: skip
    moved = {row["task"]: row["later by"] for row in told["moves"]}
    assert moved["panel/i001-p1:2-attach"] == "+1.00 h"
    assert read(tmp_path / "after.json").placed["panel/i001-p1:2-attach"].start == seed.end + timedelta(hours=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--at", "noon"], "no moment"),
        (["--at", "2026-03-02 08:00", "--late", "panel"], "by how much"),
        (["--at", "2026-03-02 08:00", "--away", "lh-1"], "NAME=BEGIN/END"),
        (["--at", "2026-03-02 08:00", "--away", "lh-1=2026-03-03 08:00/2026-03-02 08:00"], "before it begins"),
    ],
    ids=["moment", "delay", "absence", "reversed"],
)
def test_what_cannot_be_understood_is_refused(planned, options, message):
    done = CliRunner().invoke(app, ["calendar", "replan", str(planned), *options])
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_a_plan_that_is_not_there_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["calendar", "check", str(tmp_path / "none.json")])
    assert "there is no such plan" in str(done.exception)


def test_icalendar_has_an_event_for_each_task_in_lines_that_every_program_reads(planned):
    schedule = read(planned)
    text = to_ics(schedule)
    assert text.count("BEGIN:VEVENT") == len(schedule.placements)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    unfolded = text.replace("\r\n ", "")
    assert "SUMMARY:seed: panel/i001-p1" in unfolded
    assert f"DTSTART:{schedule.placed['panel/i001-p1:1-seed'].start:%Y%m%dT%H%M%SZ}" in unfolded


def test_icalendar_of_one_person_has_only_their_minutes(planned):
    schedule = read(planned)
    mine = [booking for booking in schedule.bookings() if booking.resource == "Ada"]
    text = to_ics(schedule, resource="Ada")
    assert text.count("BEGIN:VEVENT") == len(mine)
    assert f"DTEND:{mine[0].end:%Y%m%dT%H%M%SZ}" in text
    with pytest.raises(InputError, match="there is no Nobody"):
        to_ics(schedule, resource="Nobody")


def test_text_in_icalendar_is_escaped_and_folded_between_characters(planned):
    schedule = read(planned)
    text = planned.read_text(encoding="utf-8").replace("U2OS master bank", "µ" * 60 + ", and; more")
    told = to_ics(Schedule.from_json(text))
    assert "\\, and\\; more" in told.replace("\r\n ", "")
    assert all(len(line.encode()) <= 75 for line in told.split("\r\n"))
    assert schedule.zone == "Europe/Zurich"


@pytest.fixture
def begun(planned, tmp_path):
    """The same campaign in a database, on a machine that takes no time."""
    config = dict(small()["campaigns"][1]["campaign"])
    with Lab.open(tmp_path / "lab.db") as lab:
        from cellos_nb import CampaignConfig

        lab.run(CampaignConfig.from_dict(config | {"max_iterations": 1}))
        yield read(planned), lab


def test_beside_the_plan_stands_what_the_database_says(begun):
    schedule, lab = begun
    now = schedule.placed["panel/i001-p1:1-seed"].start + timedelta(hours=1)
    states = {one.task_id: one for one in standings(schedule, lab.store, now)}
    assert states["potency/i001-p1:1-seed"].state is State.DONE
    assert states["panel/i001-p1:1-seed"].state is State.NOT_SUBMITTED
    assert states["panel/i001-p1:1-seed"].late_min == pytest.approx(60)
    assert str(states["panel/i001-p1:1-seed"]) == "not submitted, 60 min late"
    later = {one.task_id: one for one in standings(schedule, lab.store, now + timedelta(days=3))}
    assert later["panel/i001-p1:1-seed"].is_late
    assert not later["panel/i001-p1:2-attach"].is_late  # it waits for the seeding


def test_plates_that_are_in_no_plan_are_named(begun):
    schedule, lab = begun
    from cellos_nb import AutonomousExecutor, ExperimentProposal

    AutonomousExecutor(lab).submit([ExperimentProposal("U2OS", "staurosporine", 1.0)])
    (plate,) = unplanned(schedule, lab.store)
    assert plate.endswith("-p1")


def test_without_a_plan_the_calendar_is_what_happened(begun):
    schedule, lab = begun
    happened = schedule_of_store(lab.store, schedule.begins)
    assert {task.owner for task in happened.tasks} == {"potency"}
    assert len(happened.placements) == 6
