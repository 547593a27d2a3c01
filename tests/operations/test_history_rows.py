"""A table of earlier results is understood whole, in our units, or refused with every reason."""

from __future__ import annotations

import pytest
from earlier_results import COLUMNS, HEADERS, mapping, rows, write_book, write_table

from cellos_nb.errors import ConfigError, InputError
from cellos_nb.operations.history import HistoryMapping, read_history

PLAIN = {"cell_line": "line", "compound": "drug", "dose": "dose", "response": "y"}
PLAIN_HEADERS = ("line", "drug", "dose", "y")


def refused(path, chosen, sheet=None) -> str:
    with pytest.raises(InputError) as error:
        read_history(path, chosen, sheet)
    return str(error.value)


def test_doses_become_micromolar_and_percent_become_fractions(tmp_path):
    read = read_history(write_table(tmp_path / "t.csv"), mapping())
    first = read.experiments[0].wells[0]
    assert (first.cell_line, first.compound, first.dose_um, first.plate, first.well) == (
        "SK-LMS-1", "Trametinib", 0.001, "P1", "A1",
    )  # fmt: skip
    assert first.value == pytest.approx(rows()[0][3] / 100)
    assert read.config.dose_range_um == (0.001, 10.0)


@pytest.mark.parametrize(("unit", "dose_um"), [("pM", 3e-7), ("nM", 3e-4), ("uM", 0.3), ("µM", 0.3), ("mM", 300.0)])
def test_every_unit_of_dose_is_known(tmp_path, unit, dose_um):
    path = write_table(tmp_path / "t.csv", [["A", "x", 0.3, 0.5]], PLAIN_HEADERS)
    read = read_history(path, mapping(columns=PLAIN, dose_unit=unit, response={"kind": "fraction"}))
    assert read.experiments[0].wells[0].dose_um == dose_um


def test_a_workbook_gives_the_same_experiments_as_a_csv(tmp_path):
    of_csv = read_history(write_table(tmp_path / "t.csv"), mapping())
    of_book = read_history(write_book(tmp_path / "t.xlsx", "Data"), mapping())
    assert of_book.experiments == of_csv.experiments
    assert of_book.table.sheet == "Data"


def test_of_several_sheets_one_has_to_be_named(tmp_path):
    path = write_book(tmp_path / "t.xlsx", "Data", "Copy")
    assert "has 2 sheets; name one with --sheet: Data, Copy." in refused(path, mapping())
    assert "has no sheet 'Date'; there are Data, Copy." in refused(path, mapping(), "Date")
    assert len(read_history(path, mapping(), "Copy").experiments) == 50


def test_every_bad_line_is_named_at_once_with_column_value_and_cure(tmp_path):
    table = rows()[:4]
    table[0][2] = -5
    table[1][3] = "n/a"
    table[2][5] = "Z99"
    table[3][0] = ""
    message = refused(write_table(tmp_path / "t.csv", table), mapping())
    assert "nothing was imported; 4 lines have to be corrected." in message
    assert "line 2: column 'Dose (nM)': '-5' is not possible; give a dose above 0" in message
    assert "line 3: column 'Viability (%)': 'n/a' is not possible; give a number" in message
    assert "line 5: column 'Cell line': is empty" in message


def test_of_many_bad_lines_the_first_are_named_and_the_others_counted(tmp_path):
    table = [[*row[:3], "?", *row[4:]] for row in rows()]
    message = refused(write_table(tmp_path / "t.csv", table), mapping())
    assert message.count("is not possible") == 20
    assert message.endswith("… and 80 more.")


def test_a_column_that_is_not_there_is_named_with_the_closest(tmp_path):
    message = refused(write_table(tmp_path / "t.csv"), mapping(columns={**COLUMNS, "compound": "Drugs"}))
    assert "there is no column 'Drugs' (columns.compound); did you mean 'Drug'?" in message


def test_a_header_that_contradicts_the_mapping_is_refused(tmp_path):
    path = write_table(tmp_path / "t.csv")
    assert "says nM, and dose_unit says µM" in refused(path, mapping(dose_unit="uM"))
    assert "says percent, and response.kind says fraction" in refused(path, mapping(response={"kind": "fraction"}))


def test_values_that_look_like_another_unit_are_refused(tmp_path):
    percent = write_table(tmp_path / "p.csv", [["A", "x", 1, 88], ["A", "x", 2, 12]], PLAIN_HEADERS)
    chosen = mapping(columns=PLAIN, response={"kind": "fraction"})
    assert "Set response.kind to percent or raw." in refused(percent, chosen)
    fraction = write_table(tmp_path / "f.csv", [["A", "x", 1, 0.88], ["A", "x", 2, 0.12]], PLAIN_HEADERS)
    assert "Set response.kind to fraction." in refused(fraction, mapping(columns=PLAIN))
    large = write_table(tmp_path / "d.csv", [["A", "x", 500, 0.5]], PLAIN_HEADERS)
    chosen = mapping(columns=PLAIN, dose_unit="M", response={"kind": "fraction"})
    assert "or check dose_unit" in refused(large, chosen)


def test_raw_signals_are_fractions_of_their_own_plates_vehicle(tmp_path):
    headers = (*PLAIN_HEADERS, "plate")
    table = [
        *(["A", "DMSO", "", signal, "P1"] for signal in (900, 1000, 1400)),
        *(["A", "DMSO", 0, signal, "P2"] for signal in (2000, 2000)),
        ["A", "x", 1, 500, "P1"],
        ["A", "x", 1, 500, "P2"],
    ]
    path = write_table(tmp_path / "t.csv", table, headers)
    chosen = mapping(columns={**PLAIN, "plate": "plate"}, response={"kind": "raw"}, vehicle="DMSO")
    read = read_history(path, chosen)
    wells = [well for each in read.experiments for well in each.wells]
    assert [(well.plate, well.signal, well.value, well.n_vehicle) for well in wells] == [
        ("P1", 500, 0.5, 3),
        ("P2", 500, 0.25, 2),
    ]
    assert read.config.compound_names == ("x",)


def test_a_plate_without_vehicle_wells_cannot_be_compared(tmp_path):
    table = [["A", "DMSO", "", 1000], ["B", "x", 1, 500]]
    chosen = mapping(columns=PLAIN, response={"kind": "raw"}, vehicle="DMSO")
    message = refused(write_table(tmp_path / "t.csv", table, PLAIN_HEADERS), chosen)
    assert "line 3" in message
    assert "no vehicle well of B is there (compound 'DMSO')" in message


def test_a_column_of_vehicle_means_serves_as_well(tmp_path):
    path = write_table(tmp_path / "t.csv", [["A", "x", 1, 500, 2000]], (*PLAIN_HEADERS, "mean"))
    chosen = mapping(columns=PLAIN, response={"kind": "raw", "vehicle_column": "mean"})
    assert read_history(path, chosen).experiments[0].wells[0].value == 0.25


def test_a_well_and_a_replicate_that_stand_twice_are_refused(tmp_path):
    table = rows()[:2]
    table[1] = table[0]
    message = refused(write_table(tmp_path / "t.csv", table), mapping())
    assert "this well stands in line 2 already; keep one" in message
    assert "this replicate stands in line 2 already" in message


def test_decimal_commas_are_read_where_the_mapping_says_so(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("line;drug;dose;y\nA;x;0,3;0,5\n", encoding="utf-8")
    chosen = mapping(columns=PLAIN, dose_unit="uM", response={"kind": "fraction"})
    assert "give a number, with a point before its decimals" in refused(path, chosen)
    read = read_history(path, mapping(**{**chosen.model_dump(), "decimal": ","}))
    assert read.experiments[0].proposal == ("A", "x", 0.3)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,a\n1,2\n", "the header 'a' stands twice"),
        ("t.csv", b"\xff\xfe", "is not in UTF-8"),
        ("t.csv", b'a,b\n"1,2\n', "Look for a quotation mark"),
        ("t.csv", b"a,b\n1,2,3\n", "has more cells than there are headers"),
        ("t.xlsx", b"no zip", "is no workbook that can be read"),
        ("t.pdf", b"", "is neither .csv nor .xlsx"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said in refused(tmp_path / name, mapping())


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read (No such file" in refused(tmp_path / "t.csv", mapping())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dose_unit": "mg/ml"}, "dose_unit: 'mg/ml' is not possible; choose 'pM', 'nM', 'µM', 'mM' or 'M'"),
        ({"colour": "red"}, "colour: unknown key"),
        ({"response": {"kind": "raw"}}, "name the vehicle, as in 'vehicle: DMSO'"),
        ({"response": {"kind": "percent", "vehicle_column": "v"}}, "belongs to raw responses alone"),
        ({"columns": {**COLUMNS, "well": "Drug"}}, "the column 'Drug' stands for two things"),
    ],
)
def test_a_mapping_that_cannot_be_says_what_is_possible(changes, said):
    with pytest.raises(ConfigError) as error:
        mapping(**changes)
    assert said in str(error.value)


def test_a_mapping_reads_back_from_its_yaml_and_errors_have_the_line(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(mapping().to_yaml(), encoding="utf-8")
    assert HistoryMapping.from_yaml(path) == mapping()
    path.write_text(mapping().to_yaml().replace("nM\n", "stone\n"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"map.yaml, line \d+: dose_unit: 'stone'"):
        HistoryMapping.from_yaml(path)
    assert HEADERS[2] in mapping().to_yaml()
