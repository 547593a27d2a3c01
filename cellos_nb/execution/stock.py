"""What a run needs of the stock: reserved when it is submitted, looked at again before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert

from cellos_nb.domain.amounts import MICRO_PER_USD
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.shortage import Shortage
from cellos_nb.domain.stock import Need
from cellos_nb.errors import OutOfStockError
from cellos_nb.store.stock_claims import Allocation, allocate, claim, let_go, open_claims, settle_on, stale_claims
from cellos_nb.store.stock_ledger import Ledger
from cellos_nb.store.stock_low import tell_if_low
from cellos_nb.store.stock_shelf import kept_kinds, lots_of
from cellos_nb.store.stock_tables import run_costs
from cellos_nb.store.store import Store
from cellos_nb.workflow.estimate import default_prices, estimate, machine_usd
from cellos_nb.workflow.needs import needs_of
from cellos_nb.workflow.workflow import Workflow

_HELD = "not begun, out of stock."


@dataclass(frozen=True, slots=True)
class Predicted:
    """What workflows will take of the stock, and what they will cost."""

    needs: tuple[Need, ...]
    allocation: Allocation
    other_usd: float
    """What is not kept in stock, by the price list, and the machine's time."""

    @property
    def cost_usd(self) -> float:
        """At the prices of the lots that will be used, and of packs for what has to be ordered."""
        return self.allocation.value_micro_usd / MICRO_PER_USD + self.other_usd


def predict(
    store: Store, tx: Connection, workflows: Sequence[Workflow], machine_cost_usd: float, occasion: str
) -> Predicted | None:
    """What workflows will take and cost together; None where nothing is kept in stock."""
    kept = kept_kinds(tx)
    if not kept:
        return None
    needs = tuple(need for workflow in workflows for need in needs_of(workflow))
    found = allocate(tx, Ledger(tx, store.now(tx)), needs, occasion)
    other = sum(need.list_usd for need in needs if need.kind not in kept)
    return Predicted(needs, found, other + machine_cost_usd)


def forecast_usd(store: Store, workflows: Sequence[Workflow], machine: Capabilities, occasion: str) -> float:
    """What workflows will cost: at the lots' prices what is kept in stock, all else by the price list."""
    with store.read() as tx:
        predicted = predict(store, tx, workflows, sum(machine_usd(each, machine) for each in workflows), occasion)
    if predicted is None:
        return sum(estimate(workflow, machine).cost_usd for workflow in workflows)
    return predicted.cost_usd


def require_stock(store: Store, tx: Connection, what: str, workflows: Sequence[Workflow], occasion: str) -> None:
    """Refuses workflows that the stock does not suffice for together; does nothing where none is kept.

    Raises:
        OutOfStockError: what is missing, and what to order.
    """
    predicted = predict(store, tx, workflows, 0.0, occasion)
    if predicted is not None and predicted.allocation.shortages:
        raise OutOfStockError(out_of_stock(what, predicted.allocation.shortages))


def reserve(
    store: Store, tx: Connection, run_id: int, workflow: Workflow, *, occasion: str, machine_cost_usd: float
) -> float | None:
    """Reserves what a workflow takes, in the transaction that submits it; returns what it will cost, in USD.

    None where nothing is kept in stock. Of two that race for the last of something, the first to get the transaction
    has it.

    Args:
        store: whose clock decides what has expired.
        tx: the transaction that submits the run.
        run_id: the run.
        workflow: what it executes.
        occasion: what is thawed together: the batch.
        machine_cost_usd: of its time on the machine.

    Raises:
        OutOfStockError: what is missing, and what to order.
    """
    predicted = predict(store, tx, [workflow], machine_cost_usd, occasion)
    if predicted is None:
        return None
    if predicted.allocation.shortages:
        raise OutOfStockError(out_of_stock(workflow.plate_id, predicted.allocation.shortages))
    now = store.now(tx)
    claim(tx, Ledger(tx, now), run_id, occasion, predicted.allocation.picks)
    tell_if_low(tx, now, {pick.need.serves for pick in predicted.allocation.picks})
    prices = default_prices()
    values = {
        "run_id": run_id,
        "predicted_micro_usd": round(predicted.cost_usd * MICRO_PER_USD),
        "other_micro_usd": round(predicted.other_usd * MICRO_PER_USD),
        "prices_as_of": prices.as_of,
        "prices_source": prices.source,
    }
    tx.execute(insert(run_costs), values)
    return predicted.cost_usd


def why_not_begin(store: Store, run_id: int) -> str | None:
    """Why a run that was not begun may not begin, in words; None when all that it needs is there.

    A lot that expired since, or that was discarded, is replaced by another one if there is one.
    """
    with store.read() as tx:
        if not stale_claims(tx, run_id, store.now(tx)):
            return None
    with store.write() as tx:
        ledger = Ledger(tx, store.now(tx))
        stale = stale_claims(tx, run_id, ledger.at)
        mine = [each for each in open_claims(tx, [run_id]) if each.claim_id in stale]
        old = {lot.lot_id: lot for lot in lots_of(tx, lot_ids={each.lot_id for each in mine if each.lot_id})}
        for each in mine:
            if each.lot_id is not None:
                let_go(tx, ledger, each, old[each.lot_id], "its lot is not good until the step")
        kinds = {lot.serves: lot.kind for lot in lots_of(tx, serves={each.serves for each in mine})}
        needs = [Need(each.step_uid, kinds[each.serves], each.serves, each.count, each.after_h, 0.0) for each in mine]
        found = allocate(tx, ledger, needs, mine[0].occasion)
        if found.shortages:
            return out_of_stock(mine[0].plate_id, found.shortages)
        for each, need in zip(mine, needs, strict=True):
            settle_on(tx, ledger, each, [pick for pick in found.picks if pick.need is need])
    return None


def out_of_stock(what: str, shortages: Sequence[Shortage]) -> str:
    """What is missing, what to order, and what to do then."""
    missing = "; ".join(map(str, shortages))
    return f"{what}: {_HELD} {missing}. Then `cellos inventory receive`, and resume."


def is_out_of_stock(reason: str) -> bool:
    """Whether a campaign or run is held for this reason because something has to be ordered."""
    return _HELD in reason
