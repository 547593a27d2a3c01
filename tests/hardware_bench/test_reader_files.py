"""Files of plate readers: what is taken from them, and what is refused with the cell and the reason."""

from __future__ import annotations

import io

import openpyxl
import pytest
from bench_rig import PLATE, bench_file, list_file, read_step, whole_plate

from cellos_nb.errors import ConfigError, ReaderFileError
from cellos_nb.hardware.bench.exports import read_export
from cellos_nb.hardware.bench.readings import check_plate, reading_of


def reading(content, *, name="plate.csv", step=None, skipped=(), altered=None, **reader):
    settings = bench_file(reader={"signals": {"luminescence": "Lum"}, "saturated_at": 1e6} | reader).reader
    step = step or read_step()
    export = read_export(name, content, step.readout.channels, settings)
    check_plate(export, PLATE, "PB-1")
    return reading_of(export, step, settings, skipped=skipped, altered=altered or {})


def workbook(rows, sheet="Results"):
    book = openpyxl.Workbook()
    book.active.title = "Settings"
    made = book.create_sheet(sheet)
    for row in rows:
        made.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def grid(values, n_rows=8, n_columns=12, title="Lum"):
    lines = [f"Report,,\n{title}\n,{','.join(str(c + 1) for c in range(n_columns))}"]
    lines += [f"{chr(65 + r)},{','.join(str(values(r, c)) for c in range(n_columns))}" for r in range(n_rows)]
    return "\n".join(lines).encode()


def test_a_list_gives_the_wells_that_were_asked_for():
    taken = reading(list_file(whole_plate(), before="Measured by,ada\n\n"))
    assert taken.wells == ("B2", "B3", "C2", "C3")
    assert taken.channels[0].values == (1013, 1014, 1025, 1026)
    assert (taken.channels[0].unit, taken.instrument, taken.plate_id) == ("RLU", "plate reader", PLATE)


def test_wells_may_be_written_as_readers_do():
    numbers = {"b02": 1, "B03": 2, "c2": 3, "C03": 4}
    assert reading(list_file(numbers)).channels[0].values == (1, 2, 3, 4)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("Well;Lum\nB2;1,5\nB3;2,5\nC2;3,5\nC3;4,5\n".encode("utf-8-sig"), id="semicolons, BOM"),
        pytest.param("Well\tLum\r\nB2\t1,5\r\nB3\t2,5\r\nC2\t3,5\r\nC3\t4,5\r\n".encode("utf-16"), id="tabs, UTF-16"),
        pytest.param("Gerät µ\nWell;Lum\nB2;1,5\nB3;2,5\nC2;3,5\nC3;4,5\n".encode("cp1252"), id="Windows"),
    ],
)
def test_a_decimal_comma_and_the_encodings_of_readers_are_read(content):
    assert reading(content, decimal=",").channels[0].values == (1.5, 2.5, 3.5, 4.5)


def test_a_workbook_is_read_from_the_sheet_that_is_named():
    content = workbook([["Plate", "PB-1"], [], ["Well", "Lum"], ["B2", 1.25], ["B3", 2], ["C2", 3], ["C3", 4]])
    taken = reading(content, name="plate.xlsx", sheet="Results", plate="Plate")
    assert taken.channels[0].values == (1.25, 2, 3, 4)
    with pytest.raises(ReaderFileError, match="has no sheet 'Raw'; there are Settings, Results"):
        reading(content, name="plate.xlsx", sheet="Raw")


def test_a_picture_of_the_plate_is_read_below_its_title():
    taken = reading(grid(lambda row, column: 100 * row + column), form="grid")
    assert taken.channels[0].values == (101, 102, 201, 202)


def test_two_signals_are_told_apart_by_their_titles():
    content = grid(lambda r, c: 100 * r + c, title="Rep") + b"\n\n" + grid(lambda r, c: 7, title="Via")
    step = read_step(channels=("reporter", "viability"))
    settings = {"signals": {"reporter": "Rep", "viability": "Via"}}
    made = bench_file(assays=["reporter"], reader={"form": "grid"} | settings).reader
    taken = reading_of(read_export("p.csv", content, step.readout.channels, made), step, made, skipped=(), altered={})
    assert taken.channel("reporter")[0].values == (101, 102, 201, 202)
    assert taken.channel("viability")[0].values == (7, 7, 7, 7)


@pytest.mark.parametrize(
    ("content", "reader", "problem"),
    [
        pytest.param(
            list_file(whole_plate(384)), {}, r"cell B14: well A13 is beyond the 96 wells .* larger plate", id="shape"
        ),
        pytest.param(
            list_file(whole_plate() | {"B2": 2e6}), {}, r"cell B15: well B2 is saturated \(2000000.0\)", id="saturated"
        ),
        pytest.param(list_file(whole_plate() | {"C3": "OVRFLW"}), {}, r"cell B28: well C3 is saturated", id="overflow"),
        pytest.param(
            list_file({"B2": 1, "B3": 2, "C2": 3}), {}, r"plate.csv: well C3 has no luminescence", id="missing"
        ),
        pytest.param(list_file(whole_plate() | {"B3": ""}), {}, r"cell B16: well B3 has no luminescence", id="empty"),
        pytest.param(
            list_file(whole_plate()) + b"B2,5\n",
            {},
            r"cell B98: well B2 has a second luminescence; the first is plate.csv, cell B15",
            id="duplicate",
        ),
        pytest.param(list_file(whole_plate() | {"B2": "n/a"}), {}, r"cell B15: 'n/a' is no number", id="no number"),
        pytest.param(list_file(whole_plate() | {"B2": "nan"}), {}, r"cell B15: 'nan' is no number", id="nan"),
        pytest.param(list_file({"B2": 1, "Total": 4}), {}, r"cell A3: 'Total' is no well", id="no well"),
        pytest.param(
            b"Plate,PB-2\nWell,Lum\nB2,1\n", {"plate": "Plate"}, r"cell B1: this is plate 'PB-2', but", id="plate"
        ),
        pytest.param(
            b"Well,Plate,Lum\nB2,PB-1,1\nB3,PB-2,1\n", {"plate": "Plate"}, r"cell B3: speaks of plate 'PB-2'", id="two"
        ),
        pytest.param(b"Well,Lum\nB2,1\n", {"plate": "Plate"}, r"there is no 'Plate', by which", id="no barcode"),
        pytest.param(b"Position,Lum\nB2,1\n", {}, r"no column 'Well' .* first row has Position, Lum", id="columns"),
        pytest.param(b"Well,Signal\nB2,1\n", {}, r"row 1: the column 'Lum' is not there; .* Well, Signal", id="signal"),
        pytest.param(b"Well,Lum,Lum\nB2,1,2\n", {}, r"the column 'Lum' is there twice", id="signal twice"),
        pytest.param(b"", {}, r"plate.csv: is empty", id="nothing"),
        pytest.param(b"\x00\x01\x02", {}, r"plate.csv: is no text", id="binary"),
        pytest.param(b"Lum\nx,y\n", {"form": "grid"}, r"there is no plate in it", id="no grid"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_cell_and_the_reason(content, reader, problem):
    with pytest.raises(ReaderFileError, match=problem):
        reading(content, **reader)


def test_a_smaller_plate_is_told_from_one_that_was_not_read_whole():
    with pytest.raises(ReaderFileError, match=r"has the 96 wells A1 to H12, but the plate has 384"):
        reading(list_file(whole_plate(96)), step=read_step(384))


def test_every_problem_is_listed_up_to_eight():
    with pytest.raises(ReaderFileError) as refused:
        reading(list_file(dict.fromkeys(whole_plate(), "x")), step=read_step(wells=tuple(whole_plate())[:20]))
    assert str(refused.value).count("is no number") == 8
    assert "… and 12 more" in str(refused.value)


def test_wells_left_out_or_altered_have_no_number_in_the_reading():
    content = list_file(whole_plate() | {"B2": "OVRFLW"})
    taken = reading(content, skipped=("B2",), altered={"C3": "half the cells"})
    assert taken.channels[0].values == (None, 1014, 1025, None)


def test_a_file_of_a_vendors_software_is_read_by_allotropy():
    head = "User: USER,Path: C:\\data,Test ID: 12\nTest name: CTG,Date: 2026-11-20,Time: 14:03:11\n"
    head += "ID1: PB-1,ID2: ,ID3: \nLuminescence\n\nRaw Data (No filter)\n"
    plate = grid(lambda row, column: 1000 * row + column + 0.5).decode().split("Lum\n")[1]
    vendor = {"form": "vendor", "vendor": "BMG_MARS", "plate": "ID1", "signals": {"luminescence": "luminescence"}}
    assert reading((head + plate).encode(), **vendor).channels[0].values == (1001.5, 1002.5, 2001.5, 2002.5)
    with pytest.raises(ReaderFileError, match=r"measurement 1 \(well A1\): this is plate 'PB-9'"):
        reading((head + plate).replace("PB-1", "PB-9").encode(), **vendor)
    with pytest.raises(ReaderFileError, match=r"allotropy cannot read it as a file of BMG_MARS"):
        reading(b"Well,Lum\nB2,1\n", **vendor)
    with pytest.raises(ConfigError, match=r"reader.vendor: allotropy knows no 'BMG'; possible: AGILENT_GEN5, "):
        reading(b"", **(vendor | {"vendor": "BMG"}))
    with pytest.raises(ReaderFileError, match=r"no well has a 'glow'; allotropy found luminescence"):
        reading((head + plate).encode(), **(vendor | {"signals": {"luminescence": "glow"}}))
