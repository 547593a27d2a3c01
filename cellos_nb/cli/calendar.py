"""Commands about the calendar: plan a week, look at it, check it, and plan it anew when something is late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from cellos_nb.operations.calendar.schedule import Schedule

app = typer.Typer(help="Plan a lab's machines, places and people in time.", no_args_is_help=True)

WeekFile = Annotated[Path, typer.Argument(help="The week's YAML file, as examples/week.yaml.", metavar="WEEK.yaml")]
PlanFile = Annotated[Path, typer.Argument(help="A plan that `cellos calendar plan --out` wrote.", metavar="PLAN.json")]
Out = Annotated[Path | None, typer.Option("--out", help="Write the plan to this JSON file.", show_default=False)]
Ics = Annotated[Path | None, typer.Option("--ics", help="Write it as iCalendar, for any calendar.", show_default=False)]
FirstCome = Annotated[bool, typer.Option("--first-come", help="First come, first served; needs no solver.")]
Effort = Annotated[float, typer.Option("--effort", min=0.01, help="How long the solver looks; 1 is a few seconds.")]
For = Annotated[
    str | None, typer.Option("--for", help="Only what this person or machine has to do.", show_default=False)
]


@app.command()
def plan(  # noqa: PLR0917 - typer's parameters are options, given by name
    week: WeekFile,
    out: Out = None,
    ics: Ics = None,
    first_come: FirstCome = False,
    effort: Effort = 1.0,
    as_json: AsJson = False,
) -> None:
    """Plan a week: its campaigns' first plates, those to expect, and its cell banks, over all resources."""
    from cellos_nb.operations.calendar.listing import first_come_first_served
    from cellos_nb.operations.calendar.solver import solve
    from cellos_nb.week.config import WeekConfig
    from cellos_nb.week.forecast import first_problem

    problem = first_problem(WeekConfig.from_yaml(week))
    schedule = first_come_first_served(problem) if first_come else solve(problem, effort=effort)
    _write(schedule, out, ics)
    _print(schedule, as_json=as_json)


@app.command()
def show(
    plan_file: PlanFile,
    only: For = None,
    ics: Ics = None,
    db: Annotated[
        str | None, typer.Option("--db", help="Say beside it what this database did of it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a plan: who or what does which step when; with --db, what was done of it and what is late."""
    schedule = _read(plan_file)
    _write(schedule, None, ics, only)
    states: dict[str, str] = {}
    if db is not None:
        from cellos_nb.lab import Lab
        from cellos_nb.operations.calendar.live import standings, unplanned
        from cellos_nb.units import now_utc

        with Lab.open(db, must_exist=True) as lab:
            states = {one.task_id: str(one) for one in standings(schedule, lab.store, now_utc())}
            others = unplanned(schedule, lab.store)
        if others and not as_json:
            typer.echo(f"in no plan: {', '.join(others)}", err=True)
    rows = [row for row in _rows(schedule, states) if only is None or only in row["on"].split(", ")]
    if only is not None and only not in schedule.resource:
        from cellos_nb.errors import InputError

        raise InputError(f"--for: there is no {only}; possible: {', '.join(schedule.resource)}.")
    print_table(rows, as_json=as_json, empty="nothing is planned")


@app.command()
def check(plan_file: PlanFile, as_json: AsJson = False) -> None:
    """Look for conflicts in a plan, also one changed by hand; ends with 1 when there are any."""
    schedule = _read(plan_file)
    rows = _conflicts(schedule)
    print_table(rows, as_json=as_json, empty="no conflict")
    if rows:
        raise typer.Exit(1)


@app.command()
def replan(  # noqa: PLR0917 - typer's parameters are options, given by name
    plan_file: PlanFile,
    at: Annotated[str, typer.Option("--at", help="Now, as in '2026-03-04 09:40'; without a zone, the lab's.")],
    late: Annotated[
        list[str] | None, typer.Option("--late", help="TASK=MINUTES; repeat for more.", show_default=False)
    ] = None,
    away: Annotated[
        list[str] | None,
        typer.Option("--away", help="NAME=BEGIN/END: a machine that is down, a person who is ill.", show_default=False),
    ] = None,
    out: Out = None,
    ics: Ics = None,
    first_come: FirstCome = False,
    effort: Effort = 1.0,
    as_json: AsJson = False,
) -> None:
    """Plan anew what has not begun, and say what moved by how much; what was done or runs stays."""
    from cellos_nb.cli.calendar_input import delays, moment_of, spans
    from cellos_nb.operations.calendar.listing import first_come_first_served
    from cellos_nb.operations.calendar.replan import replan as again
    from cellos_nb.operations.calendar.solver import solve

    schedule = _read(plan_file)
    zone = schedule.zone
    result = again(
        schedule,
        at=moment_of("--at", at, zone),
        late=delays(late or ()),
        away=spans(away or (), zone),
        planner=first_come_first_served if first_come else lambda problem: solve(problem, effort=effort),
    )
    _write(result.schedule, out, ics)
    local = result.schedule.local
    rows = [
        {
            "task": move.task_id,
            "was": local(move.before),
            "is": local(move.after),
            "later by": f"{move.minutes / 60:+.2f} h",
            "on": ", ".join(move.resources_after),
            "was on": ", ".join(move.resources_before) if move.resources_before != move.resources_after else "",
        }
        for move in result.moves
    ]
    if as_json:
        print_json({"moves": rows, "slip_h": result.slip_h, "conflicts": _conflicts(result.schedule)})
        return
    typer.echo(f"{len(rows)} tasks moved; the last reading slips by {result.slip_h:+.1f} h")
    print_table(rows, as_json=False, empty="nothing moved")
    _print_conflicts(result.schedule)


def _read(path: Path) -> Schedule:
    from cellos_nb.errors import InputError
    from cellos_nb.operations.calendar.schedule import Schedule

    try:
        return Schedule.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: there is no such plan. Write one with `cellos calendar plan --out {path}`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from None


def _write(schedule: Schedule, out: Path | None, ics: Path | None, only: str | None = None) -> None:
    from cellos_nb.errors import OutputError
    from cellos_nb.operations.calendar.ics import to_ics

    try:
        if out is not None:
            out.write_text(schedule.to_json(), encoding="utf-8")
        if ics is not None:
            ics.write_bytes(to_ics(schedule, resource=only).encode())
    except OSError as error:
        raise OutputError(f"{error.filename}: cannot be written ({error.strerror}).") from error


def _print(schedule: Schedule, *, as_json: bool) -> None:
    from cellos_nb.operations.calendar.nights import night_notes

    rows = _rows(schedule, {})
    if as_json:
        notes = [str(note) for note in night_notes(schedule)]
        print_json({"tasks": rows, "conflicts": _conflicts(schedule), "nights": notes})
        return
    gap = "unknown" if schedule.gap is None else f"within {schedule.gap:.1%} of the best possible"
    n_expected = sum(task.is_forecast for task in schedule.tasks)
    print_facts(
        (
            ("planned by", schedule.made_by),
            ("cost", gap),
            ("make-span", f"{schedule.makespan_h:.1f} h"),
            ("tasks", f"{len(schedule.tasks)}, of which {n_expected} are expected and not asked for yet"),
        )
    )
    print_table(rows, as_json=False, empty="nothing is planned")
    for note in night_notes(schedule):
        typer.echo(f"night: {note}")
    _print_conflicts(schedule)


def _print_conflicts(schedule: Schedule) -> None:
    typer.echo("\nConflicts")
    print_table(_conflicts(schedule), as_json=False, empty="none")


def _rows(schedule: Schedule, states: dict[str, str]) -> list[dict[str, Any]]:
    """What a person needs to see of each task; incubations among them, since they take places."""
    return [
        {
            "begins": schedule.local(placed.start),
            "ends": schedule.local(placed.end),
            "task": placed.task_id,
            "on": ", ".join(placed.resources),
        }
        | ({"state": states.get(placed.task_id, "")} if states else {})
        for placed in schedule.placements
    ]


def _conflicts(schedule: Schedule) -> Sequence[dict[str, Any]]:
    from cellos_nb.operations.calendar.conflicts import find_conflicts

    return [
        {"when": schedule.local(one.start), "conflict": one.kind.value, "what": one.message}
        for one in find_conflicts(schedule)
    ]
