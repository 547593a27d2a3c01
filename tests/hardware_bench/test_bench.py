"""The bench: steps are handed to a person, whose answers are checked before they are recorded."""

from __future__ import annotations

import sqlite3

import pytest
from bench_rig import PLATE, bench_file, dose_step, incubate_step, list_file, read_step, seed_step, whole_plate

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.errors import InputError, MachineError, MachineRefusedError, StepFailedError, StepUnderWayError
from cellos_nb.hardware.bench.book import Book, TaskState
from cellos_nb.hardware.bench.changes import read_changes
from cellos_nb.hardware.bench.desk import Answer, Desk, ReaderFile
from cellos_nb.hardware.bench.machine import Bench


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path / "hands.bench")


@pytest.fixture
def bench(book):
    return Bench(bench_file(), book)


def asked(bench, step, token=None):
    with pytest.raises(StepUnderWayError, match=f"step {step.uid} is with a person"):
        bench.execute(step, token or step.uid)
    return Desk(bench._book).open_tasks()[-1]


def answered(bench, step, **answer):
    desk = Desk(bench._book)
    return desk.done(asked(bench, step).number, Answer("ada", **answer))


def brought(content, name="plate.csv"):
    return ReaderFile(name, content)


def test_a_step_is_handed_over_once_and_is_over_when_the_person_says_so(bench, book):
    task = asked(bench, seed_step())
    assert asked(bench, seed_step()).number == task.number
    assert bench.reconcile("1-seed").state is OutcomeState.RUNNING
    Desk(book).done(task.number, Answer("ada"))
    assert bench.reconcile("1-seed").state is OutcomeState.DONE
    assert bench.execute(seed_step(), "1-seed") is None
    assert Desk(book).open_tasks() == ()


def test_a_bench_reopened_after_a_crash_knows_every_step(bench, book):
    asked(bench, seed_step())
    again = Bench(bench_file(), Book(book.path))
    assert again.reconcile("1-seed").state is OutcomeState.RUNNING
    assert again.reconcile("never").state is OutcomeState.NEVER_STARTED
    with pytest.raises(MachineRefusedError, match="the token 1-seed was used for another step"):
        again.execute(incubate_step(), "1-seed")


def test_an_incubation_needs_nobody(bench, book):
    answered(bench, seed_step())
    assert bench.execute(incubate_step(), "2-attach") is None
    assert bench.reconcile("2-attach").state is OutcomeState.DONE
    assert Desk(book).open_tasks() == ()


def test_a_failed_step_says_who_reported_it_and_why(bench, book):
    task = asked(bench, seed_step())
    with pytest.raises(InputError, match="say why it failed"):
        Desk(book).failed(task.number, person="ada", reason=" ")
    Desk(book).failed(task.number, person="ada", reason="dropped the plate")
    assert bench.reconcile("1-seed").state is OutcomeState.FAILED
    with pytest.raises(StepFailedError, match="ada reported that step 1-seed failed: dropped the plate"):
        bench.execute(seed_step(), "1-seed")


def test_an_answer_counts_once(bench, book):
    task = asked(bench, seed_step())
    Desk(book).done(task.number, Answer("ada"))
    with pytest.raises(InputError, match="was answered before: done by ada"):
        Desk(book).done(task.number, Answer("bob"))
    with pytest.raises(InputError, match="was answered before: done by ada"):
        Desk(book).failed(task.number, person="bob", reason="late")
    assert book.numbered(task.number).person == "ada"


@pytest.mark.parametrize(
    ("step", "changes", "problem"),
    [
        pytest.param(dose_step(25.0), {}, None, id="a volume that a pipette takes"),
        pytest.param(dose_step(5.0), {}, r"plate B2: 5 µL is asked for, but hands has P2 0.2 to 2 µL", id="between"),
        pytest.param(dose_step(0.1), {}, r"plate B2: 0.1 µL is asked for", id="too small"),
        pytest.param(
            dose_step(0.5),
            {"stocks": {"staurosporine": {"stock_mm": 10}}},
            r"reckons with staurosporine of 1 mM, but hands has it at 10 mM",
            id="another stock",
        ),
        pytest.param(dose_step(60.0), {}, r"stocks A1: 120 µL is drawn from it, but it holds 100 µL", id="empty stock"),
        pytest.param(read_step(wells=("B2",)), {}, r"well B2 of hand/i001-p1 is empty", id="nothing to read"),
        pytest.param(seed_step(n_wells=24), {}, r"hands holds no plate of 24 wells; possible: 96, 384", id="plate"),
    ],
)
def test_what_cannot_be_done_here_is_refused_before_anybody_is_asked(step, changes, problem, book):
    bench = Bench(bench_file(**changes), book)
    if problem is None:
        asked(bench, step)
        return
    with pytest.raises(MachineRefusedError, match=problem):
        bench.execute(step, step.uid)
    assert book.tasks() == ()


def test_wells_done_otherwise_are_reckoned_with_and_do_not_count(bench, book):
    desk = Desk(book)
    answered(bench, seed_step(), changes=read_changes(volumes=["C2=50"]))
    answered(bench, dose_step(), changes=read_changes(skipped=["b2"]))
    account = bench.contents(PLATE)
    assert account.contents(PLATE, "B2").dose_um == {}
    assert account.contents(PLATE, "B3").dose_um == pytest.approx({"staurosporine": 5.0})
    assert account.contents(PLATE, "C2").volume_ul == pytest.approx(50.5)
    altered = desk.altered(PLATE)
    assert altered.keys() == {"B2", "C2"}
    assert "staurosporine 0 µM in place of 5 µM" in altered["B2"]
    assert "U2OS cells in place of 2488" in altered["C2"]
    task = answered(bench, read_step(), file=brought(list_file(whole_plate())))
    assert task.reading.channels[0].values == (None, 1014, None, 1026)
    assert bench.execute(read_step(), "5-read") == task.reading


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"skipped": ["H12"]}, r"puts nothing into plate H12", id="no such well"),
        pytest.param({"volumes": ["B2=400"]}, r"this cannot have been done. .* but the well holds", id="overflow"),
        pytest.param({"volumes": ["B2"]}, r"'B2': is no volume; write WELL=µL", id="no volume"),
        pytest.param({"volumes": ["B2=-1"]}, r"no well can get -1 µL", id="negative"),
        pytest.param({"skipped": ["B2"], "volumes": ["B2=1"]}, r"B2: it cannot both be left out and get", id="both"),
        pytest.param({"skipped": ["plate"]}, r"'plate' is no well", id="no well"),
        pytest.param({"volumes": ["medium>B2=1"]}, r"puts nothing from medium into plate B2", id="no such source"),
    ],
)
def test_changes_that_cannot_be_are_refused_and_the_task_stays_open(changes, problem, bench, book):
    task = asked(bench, seed_step())
    with pytest.raises(InputError, match=problem):
        Desk(book).done(task.number, Answer("ada", changes=read_changes(**changes)))
    assert book.numbered(task.number).state is TaskState.OPEN


def test_the_barcode_that_was_read_first_is_that_plates_for_good(bench, book):
    answered(bench, seed_step(), barcode="PB-1")
    other = seed_step(plate_id="hand/i001-p2")
    task = asked(bench, other, "other")
    with pytest.raises(InputError, match=r"wrong plate. PB-1 is the barcode of hand/i001-p1, but this step is for"):
        Desk(book).done(task.number, Answer("ada", barcode="PB-1"))
    Desk(book).done(task.number, Answer("ada", barcode="PB-2"))
    dose = asked(bench, dose_step())
    with pytest.raises(InputError, match=r"wrong plate. hand/i001-p1 has the barcode PB-1, not PB-3"):
        Desk(book).done(dose.number, Answer("ada", barcode="PB-3"))
    Desk(book).done(dose.number, Answer("ada", barcode=PLATE))
    assert (book.barcode_of(PLATE), book.plate_with("PB-2")) == ("PB-1", "hand/i001-p2")


def test_a_bench_may_ask_for_the_barcode_with_every_answer(book):
    bench = Bench(bench_file(barcode="required"), book)
    task = asked(bench, seed_step())
    with pytest.raises(InputError, match="give the plate's barcode with --barcode; read it from the plate"):
        Desk(book).done(task.number, Answer("ada"))
    Desk(book).done(task.number, Answer("ada", barcode="PB-1"))


def test_a_file_that_is_refused_is_kept_with_the_reason(bench, book):
    answered(bench, seed_step(), barcode="PB-1")
    task = asked(bench, read_step())
    desk = Desk(book)
    with pytest.raises(InputError, match="so it is done with the reader's file"):
        desk.done(task.number, Answer("ada"))
    with pytest.raises(InputError, match=r"well C3 has no luminescence.*\n.*the file is kept as"):
        desk.done(task.number, Answer("ada", file=brought(list_file({"B2": 1, "B3": 2, "C2": 3}))))
    assert book.numbered(task.number).state is TaskState.OPEN
    desk.done(task.number, Answer("ada", file=brought(list_file(whole_plate()))))
    refused, taken = book.files()
    assert "C3 has no luminescence" in refused.refusal
    assert taken.refusal is None
    assert book.content_of(refused.sha256) == list_file({"B2": 1, "B3": 2, "C2": 3})


def test_the_file_of_a_plate_that_another_one_is_known_to_be_is_refused(book):
    bench = Bench(bench_file(reader={"plate": "Plate", "signals": {"luminescence": "Lum"}}), book)
    answered(bench, seed_step(), barcode="PB-1")
    with pytest.raises(StepUnderWayError, match="with a person"):
        bench.execute(seed_step(plate_id="hand/i001-p2"), "other")
    other = Desk(book).open_tasks()[-1]
    Desk(book).done(other.number, Answer("ada"))
    with pytest.raises(StepUnderWayError, match="with a person"):
        bench.execute(read_step_of("hand/i001-p2"), "read other")
    task = Desk(book).open_tasks()[-1]
    content = list_file(whole_plate(), before="Plate,PB-1\n")
    with pytest.raises(InputError, match=r"wrong plate\. PB-1 is the barcode of hand/i001-p1"):
        Desk(book).done(task.number, Answer("ada", file=brought(content)))


def read_step_of(plate_id):
    from dataclasses import replace

    from bench_rig import labware

    return replace(read_step(), plate_id=plate_id, labware=(labware("plate", 96, plate_id),))


def test_a_file_for_a_step_that_reads_nothing_is_refused(bench, book):
    task = asked(bench, seed_step())
    with pytest.raises(InputError, match="step 1-seed reads nothing, so it needs no file"):
        Desk(book).done(task.number, Answer("ada", file=brought(b"x")))


def test_a_plate_with_a_failed_step_goes_on_without_a_reckoning_of_its_wells(bench, book):
    Desk(book).failed(asked(bench, seed_step()).number, person="ada", reason="half of it spilt")
    answered(bench, dose_step(), changes=read_changes(skipped=["B2"]))
    assert Desk(book).altered(PLATE) == {"B2": "done otherwise, on a plate with a failed step"}
    task = answered(bench, read_step(), file=brought(list_file(whole_plate())))
    assert task.reading.channels[0].values == (None, 1014, 1025, 1026)


def test_a_bench_without_a_book_describes_and_checks_and_asks_nobody():
    bench = Bench(bench_file())
    assert bench.describe().is_by_person
    bench.preflight(seed_step())
    with pytest.raises(MachineRefusedError, match="was opened to be looked at, without a book"):
        bench.execute(seed_step(), "1-seed")


def test_a_file_that_is_no_book_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(MachineError, match="is not a bench's book"):
        Book(tmp_path / "other.db")
    (tmp_path / "text.db").write_text("no database at all, and long enough to be looked at" * 50)
    with pytest.raises(MachineError, match="the bench's book cannot be used"):
        Book(tmp_path / "text.db")
    with pytest.raises(MachineError, match="no bench has used this book yet"):
        Desk(Book(tmp_path / "new.bench"))


def test_the_page_shows_what_goes_where_and_runs_nothing(book):
    bench = Bench(bench_file(labware={"plate": "<b>black</b>"}, stocks={"staurosporine": {"place": "box B"}}), book)
    desk = Desk(book)
    page = desk.page(asked(bench, dose_step()))
    assert "&lt;b&gt;black&lt;/b&gt;" in page
    assert "<script" not in page
    assert "http" not in page
    assert page.count('class="full"') == 4
    assert "box B" in page
    assert 'title="B2: 0.5 µL from A1"' in page
