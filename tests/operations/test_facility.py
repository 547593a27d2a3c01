"""A facility over months: queues as theory says, all at once or not at all, and changes met by the same work."""

from __future__ import annotations

import math

import numpy as np
import pytest
import simpy

from cellos_nb.errors import ConfigError, InputError
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.simulate import simulate
from cellos_nb.operations.facility.change import changed
from cellos_nb.operations.facility.config import DAY_H, FacilityConfig, FacilityResource
from cellos_nb.operations.facility.floor import Claim, Floor, is_open, until_opening
from cellos_nb.operations.facility.plan import Estimate, one_more_of_each, plan_facility, what_if
from cellos_nb.operations.facility.run import replicate
from cellos_nb.operations.facility.work import draw_work, offered_load

DAYTIME = FacilityResource(name="Ada", opens=8, closes=18, weekends=False)


def facility(**changes) -> FacilityConfig:
    return FacilityConfig.model_validate({
        "name": "f", "months": 1, "warm_up_days": 5, "replications": 3,
        "resources": [{"name": "robot"}, {"name": "people", "capacity": 2, "opens": 8, "closes": 18}],
        "campaigns": [{"name": "screen", "every_days": 2, "plates": 3, "steps": [
            {"name": "dose", "hours": 2, "needs": [{"resource": "robot"}, {"resource": "people", "hours": 0.5}]},
        ]}],
    } | changes)  # fmt: skip


def queue(capacity: int, load: float, cv: float) -> FacilityConfig:
    """One queue before some equal servers, of which so much is asked, with two hours of work each time."""
    steps = [{"name": "work", "hours": 2.0, "cv": cv, "needs": [{"resource": "server"}]}]
    return facility(
        months=3, warm_up_days=20, replications=12, seed=3,
        resources=[{"name": "server", "capacity": capacity}],
        campaigns=[{"name": "work", "every_days": 2.0 / (load * capacity) / DAY_H, "steps": steps}],
    )  # fmt: skip


def erlang_c_wait(arrivals: float, served: float, servers: int) -> float:
    """Mean wait of an M/M/c queue. Source: Erlang 1917; Gross & Harris, Fundamentals of Queueing Theory, eq. 2.33."""
    offered = arrivals / served
    share = offered / servers
    last = offered**servers / math.factorial(servers) / (1 - share)
    waits = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)
    return waits / (servers * served - arrivals)


@pytest.mark.parametrize(
    ("servers", "load", "cv"), [(1, 0.7, 1.0), (3, 0.8, 1.0), (1, 0.7, 0.0), (1, 0.7, 0.5)],
    ids=["M/M/1", "M/M/3", "M/D/1", "M/G/1"],
)  # fmt: skip
def test_waits_and_use_are_what_queueing_theory_says(servers, load, cv):
    """Within four standard errors of the mean over replications: one false alarm in sixteen thousand."""
    plan = plan_facility(queue(servers, load, cv))
    arrivals, served = load * servers / 2.0, 0.5
    if cv == 1.0:
        expected = erlang_c_wait(arrivals, served, servers)
    else:
        # Pollaczek & Khinchine.
        expected = arrivals * (2.0**2 * (1 + cv**2)) / (2 * (1 - load))
    waits = np.array([one.waits_h["work"].mean() for one in plan.replications])
    error = waits.std(ddof=1) / np.sqrt(len(waits))
    assert error < 0.12 * expected, "too few to tell"
    assert abs(waits.mean() - expected) < 4 * error
    (use,) = plan.resources
    assert use.offered == pytest.approx(load)
    assert abs(use.used.mean - load) < 2 * use.used.half_width


def test_littles_law_holds_for_those_who_wait():
    """Hours waited for the server are the arrivals times their mean wait, counted in two ways."""
    one = replicate(queue(1, 0.7, 1.0), 0)
    counted = one.accounts["server"].waited_h
    assert counted == pytest.approx(one.waits_h["work"].sum(), rel=0.05)


def test_the_same_seed_gives_the_same_months():
    first, second = plan_facility(facility()), plan_facility(facility())
    assert first.loads == second.loads
    assert first.resources == second.resources
    assert plan_facility(facility(seed=2)).loads != first.loads


def test_other_capacities_meet_the_same_work():
    config = facility()
    more = changed(config, "robot=4, people=3")
    assert draw_work(config, 1, 500.0) == draw_work(more, 1, 500.0)


def test_a_further_load_leaves_the_work_of_the_others_as_it_is():
    config = facility()
    extra = config.campaigns[0].model_copy(update={"name": "another"})
    both = config.model_copy(update={"campaigns": (*config.campaigns, extra)})
    alone = draw_work(config, 0, 900.0)
    assert [job for job in draw_work(both, 0, 900.0) if job.load == "screen"] == alone


def test_a_request_gets_all_or_nothing_and_does_not_hold_up_others():
    env = simpy.Environment()
    floor = Floor(env, [FacilityResource(name="a"), FacilityResource(name="b")], 0, 100)
    got = {}

    def work(name, claims, hours):
        yield floor.ask(claims)
        got[name] = env.now
        yield env.timeout(hours)
        floor.give_back(claims)

    def one(resource):
        return Claim(resource, 1, None, 5)

    env.process(work("first a", [one("a")], 5))
    env.process(work("both", [one("a"), one("b")], 5))
    env.process(work("b alone", [one("b")], 3))
    env.run(until=100)
    assert got == {"first a": 0, "b alone": 0, "both": 5}
    assert floor.accounts["a"].waited_h == pytest.approx(5), "what it lacked when it was last looked at"
    assert floor.accounts["b"].waited_h == 0
    assert floor.accounts["a"].used_h == pytest.approx(10)


def test_use_is_counted_week_by_week():
    env = simpy.Environment()
    floor = Floor(env, [FacilityResource(name="a")], 24, 24 + 15 * 24)

    def work():
        yield env.timeout(7 * 24)
        claims = [Claim("a", 1, None, 48)]
        yield floor.ask(claims)
        yield env.timeout(48)
        floor.give_back(claims)

    env.process(work())
    env.run(until=30 * 24)
    floor.settle()
    assert floor.accounts["a"].used_by_week_h == pytest.approx([24, 24, 0])
    assert floor.accounts["a"].used_h == pytest.approx(48)


def test_what_is_needed_for_a_part_of_a_step_is_free_after_it():
    env = simpy.Environment()
    floor = Floor(env, [FacilityResource(name="robot"), FacilityResource(name="Ada")], 0, 100)
    began = []

    def load(claims):
        yield floor.ask(claims)
        began.append(env.now)
        yield env.timeout(4)
        floor.give_back(claims)

    env.process(load([Claim("robot", 1, None, 4), Claim("Ada", 1, 1, 1)]))
    env.process(load([Claim("Ada", 1, 1, 1)]))
    env.run(until=50)
    assert began == [0, 1]


@pytest.mark.parametrize(
    ("now_h", "lasts_h", "is_so"),
    [
        (8.0, 1.0, True),
        (7.9, 1.0, False),
        (17.0, 1.0, True),
        (17.5, 1.0, False),
        (8.0, 30.0, True),
        (9.0, 30.0, False),
        (5 * 24 + 9.0, 1.0, False),
        (7 * 24 + 9.0, 1.0, True),
        (3 * 24 + 8.0 - 1e-12, 1.0, True),
    ],
    ids=["at eight", "before eight", "until six", "beyond six", "longer than a day, at eight", "longer than a day",
         "Saturday", "Monday", "a rounding error before eight"],
)  # fmt: skip
def test_work_begins_in_hours_and_ends_in_them(now_h, lasts_h, is_so):
    assert is_open(DAYTIME, now_h, lasts_h) is is_so


@pytest.mark.parametrize(
    ("now_h", "hours"), [(0.0, 8.0), (8.0, 24.0), (4 * 24 + 9.0, 71.0), (6 * 24 + 8.0, 24.0)],
    ids=["midnight", "at eight", "Friday at nine", "Sunday at eight"],
)  # fmt: skip
def test_the_next_opening_is_found_over_weekends(now_h, hours):
    assert until_opening(now_h, 8.0, weekends=False) == pytest.approx(hours)


def test_a_plate_keeps_its_place_until_it_is_taken_out():
    """One place, one robot busy for ten hours: the second plate cannot go in before the first comes out."""
    steps = [
        {"name": "attach", "hours": 2, "cv": 0, "stays": True, "needs": [{"resource": "incubator"}]},
        {"name": "dose", "hours": 10, "cv": 0, "needs": [{"resource": "robot"}]},
    ]
    config = facility(
        resources=[{"name": "robot"}, {"name": "incubator", "capacity": 1}], warm_up_days=0,
        campaigns=[{"name": "c", "every_days": 1000, "regular": True, "plates": 3, "steps": steps}], months=36,
    )  # fmt: skip
    one = replicate(config, 0)
    # In at 0, 2 and 12; out, and onto the robot, at 2, 12 and 22.
    assert one.waits_h["c"][:6] == pytest.approx([0, 0, 2, 8, 12, 8])


def test_iterations_follow_one_another_with_their_pause():
    steps = [{"name": "read", "hours": 3, "cv": 0, "needs": [{"resource": "robot"}]}]
    campaign = {"name": "c", "every_days": 300, "regular": True, "iterations": 3, "pause_h": 5, "steps": steps}
    config = facility(resources=[{"name": "robot"}], campaigns=[campaign], warm_up_days=0, months=12)
    (job, *_) = replicate(config, 0).jobs
    assert job.flow_h == pytest.approx(3 * 3 + 2 * 5)
    assert job.waited_h == 0.0


def test_a_second_robot_shortens_the_days_with_an_interval_that_says_so():
    config = FacilityConfig.shipped().with_settings({"months": 2, "replications": 6})
    before = plan_facility(config)
    assert before.bottleneck.name == "liquid handler"
    change = what_if(before, "liquid handler=2")
    flow = change.flow_days["dose response"]
    assert flow.mean + flow.half_width < 0
    nothing = what_if(before, "incubator=121")
    assert nothing.flow_days["dose response"] == Estimate(0.0, 0.0)
    alone = [each.loads[0].flow_days for each in (before, change.plan)]
    assert flow.half_width < math.hypot(*(each.half_width for each in alone)), "pairs tell more than two samples"


def test_one_more_of_each_is_sorted_by_what_it_brings():
    found = one_more_of_each(plan_facility(facility(months=2)))
    assert {one.change for one in found} == {"robot=2", "people=3"}
    assert found[0].change == "robot=2"


def test_more_than_there_is_is_told_and_ends():
    plan = plan_facility(facility(campaigns=[{"name": "c", "every_days": 0.05, "steps": [
        {"name": "x", "hours": 4, "needs": [{"resource": "robot"}]}]}]))  # fmt: skip
    assert [one.name for one in plan.overloaded] == ["robot"]
    assert plan.loads[0].unfinished > 0.1


def test_a_robot_that_a_person_loads_is_there_only_while_people_are():
    needs = [{"resource": "robot"}, {"resource": "people", "hours": 0.5}]
    alone, loaded = (
        offered_load(facility(campaigns=[{"name": "c", "every_days": 1, "steps": [
            {"name": "x", "hours": 5, "needs": which}]}]))["robot"]
        for which in (needs[:1], needs)
    )  # fmt: skip
    assert alone == pytest.approx(5 / 24)
    assert loaded == pytest.approx(5 / 10)


def test_banks_bring_the_work_of_their_own_runs():
    config = facility(
        resources=[
            {"name": "people", "opens": 8, "closes": 18},
            {"name": "cabinet"},
            {"name": "incubator", "capacity": 50},
        ],
        campaigns=[],
        banks=[{"name": "HeLa", "every_days": 20, "people": "people", "cabinet": "cabinet", "incubator": "incubator"}],
    )
    jobs = draw_work(config, 0, 4000.0)
    runs = simulate(BankConfig.shipped(), n_runs=200, seed=1)
    hands = sum(step.hours for job in jobs for items in job.rounds for steps in items for step in steps
                if any(claim.resource == "people" for claim in step.claims)) / len(jobs)  # fmt: skip
    assert hands == pytest.approx(runs.measures["hands_h"].mean(), rel=0.25)
    plan = plan_facility(config.with_settings({"months": 3}))
    days = plan.loads[0].flow_days
    assert days.mean == pytest.approx(np.nanmean(runs.measures["days"]), abs=8)
    assert plan.resources[2].used.mean > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"campaigns": []}, "there is no work"),
        ({"resources": [{"name": "robot"}, {"name": "robot"}]}, "robot stands twice"),
        ({"resources": [{"name": "robot"}]}, "people is none of the resources: robot"),
        ({"resources": [{"name": "robot", "opens": 9, "closes": 9}, {"name": "people"}]}, "not after 9"),
        ({"resources": [{"name": "robot", "opens": 9, "closes": 10}, {"name": "people"}]}, "2 h do not fit between 9"),
    ],
    ids=["no work", "twice", "unknown resource", "never open", "longer than the day"],
)
def test_a_facility_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        facility(**changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("robot", "does not say what changes"),
        ("robots=2", "robots: is none of the resources; possible: robot, people"),
        ("people.age=3", "people has no age; possible: capacity, opens, closes, weekends"),
        ("robot=0", "0 is too small"),
        ("people.closes=8", "not after 8"),
    ],
    ids=["no value", "misspelt", "no such setting", "none left", "never open"],
)
def test_a_change_that_cannot_be_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        changed(facility(), change)


def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path):
    path = tmp_path / "facility.yaml"
    path.write_text("name: f\nresources:\n  - {name: robot}\ncampaigns:\n  - {name: c, every_days: 0, steps: []}\n")
    with pytest.raises(ConfigError, match=r"line 5: campaigns\.0\.every_days: 0 is too small"):
        FacilityConfig.from_yaml(path)


def test_the_example_is_the_facility_that_is_shipped():
    from pathlib import Path

    example = FacilityConfig.from_yaml(Path(__file__).parents[2] / "examples" / "facility.yaml")
    assert example == FacilityConfig.shipped()
