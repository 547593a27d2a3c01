"""A lab week: everything that had to be held was held, nothing was double-booked, the books balance."""

import json
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from short_week import SHIPPED, down, live, lots, small
from sqlalchemy import func, select
from typer.testing import CliRunner

from cellos_nb.cli.app import app
from cellos_nb.domain.amounts import MICRO_PER_USD, PL_PER_UL
from cellos_nb.errors import ConfigError
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.runs import run_records
from cellos_nb.operations.calendar.conflicts import ConflictKind
from cellos_nb.store.schema import steps
from cellos_nb.week.actual import attempts, what_happened
from cellos_nb.week.config import WeekConfig
from cellos_nb.week.page import write_page
from cellos_nb.week.report import report_of


@pytest.fixture
def lived(tmp_path):
    """Lives through weeks and closes them."""
    runs = []

    def begin(week, **options):
        runs.append(live(week, tmp_path / f"week-{len(runs)}", **options))
        return runs[-1]

    yield begin
    for run in runs:
        run.close()


@pytest.fixture
def quiet(lived):
    """A week in which nothing goes wrong."""
    return lived(small())


def test_a_quiet_week_measures_everything_and_holds_nothing(quiet):
    report = report_of(quiet)
    assert {line.status for line in report.campaigns} == {"finished"}
    assert [line.n_iterations for line in report.campaigns] == [1, 2]
    assert (report.conflicts, report.holds) == ((), ())
    assert report.n_bank_tasks == 3
    assert all(run.status is JobStatus.SUCCEEDED for run in run_records(quiet.lab.store))


def test_a_step_takes_its_time_and_an_incubation_never_less_than_asked(quiet):
    happened = what_happened(quiet)
    for plate in quiet.work.plates.values():
        for task in plate.tasks:
            placed = happened.placed[task.task_id]
            assert placed.end - placed.start >= timedelta(minutes=task.minutes)


def test_the_times_are_those_of_the_journal_and_of_the_simulated_week(quiet):
    with quiet.lab.store.read() as tx:
        first, last = tx.execute(select(func.min(steps.c.started_at), func.max(steps.c.finished_at))).one()
    happened = what_happened(quiet)
    plates = [one for one in happened.placements if happened.task[one.task_id].job_id in quiet.work.plates]
    assert min(one.start for one in plates).replace(tzinfo=None) == _naive(first)
    assert max(one.end for one in plates).replace(tzinfo=None) == _naive(last)
    assert quiet.config.starts_at < min(one.start for one in plates)


def _naive(value):
    from datetime import datetime

    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    return parsed.replace(tzinfo=None)


def test_two_equal_weeks_are_equal_to_the_minute(lived):
    first, second = (report_of(lived(small())) for _ in range(2))
    assert first.happened == second.happened
    assert first.entries == second.entries


def test_the_books_balance_with_the_robots_own_ledgers_to_the_picolitre_and_the_cent(quiet):
    books = report_of(quiet).books
    assert books.booked_pl > 1_000 * PL_PER_UL
    for plate in books.plates:
        # Each well is rounded to the picolitre by itself.
        assert abs(plate.booked - plate.held) <= 1_000
    assert abs(books.booked_pl - books.held_pl) < 0.01 * PL_PER_UL
    assert books.lacking_micro_usd == 0
    prices = {one.name: one.pack_price / one.pack for one in quiet.lab.inventory.resources()}
    for lot in quiet.lab.inventory.lots(is_empty_shown=True):
        left = Decimal(lot.balance.on_hand) * lot.price_micro_usd / lot.received
        paid = Decimal(lot.price_micro_usd)
        moved = -sum(e.value_micro_usd for e in quiet.lab.inventory.transactions(lot.lot_id) if e.on_hand < 0)
        assert abs(paid - left - moved) <= MICRO_PER_USD // 100
        assert lot.resource in prices


def test_a_plate_whose_robot_breaks_down_in_a_step_is_held_and_the_others_wait(lived):
    run = lived(small(handlers=down("lh-1", "Mon 07:50", "Tue 09:00")))
    report = report_of(run)
    (lost,) = (record for record in run_records(run.lab.store) if record.status is not JobStatus.SUCCEEDED)
    assert lost.status is JobStatus.CANCELLED
    assert "discarded by" in lost.error
    assert [hold.what for hold in report.holds if hold.cause == "in doubt"] == [lost.plate_id]
    assert report.impossible == ()
    span = run.config.span(run.config.handlers[0].down[0])
    used = [one for one in attempts(run.lab.store) if one.machine == "lh-1" and "seed" in one.task_id]
    assert not any(span.start < one.start < span.end for one in used)


def test_what_was_in_doubt_is_in_the_books_and_not_in_the_robots_ledger(lived):
    run = lived(small(handlers=down("lh-1", "Mon 07:50", "Tue 09:00")))
    books = report_of(run).books
    assert abs(books.booked_pl - books.held_pl) < 0.01 * PL_PER_UL
    doubtful = [plate for plate in books.plates if plate.plate_id in {p for p, _ in run.diary.doubted_steps}]
    assert len(doubtful) == 1
    assert books.lacking_micro_usd == 0


def test_what_a_broken_robot_was_to_do_is_listed_with_the_reason(lived):
    run = lived(small(handlers=down("lh-1", "Mon 10:00", "Tue 09:00")))
    report = report_of(run)
    held = [hold for hold in report.holds if hold.cause == "lh-1"]
    assert held
    assert {hold.reason for hold in held} == {"jammed"}
    assert all(hold.until is not None and hold.until >= run.config.moment("Tue 09:00") for hold in held)
    assert {one.kind for one in report.conflicts} <= {ConflictKind.TOO_LONG}
    assert report.impossible == ()


def test_what_an_ill_person_was_to_do_waits_for_somebody_else(lived):
    week = small()
    week["people"] = [week["people"][0]]
    ill = {"begins": "Mon 11:00", "ends": "Tue 07:30", "reason": "ill", "is_planned": False}
    week["people"][0]["away"] = [ill]
    report = report_of(lived(week))
    held = [hold for hold in report.holds if hold.cause == "Ada"]
    assert held
    assert all(hold.reason == "ill" for hold in held)
    assert report.impossible == ()


def test_a_campaign_without_stock_waits_for_the_delivery_and_says_what_to_order(lived):
    week = lots(small(), DMEM=4)
    for lot in week["stock"]["lots"]:
        if lot.get("arrives"):
            lot["arrives"] = "Wed 08:30"
    run = lived(week)
    report = report_of(run)
    held = [hold for hold in report.holds if hold.cause == "stock"]
    assert held
    assert all("order 1" in hold.reason and "DMEM" in hold.reason for hold in held)
    assert {hold.until for hold in held} == {run.config.moment("Wed 08:30")}
    assert {line.status for line in report.campaigns} == {"finished"}
    for hold in held:
        begun = [one.start for one in attempts(run.lab.store) if one.task_id.startswith(f"{hold.what}/")]
        assert not any(hold.since <= start < hold.until for start in begun)


def test_without_a_stock_the_week_has_no_books(lived):
    report = report_of(lived(small(stock=None)))
    assert report.books is None
    assert {line.status for line in report.campaigns} == {"finished"}


def test_the_solved_week_holds_the_same_promises(lived):
    week = small(handlers=down("lh-2", "Mon 11:00", "Tue 09:00"))
    report = report_of(lived(week, is_solved=True, effort=0.05))
    assert report.impossible == ()
    assert {line.status for line in report.campaigns} == {"finished"}
    assert abs(report.books.booked_pl - report.books.held_pl) < 0.01 * PL_PER_UL


def test_no_robot_is_told_to_do_two_things_at_once(quiet):
    by_robot = {}
    for one in attempts(quiet.lab.store):
        if one.start < one.end and not one.task_id.endswith(("attach", "treat", "read")):
            by_robot.setdefault(one.machine, []).append((one.start, one.end))
    assert by_robot
    for spans in by_robot.values():
        spans.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_the_page_shows_every_hold_and_escapes_what_people_wrote(lived, tmp_path):
    week = small(handlers=down("lh-1", "Mon 10:00", "Tue 09:00"), name="<script>week</script>")
    run = lived(week)
    report = report_of(run)
    page = write_page(report, run.config, tmp_path / "page").read_text(encoding="utf-8")
    assert "<script>week" not in page
    assert "&lt;script&gt;week" in page
    assert all(hold.what in page for hold in report.holds)
    assert page.count('tabindex="0"') > 20


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("begins: 2026-03-02 ", "begins: 2026-03-03 ", "no Monday"),
        ("zone: Europe/Zurich", "zone: Europe/Nowhere", "no time zone"),
        ('begins: "Wed 09:10"', 'begins: "Wednesday"', "no moment"),
        ("days: Mon-Fri", "days: Mon-Blue", "no days"),
        ("resource: DMSO, quantity", "resource: DMS, quantity", "not declared"),
        ("cabinets: [cabinet]", "cabinets: []", "cabinet"),
        ("replicates: 4", "replicate: 4", "did you mean 'replicates'"),
        ("slots: 36", "slots: 0", "at least 1"),
    ],
    ids=["day", "zone", "moment", "days", "lot", "cabinet", "campaign", "slots"],
)
def test_a_week_that_cannot_be_is_refused_with_its_key(tmp_path, old, new, message):
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "week.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        WeekConfig.from_yaml(path)


def test_the_shipped_week_has_what_the_issue_asks_for():
    week = WeekConfig.from_yaml(SHIPPED)
    assert (len(week.campaigns), len(week.banks), len(week.handlers)) == (3, 2, 2)
    (breakdown,) = (each for handler in week.handlers for each in handler.down)
    assert week.span(breakdown).start.weekday() == 2
    assert any(lot.arrives for lot in week.stock.lots)
    assert week.surprises()


def test_the_command_tells_the_week_as_json(tmp_path):
    import yaml

    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small(), allow_unicode=True), encoding="utf-8")
    folder = tmp_path / "report"
    arguments = ["facility", "simulate", "--week", str(path), "--first-come", "--json", "--report", str(folder)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["planner"] == "first come, first served"
    assert len(told["campaigns"]) == 2
    assert {"report.html", "week.svg", "week.db"} <= {each.name for each in folder.iterdir()}
    again = CliRunner().invoke(app, arguments)
    assert "Name a new folder" in str(again.exception)
