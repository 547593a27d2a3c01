"""Where the stock of a lab meets what it executes."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import partial

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.shortage import Shortage
from cellos_nb.execution.batch import Batch
from cellos_nb.execution.bookings import bring_up_to_date
from cellos_nb.execution.process import person
from cellos_nb.execution.stock import Predicted, is_out_of_stock, predict, require_stock
from cellos_nb.loop import first_plates
from cellos_nb.operations.inventory import Inventory
from cellos_nb.store.campaigns import free_campaign_id
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store
from cellos_nb.workflow.estimate import machine_usd
from cellos_nb.workflow.workflow import Workflow


def inventory_of(store: Store) -> Inventory:
    """The stock of a database, brought up to date with its journal whenever it is looked at."""
    return Inventory(store, catch_up=partial(bring_up_to_date, store), who=person)


def require_first_plates(store: Store, config: CampaignConfig, machine: Capabilities) -> None:
    """Refuses a new campaign whose first plates need more than is in stock; nothing is stored or reserved.

    Raises:
        OutOfStockError: what is missing, and what to order.
    """
    batch, plates = _first_plates(store, config, machine)
    bring_up_to_date(store)
    with store.read() as tx:
        require_stock(store, tx, config.name, plates, batch.batch_id)


@dataclass(frozen=True, slots=True)
class StockForecast:
    """What a new campaign will find in stock, should each iteration take what the first does."""

    n_iterations: int
    """The campaign's, at most."""
    n_covered: int
    """For so many of them everything is there; thaws of later batches are not foreseen."""
    first_usd: float
    """What the first iteration costs at the prices of the lots."""
    shortages: tuple[Shortage, ...]
    """What is missing for all of them."""

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Label and value of each line, ready to print."""
        enough = "all" if self.n_covered == self.n_iterations else str(self.n_covered)
        return (
            ("at stock prices", f"{self.first_usd:,.2f} USD for the first iteration"),
            ("stock", f"suffices for {enough} of {self.n_iterations} iterations"),
            *(("order", str(each)) for each in self.shortages),
        )


def foresee(store: Store, config: CampaignConfig, machine: Capabilities) -> StockForecast | None:
    """What a new campaign will find in stock; None where nothing is kept. Nothing is stored or reserved."""
    batch, plates = _first_plates(store, config, machine)
    bring_up_to_date(store)
    machine_cost = sum(machine_usd(each, machine) for each in plates)
    with store.read() as tx:

        def of(n: int) -> Predicted | None:
            return predict(store, tx, plates * n, n * machine_cost, batch.batch_id)

        first, whole = of(1), of(config.max_iterations)
        if first is None or whole is None:
            return None

        def is_short(n: int) -> int:
            found = of(n)
            return int(found is not None and bool(found.allocation.shortages))

        n_covered = bisect_left(range(1, config.max_iterations + 1), 1, key=is_short)
    return StockForecast(config.max_iterations, n_covered, first.cost_usd, whole.allocation.shortages)


def _first_plates(store: Store, config: CampaignConfig, machine: Capabilities) -> tuple[Batch, tuple[Workflow, ...]]:
    with store.read() as tx:
        campaign_id = free_campaign_id(tx, config.name)
    return first_plates(campaign_id, config, machine)


def waiting_for_stock(store: Store) -> tuple[str, ...]:
    """The campaigns that were paused because something had to be ordered, oldest first."""
    return tuple(
        each.campaign_id
        for each in store.campaigns()
        if each.status is CampaignStatus.PAUSED and is_out_of_stock(each.stop_reason or "")
    )
