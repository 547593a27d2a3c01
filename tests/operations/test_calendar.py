"""The calendar: schedules without conflicts, conflicts found in any schedule, and what slips."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_lab import MONDAY, PEOPLE, feed, lab, person, plate, problem

from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.conflicts import ConflictKind, find_conflicts
from cellos_nb.operations.calendar.listing import first_come_first_served
from cellos_nb.operations.calendar.nights import night_notes
from cellos_nb.operations.calendar.problem import Problem
from cellos_nb.operations.calendar.replan import replan
from cellos_nb.operations.calendar.resources import Resource, ResourceKind, Shift, Span
from cellos_nb.operations.calendar.schedule import Placement, Schedule
from cellos_nb.operations.calendar.solver import SOLVED, solve
from cellos_nb.operations.calendar.tasks import After, Need, Task

HOUR = timedelta(hours=1)


def quick(asked):
    return solve(asked, effort=0.1)


PLANNERS = {"first come": first_come_first_served, "solved": quick}
planners = pytest.mark.parametrize("planner", PLANNERS.values(), ids=PLANNERS.keys())


def kinds(schedule):
    return {conflict.kind for conflict in find_conflicts(schedule)}


def moved(schedule, task_id, *, by=timedelta(0), **changes):
    """The same schedule with one placement changed by hand."""
    placements = tuple(
        replace(one, **{"start": one.start + by, "end": one.end + by} | changes) if one.task_id == task_id else one
        for one in schedule.placements
    )
    return replace(schedule, placements=placements)


@planners
def test_a_plan_has_no_conflict(planner):
    tasks = [task for k in range(6) for task in plate(f"p{k}", minutes=60)]
    planned = planner(problem(*tasks, feed("feed", MONDAY + 20 * HOUR, later_h=8)))
    assert find_conflicts(planned) == ()
    assert len(planned.placements) == 31


@planners
def test_a_plate_stays_on_its_robot(planner):
    planned = planner(problem(*(task for k in range(4) for task in plate(f"p{k}"))))
    for k in range(4):
        assert len({planned.placed[f"p{k}:{step}"].resources[0] for step in ("seed", "dose")}) == 1


@planners
def test_nobody_is_planned_for_outside_their_hours(planner):
    planned = planner(problem(*(task for k in range(5) for task in plate(f"p{k}", minutes=90))))
    there = {one.name: one.open_spans(planned.begins, planned.ends) for one in planned.people}
    for booking in planned.bookings():
        if booking.resource in there:
            assert any(span.start <= booking.start and booking.end <= span.end for span in there[booking.resource])


def test_the_solver_ends_no_later_than_first_come_first_served():
    """Four plates of one iteration came first; a campaign of two iterations, each of two days, came second."""
    first = [task for k in range(8) for task in plate(f"a{k}", minutes=90)]
    early = [task for k in range(2) for task in plate(f"b1-{k}", "deep", minutes=90)]
    links = [After(f"b1-{k}:read", 30) for k in range(2)]
    late = [task for k in range(2) for task in plate(f"b2-{k}", "deep", minutes=90, after=links)]
    asked = problem(*first, *early, *late)
    plain, solved = first_come_first_served(asked), solve(asked, effort=0.5)
    assert find_conflicts(plain) == find_conflicts(solved) == ()
    assert solved.made_by == SOLVED
    assert solved.makespan_h < plain.makespan_h - 12
    assert solved.gap is not None


def test_the_same_problem_gives_the_same_plan_again():
    asked = problem(*(task for k in range(4) for task in plate(f"p{k}", minutes=60)))
    assert quick(asked) == quick(asked)


def test_a_schedule_is_read_back_as_it_was_written():
    planned = first_come_first_served(problem(*plate("p"), feed("f", MONDAY)))
    assert Schedule.from_json(planned.to_json()) == planned


@pytest.mark.parametrize("text", ['{"begins": 3}', "[]", "no json"], ids=["wrong", "list", "text"])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(InputError, match="no schedule"):
        Schedule.from_json(text)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda s: moved(s, "b:seed", by=s.placed["a:seed"].start - s.placed["b:seed"].start,
                         resources=s.placed["a:seed"].resources), ConflictKind.DOUBLE_BOOKED),
        (lambda s: moved(s, "a:read", by=10 * HOUR), ConflictKind.PERSON_ABSENT),
        (lambda s: moved(s, "a:seed", by=10 * HOUR), ConflictKind.PRECEDENCE),
        (lambda s: moved(s, "a:attach", start=s.placed["a:attach"].start + HOUR), ConflictKind.TOO_SHORT),
        (lambda s: moved(s, "a:treat", end=s.placed["a:treat"].end + 4 * HOUR), ConflictKind.TOO_LONG),
        (lambda s: moved(s, "a:read", by=HOUR), ConflictKind.WAITED),
        (lambda s: moved(s, "feed", by=10 * HOUR), ConflictKind.OUTSIDE_WINDOW),
        (lambda s: moved(s, "a:dose", resources=("lh-2", "Ada")), ConflictKind.MOVED_ROBOT),
        (lambda s: moved(s, "a:read", resources=("cabinet", "Ada")), ConflictKind.WRONG_RESOURCE),
        (lambda s: replace(s, placements=s.placements[:-1]), ConflictKind.NOT_PLACED),
        (lambda s: replace(s, resources=lab(slots=1)), ConflictKind.DOUBLE_BOOKED),
        (lambda s: replace(s, resources=(replace(s.resources[0], away=(Span(MONDAY, MONDAY + 3 * HOUR, "service"),)),
                                         *s.resources[1:])), ConflictKind.CLOSED),
    ],
    ids=lambda value: str(value) if isinstance(value, ConflictKind) else "",
)  # fmt: skip
def test_each_kind_of_conflict_is_found_in_a_schedule_changed_by_hand(change, kind):
    planned = first_come_first_served(problem(*plate("a"), *plate("b"), feed("feed", MONDAY + 2 * HOUR)))
    assert find_conflicts(planned) == ()
    assert kind in kinds(change(planned))


def test_more_plates_than_an_incubator_holds_are_over_capacity():
    jobs = ("a", "b", "c")
    planned = first_come_first_served(problem(*(task for job in jobs for task in plate(job))))
    crowded = [c for c in find_conflicts(replace(planned, resources=lab(slots=2))) if c.resource == "incubator"]
    assert {conflict.kind for conflict in crowded} == {ConflictKind.OVER_CAPACITY}
    assert all(len(conflict.task_ids) == 3 for conflict in crowded)


@planners
def test_an_incubator_is_never_over_filled(planner):
    asked = problem(*(task for k in range(6) for task in plate(f"p{k}")), resources=lab(slots=2))
    assert find_conflicts(planner(asked)) == ()


@planners
def test_a_feed_that_falls_at_night_is_moved_within_its_window(planner):
    at_night = MONDAY + 20 * HOUR  # 4 h in the morning
    planned = planner(problem(feed("feed", at_night, later_h=6)))
    (note,) = night_notes(planned)
    assert find_conflicts(planned) == ()
    assert (note.task_id, note.is_within, note.is_attended) == ("feed", True, True)
    assert 4 * 60 <= note.moved_min <= 6 * 60
    assert "moved" in str(note)


@planners
def test_a_feed_whose_window_lies_in_the_night_is_flagged(planner):
    planned = planner(problem(feed("feed", MONDAY + 17 * HOUR, earlier_h=1, later_h=1)))
    (note,) = night_notes(planned)
    assert kinds(planned) == {ConflictKind.OUTSIDE_WINDOW}
    assert not note.is_within
    assert "beyond its tolerance" in str(note)


@planners
def test_a_reading_that_falls_at_night_waits_for_the_morning_within_the_tolerance(planner):
    ids = ("p:treat", "p:read")
    treat = Task(ids[0], "p", "x", "treat", 20 * 60, (Need(("incubator",)),), longer_min=6 * 60)
    read = Task(ids[1], "p", "x", "read", 20, (Need(("reader",)), Need(PEOPLE)), (After(ids[0], 0, 0),))
    planned = planner(problem(treat, read, fixed=[Placement(ids[0], MONDAY, MONDAY, ("incubator",))]))
    (note,) = night_notes(planned)
    assert find_conflicts(planned) == ()
    assert planned.placed["p:treat"].end == planned.placed["p:read"].start
    assert note.moved_min == 4 * 60


@planners
def test_what_was_done_stays_and_what_runs_stays(planner):
    before = first_come_first_served(problem(*(task for k in range(4) for task in plate(f"p{k}", minutes=60))))
    at = MONDAY + 5 * HOUR
    after = replan(before, at=at, away={"lh-2": [Span(at, at + 48 * HOUR, "broken")]}, planner=planner).schedule
    begun = [one for one in before.placements if one.start < at]
    assert begun
    for one in begun:
        now = after.placed[one.task_id]
        assert (now.start, now.resources) == (one.start, one.resources)
        assert now.end == one.end or before.task[one.task_id].is_elastic
    assert all(one.start >= at for one in after.placements if one.task_id not in {b.task_id for b in begun})


def test_a_late_plate_moves_what_follows_it_and_the_report_says_by_how_much():
    before = first_come_first_served(problem(*plate("a"), *plate("b")))
    at = before.placed["a:seed"].start + timedelta(minutes=1)
    result = replan(before, at=at, late={"a:seed": 60}, planner=first_come_first_served)
    by_task = {move.task_id: move.minutes for move in result.moves}
    assert by_task["a:dose"] >= 60
    assert all(minutes <= 0 for task_id, minutes in by_task.items() if task_id.startswith("b:"))
    assert find_conflicts(result.schedule) == ()


def test_a_plate_not_begun_on_a_broken_robot_goes_to_the_other():
    before = first_come_first_served(problem(*plate("a"), *plate("b")))
    assert before.placed["b:seed"].resources[0] == "lh-2"
    result = replan(
        before, at=MONDAY, away={"lh-2": [Span(MONDAY, MONDAY + 96 * HOUR)]}, planner=first_come_first_served
    )
    assert result.schedule.placed["b:seed"].resources[0] == "lh-1"
    assert find_conflicts(result.schedule) == ()


def test_a_plate_begun_on_a_broken_robot_waits_for_it_and_is_flagged():
    before = first_come_first_served(problem(*plate("a"), *plate("b")))
    at = MONDAY + 2 * HOUR
    result = replan(before, at=at, away={"lh-2": [Span(at, at + 24 * HOUR, "broken")]})
    assert result.schedule.placed["b:dose"].resources[0] == "lh-2"
    assert result.schedule.placed["b:dose"].start >= at + 24 * HOUR
    assert {(c.kind, c.task_ids[0]) for c in find_conflicts(result.schedule)} >= {(ConflictKind.TOO_LONG, "b:attach")}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"late": {"nothing": 5}}, "nothing is no task"),
        ({"away": {"lh-9": [Span(MONDAY, MONDAY + HOUR)]}}, "there is no lh-9"),
        ({"late": {"a:seed": 5}}, "was over"),
    ],
    ids=["task", "resource", "over"],
)
def test_a_replan_of_what_is_not_there_is_refused(asked, message):
    before = first_come_first_served(problem(*plate("a")))
    with pytest.raises(InputError, match=message):
        replan(before, at=MONDAY + 3 * HOUR, **asked)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ((Task("a", "j", "o", "x", 5), Task("a", "j", "o", "x", 5)), "stands twice"),
        ((Task("a", "j", "o", "x", 5, (Need(("lh-7",)),)),), "needs lh-7"),
        ((Task("a", "j", "o", "x", 5, after=(After("b"),)),), "no task"),
        (
            (Task("a", "j", "o", "x", 5, after=(After("b"),)), Task("b", "j", "o", "x", 5, after=(After("a"),))),
            "wait for",
        ),
    ],
    ids=["twice", "resource", "link", "circle"],
)
def test_an_impossible_problem_is_refused(tasks, message):
    with pytest.raises(InputError, match=message):
        problem(*tasks)


def test_working_hours_follow_the_clock_on_the_wall_through_summer_time():
    ada = person("Ada", 8, 16)
    start = datetime(2026, 3, 27, tzinfo=UTC)
    friday, monday = ada.open_spans(start, start + timedelta(days=4))
    assert (friday.start.hour, monday.start.hour) == (7, 6)


def test_a_night_shift_lasts_into_the_next_day():
    night = Resource("Cy", ResourceKind.PERSON, shifts=(Shift((0,), time(22), time(6)),))
    (span,) = night.open_spans(MONDAY, MONDAY + timedelta(days=3))
    assert (span.start, span.end) == (MONDAY + 15 * HOUR, MONDAY + 23 * HOUR)


def test_without_the_extra_the_error_names_it(tmp_path):
    """In a process of its own, in which OR-Tools cannot be found."""
    code = (
        "import sys, importlib.util as u; f = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'ortools' else f(n, *a)\n"
        "from small_lab import problem, plate\n"
        "from cellos_nb.operations.calendar.solver import plan, solve\n"
        "print(plan(problem(*plate('p'))).made_by)\n"
        "solve(problem(*plate('p')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False
    )
    assert "first come, first served" in done.stdout
    assert "cellos-nb[planning]" in done.stderr


plates = st.lists(
    st.tuples(st.sampled_from([8, 24, 48]), st.sampled_from([20, 45, 90]), st.integers(0, 30)), min_size=1, max_size=7
)


@settings(max_examples=10, deadline=None)
@given(plates, st.integers(1, 4))
def test_no_list_of_plates_is_ever_double_booked(asked, slots):
    """Tolerances may be out of reach in a small lab; two tasks on one machine, or a person who is not there, never."""
    tasks = [
        task
        for k, (treat_h, minutes, hours) in enumerate(asked)
        for task in plate(f"p{k}", treat_h=treat_h, minutes=minutes, arrived_at=MONDAY + hours * HOUR)
    ]
    planned = first_come_first_served(problem(*tasks, resources=lab(slots), days=14))
    never = {ConflictKind.DOUBLE_BOOKED, ConflictKind.OVER_CAPACITY, ConflictKind.PERSON_ABSENT, ConflictKind.CLOSED}
    assert not kinds(planned) & (never | {ConflictKind.PRECEDENCE, ConflictKind.MOVED_ROBOT, ConflictKind.TOO_SHORT})


def test_a_plan_knows_how_much_of_each_resource_is_used():
    planned = first_come_first_served(problem(*plate("a", minutes=60)))
    used = planned.utilisation()
    assert 0 < used["lh-1"] < 0.1
    assert used["lh-2"] == 0
    assert isinstance(planned, Schedule)
    assert isinstance(problem(*plate("a")), Problem)
