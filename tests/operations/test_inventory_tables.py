"""The stock as a table: read whole or not at all, written so that it can be read again."""

import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stocked import asked, stock

from cellos_nb.errors import InventoryError
from cellos_nb.execution.autonomous import AutonomousExecutor
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.lab import Lab
from cellos_nb.operations.inventory.spreadsheet import csv_text, read_text, rows_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "stock.csv"
HEAD = "name,kind,unit,pack_size,pack_price_usd,price_as_of,price_source,lot_number,quantity,expires"
DMEM = "DMEM,medium,mL,500,49.99,2026-11-01,quotation 17"


@pytest.fixture
def inventory(database):
    with Lab.open(database, machine=BiologicalVirtualMachine()) as lab:
        yield lab.inventory


def put(inventory, *lines, head=HEAD):
    return inventory.import_table("\n".join([head, *lines]), "stock.csv")


def refusals(inventory, *lines, head=HEAD):
    """What is said of each line, without the first that counts them."""
    with pytest.raises(InventoryError, match=r"stock\.csv: nothing was imported; \d+ lines? ha(s|ve) to be") as caught:
        put(inventory, *lines, head=head)
    return str(caught.value).splitlines()[1:]


def test_the_shipped_table_is_one(inventory):
    found = inventory.import_table(read_text(EXAMPLE), "stock.csv")
    assert len(found.declared) == 10
    assert len(found.lots) == 11
    reagent = inventory.lot("VR-88")
    assert reagent.expires_at == datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert inventory.lot("MB0417").resource == "DMEM"


def test_every_bad_line_is_named_at_once_and_nothing_is_imported(inventory):
    said = refusals(
        inventory,
        f"{DMEM},D1,500,2027-03-31",
        "tips,tips,kg,96,9,2026-11-01,quotation 17,T1,96,",
        "plate,plate,pcs,50,300,2026-11-01,quotation 17,P1,50,",
        "DMEM,,,,,,,D2,twelve,31.3.2027",
        "DMEM,,,,,,,D1,500,",
        "serum,,,,,,,S1,500,",
        "DMEM,,L,,,,,D3,,",
        "DMEM,,,,,,,,10,",
        ",,,,,,,X,1,",
        "DMEM,,,,,,,D4,-1,",
    )
    assert said[0].startswith("stock.csv, line 3: unit: 'kg' is not possible")
    assert said[1:] == [
        "stock.csv, line 4: n_wells: a plate needs the number of its wells.",
        "stock.csv, line 5: quantity: 'twelve' is not possible; 'twelve' is no number; write it as 12.5.",
        "stock.csv, line 5: expires: '31.3.2027' is not possible; no date; write it as 2026-11-30.",
        "stock.csv, line 6: DMEM: lot D1 was received before. Number the deliveries of one lot, as in D1-2.",
        "stock.csv, line 7: name: 'serum' is not declared; fill in what it is, or correct it. Declared: none yet.",
        "stock.csv, line 8: unit: 'L' of DMEM, but line 2 says 'mL'. Make them the same.",
        "stock.csv, line 9: DMEM: a delivery needs its lot number; write one of your own if it has none.",
        "stock.csv, line 10: name: is empty; write which resource it is.",
        "stock.csv, line 11: DMEM: -1 mL cannot be received; give more than nothing.",
    ]
    assert inventory.resources() == ()
    assert inventory.lots() == ()


def test_a_price_list_brings_prices_up_to_date_and_leaves_the_rest(inventory):
    put(inventory, f"{DMEM},D1,500,")
    found = put(inventory, "DMEM,59,2026-12-01,quotation 23", head="name,pack_price_usd,price_as_of,price_source")
    assert (found.declared, found.changed, found.lots) == ((), ("DMEM",), ())
    (medium,) = inventory.resources()
    assert (medium.pack_price_usd, medium.price_as_of, medium.pack_size) == (59, date(2026, 12, 1), 500)
    assert inventory.lot("D1").price_micro_usd == 49_990_000


def test_a_resource_that_is_not_whole_says_what_to_fill_in(inventory):
    assert refusals(inventory, "DMEM,medium,mL,,,,,,,") == [
        "stock.csv, line 2: DMEM: fill in pack_size, pack_price_usd, price_as_of, price_source."
    ]


def test_what_has_lots_keeps_its_unit(inventory):
    put(inventory, f"{DMEM},D1,500,")
    (said,) = refusals(inventory, "DMEM,,L,,,,,,,")
    assert said.startswith("stock.csv, line 2: DMEM: has lots, so its unit cannot become 'L' in place of 'mL'")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param("name,knd\nDMEM,medium", "there is no column 'knd'; did you mean kind", id="unknown"),
        pytest.param("name,name\nDMEM,DMEM", "the column name is there twice", id="twice"),
        pytest.param("kind\nmedium", "the column name is missing", id="nameless"),
        pytest.param("", "the column name is missing", id="empty"),
        pytest.param('name\n"DMEM', r"line 2: cannot be read .* quotation mark", id="quotation mark"),
    ],
)
def test_a_table_of_the_wrong_form_is_refused(inventory, text, match):
    with pytest.raises(InventoryError, match=match):
        inventory.import_table(text, "stock.csv")


def test_a_line_of_too_many_cells_is_named(inventory):
    assert refusals(inventory, f"{DMEM},D1,500,,49") == ["stock.csv, line 2: has 11 cells, but there are 10 columns."]


def test_what_is_only_checked_leaves_nothing(inventory):
    text = read_text(EXAMPLE)
    assert len(inventory.import_table(text, "stock.csv", is_checked_only=True).lots) == 11
    assert inventory.resources() == ()
    assert len(inventory.import_table(text, "stock.csv").lots) == 11


@pytest.mark.parametrize("separator", [";", "\t"], ids=["semicolon", "tab"])
def test_a_table_of_another_separator_is_the_same(inventory, separator):
    put(inventory, f"{DMEM},D1,500,".replace(",", separator), head=HEAD.replace(",", separator))
    assert inventory.lot("D1").received == 500 * 10**9


def test_a_file_in_another_encoding_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "stock.csv"
    path.write_bytes("name\nµ-plate".encode("latin-1"))
    with pytest.raises(InventoryError, match=r"not in UTF-8\. Save it as"):
        read_text(path)


def test_what_is_exported_and_imported_is_the_same_stock(inventory, new_database):
    machine = BiologicalVirtualMachine()
    with Lab.open(new_database(), machine=machine) as lab, Lab.open(new_database()) as other:
        stock(lab)
        lab.inventory.receive("DMEM", "0.1", lot_number="=danger", expires=datetime(2027, 5, 1, 12, tzinfo=UTC))
        AutonomousExecutor(lab).execute_batch(asked())
        text = lab.inventory.table()
        other.inventory.import_table(text, "stock.csv")
        assert other.inventory.resources() == lab.inventory.resources()
        for one, two in zip(lab.inventory.lots(), other.inventory.lots(), strict=True):
            assert two.balance == one.balance
            assert (two.lot_number, two.expires_at, two.received_at) == (
                one.lot_number,
                one.expires_at,
                one.received_at,
            )
            assert (two.price_source, two.price_as_of) == (one.price_source, one.price_as_of)
        assert other.inventory.table() == text
        assert other.inventory.reconcile().on_hand_micro_usd == lab.inventory.reconcile().on_hand_micro_usd


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(str.strip)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.fixed_dictionaries({"name": TEXT.filter(bool), "kind": TEXT, "unit": TEXT}), max_size=5))
def test_whatever_stands_in_a_cell_comes_back(rows):
    text = csv_text(["name", "kind", "unit"], [[row[each] for each in ("name", "kind", "unit")] for row in rows])
    found, problems = rows_of(text, "stock.csv", ["name", "kind", "unit"], ["name"])
    assert problems == []
    assert [row.cells for row in found] == [{key: cell for key, cell in row.items() if cell} for row in rows]


def test_no_cell_becomes_a_formula():
    (_, row) = csv.reader(io.StringIO(csv_text(["name"], [["=1+1"]])))
    assert row == ["'=1+1"]
