"""What of a campaign is under way, asked often: a mark that changes with it, and how far each plate has come."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, func, select

from cellos_nb.execution.control import flags_of
from cellos_nb.execution.journal import StepStatus
from cellos_nb.execution.lease import is_at_work
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import actions, campaigns, iterations, results, runs, steps
from cellos_nb.store.store import Store

_TRIED = (StepStatus.STARTED.value, StepStatus.IN_DOUBT.value, StepStatus.FAILED.value)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one run has come, by its journal."""

    done: frozenset[str] = frozenset()
    """The steps that were executed."""
    current: str = ""
    """The step that was begun last and is not done; empty between steps."""


@dataclass(frozen=True, slots=True)
class ResultsMark:
    """What tells one state of a campaign's results from another."""

    n_iterations: int
    n_concluded: int
    n_superseded: int
    concluded_at: datetime | None
    last: int | None
    """The number of the last iteration; None before the first."""
    first_open: int | None
    """The number of the first iteration that counts and lacks a result; None when none does."""
    n_open_results: int
    """Results of iterations that are not concluded."""

    @property
    def settled(self) -> int:
        """The iteration up to which nothing is added any more; what came before may still be superseded."""
        return self.first_open - 1 if self.first_open is not None else self.last or 0


def mark_of(store: Store, campaign_id: str) -> Hashable:
    """Changes whenever a campaign goes on by a step; costs as much as the iteration under way, however long it is."""
    asked = {"of_campaign": campaign_id}
    with store.read() as tx:
        found = *_STANDING.rows(tx, asked), *_PLATES.rows(tx, asked), *_JOURNAL.rows(tx, asked)
        results = _results_mark(tx, campaign_id)
    return (*found, results, is_at_work(store), tuple(flags_of(store).read().values()))


def results_mark(store: Store, campaign_id: str) -> ResultsMark:
    """Changes whenever a campaign's results do: concluded, taken back, superseded."""
    with store.read() as tx:
        return _results_mark(tx, campaign_id)


def _results_mark(tx: Connection, campaign_id: str) -> ResultsMark:
    asked = {"of_campaign": campaign_id}
    ((*counted, concluded_at, last, first_open),) = _LAPS.rows(tx, asked)
    n_iterations, n_concluded, n_superseded = counted
    ((n_open,),) = _OPEN_RESULTS.rows(tx, asked)
    return ResultsMark(n_iterations, n_concluded, n_superseded, concluded_at, last, first_open, n_open)


def progress_of(store: Store, run_ids: Collection[int]) -> dict[int, Progress]:
    """How far runs have come; a run of which nothing was begun is not among them."""
    query = select(steps.c.run_id, steps.c.step_uid, steps.c.status).where(steps.c.run_id.in_(run_ids))
    done: dict[int, set[str]] = {}
    current: dict[int, str] = {}
    with store.read() as tx:
        for run_id, uid, status in tx.execute(query.order_by(steps.c.started_at, steps.c.attempt)):
            executed = done.setdefault(run_id, set())
            if status == StepStatus.DONE.value:
                executed.add(uid)
            current[run_id] = uid if status in _TRIED else ""
    return {run_id: Progress(frozenset(uids), current[run_id]) for run_id, uids in done.items()}


# Built once: panels ask many times a minute, and building a statement costs more than executing it.
_OWN = iterations.c.campaign_id == bindparam("of_campaign")
_IS_OPEN = _OWN & iterations.c.concluded_at.is_(None)
_STANDING = Prepared(
    select(*(campaigns.c[name] for name in ("status", "changed_at", "stop_reason", "stop_request"))).where(
        campaigns.c.campaign_id == bindparam("of_campaign")
    )
)
_PLATES = Prepared(
    select(actions.c.action_id, actions.c.status, actions.c.last_error)
    .join(runs, runs.c.run_id == actions.c.action_id)
    .join(iterations, iterations.c.batch_id == runs.c.batch_id)
    .where(_IS_OPEN)
    .order_by(actions.c.action_id)
)
_JOURNAL = Prepared(
    select(func.count(), func.max(steps.c.started_at), func.max(steps.c.finished_at))
    .select_from(steps.join(runs, runs.c.run_id == steps.c.run_id))
    .join(iterations, iterations.c.batch_id == runs.c.batch_id)
    .where(_IS_OPEN)
)
_LAPS = Prepared(
    select(
        *(func.count(), func.count(iterations.c.concluded_at), func.count(iterations.c.superseded_from)),
        *(func.max(iterations.c.concluded_at), func.max(iterations.c.iteration)),
        func.min(
            case((iterations.c.concluded_at.is_(None) & iterations.c.superseded_from.is_(None), iterations.c.iteration))
        ),
    ).where(_OWN)
)
_OPEN_RESULTS = Prepared(
    select(func.count())
    .select_from(iterations.join(results, results.c.batch_id == iterations.c.batch_id))
    .where(_IS_OPEN)
)
