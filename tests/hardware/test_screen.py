"""Screens of measured viabilities: the shipped one against its source, and files of one's own."""

from __future__ import annotations

import gzip
import math
from importlib import resources

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cellos_nb.errors import ScreenError
from cellos_nb.hardware.screen import load_screen

HEADER = "cell_line,compound,dose_um,replicate,viability\n"


@pytest.fixture
def screen_of(tmp_path):
    def load(text, name="screen.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_screen(path)

    return load


def test_the_shipped_screen_is_whole():
    screen = load_screen()
    assert (len(screen.cell_lines), len(screen.compounds), len(screen.curves)) == (9, 72, 648)
    assert sum(len(curves.viability) for curves in screen.curves.values()) == 1944
    assert screen.dose_range_um == (0.00017, 10.0)
    assert "10.1038/s44320-023-00004-7" in screen.source
    assert "CC BY 4.0" in screen.source


def test_the_shipped_screen_holds_the_published_numbers():
    curves = load_screen().curves["G401", "AZD-3759"]
    assert curves.dose_um == (0.00017, 0.00051, 0.00152, 0.00457, 0.01372, 0.04115, 0.1235, 0.3704, 1.111, 3.333, 10.0)
    assert curves.viability[0][:3] == (1.0395, 1.0893, 1.0739)
    assert curves.viability[2][-1] == 0.9664


def test_the_shipped_screen_is_compressed_reproducibly_and_described():
    folder = resources.files("cellos_nb.hardware") / "screens"
    content = (folder / "sarcoma_lee2023.csv.gz").read_bytes()
    about = yaml.safe_load((folder / "sarcoma_lee2023.yaml").read_text(encoding="utf-8"))
    assert content[4:8] == b"\0\0\0\0"
    assert about["sha256"] == load_screen().sha256
    assert about["n_measurements"] == sum(not row.endswith(b",") for row in gzip.decompress(content).splitlines()[1:])
    assert about["licence"] == "CC BY 4.0"


def test_a_dose_that_nobody_measured_on_a_line_is_outside_its_range():
    # All three replicates lack the highest dose.
    curves = load_screen().curves["SK-ES-1", "Dabrafenib"]
    assert not curves.holds(10.0)
    assert curves.holds(3.333)


def test_a_file_of_ones_own_may_be_compressed_and_lack_replicates(screen_of):
    text = "compound,cell_line,viability,dose_um\nX,U2OS,0.9,0.1\nX,U2OS,0.2,10\n"
    plain, packed = screen_of(text), screen_of(gzip.compress(text.encode()), "screen.csv.gz")
    assert plain.curves == packed.curves
    assert plain.curves["U2OS", "X"].viability == ((0.9, 0.2),)
    assert plain.source == "screen.csv"


def test_holes_are_bridged_between_neighbours_and_at_the_ends_by_other_replicates(screen_of):
    rows = [("1", 0.1, "1.0"), ("1", 1, ""), ("1", 10, "0.0"), ("2", 0.1, "0.8"), ("2", 1, "0.6"), ("2", 10, "")]
    screen = screen_of(HEADER + "".join(f"U2OS,X,{dose},{replicate},{value}\n" for replicate, dose, value in rows))
    first, second = screen.curves["U2OS", "X"].viability
    assert first == pytest.approx((1.0, 0.5, 0.0))
    assert second == pytest.approx((0.8, 0.6, 0.0))


GOOD = "U2OS,X,0.1,1,0.9\n"
REFUSED = {
    "empty file": ("", r"the screen is empty. Expected a header with the columns cell_line"),
    "header alone": (HEADER, r"holds no measurement"),
    "nothing measured": (HEADER + "U2OS,X,0.1,1,\n", r"holds no measurement"),
    "missing column": ("cell_line,dose_um,viability\n", r"line 1: wrong columns: missing 'compound'. Expected: cell"),
    "unknown column": ("cell_line,compound,dose_nm,viability\n", r"missing 'dose_um'; unknown 'dose_nm'"),
    "column twice": (HEADER.replace("replicate", "compound"), r"twice 'compound'"),
    "short line": (HEADER + GOOD + "U2OS,X,1\n", r"line 3: 3 values for 5 columns"),
    "no compound": (HEADER + "U2OS,,1,1,0.5\n", r"line 2: compound is empty"),
    "no replicate": (HEADER + "U2OS,X,1,,0.5\n", r"line 2: replicate is empty"),
    "dose as text": (HEADER + "U2OS,X,low,1,0.5\n", r"line 2: dose_um is 'low', which is no number"),
    "viability as text": (HEADER + GOOD + "U2OS,X,1,1,dead\n", r"line 3: viability is 'dead', which is no number"),
    "dose zero": (HEADER + "U2OS,X,0,1,1.0\n", r"line 2: a dose_um of 0 is no dose; .* Vehicle wells are 1.0"),
    "dose negative": (HEADER + "U2OS,X,-1,1,1.0\n", r"a dose_um of -1 is no dose"),
    "dose NaN": (HEADER + "U2OS,X,nan,1,1.0\n", r"a dose_um of nan is no dose"),
    "dose infinite": (HEADER + "U2OS,X,inf,1,1.0\n", r"a dose_um of inf is no dose"),
    "viability NaN": (HEADER + "U2OS,X,1,1,NaN\n", r"line 2: a viability of NaN is no number; leave it empty"),
    "viability in percent": (HEADER + "U2OS,X,1,1,97.5\n", r"97.5 looks like percent"),
    "row twice": (HEADER + GOOD + GOOD, r"line 3: U2OS, X, 0.1 µM stands twice .* Keep one\."),
    "row twice without replicates": (
        "cell_line,compound,dose_um,viability\nU2OS,X,1,0.5\nU2OS,X,1,0.6\n",
        r"line 3: .* number them in a column 'replicate'",
    ),
    "not UTF-8": (HEADER.encode() + b"U2OS,\xff,1,1,1\n", r"not UTF-8 text"),
    "damaged gzip": (gzip.compress(HEADER.encode() * 99)[:-20], r"the gzip file is damaged"),
    "binary": (HEADER.encode() + b'U2OS,"X,1,1,1\n' + b"x" * 200_000, r"line \d+: not a CSV table"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_screen_is_refused_with_the_line(screen_of, text, message):
    with pytest.raises(ScreenError, match=message):
        screen_of(text)


def test_a_missing_screen_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ScreenError, match=r"none.csv: there is no such screen"):
        load_screen(tmp_path / "none.csv")
    with pytest.raises(ScreenError, match="the screen cannot be read"):
        load_screen(tmp_path)


@given(share=st.floats(0, 1), segment=st.integers(0, 9), replicate=st.integers(0, 2))
def test_between_measured_doses_viability_is_linear_in_log_dose(share, segment, replicate):
    curves = load_screen().curves["G401", "Afatinib"]
    left, right = curves.dose_um[segment], curves.dose_um[segment + 1]
    values = curves.viability[replicate]
    dose = math.exp(math.log(left) * (1 - share) + math.log(right) * share)
    expected = values[segment] * (1 - share) + values[segment + 1] * share
    step = abs(values[segment + 1] - values[segment])
    # A dose within the pipetting tolerance of a measured one is that one.
    assert curves.at(dose, replicate) == pytest.approx(expected, abs=1e-9 + step * 0.0015)
