"""The queue's statements, built once: building a statement costs more than executing it."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from sqlalchemy import Select, bindparam, insert, literal_column, or_, select, text, update

from cellos_nb.execution.jobs import JobStatus
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions

# Spelled out, because an index over waiting jobs alone is not used for a parameter.
WAITING = actions.c.status == literal_column("'queued'")


@cache
def due(has_kind: bool, which: Literal["any", "for", "job"]) -> Select[Any]:  # noqa: FBT001
    """The next jobs to claim: of any, of those that need certain resources, or one."""
    is_time = or_(actions.c.not_before.is_(None), actions.c.not_before <= bindparam("now"))
    query = select(actions).where(WAITING, is_time)
    if has_kind:
        query = query.where(actions.c.kind == bindparam("kind"))
    if which == "job":
        return query.where(actions.c.action_id == bindparam("of_job"))
    if which == "for":
        query = query.where(actions.c.resources == bindparam("of"))
    return query.order_by(actions.c.priority.desc(), actions.c.action_id).limit(bindparam("n"))


# Jumps from one set of resources to the next, so that it costs the same for 100,000 jobs that need the same.
_NEEDS = """
    WITH RECURSIVE needs(resources) AS (
        SELECT min(resources) FROM actions {index} WHERE status = 'queued'
        UNION ALL
        SELECT (SELECT min(resources) FROM actions {index}
                WHERE status = 'queued' AND actions.resources > needs.resources)
        FROM needs WHERE needs.resources IS NOT NULL)
    SELECT resources FROM needs WHERE resources IS NOT NULL
"""
NEEDS = {
    "sqlite": text(_NEEDS.format(index="INDEXED BY ix_actions_waiting_for")),
    "postgresql": text(_NEEDS.format(index="")),
}
BY_KEY = select(actions.c.action_id).where(actions.c.idempotency_key == bindparam("key"))
BY_NUMBER = select(actions).where(actions.c.action_id == bindparam("of_job"))
STATUS = select(actions.c.status).where(actions.c.action_id == bindparam("of_job"))
INSERT = insert(actions)
CLAIM = Prepared(
    update(actions)
    .where(actions.c.action_id == bindparam("of_job"))
    .values(status=bindparam("to"), fencing=bindparam("fence"), claimed_at=bindparam("at"))
)


@cache
def change_of(from_: tuple[JobStatus, ...], *columns: str) -> Prepared:
    """Sets columns of one job to `to_<column>`, if it has one of the statuses."""
    # Not IN, whose list SQLAlchemy would expand anew each time.
    is_in_state = or_(*(actions.c.status == status.value for status in from_))
    change = update(actions).where(actions.c.action_id == bindparam("of_job"), is_in_state)
    return Prepared(change.values({name: bindparam(f"to_{name}") for name in columns}))
