"""What a campaign's cost and use are divided by: wells, conditions, and answers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from cellos_nb.analysis.fit import fit_dose_responses
from cellos_nb.domain.amounts import format_usd, quantity_of
from cellos_nb.domain.history import History
from cellos_nb.operations.inventory.usage import Use
from cellos_nb.store.schema import iterations, runs
from cellos_nb.store.store import Store

_COLUMNS = ("cell_line", "compound", "dose_um", "value")


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of each a campaign has; what it inherited as a fork was paid by its parent and does not count."""

    n_wells: int
    """With cells, controls among them, on all plates that were submitted."""
    n_conditions: int
    """Cell line, compound and dose that were measured and count."""
    n_answers: int
    """Curves of which the EC50 lies within the doses and is known with an interval."""

    @property
    def parts(self) -> dict[str, int]:
        """By the word for one of them."""
        return {"well": self.n_wells, "condition": self.n_conditions, "EC50": self.n_answers}

    def amount(self, use: Use, part: str) -> str | None:
        """How much of a use falls to one well, condition or EC50, for people; None when there is none of them."""
        n = self.parts[part]
        return f"{float(quantity_of(use.count, use.unit)) / n:.3g} {use.unit}" if n else None

    def rows(self, cost_micro_usd: int) -> tuple[tuple[str, str], ...]:
        """What one of each cost, as label and value."""
        return tuple(
            (
                f"per {part}",
                f"{format_usd(round(cost_micro_usd / n))} ({n:,} {_plural(part, n)})" if n else f"no {part}",
            )
            for part, n in self.parts.items()
        )


def shares_of(store: Store, campaign_id: str) -> Shares:
    """How many wells, conditions and answers a campaign has so far.

    Raises:
        CampaignError: there is none with that identifier.
    """
    inherited = store.standing(campaign_id).parent_iteration
    history = store.history(campaign_id)
    query = (
        select(func.coalesce(func.sum(runs.c.n_wells), 0))
        .join(iterations, iterations.c.batch_id == runs.c.batch_id)
        .where(iterations.c.campaign_id == campaign_id)
    )
    with store.read() as tx:
        n_wells = int(tx.scalar(query) or 0)
    own = {
        (result.proposal.cell_line, result.proposal.compound, result.proposal.dose_um)
        for result in history.learnable
        if result.iteration > inherited
    }
    return Shares(n_wells, len(own), n_answers(history))


def n_answers(history: History) -> int:
    """How many EC50s a history tells: curves whose fit has the verdict `fitted`."""
    import pandas as pd

    points = pd.DataFrame(history.points(), columns=list(_COLUMNS))
    if points.empty:
        return 0
    return int((fit_dose_responses(points, ["cell_line", "compound"])["verdict"] == "fitted").sum())


def _plural(part: str, n: int) -> str:
    return part if n == 1 else f"{part}s"
