"""Where the stock of a lab meets what it executes."""

from __future__ import annotations

from functools import partial

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.machine import Capabilities
from cellos_nb.execution.bookings import bring_up_to_date
from cellos_nb.execution.process import person
from cellos_nb.execution.stock import require_stock
from cellos_nb.loop import first_batch
from cellos_nb.operations.inventory import Inventory
from cellos_nb.planner.registry import make_planner
from cellos_nb.store.campaigns import free_campaign_id
from cellos_nb.store.store import Store
from cellos_nb.workflow.compile import compile_plates


def inventory_of(store: Store) -> Inventory:
    """The stock of a database, brought up to date with its journal whenever it is looked at."""
    return Inventory(store, catch_up=partial(bring_up_to_date, store), who=person)


def require_first_plates(store: Store, config: CampaignConfig, machine: Capabilities) -> None:
    """Refuses a new campaign whose first plates need more than is in stock; nothing is stored or reserved.

    Raises:
        OutOfStockError: what is missing, and what to order.
    """
    with store.read() as tx:
        campaign_id = free_campaign_id(tx, config.name)
    batch = first_batch(make_planner(config.planner), campaign_id, config)
    plates = compile_plates(batch.proposals, batch.plan, machine, batch_id=batch.batch_id, seed=batch.seed)
    bring_up_to_date(store)
    with store.read() as tx:
        require_stock(store, tx, config.name, plates, batch.batch_id)
