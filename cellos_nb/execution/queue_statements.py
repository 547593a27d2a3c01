"""The queue's statements, built once: building a statement costs more than executing it."""

from __future__ import annotations

from functools import cache
from typing import Literal

from sqlalchemy import TextClause, and_, bindparam, insert, literal_column, or_, select, text, update

from cellos_nb.execution.jobs import JobStatus
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions

# Spelled out, because an index over waiting jobs alone is not used for a parameter.
WAITING = actions.c.status == literal_column("'queued'")


# Jobs that wait for nothing but their turn: those for later become such when their time has come, see `RELEASE`. So a
# claim never looks through what is for later, however much that is and however high its priority.
_IS_DUE = and_(WAITING, actions.c.not_before.is_(None))


@cache
def due(which: Literal["of_kind", "for", "for_of_kind", "job", "job_of_kind"]) -> Prepared:
    """The next jobs to claim: of one kind, of those that need certain resources, of both, or one if it is due."""
    query = select(actions).where(_IS_DUE)
    if which.endswith("of_kind"):
        query = query.where(actions.c.kind == bindparam("kind"))
    if which.startswith("job"):
        return Prepared(query.where(actions.c.action_id == bindparam("of_job")))
    if which.startswith("for"):
        query = query.where(actions.c.resources == bindparam("of"))
    return Prepared(query.order_by(actions.c.priority.desc(), actions.c.action_id).limit(bindparam("n")))


# Jumps from one value to the next, so that it costs the same for 100,000 jobs that share it.
_DIFFERENT = """
    WITH RECURSIVE found(value) AS (
        SELECT min({column}) FROM actions {index} WHERE status = 'queued' AND not_before IS NULL
        UNION ALL
        SELECT (SELECT min({column}) FROM actions {index}
                WHERE status = 'queued' AND not_before IS NULL AND actions.{column} > found.value)
        FROM found WHERE found.value IS NOT NULL)
    SELECT value FROM found WHERE value IS NOT NULL
"""


def _different(column: str, index: str) -> dict[str, TextClause]:
    return {
        "sqlite": text(_DIFFERENT.format(column=column, index=f"INDEXED BY {index}")),
        "postgresql": text(_DIFFERENT.format(column=column, index="")),
    }


NEEDS = _different("resources", "ix_actions_due_for")
KINDS = _different("kind", "ix_actions_due_of_kind")
BY_KEY = Prepared(select(actions.c.action_id).where(actions.c.idempotency_key == bindparam("key")))
BY_NUMBER = Prepared(select(actions).where(actions.c.action_id == bindparam("of_job")))
WANTED = Prepared(select(actions.c.resources).where(WAITING, actions.c.kind == bindparam("kind")).distinct())
STATUS = Prepared(select(actions.c.status).where(actions.c.action_id == bindparam("of_job")))
ADDED = (
    *("idempotency_key", "kind", "payload", "status", "priority", "not_before"),
    *("attempts", "max_attempts", "created_at", "resources"),
)
INSERT = Prepared(insert(actions), *ADDED)
RELEASE = Prepared(
    update(actions)
    .where(WAITING, actions.c.not_before <= bindparam("now"))
    .values(not_before=bindparam("none", None, type_=actions.c.not_before.type, required=False))
)
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
