"""What a lab manager asks of the stock: how it stands, what to order, who used it, and whether the books balance."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from stocked import RESOURCES, asked, config, stock
from troubled_machine import TroubledMachine

from cellos_nb.errors import InDoubtError, InventoryError, OutOfStockError
from cellos_nb.execution.autonomous import AutonomousExecutor
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.journal import entries_of
from cellos_nb.execution.plate_run import RESTOCK_S
from cellos_nb.execution.recovery import mark_done
from cellos_nb.execution.runs import run_records
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.lab import Lab
from cellos_nb.operations.costs import shares_of
from cellos_nb.operations.inventory.standing import Light
from cellos_nb.operations.inventory.usage import BY_HAND, NO_CAMPAIGN, WASTE
from cellos_nb.stockroom import waiting_for_stock

TODAY = datetime.now(UTC).date()


@pytest.fixture
def lab(database):
    with Lab.open(database, machine=BiologicalVirtualMachine()) as opened:
        yield opened


def standing(inventory, name):
    return next(each for each in inventory.standings() if each.resource.name == name)


def test_the_light_of_a_resource_says_what_to_do_in_words(lab):
    inventory = stock(lab, without=("96-well plate", "STS 10 mM", "DMEM", "CellTiter-Glo"))
    inventory.receive("96-well plate", 5, lot_number="P1")
    inventory.receive("DMEM", lot_number="M1", expires=TODAY + timedelta(days=3))
    inventory.receive("CellTiter-Glo", lot_number="R1", expires=date(2020, 1, 1))
    told = {each.resource.name: (each.light, each.words) for each in inventory.standings()}
    assert told["filter tips"] == (Light.GOOD, "good")
    assert told["96-well plate"] == (Light.SOON, "low")
    assert told["STS 10 mM"] == (Light.NOW, "none left")
    assert told["DMEM"] == (Light.SOON, "expires in 3 days")
    assert told["CellTiter-Glo"] == (Light.NOW, "none usable: lot R1 good until 2020-01-01")


def test_what_runs_have_reserved_is_not_there_for_a_new_one(lab):
    inventory = stock(lab, without=("96-well plate",))
    inventory.receive("96-well plate", 1, lot_number="P1")
    AutonomousExecutor(lab).submit(asked())
    plates = standing(inventory, "96-well plate")
    assert (plates.on_hand, plates.reserved, plates.usable) == (1, 1, 0)
    assert (plates.light, plates.words) == (Light.NOW, "all reserved")


def test_a_lot_whose_thaws_are_all_spoken_for_is_of_no_use_to_a_new_run(lab):
    inventory = stock(lab, without=("STS 10 mM",))
    inventory.declare(RESOURCES[7].model_copy(update={"max_freeze_thaws": 1}))
    inventory.receive("STS 10 mM", lot_number="S1")
    AutonomousExecutor(lab).submit(asked(), seed=1)
    compound = standing(inventory, "STS 10 mM")
    assert compound.usable == 0
    assert "it may be thawed 1 more time, which is spoken for by runs that wait" in compound.words


def test_what_was_thawed_before_it_came_counts(lab):
    inventory = stock(lab, without=("STS 10 mM",))
    inventory.receive("STS 10 mM", lot_number="S1", freeze_thaws=5)
    with pytest.raises(OutOfStockError, match=r"0 µL usable \(lot S1, 500 µL, thawed 5 of 5 times\)"):
        AutonomousExecutor(lab).submit(asked())


def test_the_list_to_order_has_vendor_number_packs_price_and_why(lab):
    inventory = stock(lab, without=("96-well plate",))
    inventory.receive("96-well plate", 5, lot_number="P1")
    (order,) = inventory.reorder_list()
    assert (order.resource.vendor, order.resource.catalogue_number, order.packs) == ("Corning", "3603", 1)
    assert order.price_micro_usd == 300_000_000
    assert order.why == "5 pcs usable, reordered at 5 pcs"


def test_what_expires_before_a_delivery_comes_is_ordered_now(lab):
    inventory = stock(lab, without=("96-well plate",))
    inventory.receive("96-well plate", 50, lot_number="P1", expires=TODAY + timedelta(days=5))
    (order,) = inventory.reorder_list()
    assert order.why == "50 pcs usable, 50 pcs of it expire within the 7 days of delivery, reordered at 5 pcs"


def test_a_queued_run_whose_lot_was_thrown_away_waits_and_its_need_is_ordered(lab):
    inventory = stock(lab, without=("DMEM",))
    inventory.receive("DMEM", lot_number="M1")
    executor = AutonomousExecutor(lab)
    batch = executor.submit(asked())
    inventory.discard("M1", "cloudy")
    with pytest.raises(
        OutOfStockError, match=r"DMEM: 1\.\d+ mL needed, 0 mL free; 1\.\d+ mL missing: order 1 × 500 mL"
    ):
        executor.results(batch)
    assert list(entries_of(lab.store, run_records(lab.store)[0].run_id)) == []
    assert (standing(inventory, "DMEM").light, standing(inventory, "DMEM").words) == (Light.NOW, "runs wait for it")
    (order,) = inventory.reorder_list()
    assert order.why.startswith("0 mL usable, runs that wait need 1.")
    inventory.receive("DMEM", lot_number="M2")
    begun = time.monotonic()
    assert all(result.status == "ok" for result in executor.results(batch))
    assert time.monotonic() < begun + RESTOCK_S / 2, "what was delivered is not waited for"
    assert inventory.reorder_list() == ()
    assert inventory.reconcile().is_balanced


def test_what_a_run_that_was_given_up_would_need_is_not_waited_for(database):
    with Lab.open(database, machine=TroubledMachine(n_dark=99)) as lab:
        inventory = stock(lab)
        AutonomousExecutor(lab).execute_batch(asked())
        assert run_records(lab.store)[0].status is JobStatus.DEAD_LETTER
        inventory.discard(inventory.lots("CellTiter-Glo")[0].lot_id, "cloudy")
        assert standing(inventory, "CellTiter-Glo").words == "none left"


def test_a_campaign_without_stock_is_paused_and_goes_on_after_a_delivery(lab):
    inventory = stock(lab, without=("96-well plate",))
    inventory.receive("96-well plate", 1, lot_number="P1")
    with pytest.raises(OutOfStockError, match="stocked/i002"):
        lab.run(config())
    assert waiting_for_stock(lab.store) == ("stocked",)
    assert lab.campaign("stocked").status == "paused"
    inventory.receive("96-well plate", 1, lot_number="P2")
    assert lab.resume("stocked").status == "finished"
    assert waiting_for_stock(lab.store) == ()
    assert inventory.lots("96-well plate") == ()


def test_usage_is_told_by_campaign_by_hand_and_thrown_away(lab):
    inventory = stock(lab)
    lab.run(config(max_iterations=1))
    AutonomousExecutor(lab).execute_batch(asked(), seed=2)
    inventory.use(inventory.lots("DMEM")[0].lot_id, 25, "washed a flask")
    inventory.discard(inventory.lots("DMSO")[0].lot_id, "old", 1)
    used = {(each.user, each.resource): each for each in inventory.usage()}
    assert used["stocked", "96-well plate"].count == used[NO_CAMPAIGN, "96-well plate"].count == 1
    assert used[BY_HAND, "DMEM"].count == 25 * 10**9
    assert used[WASTE, "DMSO"].cost_micro_usd == 620_000
    assert {each.user for each in inventory.usage("stocked")} == {"stocked"}
    books = inventory.reconcile()
    assert sum(each.cost_micro_usd for each in used.values()) == books.paid_micro_usd - books.on_hand_micro_usd
    shares = shares_of(lab.store, "stocked")
    assert shares.n_conditions == 4
    assert shares.n_wells == sum(len(w.layout.with_cells) for w in lab.campaign("stocked").workflows())
    assert shares.amount(used["stocked", "96-well plate"], "condition") == "0.25 pcs"


def test_an_ec50_that_was_found_is_an_answer(lab):
    stock(lab)
    lab.run(config(planner="space_filling", batch_size=8, n_doses=8, replicates=2, max_iterations=1))
    assert shares_of(lab.store, "stocked").n_answers == 1


def test_by_hand_no_more_is_taken_than_is_free_and_never_without_a_reason(lab):
    inventory = stock(lab, without=("96-well plate",))
    lot = inventory.receive("96-well plate", 2, lot_number="P1").lot_id
    AutonomousExecutor(lab).submit(asked())
    with pytest.raises(InventoryError, match="say why"):
        inventory.use(lot, 1, " ")
    with pytest.raises(InventoryError, match="1 pcs are free, since runs have reserved 1 pcs of the 2 pcs on hand"):
        inventory.use(lot, 2, "a demonstration")
    assert inventory.use(lot, 1, "a demonstration").balance.free == 0


def test_a_doubt_is_named_with_the_plate_and_settled_by_deciding_about_it(database):
    with Lab.open(database, machine=TroubledMachine(n_lost=1)) as lab:
        inventory = stock(lab)
        with pytest.raises(InDoubtError):
            AutonomousExecutor(lab).execute_batch(asked())
        books = inventory.reconcile()
        assert books.is_balanced
        plate = run_records(lab.store)[0].plate_id
        assert {each.plate_id for each in books.doubts} == {plate}
        assert f"cellos approve {plate} --mark-done" in books.doubts[0].cure
        doubted = {each.lot.resource for each in books.doubts}
        assert {each.words for each in inventory.standings() if each.resource.name in doubted} == {"in doubt"}
        mark_done(lab.store, plate, person="Ada")
        assert inventory.reconcile().doubts == ()


def test_the_ledger_of_a_resource_is_that_of_its_lots_and_the_newest_lines_are_its_own(lab):
    inventory = stock(lab, without=("96-well plate",))
    plates = {inventory.receive("96-well plate", 9, lot_number=name).lot_id for name in ("P1", "P2")}
    inventory.receive("DMSO", lot_number="D2")
    mine = inventory.transactions(resource="96-well plate")
    assert [entry for entry in inventory.transactions() if entry.lot_id in plates] == list(mine)
    assert inventory.transactions(resource="96-well plate", last=1) == mine[-1:]


TAMPERING = {
    "a balance": ("UPDATE transactions SET on_hand_after = on_hand_after + 1 WHERE transaction_id = {last}", "on hand"),
    "a change": ("UPDATE transactions SET on_hand = on_hand - 1 WHERE transaction_id = {first}", "does not follow"),
    "a value": (
        "UPDATE transactions SET value_micro_usd = value_micro_usd - 5 WHERE transaction_id = {first}",
        "value",
    ),
    "a deletion": ("DELETE FROM transactions WHERE transaction_id = {first}", "first transaction is"),
    "a claim": ("UPDATE claims SET quantity = quantity + 1", "reserved"),
    "a lot": ("DELETE FROM transactions WHERE lot_id = {lot}", "has no transactions"),
}


@pytest.mark.parametrize(("statement", "said"), TAMPERING.values(), ids=TAMPERING)
def test_what_was_tampered_with_past_the_software_is_found(lab, statement, said):
    inventory = stock(lab, without=("96-well plate",))
    lot = inventory.receive("96-well plate", 9, lot_number="P1").lot_id
    AutonomousExecutor(lab).submit(asked())
    assert inventory.reconcile().is_balanced
    mine = [each.transaction_id for each in inventory.transactions(lot)]
    with lab.store.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(text("ALTER TABLE transactions DISABLE TRIGGER ALL"))
        else:
            for verb in ("update", "delete"):
                tx.execute(text(f"DROP TRIGGER transactions_no_{verb}"))
        tx.execute(text(statement.format(first=mine[0], last=mine[-1], lot=lot)))
    differences = inventory.reconcile().differences
    assert any(each.name == "96-well plate, lot P1" and said in each.what for each in differences)
