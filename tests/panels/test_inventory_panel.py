"""The stock as a panel: lights that are words as well, what to order, and what a person does, with the reason."""

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cellos_nb import Lab
from cellos_nb.domain.stock import EntryKind
from cellos_nb.operations.inventory.spreadsheet import read_text
from cellos_nb.panels import InventoryPanel
from cellos_nb.panels.inventory.model import Deed

EXAMPLE = Path(__file__).parents[2] / "examples" / "stock.csv"


@pytest.fixture
def lab(tmp_path):
    """A lab with the shipped stock: one thing is used up, one is low, and the rest is good."""
    with Lab.open(tmp_path / "lab.db") as opened:
        inventory = opened.inventory
        inventory.import_table(read_text(EXAMPLE), "stock.csv")
        inventory.discard("STS-3", "left out overnight")
        inventory.adjust("DM-0417", 150, "weighed")
        for name in ("VR-88", "DS-5", "DOX-1"):
            inventory.discard(name, "so that no date of the example comes near")
        soon = datetime.now(UTC).date() + timedelta(days=400)
        for name in ("viability reagent", "DMSO", "doxorubicin 10 mM"):
            inventory.receive(name, lot_number="fresh", expires=soon)
        yield opened


@pytest.fixture
def panel(lab):
    with InventoryPanel(lab) as opened:
        assert opened.widget
        yield opened


def html(panel, name):
    return panel._html[name].value


def test_a_light_is_a_shape_and_a_word_and_what_needs_somebody_stands_first(panel):
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td>", html(panel, "resources"))
    assert [(re.sub("<.*?>", "", light), name) for light, name in rows[:3]] == [
        ("■ now", "staurosporine 10 mM"),
        ("▲ soon", "DMEM"),
        ("● good", "U2OS"),
    ]
    assert "2 need" not in panel.summary(panel.shown)
    assert "10 resources in 10 lots; 1 needs somebody now, 1 soon; 2 to order for 126.99 USD" in panel.summary(
        panel.shown
    )


def test_the_list_to_order_has_vendor_number_price_and_can_be_saved(panel):
    orders = html(panel, "orders")
    assert "C-1024" in orders
    assert "1 × 500 µL" in orders
    assert "in all 126.99 USD" in orders
    content = re.search(r'download="order.csv" href="data:text/csv;base64,([^"]+)"', orders)[1]
    text = base64.b64decode(content).decode("utf-8-sig")
    assert text.splitlines()[0].startswith("vendor,catalogue_number,name,packs")
    assert "staurosporine 10 mM,1,500,µL,77,77" in text


def test_the_stock_that_is_saved_can_be_imported(panel, tmp_path):
    content = re.search(r'download="stock.csv" href="data:text/csv;base64,([^"]+)"', html(panel, "resources"))[1]
    with Lab.open(tmp_path / "other.db") as other:
        other.inventory.import_table(base64.b64decode(content).decode("utf-8-sig"), "stock.csv")
        assert other.inventory.table() == panel.lab.inventory.table()


def test_one_resource_is_looked_at_alone(panel):
    panel.choice = type(panel.choice)(resource="DMEM")
    panel.refresh()
    assert "DM-0417" in html(panel, "lots")
    assert "U2OS-p14" not in html(panel, "lots")
    assert "-350 mL on hand" in html(panel, "entries")
    assert "left out overnight" not in html(panel, "entries")


def test_a_delivery_is_received_with_a_click(panel, lab):
    panel.received.value = "staurosporine 10 mM"
    panel.lot_number.value, panel.expires.value, panel.price.value = "STS-4", "2040-01-31", "70"
    panel._receive()
    panel.refresh()
    lot = lab.inventory.lot("STS-4")
    assert (lot.balance.on_hand, lot.price_micro_usd) == (500 * 10**6, 70_000_000)
    assert "lot STS-4" in html(panel, "said")
    assert "STS-4" in html(panel, "lots")
    assert panel.lot_number.value == ""


@pytest.mark.parametrize(
    ("deed", "amount", "kind", "left"),
    [
        pytest.param(Deed.COUNTED, "149", EntryKind.ADJUST, 149, id="counted"),
        pytest.param(Deed.USED, "10", EntryKind.USE, 140, id="used"),
        pytest.param(Deed.DISCARDED, "50", EntryKind.DISCARD, 100, id="part discarded"),
        pytest.param(Deed.DISCARDED, "", EntryKind.DISCARD, 0, id="all discarded"),
        pytest.param(Deed.THAWED, "", EntryKind.THAW, 150, id="thawed"),
    ],
)
def test_what_was_done_to_a_lot_is_booked_with_who_and_why(panel, lab, deed, amount, kind, left):
    number = lab.inventory.lot("DM-0417").lot_id
    panel.lot.value, panel.deed.value, panel.how_much.value, panel.reason.value = number, deed, amount, "a reason"
    panel._book()
    last = lab.inventory.transactions(number)[-1]
    assert (last.kind, last.reason) == (kind, "a reason")
    assert last.person
    assert last.after.on_hand == left * 10**9


def test_what_has_no_reason_or_no_amount_is_refused_in_words_and_nothing_is_booked(panel, lab):
    number = lab.inventory.lot("DM-0417").lot_id
    n_before = len(lab.inventory.transactions())
    for amount, reason, said in (("1", " ", "say why"), ("", "x", "Write how much was used")):
        panel.lot.value, panel.deed.value, panel.how_much.value, panel.reason.value = number, Deed.USED, amount, reason
        with panel.errors.caught():
            panel._book()
        assert said in panel.errors.html()
    panel.expires.value, panel.lot_number.value = "soon", "X"
    with panel.errors.caught():
        panel._receive()
    assert "no date" in panel.errors.html()
    assert len(lab.inventory.transactions()) == n_before


def test_a_choice_in_a_form_outlives_what_others_book(panel, lab):
    number = lab.inventory.lot("DM-0417").lot_id
    panel.lot.value = number
    lab.inventory.receive("DMEM", lot_number="early", expires=datetime.now(UTC).date() + timedelta(days=100))
    panel.refresh()
    assert panel.lot.value == number


def test_its_stamp_changes_with_every_booking_and_declaration(panel, lab):
    before = panel.stamp()
    lab.inventory.use("DM-0417", 1, "a trial")
    booked = panel.stamp()
    lab.inventory.declare(next(r for r in lab.inventory.resources()).model_copy(update={"vendor": "another"}))
    assert len({before, booked, panel.stamp()}) == 3


def test_without_a_stock_it_says_how_to_begin(tmp_path):
    with Lab.open(tmp_path / "empty.db") as lab, InventoryPanel(lab) as panel:
        assert panel.widget
        assert "Begin with `cellos inventory import" in panel.summary(panel.shown)


def test_the_static_form_has_resources_orders_and_lots(lab):
    with InventoryPanel(lab, static=True) as panel:
        form = panel.static_form(panel.read())
    assert [each.caption for each in form.tables] == ["Resources", "To order", "Lots"]
    assert list(form.tables[0].frame["act"])[:2] == ["now", "soon"]
