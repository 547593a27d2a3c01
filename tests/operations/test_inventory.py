from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, update
from stocked import RESOURCES, VOLUMES, asked, on_hand, stock
from troubled_machine import TroubledMachine

from cellos_nb.domain.stock import EntryKind
from cellos_nb.errors import InDoubtError, OutOfStockError, StoreError
from cellos_nb.execution.autonomous import AutonomousExecutor
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.recovery import mark_done
from cellos_nb.execution.runs import load_workflow, run_records
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.lab import Lab
from cellos_nb.store.stock_tables import transactions
from cellos_nb.workflow.estimate import estimate, machine_usd
from cellos_nb.workflow.needs import needs_of


@pytest.fixture
def machine():
    return BiologicalVirtualMachine()


@pytest.fixture
def lab(database, machine):
    with Lab.open(database, machine=machine) as opened:
        yield opened


def sums_and_balances(inventory):
    """What the transactions of each lot add up to, and the balance that its last one states."""
    for lot in inventory.lots(is_empty_shown=True):
        booked = inventory.transactions(lot.lot_id)
        summed = tuple(
            sum(getattr(each, name) for each in booked) for name in ("on_hand", "reserved", "uncertain", "freeze_thaws")
        )
        last = booked[-1].after
        yield summed, (last.on_hand, last.reserved, last.uncertain, last.freeze_thaws)


def machine_volume_ul(machine, store):
    """All liquid that stands in the labware of every plate, by the machine's own account."""
    barcodes = {
        item.barcode
        for run in run_records(store)
        for step in load_workflow(store, run.run_id).steps
        for item in step.labware
    }
    return sum(sum(machine.volumes(barcode).values()) for barcode in barcodes)


def test_a_lab_that_declares_nothing_runs_as_before(lab):
    results = AutonomousExecutor(lab).execute_batch(asked())
    assert all(result.status == "ok" for result in results)
    assert lab.inventory.lots() == ()
    assert lab.inventory.transactions() == ()


def test_a_kind_that_is_not_declared_is_not_kept_in_stock(lab):
    tips = next(resource for resource in RESOURCES if resource.kind == "tips")
    lab.inventory.declare(tips)
    lab.inventory.receive(tips.name, lot_number="T1")
    assert len(AutonomousExecutor(lab).execute_batch(asked())) == 4
    assert {lot.resource for lot in lab.inventory.lots()} == {tips.name}
    assert on_hand(lab.inventory)[tips.name] < 96


def test_of_a_kind_that_is_kept_everything_has_to_be_declared(lab):
    inventory = stock(lab, without=("STS 10 mM",))
    inventory.withdraw("STS 10 mM")
    inventory.declare(RESOURCES[7].model_copy(update={"name": "other", "used_as": "paclitaxel"}))
    with pytest.raises(OutOfStockError, match=r"compound/staurosporine 10 mM: none is declared, and compound is kept"):
        AutonomousExecutor(lab).execute_batch(asked())


def test_the_ledger_has_what_the_machine_has_to_the_microlitre(lab, machine):
    inventory = stock(lab)
    before = on_hand(inventory)
    AutonomousExecutor(lab).execute_batch(asked(), seed=3)
    AutonomousExecutor(lab).execute_batch(asked(6), seed=4)
    after = on_hand(inventory)
    taken_ul = sum(before[name] - after[name] for name in VOLUMES) / 1e6
    assert taken_ul == pytest.approx(machine_volume_ul(machine, lab.store), abs=1e-3)
    assert before["96-well plate"] - after["96-well plate"] == 2
    assert all(lot.balance.reserved == 0 for lot in inventory.lots())
    assert all(summed == stated for summed, stated in sums_and_balances(inventory))


def test_what_needs_cost_by_the_price_list_is_what_the_estimate_says(lab, machine):
    AutonomousExecutor(lab).execute_batch(asked())
    for run in run_records(lab.store):
        workflow = load_workflow(lab.store, run.run_id)
        needed = sum(need.list_usd for need in needs_of(workflow)) + machine_usd(workflow, machine.describe())
        assert needed == pytest.approx(estimate(workflow, machine.describe()).cost_usd, rel=1e-9)


def test_what_is_taken_and_what_is_left_are_worth_what_was_paid(lab):
    inventory = stock(lab)
    AutonomousExecutor(lab).execute_batch(asked())
    for lot in inventory.lots():
        booked = inventory.transactions(lot.lot_id)
        taken = -sum(each.value_micro_usd for each in booked if each.kind is not EntryKind.RECEIVE)
        left = lot.balance.on_hand * lot.price_micro_usd // lot.received
        assert taken + left == lot.price_micro_usd


def test_what_is_missing_refuses_a_batch_before_anything_moves_and_says_what_to_order(lab, machine):
    stock(lab, without=("96-well plate",))
    with pytest.raises(OutOfStockError, match=r"not begun, out of stock") as refused:
        AutonomousExecutor(lab).execute_batch(asked())
    order = (
        "96-well plate: 1 pcs needed, 0 pcs free; 1 pcs missing: order 1 × 50 pcs (Corning 3603), 300.00 USD, 7 days"
    )
    assert order in str(refused.value)
    assert "\n" not in str(refused.value)
    assert run_records(lab.store) == ()
    assert all(lot.balance.reserved == 0 for lot in lab.inventory.lots())


def test_what_expires_first_goes_first(lab):
    inventory = stock(lab, without=("DMEM",))
    late = inventory.receive("DMEM", 500, lot_number="late", expires=date(2030, 1, 1))
    soon = inventory.receive("DMEM", 1, lot_number="soon", expires=date(2029, 1, 1))
    gone = inventory.receive("DMEM", 500, lot_number="gone", expires=date(2020, 1, 1))
    AutonomousExecutor(lab).execute_batch(asked())
    left = {lot.lot_number: lot.balance.on_hand for lot in inventory.lots("DMEM", is_empty_shown=True)}
    assert left["soon"] == 0
    assert 0 < left["late"] < late.received
    assert left["gone"] == gone.received
    assert soon.received == 10**9


def test_expired_stock_refuses_a_run_and_is_named(lab):
    inventory = stock(lab, without=("DMEM",))
    inventory.receive("DMEM", lot_number="old", expires=date(2020, 1, 1))
    with pytest.raises(OutOfStockError, match=r"DMEM: .* 0 mL usable \(lot old, 500 mL, good until 2020-01-01\)"):
        AutonomousExecutor(lab).execute_batch(asked())


def test_stock_has_to_be_good_until_the_step_that_takes_it(lab):
    """The reading comes 76 h after the seeding, so a reagent that expires tomorrow is no good."""
    inventory = stock(lab, without=("CellTiter-Glo", "DMEM"))
    tomorrow = datetime.now(UTC) + timedelta(hours=24)
    inventory.receive("DMEM", lot_number="M1", expires=tomorrow)
    inventory.receive("CellTiter-Glo", lot_number="R1", expires=tomorrow)
    with pytest.raises(OutOfStockError, match=r"CellTiter-Glo.*lot R1, 100 mL, good until") as refused:
        AutonomousExecutor(lab).execute_batch(asked())
    assert "DMEM" not in str(refused.value)


def test_cells_of_too_high_a_passage_are_not_used(lab):
    inventory = stock(lab, without=("U2OS",))
    inventory.receive("U2OS", lot_number="old", passage=31)
    with pytest.raises(OutOfStockError, match=r"lot old, 10 Mcells, passage 31, above 30"):
        AutonomousExecutor(lab).execute_batch(asked())
    inventory.receive("U2OS", lot_number="young", passage=12)
    assert len(AutonomousExecutor(lab).execute_batch(asked())) == 4


def test_a_compound_is_thawed_once_for_each_batch_and_no_more_often_than_it_may(lab):
    inventory = stock(lab, without=("STS 10 mM",))
    inventory.declare(RESOURCES[7].model_copy(update={"max_freeze_thaws": 2}))
    inventory.receive("STS 10 mM", lot_number="S1")
    executor = AutonomousExecutor(lab)
    waiting = executor.submit(asked(), seed=1)
    executor.execute_batch(asked(), seed=2)
    with pytest.raises(
        OutOfStockError, match=r"0 µL usable \(lot S1, 4\d\d.* µL, thawed 1 of 2 times: it may be thawed 1 more time"
    ):
        executor.submit(asked(), seed=3)
    executor.results(waiting)
    assert inventory.lot("S1").balance.freeze_thaws == 2


def test_a_cancelled_run_frees_what_it_had_reserved(lab):
    inventory = stock(lab, without=("96-well plate",))
    inventory.receive("96-well plate", 1, lot_number="P1")
    executor = AutonomousExecutor(lab)
    executor.submit(asked(), seed=1)
    assert inventory.lot("P1").balance.reserved == 1
    with pytest.raises(OutOfStockError, match="1 pcs needed, 0 pcs free"):
        executor.submit(asked(), seed=2)
    JobQueue(lab.store).cancel(run_records(lab.store)[0].run_id, "not wanted")
    executor.submit(asked(), seed=2)
    assert inventory.lot("P1").balance.reserved == 1


def test_a_batch_of_several_plates_takes_all_or_nothing(lab):
    inventory = stock(lab, without=("96-well plate",))
    inventory.receive("96-well plate", 1, lot_number="P1")
    with pytest.raises(OutOfStockError, match=r"96-well plate: 2 pcs needed, 1 pcs free; 1 pcs missing"):
        AutonomousExecutor(lab).execute_batch(asked(8) * 13, seed=1)
    assert inventory.lot("P1").balance.reserved == 0


def test_a_step_in_doubt_is_booked_as_such_until_a_person_decides(database):
    with Lab.open(database, machine=TroubledMachine(n_lost=1)) as lab:
        inventory = stock(lab)
        with pytest.raises(InDoubtError, match="cannot be told"):
            AutonomousExecutor(lab).execute_batch(asked())
        compound = inventory.lot(inventory.lots("STS 10 mM")[0].lot_id).balance
        assert compound.uncertain > 0
        assert compound.uncertain <= compound.reserved
        plate = run_records(lab.store)[0].plate_id
        mark_done(lab.store, plate, person="Ada")
        AutonomousExecutor(lab).results("ad-hoc/b000001")
        settled = inventory.lots("STS 10 mM")[0].balance
        assert settled.uncertain == settled.reserved == 0
        assert settled.on_hand < compound.on_hand
        assert all(summed == stated for summed, stated in sums_and_balances(inventory))


def test_a_transaction_cannot_be_edited_by_anyone(lab):
    stock(lab)
    with pytest.raises(StoreError, match="never edited"), lab.store.write() as tx:
        tx.execute(update(transactions).values(on_hand=0))
    with pytest.raises(StoreError, match="never edited"), lab.store.write() as tx:
        tx.execute(delete(transactions))
