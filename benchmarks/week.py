"""A simulated lab week, planned first come, first served, and by the solved calendar: make-span and use.

    uv run python benchmarks/week.py [--effort 0.6] [--seeds 3]

Both have the same week, the same robots, people and mishaps, and hear of each mishap in the same minute; both plan anew
whenever something changes, and both give a plate its whole way at once, so that neither seeds cells that nobody could
dose. First come, first served places plates in the order in which they were asked for, each as early as its resources
allow; the calendar looks at all of them, and at the plates that later iterations will bring.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from tempfile import TemporaryDirectory

from cellos_nb.operations.calendar.conflicts import find_conflicts
from cellos_nb.operations.calendar.listing import first_come_first_served
from cellos_nb.operations.calendar.problem import Problem
from cellos_nb.operations.calendar.resources import Resource, ResourceKind, Shift
from cellos_nb.operations.calendar.solver import solve
from cellos_nb.operations.calendar.tasks import After, Need, Task
from cellos_nb.week.config import WeekConfig
from cellos_nb.week.forecast import first_problem
from cellos_nb.week.report import WeekReport, report_of
from cellos_nb.week.run import WeekRun

SHIPPED = Path(__file__).parents[1] / "examples" / "week.yaml"
NEVER = '"Sun 01:00", ends: "Sun 02:00"'
WEEKS = {
    "as shipped": {},
    "nothing goes wrong": {
        '"Mon 13:00", ends: "Tue 10:00"': NEVER,
        '"Wed 09:10", ends: "Thu 10:00"': NEVER,
        "quantity: 125, lot": "quantity: 1250, lot",
    },
    "delivery at 11:00": {'arrives: "Wed 08:30"': 'arrives: "Wed 11:00"'},
    "lh-2 back at 15:00": {'ends: "Thu 10:00"': 'ends: "Thu 15:00"'},
    "asked for in reverse": None,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--effort", type=float, default=0.6)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    print("lived through, make-span in hours; solver seeds side by side\n")
    heads = f"{'week':<22}{'first come':>12}{'calendar':>26}{'shorter':>22}"
    print(f"{heads}{'lost plates':>14}{'impossible':>12}{'CPU s':>8}")
    for name, changes in WEEKS.items():
        _line(name, _text(changes), asked.effort, asked.seeds)
    _use(_text({}), asked.effort)
    _plan(asked.effort)
    _loads()


def _text(changes: dict[str, str] | None) -> str:
    text = SHIPPED.read_text(encoding="utf-8")
    if changes is None:
        times = ('"Mon 07:00"', '"Mon 07:10"', '"Mon 07:20"')
        for old, new in zip(times, ("first", "second", "third"), strict=True):
            text = text.replace(f"arrives: {old}", f"arrives: {new}")
        for old, new in zip(("first", "second", "third"), reversed(times), strict=True):
            text = text.replace(f"arrives: {old}", f"arrives: {new}")
        return text
    for old, new in changes.items():
        if old not in text:
            raise SystemExit(f"{SHIPPED}: {old!r} is no longer there; change WEEKS")
        text = text.replace(old, new)
    return text


def _line(name: str, text: str, effort: float, n_seeds: int) -> None:
    plain = _live(text, 7, None)
    begun = time.process_time()
    solved = [_live(text, 7 + k, effort) for k in range(n_seeds)]
    cpu_s = (time.process_time() - begun) / n_seeds
    spans = " / ".join(f"{one.makespan_h:.1f}" for one in solved)
    shorter = " / ".join(f"{1 - one.makespan_h / plain.makespan_h:.0%}" for one in solved)
    lost = f"{_lost(plain)} : {'/'.join(str(_lost(one)) for one in solved)}"
    n_impossible = sum(len(one.impossible) for one in (plain, *solved))
    print(
        f"{name:<22}{plain.makespan_h:>12.1f}{spans:>26}{shorter:>22}{lost:>14}{n_impossible:>12}{cpu_s:>8.0f}",
        flush=True,
    )


def _lost(report: WeekReport) -> int:
    return sum(line.n_lost for line in report.campaigns)


def _use(text: str, effort: float) -> None:
    """How full the resources are up to the last reading."""
    print("\nin use within open hours, from the beginning to the last reading of each")
    plain, solved = _live(text, 7, None), _live(text, 7, effort)
    for (name, a), (_, b) in zip(_until_last(plain), _until_last(solved), strict=True):
        print(f"{name:<22}{a:>12.1%}{b:>26.1%}")


def _until_last(report: WeekReport) -> list[tuple[str, float]]:
    """Of plates alone: the cell banks last as long either way."""
    happened = report.happened
    plates = {line.campaign_id for line in report.campaigns}
    last = max(one.end for one in happened.placements if happened.task[one.task_id].owner in plates)
    used: dict[str, float] = {}
    for booking in happened.bookings():
        end = min(booking.end, last)
        used[booking.resource] = used.get(booking.resource, 0.0) + max(0.0, (end - booking.start).total_seconds())
    found = []
    for resource in happened.resources:
        there = sum((s.end - s.start).total_seconds() for s in resource.open_spans(happened.begins, last))
        found.append((resource.name, used.get(resource.name, 0.0) / (there * resource.capacity) if there else 0.0))
    return found


def _live(text: str, seed: int, effort: float | None) -> WeekReport:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "week.yaml"
        path.write_text(text, encoding="utf-8")
        config = WeekConfig.from_yaml(path).model_copy(update={"seed": seed})
        solved = {"is_solved": effort is not None, "effort": effort or 1.0}
        run = WeekRun(config, Path(folder) / "lab", say=lambda _: None, **solved)
        try:
            run.run()
            return report_of(run)
        finally:
            run.close()


def _plan(effort: float) -> None:
    """The plan alone, before the week begins: 15 plates of now and later, and 8 tasks of cell banks."""
    problem = first_problem(WeekConfig.from_yaml(SHIPPED))
    n_plates = sum(any(t.name == "seed" for t in tasks) for tasks in problem.jobs.values())
    print(f"\nplanned once, {n_plates} plates, {len(problem.tasks)} tasks")
    for name, planner in (("first come", first_come_first_served), ("calendar", lambda p: solve(p, effort=effort))):
        begun = time.process_time()
        schedule = planner(problem)
        gap = "" if schedule.gap is None else f", cost within {schedule.gap:.1%} of the best possible"
        print(f"{name:<22}{schedule.makespan_h:>12.1f} h in {time.process_time() - begun:.1f} s of CPU{gap}")


def _loads() -> None:
    """Twenty plates of other loads, planned once: 8 of one iteration, 2 × 3 and 3 × 2 of later ones, in that order."""
    print("\n20 plates planned once: minutes of a robot for each seeding and dosing, hours of the first 8 treatments")
    for minutes, treat_h in ((60, 24), (90, 24), (90, 48)):
        problem = _twenty(minutes, treat_h)
        plain, begun = first_come_first_served(problem), time.process_time()
        solved = solve(problem, effort=1.0)
        cpu_s, n = time.process_time() - begun, len(find_conflicts(solved))
        shorter = 1 - solved.makespan_h / plain.makespan_h
        print(
            f"{minutes} min, {treat_h} h{plain.makespan_h:>23.1f}{solved.makespan_h:>26.1f}{shorter:>22.0%}"
            f"   {n} conflicts, {cpu_s:.1f} s of CPU, cost within {solved.gap or 0.0:.1%}"
        )


def _twenty(minutes: int, treat_h: int) -> Problem:
    begins = datetime(2026, 3, 2, 7, tzinfo=UTC)
    days, zone = (0, 1, 2, 3, 4), "Europe/Zurich"
    resources = (
        Resource("lh-1", ResourceKind.LIQUID_HANDLER),
        Resource("lh-2", ResourceKind.LIQUID_HANDLER),
        Resource("incubator", ResourceKind.INCUBATOR, 20),
        Resource("reader", ResourceKind.READER),
        Resource("Ada", ResourceKind.PERSON, shifts=(Shift(days, clock(8), clock(16)),), zone=zone),
        Resource("Ben", ResourceKind.PERSON, shifts=(Shift(days, clock(10), clock(18)),), zone=zone),
    )
    tasks = [task for k in range(8) for task in _plate(f"big/{k}", minutes, treat_h)]
    for name, n_iterations, n_plates in (("deep", 3, 2), ("mid", 2, 3)):
        for i in range(n_iterations):
            links = [After(f"{name}/{i - 1}-{k}:read", 30) for k in range(n_plates if i else 0)]
            tasks += [task for k in range(n_plates) for task in _plate(f"{name}/{i}-{k}", minutes, 24, links)]
    return Problem(begins, begins + timedelta(days=14), resources, tuple(tasks))


def _plate(job: str, minutes: int, treat_h: int, links: Sequence[After] = ()) -> list[Task]:
    ids = [f"{job}:{name}" for name in ("seed", "attach", "dose", "treat", "read")]
    robot, hands = Need(("lh-1", "lh-2"), is_bound=True), Need(("Ada", "Ben"), minutes=10)
    slot, owner = Need(("incubator",)), job.partition("/")[0]
    return [
        Task(ids[0], job, owner, "seed", minutes, (robot, hands), tuple(links)),
        Task(ids[1], job, owner, "attach", 240, (slot,), (After(ids[0], 0, 30),), longer_min=120),
        Task(ids[2], job, owner, "dose", minutes, (robot, hands), (After(ids[1], 0, 0),)),
        Task(
            ids[3],
            job,
            owner,
            "treat",
            treat_h * 60,
            (slot,),
            (After(ids[2], 0, 30),),
            longer_min=max(120, treat_h * 6),
        ),
        Task(ids[4], job, owner, "read", 25, (Need(("reader",)), hands), (After(ids[3], 0, 0),)),
    ]


if __name__ == "__main__":
    main()
