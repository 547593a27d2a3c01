"""A small lab whose days are easy to count: two robots, one incubator, one reader, two people."""

from datetime import UTC, datetime, time, timedelta

from cellos_nb.operations.calendar.problem import Problem
from cellos_nb.operations.calendar.resources import Resource, ResourceKind, Shift
from cellos_nb.operations.calendar.tasks import After, Need, Task

MONDAY = datetime(2026, 3, 2, 7, tzinfo=UTC)  # 8 h in Zurich
ROBOTS, PEOPLE = ("lh-1", "lh-2"), ("Ada", "Ben")
WORKDAYS = (0, 1, 2, 3, 4)


def person(name, begins, ends, **more):
    shift = Shift(WORKDAYS, time(begins), time(ends))
    return Resource(name, ResourceKind.PERSON, shifts=(shift,), zone="Europe/Zurich", **more)


def lab(slots=20):
    return (
        Resource("lh-1", ResourceKind.LIQUID_HANDLER),
        Resource("lh-2", ResourceKind.LIQUID_HANDLER),
        Resource("incubator", ResourceKind.INCUBATOR, capacity=slots),
        Resource("reader", ResourceKind.READER),
        Resource("cabinet", ResourceKind.CABINET),
        person("Ada", 8, 16),
        person("Ben", 10, 18),
    )


def plate(job, owner="screen", treat_h=24, minutes=30, after=(), arrived_at=None):
    """Five tasks: seed, attach 4 to 6 h, dose, treat, read."""
    ids = [f"{job}:{name}" for name in ("seed", "attach", "dose", "treat", "read")]
    robot, hands = Need(ROBOTS, is_bound=True), Need(PEOPLE, minutes=10)
    slot, reader = Need(("incubator",)), Need(("reader",))
    common = {"job_id": job, "owner": owner, "arrived_at": arrived_at}
    attach = {"minutes": 240, "needs": (slot,), "longer_min": 120, "after": (After(ids[0], 0, 30),)}
    return (
        Task(ids[0], name="seed", minutes=minutes, needs=(robot, hands), after=tuple(after), **common),
        Task(ids[1], name="attach", **attach, **common),
        Task(ids[2], name="dose", minutes=minutes, needs=(robot, hands), after=(After(ids[1], 0, 0),), **common),
        Task(ids[3], name="treat", minutes=treat_h * 60, needs=(slot,), after=(After(ids[2], 0, 30),),
             longer_min=180, **common),
        Task(ids[4], name="read", minutes=20, needs=(reader, hands), after=(After(ids[3], 0, 0),), **common),
    )  # fmt: skip


def feed(name, due, *, earlier_h=4, later_h=4, owner="bank"):
    needs = (Need(("cabinet",)), Need(PEOPLE))
    return Task(name, owner, owner, "feed", 30, needs, due=due, earlier_min=earlier_h * 60, later_min=later_h * 60)


def problem(*tasks, resources=None, days=14, fixed=()):
    return Problem(MONDAY, MONDAY + timedelta(days=days), resources or lab(), tuple(tasks), tuple(fixed))
