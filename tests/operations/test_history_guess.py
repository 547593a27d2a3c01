"""A mapping is proposed with a reason for each key, and what nothing speaks for is left to a person."""

from __future__ import annotations

import pytest
from earlier_results import COLUMNS, write_book, write_table

from cellos_nb.errors import ConfigError
from cellos_nb.operations.history import HistoryMapping, guess, read_history, read_table


def guessed(path, sheet=None):
    proposed = guess(read_table(path, sheet))
    return proposed, {each.key: each.value for each in proposed.guessed}


def test_clear_headers_give_a_mapping_that_imports_as_it_stands(tmp_path):
    path = write_table(tmp_path / "screen.csv")
    proposed, found = guessed(path)
    assert {key.removeprefix("columns."): found[key] for key in found if key.startswith("columns.")} == COLUMNS
    assert (found["dose_unit"], found["response.kind"], proposed.missing) == ("nM", "percent", ())
    (tmp_path / "map.yaml").write_text(proposed.to_yaml(), encoding="utf-8")
    assert len(read_history(path, HistoryMapping.from_yaml(tmp_path / "map.yaml")).experiments) == 50


def test_every_choice_has_its_reason(tmp_path):
    proposed, _ = guessed(write_table(tmp_path / "screen.csv"))
    assert all(each.reason for each in proposed.guessed)
    assert "dose_unit: nM  # the header 'Dose (nM)' says so" in proposed.to_yaml()


def test_a_unit_that_no_header_names_is_not_guessed(tmp_path):
    path = write_table(tmp_path / "t.csv", [["A", "x", 1, 0.5]], ("cell line", "drug", "dose", "viability"))
    proposed, found = guessed(path)
    assert found["dose_unit"] is None
    assert "# dose_unit:   the header names no unit; fill in pM, nM, uM, mM or M" in proposed.to_yaml()
    assert proposed.missing == ("dose_unit",)
    (tmp_path / "map.yaml").write_text(proposed.to_yaml(), encoding="utf-8")
    with pytest.raises(ConfigError, match="dose_unit: is missing"):
        HistoryMapping.from_yaml(tmp_path / "map.yaml")


@pytest.mark.parametrize(
    ("responses", "kind"), [((0.2, 1.1), "fraction"), ((12, 104), "percent"), ((50_000, 120_000), "raw")]
)
def test_the_kind_of_response_is_judged_by_its_values_and_says_so(tmp_path, responses, kind):
    table = [["A", "x", dose, value] for dose, value in enumerate(responses, start=1)]
    proposed, found = guessed(write_table(tmp_path / "t.csv", table, ("cell line", "drug", "dose uM", "signal")))
    assert found["response.kind"] == kind
    assert "check it" in next(each.reason for each in proposed.guessed if each.key == "response.kind")


def test_wells_and_days_are_known_by_their_values_and_vehicle_by_its_name(tmp_path):
    table = [["A", "x", 1, 50, "B07", "2024-01-02"], ["A", "DMSO", 0, 100, "B08", "2024-01-02"]]
    _, found = guessed(write_table(tmp_path / "t.csv", table, ("cells", "drug", "dose uM", "signal", "where", "when")))
    assert (found["columns.well"], found["columns.date"], found["vehicle"]) == ("where", "when", "DMSO")


def test_decimal_commas_and_the_sheet_are_proposed(tmp_path):
    (tmp_path / "t.csv").write_text("cells;drug;dose uM;signal\nA;x;0,3;0,5\n", encoding="utf-8")
    assert guessed(tmp_path / "t.csv")[1]["decimal"] == ","
    assert guessed(write_book(tmp_path / "t.xlsx", "a", "b"), "b")[1]["sheet"] == "b"


def test_a_table_of_something_else_leaves_the_columns_to_a_person(tmp_path):
    proposed, _ = guessed(write_table(tmp_path / "t.csv", [["1", "2"]], ("alpha", "beta")))
    assert set(proposed.missing) >= {"columns.cell_line", "columns.compound", "columns.dose", "columns.response"}
