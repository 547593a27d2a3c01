"""A campaign's account: what each plate was expected to cost and did, at prices that have a date and a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, exists, select

from cellos_nb.domain.amounts import MICRO_PER_USD
from cellos_nb.domain.history import History
from cellos_nb.domain.stock import EntryKind
from cellos_nb.operations.costs.shares import Shares, shares_of
from cellos_nb.store.schema import actions, iterations, runs, steps
from cellos_nb.store.stock_tables import claims, lots, run_costs, transactions
from cellos_nb.store.store import Store
from cellos_nb.workflow.estimate import default_prices

_OVER = {"succeeded", "cancelled", "dead_letter"}


@dataclass(frozen=True, slots=True)
class PlateCost:
    """One plate of a campaign."""

    plate_id: str
    iteration: int
    status: str
    """Of its run, as `cellos queue` has it."""
    predicted_usd: float
    """When it was submitted."""
    booked_usd: float | None
    """What it cost; None while it waits or is under way, 0 when it was given up before its first step."""
    n_experiments: int
    """Measured on it, quarantined ones among them."""

    @property
    def per_experiment_usd(self) -> float | None:
        """What one of its experiments cost; None before there is one."""
        return self.booked_usd / self.n_experiments if self.booked_usd is not None and self.n_experiments else None


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Where prices stand."""

    source: str
    as_of: date
    used_for: str


@dataclass(frozen=True, slots=True)
class Account:
    """What a campaign was expected to cost and did, plate by plate."""

    plates: tuple[PlateCost, ...]
    budget_usd: float | None
    shares: Shares
    prices: tuple[PriceSource, ...]

    @property
    def predicted_usd(self) -> float:
        """Of all plates, when they were submitted."""
        return sum(plate.predicted_usd for plate in self.plates)

    @property
    def booked_usd(self) -> float:
        """Of the plates that have ended."""
        return sum(plate.booked_usd or 0.0 for plate in self.plates)

    @property
    def committed_usd(self) -> float:
        """What those that wait or are under way are expected to cost."""
        return sum(plate.predicted_usd for plate in self.plates if plate.booked_usd is None)


def account_of(store: Store, campaign_id: str) -> Account:
    """The account of a campaign's own iterations, superseded ones among them; what it inherited its parent paid.

    Raises:
        CampaignError: there is none with that identifier.
    """
    shares = shares_of(store, campaign_id)
    with store.read() as tx:
        plates = _plates(tx, campaign_id, Counter(_plates_of(store.history(campaign_id, superseded=True))))
        prices = _prices(tx, campaign_id, plates)
    return Account(plates, store.standing(campaign_id).config.budget_usd, shares, prices)


def _plates_of(history: History) -> Iterator[str]:
    """The plate of each experiment that was measured."""
    return (result.wells[0].plate_id for result in history if result.wells)


def _plates(tx: Connection, campaign_id: str, n_on: Counter[str]) -> tuple[PlateCost, ...]:
    was_begun = exists().where(steps.c.run_id == runs.c.run_id)
    query = (
        select(
            *(runs.c.plate_id, iterations.c.iteration, actions.c.status, runs.c.cost_usd),
            run_costs.c.predicted_micro_usd,
            was_begun.label("was_begun"),
        )
        .join(iterations, iterations.c.batch_id == runs.c.batch_id)
        .join(actions, actions.c.action_id == runs.c.run_id)
        .outerjoin(run_costs, run_costs.c.run_id == runs.c.run_id)
        .where(iterations.c.campaign_id == campaign_id)
        .order_by(runs.c.run_id)
    )
    return tuple(
        PlateCost(
            row.plate_id,
            row.iteration,
            row.status,
            row.cost_usd if row.predicted_micro_usd is None else row.predicted_micro_usd / MICRO_PER_USD,
            None if row.status not in _OVER else (row.cost_usd if row.was_begun else 0.0),
            n_on[row.plate_id],
        )
        for row in tx.execute(query)
    )


def _prices(tx: Connection, campaign_id: str, plates: Sequence[PlateCost]) -> tuple[PriceSource, ...]:
    """Of the lots that were taken of, by source; and the price list, where it stands in for what is not kept."""
    query = (
        select(lots.c.price_source, lots.c.price_as_of)
        .join(transactions, transactions.c.lot_id == lots.c.lot_id)
        .join(claims, claims.c.claim_id == transactions.c.claim_id)
        .join(runs, runs.c.run_id == claims.c.run_id)
        .join(iterations, iterations.c.batch_id == runs.c.batch_id)
        .where(iterations.c.campaign_id == campaign_id, transactions.c.kind == EntryKind.DEBIT.value)
        .distinct()
    )
    found = [PriceSource(row.price_source, row.price_as_of, "stock") for row in tx.execute(query)]
    listed = (
        select(run_costs.c.prices_source, run_costs.c.prices_as_of)
        .join(runs, runs.c.run_id == run_costs.c.run_id)
        .join(iterations, iterations.c.batch_id == runs.c.batch_id)
        .where(iterations.c.campaign_id == campaign_id, run_costs.c.other_micro_usd > 0)
        .distinct()
    )
    found += [
        PriceSource(row.prices_source, row.prices_as_of, "what is not kept in stock") for row in tx.execute(listed)
    ]
    if plates and not found:
        prices = default_prices()
        found.append(PriceSource(prices.source, prices.as_of, "everything"))
    return tuple(sorted(found, key=lambda each: (each.used_for, each.as_of, each.source)))
