"""`cellos inventory`: the stock from a table, what is done to it, and what is asked of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from command import assert_one_clear_line, cellos_here

EXAMPLE = Path(__file__).parents[2] / "examples" / "stock.csv"
CAMPAIGN = """\
name: first look
cell_lines: [U2OS]
compounds: [{name: staurosporine, stock_mm: 10}]
dose_range_um: [0.003, 10]
n_doses: 6
batch_size: 6
max_iterations: 1
controls: {vehicle: 4}
machine: biology
planner: space_filling
seed: 5
"""


@pytest.fixture
def folder(tmp_path):
    """A lab with the shipped stock and a campaign that can be run."""
    assert cellos_here("inventory", "import", EXAMPLE, cwd=tmp_path).code == 0
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return tmp_path


def inventory(folder, *arguments):
    done = cellos_here("inventory", *arguments, cwd=folder)
    assert done.code == 0, done
    return done.out


def rows(folder, *arguments):
    return json.loads(inventory(folder, *arguments, "--json"))


def test_a_campaign_is_refused_for_want_of_stock_and_runs_after_the_delivery(folder):
    inventory(folder, "discard", "STS-3", "--reason", "left out overnight")
    refused = cellos_here("run", "campaign.yaml", cwd=folder)
    assert_one_clear_line(
        refused,
        2,
        "first look: not begun, out of stock. staurosporine 10 mM: ",
        "order 1 × 500 µL (Example Chemicals C-1024), 77.00 USD, 10 days",
    )
    assert cellos_here("list", cwd=folder).out.startswith("There is no campaign")
    (order,) = rows(folder, "reorder")
    assert (order["vendor"], order["catalogue_number"], order["packs"]) == ("Example Chemicals", "C-1024", 1)
    inventory(folder, "receive", "staurosporine 10 mM", "--lot", "STS-4", "--expires", "2030-01-31")
    assert cellos_here("run", "campaign.yaml", cwd=folder).code == 0
    used = {row["resource"]: row for row in rows(folder, "usage", "first-look")}
    assert used["96-well plate"]["per condition"] == "0.167 pcs"
    assert "per EC50" in inventory(folder, "usage", "first-look")
    assert "books          balance" in inventory(folder, "reconcile")


def test_a_delivery_names_the_campaign_that_waits_for_it_and_hands_it_over(folder):
    path = folder / "campaign.yaml"
    path.write_text(CAMPAIGN.replace("max_iterations: 1", "max_iterations: 2").replace("n_doses: 6", "n_doses: 12"))
    inventory(folder, "adjust", "P-7710", "1", "--reason", "counted")
    assert "out of stock" in cellos_here("run", "campaign.yaml", cwd=folder).err
    told = inventory(folder, "receive", "96-well plate", "1", "--lot", "P-1", "--by", "Ada")
    assert "first-look waits for stock: `cellos resume first-look` goes on" in told
    told = inventory(folder, "receive", "96-well plate", "1", "--lot", "P-2", "--resume")
    assert "first-look: handed over to `cellos daemon`" in told
    assert [row["person"] for row in rows(folder, "ledger", "P-1")] == ["Ada"]


def test_everything_that_a_person_does_stands_in_the_ledger_with_who_and_why(folder):
    inventory(folder, "use", "DM-0417", "25", "--reason", "thawed a vial", "--by", "Ada")
    inventory(folder, "adjust", "MB0417", "412.5", "--reason", "weighed", "--by", "Ben")
    inventory(folder, "thaw", "STS-3", "--reason", "checked", "--by", "Ada")
    inventory(folder, "discard", "P-7710", "2", "--reason", "dropped", "--by", "Cy")
    last = [(row["entry"], row["person"], row["reason"], row["on_hand"]) for row in rows(folder, "ledger")[-4:]]
    assert last == [
        ("use", "Ada", "thawed a vial", "-25"),
        ("adjust", "Ben", "weighed", "-62.5"),
        ("thaw", "Ada", "checked", "0"),
        ("discard", "Cy", "dropped", "-2"),
    ]
    assert len(rows(folder, "ledger", "--last", "2")) == 2
    inventory(folder, "ledger", "--csv", "ledger.csv")
    with (folder / "ledger.csv").open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["on_hand_after"] for row in written[-4:]] == ["475", "412.5", "500", "48"]


def test_the_lots_stand_in_the_order_in_which_they_are_taken(folder):
    inventory(folder, "receive", "DMEM", "--lot", "early", "--expires", "2027-02-28")
    assert [row["lot"] for row in rows(folder, "lots", "DMEM")] == ["early", "DM-0417"]
    inventory(folder, "discard", "early", "--reason", "cloudy")
    assert [row["lot"] for row in rows(folder, "lots", "DMEM")] == ["DM-0417"]
    assert [row["state"] for row in rows(folder, "lots", "DMEM", "--empty")] == ["used up", "good"]


def test_the_table_comes_out_as_it_can_go_in(folder, tmp_path_factory):
    inventory(folder, "export", "--csv", "stock.csv")
    other = tmp_path_factory.mktemp("other")
    inventory(other, "import", folder / "stock.csv")
    assert rows(other, "list") == rows(folder, "list")
    assert inventory(other, "export") == inventory(folder, "export")


def test_a_bad_table_is_refused_with_every_line(tmp_path):
    (tmp_path / "stock.csv").write_text("name,kind,unit\nA,tips,kg\n,,\nB,food,mL\n", encoding="utf-8")
    refused = cellos_here("inventory", "import", "stock.csv", cwd=tmp_path)
    assert_one_clear_line(refused, 2, "nothing was imported; 2 lines have to be corrected", "line 2: ", "line 4: ")
    assert rows(tmp_path, "list") == []


def test_what_is_declared_on_the_command_line_is_changed_there(folder):
    inventory(folder, "declare", "DMEM", "--set", "reorder_point=600")
    assert {row["resource"]: row["state"] for row in rows(folder, "list")}["DMEM"] == "low"
    whole = ("kind=medium", "unit=mL", "pack_size=500", "pack_price_usd=5", "price_as_of=2026-11-01", "price_source=q")
    settings = [part for each in whole for part in ("--set", each)]
    assert "declared" in inventory(folder, "declare", "RPMI", *settings)
    assert "no longer declared" in inventory(folder, "withdraw", "RPMI")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("lots", "RPMI"), "RPMI: no such resource is declared; there is U2OS", id="resource"),
        pytest.param(("use", "none", "1", "--reason", "x"), "none: no lot has this number or barcode", id="lot"),
        pytest.param(("use", "DM-0417", "1e", "--reason", "x"), "'1e' is no number", id="number"),
        pytest.param(("use", "DM-0417", "501", "--reason", "x"), "Count it, and adjust the lot first", id="too much"),
        pytest.param(("receive", "DMEM"), "a delivery needs its lot number", id="no lot number"),
        pytest.param(
            ("receive", "DMEM", "--lot", "X", "--expires", "soon"), "--expires: 'soon' is no date", id="no date"
        ),
        pytest.param(("receive", "DMEM", "--lot", "X", "--passage", "3"), "medium has no passage", id="no passage"),
        pytest.param(("declare", "X", "--set", "kind"), "--set kind: write KEY=VALUE", id="no value"),
        pytest.param(("declare", "X", "--set", "colour=red"), "--set colour=red: write KEY=VALUE", id="unknown key"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder, arguments, said):
    assert_one_clear_line(cellos_here("inventory", *arguments, cwd=folder), 2, said)


def test_books_that_do_not_balance_end_with_1(folder):
    import sqlite3

    with sqlite3.connect(folder / "lab.db") as database:
        database.execute("DROP TRIGGER transactions_no_update")
        database.execute("UPDATE transactions SET on_hand_after = 7 WHERE transaction_id = 5")
    done = cellos_here("inventory", "reconcile", cwd=folder)
    assert done.code == 1
    assert "books          do not balance" in done.out
    assert "DMEM, lot DM-0417" in done.out


def test_a_plan_says_for_how_many_iterations_the_stock_suffices_and_what_to_order(folder):
    more = CAMPAIGN.replace("max_iterations: 1", "max_iterations: 40").replace("n_doses: 6", "n_doses: 60")
    (folder / "campaign.yaml").write_text(more, encoding="utf-8")
    plain = cellos_here("plan", "campaign.yaml", cwd=folder).out
    assert "USD an experiment, at most" in plain
    assert "for each of 1 curves" in plain
    assert "prices      of 2025-06-01: " in plain
    told = cellos_here("plan", "campaign.yaml", "--db", "lab.db", cwd=folder).out
    # There are ten plates for dilutions, and one is taken in each iteration.
    assert "suffices for 10 of 40 iterations" in told
    assert "deep-well plate: 40 pcs needed, 10 pcs free; 30 pcs missing: order 3 × 10 pcs" in told
    facts = json.loads(cellos_here("plan", "campaign.yaml", "--db", "lab.db", "--json", cwd=folder).out)
    assert facts["stock"]["n_covered"] == 10


def test_the_costs_of_a_campaign_stand_beside_what_was_expected_with_date_and_source(folder):
    assert cellos_here("run", "campaign.yaml", cwd=folder).code == 0
    told = cellos_here("costs", "first-look", cwd=folder).out
    assert "prices of 2026-11-01 for stock: quotation 18" in told
    assert "per EC50" in told
    facts = json.loads(cellos_here("costs", "first-look", "--json", cwd=folder).out)
    assert facts["booked_usd"] == pytest.approx(facts["predicted_usd"], abs=1e-4)
    assert facts["plates"][0]["n_experiments"] == 6
