"""What campaigns were expected to cost and did: at the prices of the lots, lost plates as well."""

from datetime import date

import pytest
from stocked import asked, config, stock
from troubled_machine import TroubledMachine

from cellos_nb.domain.amounts import MICRO_PER_USD
from cellos_nb.errors import InDoubtError, OutOfStockError
from cellos_nb.execution.autonomous import AutonomousExecutor
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.recovery import continue_after, discard
from cellos_nb.execution.runs import run_records
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.lab import Lab
from cellos_nb.operations.costs import account_of


@pytest.fixture
def lab(database):
    with Lab.open(database, machine=BiologicalVirtualMachine()) as opened:
        yield opened


def used_usd(lab, campaign_id):
    return sum(each.cost_micro_usd for each in lab.inventory.usage(campaign_id)) / MICRO_PER_USD


def test_what_a_plate_was_expected_to_cost_and_did_are_what_the_lots_cost(lab):
    stock(lab)
    lab.run(config())
    account = account_of(lab.store, "stocked")
    assert [plate.plate_id for plate in account.plates] == ["stocked/i001-p1", "stocked/i002-p1"]
    assert account.predicted_usd == pytest.approx(account.booked_usd, abs=1e-4)
    assert account.booked_usd == pytest.approx(used_usd(lab, "stocked"), abs=1e-4)
    assert account.booked_usd == pytest.approx(lab.campaign("stocked").summary().cost_usd, abs=1e-4)
    assert account.plates[0].per_experiment_usd == pytest.approx(account.plates[0].booked_usd / 4)
    assert [(each.source, each.as_of) for each in account.prices] == [("quotation 17", date(2026, 11, 1))]


def test_where_nothing_is_kept_in_stock_the_price_list_counts_and_is_named(lab):
    lab.run(config())
    account = account_of(lab.store, "stocked")
    assert account.predicted_usd == account.booked_usd > 0
    (prices,) = account.prices
    assert (prices.used_for, prices.as_of) == ("everything", date(2025, 6, 1))


def test_a_dear_lot_makes_a_plate_dear(lab):
    inventory = stock(lab, without=("96-well plate",))
    inventory.receive("96-well plate", 2, lot_number="P1", price_usd=1000, price_source="invoice 5")
    lab.run(config())
    account = account_of(lab.store, "stocked")
    assert all(plate.booked_usd > 500 for plate in account.plates)
    assert "invoice 5" in {each.source for each in account.prices}


@pytest.mark.parametrize("is_stocked", [True, False], ids=["from stock", "by the price list"])
def test_a_plate_that_went_into_the_waste_costs_what_it_took(database, is_stocked):
    with Lab.open(database, machine=TroubledMachine(n_lost=1)) as lab:
        if is_stocked:
            stock(lab)
        with pytest.raises(InDoubtError):
            lab.run(config(max_iterations=1))
        discard(lab.store, run_records(lab.store)[0].plate_id, person="Ada")
        lab.resume("stocked")
        account = account_of(lab.store, "stocked")
        (plate,) = account.plates
        assert 0 < plate.booked_usd <= plate.predicted_usd
        assert lab.campaign("stocked").summary().cost_usd == pytest.approx(plate.booked_usd)
        if is_stocked:
            # It was never read, so the reagent that the reader injects is still there.
            assert plate.booked_usd < plate.predicted_usd - 0.5
            assert plate.booked_usd == pytest.approx(used_usd(lab, "stocked"), abs=1e-4)


def test_a_step_that_was_continued_with_a_new_tip_costs_that_tip_more(database):
    with Lab.open(database, machine=TroubledMachine(n_lost=1)) as lab:
        stock(lab)
        with pytest.raises(InDoubtError):
            lab.run(config(max_iterations=1))
        continue_after(lab.store, run_records(lab.store)[0].plate_id, 2, person="Ada")
        lab.resume("stocked")
        (plate,) = account_of(lab.store, "stocked").plates
        assert plate.booked_usd == pytest.approx(plate.predicted_usd + 0.09, abs=1e-4)


@pytest.mark.parametrize("is_stocked", [True, False], ids=["from stock", "by the price list"])
def test_a_plate_that_was_cancelled_before_its_first_step_costs_nothing(lab, is_stocked):
    if is_stocked:
        stock(lab)
    executor = AutonomousExecutor(lab)
    batch = executor.submit(asked())
    JobQueue(lab.store).cancel(run_records(lab.store)[0].run_id, "not wanted")
    assert [result.cost_usd for result in executor.results(batch)] == [0.0] * 4


def test_the_budget_counts_lost_plates_and_ends_the_campaign(database):
    with Lab.open(database, machine=TroubledMachine(n_lost=1)) as lab:
        stock(lab)
        with pytest.raises(InDoubtError):
            lab.run(config(max_iterations=3, budget_usd=30))
        discard(lab.store, run_records(lab.store)[0].plate_id, person="Ada")
        lab.resume("stocked")
        account = account_of(lab.store, "stocked")
        assert account.booked_usd <= account.budget_usd == 30
        assert len(account.plates) == 1


def test_what_waits_is_committed_and_not_booked(lab):
    stock(lab, without=("96-well plate",))
    lab.inventory.receive("96-well plate", 1, lot_number="P1")
    with pytest.raises(OutOfStockError):
        lab.run(config())
    lab.inventory.receive("96-well plate", 1, lot_number="P2")
    lab.submit(config("second", max_iterations=1))
    lab.advance("second")
    account = account_of(lab.store, "second")
    assert account.booked_usd == 0
    assert account.committed_usd == account.predicted_usd > 0
