"""The parts of a week by themselves: the clock, calls that take time, robots that break down, and the roster."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from small_lab import MONDAY, lab, plate, problem

from cellos_nb import ExperimentProposal, VirtualMachine
from cellos_nb.domain.machine import OutcomeState
from cellos_nb.errors import MachineError, MachineRefusedError
from cellos_nb.execution.autonomous import default_plan
from cellos_nb.operations.calendar.listing import first_come_first_served
from cellos_nb.operations.calendar.load import LabRules
from cellos_nb.operations.calendar.resources import Span
from cellos_nb.units import now_utc, simulated_time
from cellos_nb.week.clock import Clock, Place
from cellos_nb.week.machine import TimedMachine
from cellos_nb.week.moments import hour, moment, weekdays
from cellos_nb.week.roster import Roster
from cellos_nb.workflow.compile import compile_plates

MINUTE = timedelta(minutes=1)
RULES = LabRules(("lh-1",), ("reader",), ("incubator",), ("Ada",), loading_min=10)


def workflow(machine):
    asked = [ExperimentProposal("U2OS", "staurosporine", 1.0, proposal_id="e1")]
    (made,) = compile_plates(asked, default_plan(asked), machine.describe(), batch_id="b", seed=1)
    return made


def timed(clock, *breakdowns):
    return TimedMachine(VirtualMachine(), clock, RULES, seconds_per_transfer=30.0, breakdowns=breakdowns)


def test_simulated_time_holds_inside_its_block_alone():
    clock = Clock(MONDAY)
    with simulated_time(clock):
        assert now_utc() == MONDAY
    assert abs(now_utc() - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_clock_goes_from_one_event_to_the_next_and_everything_of_a_minute_happens():
    clock, seen = Clock(MONDAY), []
    clock.at(MONDAY + 5 * MINUTE, lambda: seen.append("b"))
    clock.at(MONDAY + timedelta(seconds=61), lambda: seen.append("a"))
    clock.at(MONDAY + 5 * MINUTE, lambda: seen.append("c"))
    assert clock.go_on()
    assert (seen, clock()) == (["a"], MONDAY + 2 * MINUTE)
    assert clock.go_on()
    assert (seen, clock()) == (["a", "b", "c"], MONDAY + 5 * MINUTE)
    assert not clock.go_on()


def test_a_call_has_its_answer_when_its_time_is_over():
    clock = Clock(MONDAY)
    place = Place(clock)

    def slow():
        clock.spend(600)
        return "done"

    answer, at_once = place.submit(slow), place.submit(lambda: "now")
    assert at_once.result(0) == "now"
    assert not answer.done()
    clock.go_on()
    assert (answer.result(0), clock()) == ("done", MONDAY + 10 * MINUTE)


def test_a_robot_that_is_down_refuses_and_nothing_moves():
    clock = Clock(MONDAY)
    machine = timed(clock, Span(MONDAY, MONDAY + timedelta(hours=1), "jammed"))
    seed = workflow(machine).steps[0]
    with pytest.raises(MachineRefusedError, match=r"down \(jammed\)"):
        machine.execute(seed, "t1")
    assert machine.reconcile("t1").state is not OutcomeState.DONE


def test_a_robot_that_breaks_down_in_a_step_cannot_tell_what_became_of_it():
    clock = Clock(MONDAY)
    machine = timed(clock, Span(MONDAY + 3 * MINUTE, MONDAY + timedelta(hours=1), "jammed"))
    seed = workflow(machine).steps[0]
    _, took = clock.timed(lambda: machine.execute(seed, "t1"))
    assert took == 3 * MINUTE
    assert machine.reconcile("t1").state is OutcomeState.UNKNOWN
    with pytest.raises(MachineError, match="broke down"):
        machine.execute(seed, "t2")


def test_a_robot_that_is_up_takes_its_loading_and_its_transfers():
    clock = Clock(MONDAY)
    machine = timed(clock)
    seed = workflow(machine).steps[0]
    future, took = clock.timed(lambda: machine.execute(seed, "t1"))
    assert future.exception() is None
    assert took == 10 * MINUTE + timedelta(seconds=30 * len(seed.transfers))


@pytest.fixture
def roster():
    """Two plates whose plan was changed by hand: both are seeded by the same robot at the same time."""
    planned = first_come_first_served(problem(*plate("a"), *plate("b")))
    first = planned.placed["a:seed"]
    both = tuple(replace(first, task_id=one.task_id) if one.task_id == "b:seed" else one for one in planned.placements)
    clock = Clock(first.start)
    made = Roster(clock)
    made.follow(replace(planned, placements=both))
    return made


def test_the_roster_gives_nothing_away_that_is_in_use_whatever_the_plan_says(roster):
    assert roster.begin("a:seed")
    assert not roster.begin("b:seed")
    roster.end("a:seed")
    roster.clock.wake_at(MONDAY + timedelta(hours=1))
    assert roster.begin("b:seed")


def test_the_roster_waits_for_people_who_are_not_there(roster):
    resources = lab()
    gone = tuple(replace(one, away=(Span(MONDAY, MONDAY + timedelta(days=1)),)) if one.name == "Ada" else one
                 for one in resources)  # fmt: skip
    roster.schedule = replace(roster.schedule, resources=gone)
    assert not roster.begin("a:seed")


def test_nothing_begins_before_its_time(roster):
    assert not roster.is_due("a:dose")
    assert not roster.is_time("a", "dose")
    assert roster.is_time("a", "seed")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed 09:40", datetime(2026, 3, 4, 8, 40, tzinfo=UTC)),
        ("Mon+1 08:00", datetime(2026, 3, 9, 7, 0, tzinfo=UTC)),
        ("2026-03-05 10:00", datetime(2026, 3, 5, 9, 0, tzinfo=UTC)),
        ("2026-03-05T10:00+00:00", datetime(2026, 3, 5, 10, 0, tzinfo=UTC)),
        ("Mon+4 08:00", datetime(2026, 3, 30, 6, 0, tzinfo=UTC)),  # summer time
    ],
    ids=["weekday", "next week", "date", "with a zone", "summer time"],
)
def test_a_moment_is_read_as_people_write_it(text, expected):
    assert moment(text, date(2026, 3, 2), "Europe/Zurich") == expected


def test_hours_and_days_are_read_as_people_write_them():
    assert hour("08:30") == time(8, 30)
    assert weekdays("Mon-Fri") == (0, 1, 2, 3, 4)
    assert weekdays("Fri-Mon") == (0, 4, 5, 6)
    assert weekdays("Sat, Sun") == (5, 6)
    with pytest.raises(ValueError, match="hours go to 23"):
        hour("25:00")
