from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from cellos_nb.errors import MachineError
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.metrics import metrics_text, step_durations
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.ticks import Tally, begin_tick, end_tick
from cellos_nb.store.schema import steps
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


def samples(store):
    """Name and labels of each sample, as Prometheus reads the text."""
    families = list(text_string_to_metric_families(metrics_text(store)))
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


def execute(store, tmp_path, *names, **machine):
    executor = WorkflowExecutor(store, LedgerMachine(tmp_path / "ledger", **machine))
    executor.run([executor.submit(plate(name)) for name in names])


def test_an_empty_database_has_figures_that_are_zero(store):
    found = samples(store)
    assert found["cellos_runs", "succeeded"] == found["cellos_queue_depth", "experiment"] == 0
    assert found["cellos_lease_held",] == 0
    assert not [name for name, *_ in found if name.startswith(("cellos_step_duration", "cellos_last_tick"))]


def test_runs_and_waiting_actions_are_counted_by_where_they_stand(store, tmp_path):
    execute(store, tmp_path, "demo/p1", "demo/p2")
    JobQueue(store).submit("notify", {}, idempotency_key="n", not_before=now_utc() + timedelta(days=1))
    found = samples(store)
    assert found["cellos_runs", "succeeded"] == 2
    assert found["cellos_runs", "queued"] == 0
    assert found["cellos_queue_depth", "notify"] == 1
    assert found["cellos_lease_held",] == 1
    lease_of(store).release()
    assert samples(store)["cellos_lease_held",] == 0


def test_steps_in_doubt_and_dead_letters_are_counted(store, tmp_path):
    executor = WorkflowExecutor(store, machine := LedgerMachine(tmp_path / "ledger", remembers=False))
    machine.trouble["3-dose"] = [MachineError("the line dropped")]
    executor.run([executor.submit(plate())])
    job = JobQueue(store).submit("notify", {}, idempotency_key="n", max_attempts=1)
    JobQueue(store).claim(job_id=job, start=True)
    JobQueue(store).fail(job, "no network")
    found = samples(store)
    assert (found["cellos_steps_in_doubt",], found["cellos_dead_letters",], found["cellos_runs", "in_doubt"]) == (
        1,
        1,
        1,
    )


def test_durations_are_summed_and_ranked_for_each_kind_of_step(store, tmp_path):
    execute(store, tmp_path, *(f"demo/p{k}" for k in range(1, 5)))
    began = now_utc()
    with store.write() as tx:
        for k in range(1, 5):
            took = {"started_at": began, "finished_at": began + timedelta(seconds=float(k))}
            tx.execute(update(steps).where(steps.c.token.startswith(f"demo/p{k}:")), took)
    durations = step_durations(store)
    assert list(durations) == ["dose", "incubate", "read", "seed"]
    assert (durations["seed"].count, durations["incubate"].count) == (4, 8)
    assert durations["seed"].sum_s == pytest.approx(10.0, abs=1e-3)
    assert durations["seed"].quantiles_s == pytest.approx({0.5: 2.0, 0.9: 4.0, 0.99: 4.0}, abs=1e-3)
    found = samples(store)
    assert found["cellos_step_duration_seconds_count", "dose"] == 4
    assert found["cellos_step_duration_seconds", "0.5", "dose"] == pytest.approx(2.0, abs=1e-3)


def test_ticks_are_counted_by_how_they_ended_and_the_last_has_an_age(store):
    lease = lease_of(store)
    with lease.held():
        for n_failed in (0, 0, 1):
            end_tick(store, lease, begin_tick(store, lease), Tally(failed=n_failed))
    found = samples(store)
    assert (found["cellos_ticks_total", "succeeded"], found["cellos_ticks_total", "failed"]) == (2, 1)
    assert found["cellos_last_tick_age_seconds",] >= 0


def test_what_a_label_says_is_read_back_as_it_was(store):
    JobQueue(store).submit('od"d\\k\nind', {}, idempotency_key="n")
    assert samples(store)["cellos_queue_depth", 'od"d\\k\nind'] == 1
