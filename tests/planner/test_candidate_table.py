"""A person's own table: what is read from it, what is asked next, what is refused."""

from __future__ import annotations

import gzip
import itertools
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest

from cellos_nb.errors import ConfigError, InputError
from cellos_nb.planner import CandidateTable

DOSES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def dose_response(measured=()) -> pd.DataFrame:
    rows = list(itertools.product(("A", "B"), ("x", "y", "z"), DOSES))
    frame = pd.DataFrame(rows, columns=["cell_line", "compound", "dose_um"]).assign(viability=np.nan)
    for place in measured:
        ec50 = {"x": 0.1, "y": 3.0, "z": np.inf}[frame["compound"][place]]
        frame.loc[place, "viability"] = 1 / (1 + frame.dose_um[place] / ec50)
    return frame


def media(n=60, n_measured=12) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"serum": rng.choice(["FBS", "KOSR"], n), "glucose_mm": rng.random(n), "factor": 10 ** rng.uniform(-3, 0, n)}
    )
    yield_ = (frame.serum == "KOSR") - (frame.glucose_mm - 0.6) ** 2 - 0.1 * (np.log10(frame.factor) + 1) ** 2
    return frame.assign(yield_=yield_.where(frame.index < n_measured), truth=yield_)


def test_the_best_medium_is_found_in_few_rounds():
    whole = media()
    truth, table = whole.truth, whole.drop(columns="truth")
    for _ in range(4):
        places = CandidateTable.of(table, "yield_").next_rows(4).index
        assert table.yield_[places].isna().all()
        table.loc[places, "yield_"] = truth[places]
    assert table.yield_.max() == truth.max()


def test_minimising_is_maximising_the_opposite():
    table = media().drop(columns="truth")
    up = CandidateTable.of(table, "yield_").next_rows(3)
    down = CandidateTable.of(table.assign(yield_=-table.yield_), "yield_", "minimise").next_rows(3)
    assert up.index.tolist() == down.index.tolist()


def test_a_dose_with_its_unit_beside_compounds_is_a_dose_response_question():
    table = CandidateTable.of(dose_response(range(0, 42, 4)), "viability", "minimise")
    assert table.is_viability
    nanomolar = table.frame.rename(columns={"dose_um": "conc_nM"}).assign(conc_nM=table.frame.dose_um * 1000)
    same = CandidateTable.of(nanomolar, "viability", "minimise")
    assert same.next_rows(4).index.tolist() == table.next_rows(4).index.tolist()
    assert "z" not in set(table.next_rows(2)["compound"])


def test_compounds_that_have_numbers_for_names_are_compounds_all_the_same():
    frame = dose_response(range(0, 42, 2)).replace({"x": 101, "y": 102, "z": 103})
    table = CandidateTable.of(frame.rename(columns={"compound": "compound_id"}).infer_objects(), "viability", "ic50")
    assert set(table.planner().estimate()) == set(itertools.product("AB", ("101", "102", "103")))


def test_ec50s_of_a_table_are_estimated_in_molar():
    estimate = CandidateTable.of(dose_response(range(0, 42, 2)), "viability", "ic50").planner().estimate()
    assert estimate["A", "x"] == pytest.approx(-7.0, abs=0.3)
    assert estimate["B", "y"] == pytest.approx(np.log10(3e-6), abs=0.35)


def test_replicates_are_asked_for_when_nothing_new_is_left():
    frame = dose_response(range(42))
    again = pd.concat([frame, frame.head(3).assign(viability=np.nan)], ignore_index=True)
    assert CandidateTable.of(again, "viability", "minimise").next_rows(5).index.tolist() == [42, 43, 44]


def test_a_table_without_measurements_gets_its_first_rows():
    rows = CandidateTable.of(dose_response(), "viability", "minimise").next_rows(6)
    assert len(set(rows.index)) == 6


@pytest.mark.parametrize(
    ("change", "goal", "match"),
    [
        pytest.param(lambda f: f, "best", "goal: 'best'; possible: maximise, minimise, ic50", id="goal"),
        pytest.param(lambda f: f.drop(columns="viability"), "minimise", "no column 'viability'", id="outcome"),
        pytest.param(lambda f: f.assign(viability="n/k"), "minimise", "row 0: viability is 'n/k'", id="text"),
        pytest.param(lambda f: f.assign(viability=88.0), "minimise", "Divide percentages by 100", id="percent"),
        pytest.param(lambda f: f.assign(dose_um=np.nan), "minimise", "row 0: column 'dose_um' is empty", id="gap"),
        pytest.param(
            lambda f: f.assign(dose_um=-1.0), "maximise", "row 0: dose_um is -1; a dose is 0 or", id="below-0"
        ),
        pytest.param(lambda f: f.replace(0.03, 0.0), "minimise", "row 1: dose_um is 0, .* Leave vehicle", id="vehicle"),
        pytest.param(
            lambda f: f.replace(0.03, 0.0), "ic50", "row 1: dose_um is 0, .* Leave vehicle", id="ic50-vehicle"
        ),
        pytest.param(lambda f: f.rename(columns={"dose_um": "level"}), "ic50", "needs a column of doses", id="no-dose"),
        pytest.param(lambda f: f[["viability"]], "minimise", "a column beside 'viability'", id="no-candidates"),
    ],
)
def test_a_table_that_cannot_be_planned_over_is_refused(change, goal, match):
    with pytest.raises(ConfigError, match=match):
        CandidateTable.of(change(dose_response()), "viability", goal)


def test_asking_for_nothing_and_of_a_full_table_is_refused():
    with pytest.raises(ConfigError, match="ask for 1 row or more"):
        CandidateTable.of(dose_response(), "viability").next_rows(0)
    with pytest.raises(ConfigError, match="Every row has a value"):
        CandidateTable.of(dose_response(range(42)), "viability").next_rows(1)


MEDIA = [["serum", "glucose_mm", "titre"], ["FBS", "5", ""], ["FBS", "25.5", "0.3"], ["None", "5", "NA"]]


def file_of(folder, name, separator=",", decimal="."):
    lines = [separator.join(cells) for cells in MEDIA]
    path = folder / name
    path.write_text("\n".join(line.replace(".", decimal) for line in lines), encoding="utf-8-sig", newline="\r\n")
    return path


def packed(path):
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    return path.with_suffix(".csv.gz")


def workbook_of(folder):
    book = openpyxl.Workbook()
    for cells in MEDIA:
        book.active.append([float(cell) if re.fullmatch(r"[\d.]+", cell) else cell or None for cell in cells])
    book.save(folder / "media.xlsx")
    return folder / "media.xlsx"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda folder: file_of(folder, "a.csv"), id="comma"),
        pytest.param(lambda folder: file_of(folder, "a.csv", ";", ","), id="semicolon, decimal comma"),
        pytest.param(lambda folder: file_of(folder, "a.csv", ";"), id="semicolon"),
        pytest.param(lambda folder: file_of(folder, "a.tsv", "\t", ","), id="tab, decimal comma"),
        pytest.param(lambda folder: packed(file_of(folder, "a.csv")), id="packed"),
        pytest.param(workbook_of, id="workbook"),
    ],
)
def test_a_spreadsheet_s_file_is_read_as_it_was_meant(tmp_path, written):
    frame = CandidateTable.read(written(tmp_path), "titre").frame
    assert frame["serum"].tolist() == ["FBS", "FBS", "None"]
    assert frame["glucose_mm"].tolist() == [5, 25.5, 5]
    assert frame["titre"].fillna(-1).tolist() == [-1, 0.3, -1]
    assert frame.index.tolist() == [2, 3, 4]


def test_a_packed_file_that_is_cut_off_is_refused(tmp_path):
    whole = packed(file_of(tmp_path, "a.csv"))
    whole.write_bytes(whole.read_bytes()[:-10])
    with pytest.raises(InputError, match="cannot be unpacked"):
        CandidateTable.read(whole, "titre")


def test_a_thousand_with_its_comma_is_no_decimal(tmp_path):
    (tmp_path / "a.csv").write_text('serum,titre\nFBS,"1,234"\nKOSR,\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2: titre is '1,234'; give a number"):
        CandidateTable.read(tmp_path / "a.csv", "titre")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param(None, "cannot be read", id="missing"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param("dose_\u00b5m,y\n1,\n".encode("latin-1"), "is not in UTF-8", id="encoding"),
        pytest.param(b"a,a,y\n1,2,\n", "'a' stands twice", id="twice"),
        pytest.param(b"a,y\n1,inf\n", "a.csv, line 2: y is 'inf'; give a number", id="infinite"),
        pytest.param(b"a,y\n\n\n1,\n,2\n", "a.csv, line 5: column 'a' is empty", id="gap-after-blank-lines"),
    ],
)
def test_a_file_that_is_no_table_of_candidates_is_refused(tmp_path, content, match):
    if content is not None:
        (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=match):
        CandidateTable.read(tmp_path / "a.csv", "y")
