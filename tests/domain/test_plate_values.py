"""Plates: formats, well names and layouts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellos_nb.domain.plate import (
    PLATE_FORMATS,
    PlateLayout,
    WellAssignment,
    WellRole,
    outer_wells,
    plate_format,
    row_label,
    well_names,
    well_position,
)
from cellos_nb.errors import LayoutError

FORMATS = sorted(PLATE_FORMATS)


@pytest.mark.parametrize("n_wells", FORMATS)
def test_every_well_has_one_name_and_one_place(n_wells):
    names = well_names(n_wells)
    fmt = plate_format(n_wells)
    assert len(names) == len(set(names)) == n_wells == fmt.n_rows * fmt.n_columns
    places = [well_position(name, n_wells) for name in names]
    assert places == [(row, column) for row in range(fmt.n_rows) for column in range(fmt.n_columns)]


@pytest.mark.parametrize(
    ("n_wells", "first", "last"),
    [(6, "A1", "B3"), (96, "A1", "H12"), (384, "A1", "P24"), (1536, "A1", "AF48")],
    ids=["6", "96", "384", "1536"],
)
def test_wells_are_named_row_by_row_as_sbs_plates_are(n_wells, first, last):
    assert (well_names(n_wells)[0], well_names(n_wells)[-1]) == (first, last)


@pytest.mark.parametrize(
    ("name", "n_wells"),
    [
        ("I1", 96),
        ("A13", 96),
        ("A0", 96),
        ("A01", 96),
        ("a1", 96),
        ("A1\n", 96),
        ("", 96),
        ("1A", 96),
        ("AA1", 384),
        ("AG1", 1536),
        ("BA1", 1536),
        ("A49", 1536),
    ],
    ids=repr,
)
def test_a_well_that_is_not_there_is_refused_with_those_that_are(name, n_wells):
    with pytest.raises(LayoutError, match=f"a {n_wells}-well plate has the wells A1 to "):
        well_position(name, n_wells)


def test_a_plate_that_is_not_made_is_refused():
    with pytest.raises(LayoutError, match="100 wells is no plate; possible: 6, 12, 24, 48, 96, 384, 1536"):
        plate_format(100)


@pytest.mark.parametrize("n_wells", FORMATS)
def test_the_rim_is_what_touches_an_edge(n_wells):
    fmt = plate_format(n_wells)
    inner = max(fmt.n_rows - 2, 0) * max(fmt.n_columns - 2, 0)
    assert len(outer_wells(n_wells)) == n_wells - inner


@given(row=st.integers(0, 31))
def test_row_letters_count_on_after_z(row):
    assert row_label(row) == (["", "A"][row // 26] + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[row % 26])


def test_a_layout_tells_its_wells_by_role_and_those_with_cells():
    wells = (
        WellAssignment("A1", WellRole.MEDIUM),
        WellAssignment("A2", WellRole.VEHICLE, "U2OS"),
        WellAssignment("A3", WellRole.SAMPLE, "U2OS", "x", 1.0, "p1"),
    )
    layout = PlateLayout(96, wells)
    assert layout.with_role(WellRole.VEHICLE) == (wells[1],)
    assert layout.with_cells == wells[1:]
    assert tuple(layout) == wells
