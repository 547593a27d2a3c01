"""What a database says about its work, as figures for Prometheus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Float, extract, func, select

from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.journal import StepStatus
from cellos_nb.execution.lease import holder_of
from cellos_nb.execution.runs import KIND
from cellos_nb.execution.ticks import TickStatus
from cellos_nb.store.schema import actions, runs, steps, tick_ledger
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

LAST_RUNS = 2_000
"""Quantiles are taken over the steps of so many runs, those submitted last."""
QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Durations:
    """How long steps of one kind took, in seconds from the intent to the end; incubations with their waiting."""

    count: int
    sum_s: float
    quantiles_s: Mapping[float, float]
    """By share of the last steps: the least duration that so many did not exceed; empty when there are none."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, with a value for each set of labels."""

    name: str
    kind: str
    """`gauge`, `counter` or `summary`."""
    text: str
    values: Sequence[tuple[str, Mapping[str, str], float]]
    """What the name is followed by, labels, value."""


def metrics_text(store: Store) -> str:
    """All figures in Prometheus' text form, read from the database in one consistent state; nothing is written.

    Source: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    with store.read():
        return "".join(line for figure in _figures(store) for line in _lines(figure))


def step_durations(store: Store) -> dict[str, Durations]:
    """How long the steps that were done took, by kind."""
    with store.read() as tx:
        query = select(steps.c.kind, func.count(), func.sum(_seconds(tx))).where(_DONE).group_by(steps.c.kind)
        whole = {kind: (n, float(sum_s)) for kind, n, sum_s in tx.execute(query)}
        last = _last_durations(tx)
    return {
        kind: Durations(n, sum_s, {share: _quantile(last[kind], share) for share in QUANTILES} if last[kind] else {})
        for kind, (n, sum_s) in sorted(whole.items())
    }


def _figures(store: Store) -> Iterator[Figure]:
    with store.read() as tx:
        by_status = _counts(tx, actions.c.status, actions.c.kind == KIND)
        waiting = _counts(tx, actions.c.kind, actions.c.status == JobStatus.QUEUED.value)
        n_ticks = _counts(tx, tick_ledger.c.status)
        in_doubt = tx.scalar(select(func.count()).where(steps.c.status == StepStatus.IN_DOUBT.value)) or 0
        dead = tx.scalar(select(func.count()).where(actions.c.status == JobStatus.DEAD_LETTER.value)) or 0
        last_tick: datetime | None = tx.scalar(select(func.max(tick_ledger.c.finished_at)))
    runs_now = [("", {"status": status.value}, float(by_status.get(status.value, 0))) for status in JobStatus]
    yield Figure("cellos_runs", "gauge", "Runs by where they stand.", runs_now)
    depth = [("", {"kind": kind}, float(n)) for kind, n in sorted(waiting.items())] or [("", {"kind": KIND}, 0.0)]
    yield Figure("cellos_queue_depth", "gauge", "Actions that wait for their turn or their time, by kind.", depth)
    yield Figure("cellos_dead_letters", "gauge", "Actions that were given up.", [("", {}, float(dead))])
    yield Figure(
        "cellos_steps_in_doubt", "gauge", "Steps that a person has to decide about.", [("", {}, float(in_doubt))]
    )
    made = [("", {"status": status.value}, float(n_ticks.get(status.value, 0))) for status in TickStatus]
    yield Figure("cellos_ticks_total", "counter", "Ticks of the daemon by how they ended.", made)
    if last_tick is not None:
        age_s = max(0.0, (now_utc() - last_tick).total_seconds())
        yield Figure("cellos_last_tick_age_seconds", "gauge", "Seconds since a tick ended.", [("", {}, age_s)])
    is_held = float(holder_of(store) is not None)
    what = "Whether a live process executes the work of this database."
    yield Figure("cellos_lease_held", "gauge", what, [("", {}, is_held)])
    yield _durations(step_durations(store))


def _durations(by_kind: Mapping[str, Durations]) -> Figure:
    values: list[tuple[str, Mapping[str, str], float]] = []
    for kind, each in by_kind.items():
        values += [("", {"kind": kind, "quantile": str(share)}, at) for share, at in each.quantiles_s.items()]
        values += [("_sum", {"kind": kind}, each.sum_s), ("_count", {"kind": kind}, float(each.count))]
    what = f"Seconds that steps took, by kind; quantiles over the last {LAST_RUNS:,} runs."
    return Figure("cellos_step_duration_seconds", "summary", what, values)


def _lines(figure: Figure) -> Iterator[str]:
    yield f"# HELP {figure.name} {figure.text}\n# TYPE {figure.name} {figure.kind}\n"
    for suffix, labels, value in figure.values:
        inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{figure.name}{suffix}{'{' + inside + '}' if inside else ''} {value!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _counts(tx: Connection, column: ColumnElement[str], *conditions: ColumnElement[bool]) -> dict[str, int]:
    rows = tx.execute(select(column, func.count()).where(*conditions).group_by(column))
    return {value: int(n) for value, n in rows}


def _last_durations(tx: Connection) -> defaultdict[str, list[float]]:
    first = (tx.scalar(select(func.max(runs.c.run_id))) or 0) - LAST_RUNS
    found: defaultdict[str, list[float]] = defaultdict(list)
    for kind, seconds in tx.execute(select(steps.c.kind, _seconds(tx)).where(_DONE, steps.c.run_id > first)):
        found[kind].append(float(seconds))
    return found


def _quantile(values: list[float], share: float) -> float:
    """The nearest rank: a duration that was measured."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def _seconds(tx: Connection) -> ColumnElement[float]:
    if tx.dialect.name == "postgresql":
        return extract("epoch", steps.c.finished_at - steps.c.started_at).cast(Float)
    return (func.julianday(steps.c.finished_at) - func.julianday(steps.c.started_at)) * 86_400.0


_DONE = (steps.c.status == StepStatus.DONE.value) & (steps.c.kind != "")
