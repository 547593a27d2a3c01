"""What planners knew, one state for each iteration."""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select

from cellos_nb.domain import codec
from cellos_nb.domain.model_state import ModelState
from cellos_nb.errors import StoreCorruptError
from cellos_nb.store.schema import iterations, model_states


def add_state(tx: Connection, batch_id: str, state: ModelState) -> None:
    """Stores what the planner knew when it proposed a batch; the first state of a batch stays."""
    if tx.scalar(select(model_states.c.batch_id).where(model_states.c.batch_id == batch_id)) is None:
        tx.execute(insert(model_states), {"batch_id": batch_id, "state": codec.to_json(state)})


def states(tx: Connection, campaign_id: str, iteration: int | None = None) -> tuple[ModelState, ...]:
    """The states of a campaign's own iterations, superseded ones among them, in order; or of one iteration.

    Raises:
        StoreCorruptError: one cannot be read.
    """
    query = select(model_states.c.batch_id, model_states.c.state)
    query = query.join(iterations, iterations.c.batch_id == model_states.c.batch_id)
    query = query.where(iterations.c.campaign_id == campaign_id).order_by(iterations.c.iteration)
    if iteration is not None:
        query = query.where(iterations.c.iteration == iteration)
    return tuple(_state(batch_id, text) for batch_id, text in tx.execute(query))


def _state(batch_id: str, text: str) -> ModelState:
    try:
        return codec.from_json(ModelState, text)
    except ValidationError as error:
        raise StoreCorruptError(f"{batch_id}: its stored model state is damaged. Restore a backup.") from error
