from __future__ import annotations

import pytest
from ledger_machine import LedgerMachine
from plates import WET, plate
from sqlalchemy import select
from sqlalchemy.engine.default import DefaultDialect

from cellos_nb.execution.events import RunStarted
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.runs import run_of_plate
from cellos_nb.store.schema import steps
from cellos_nb.store.store import Store


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


@pytest.fixture
def commits(monkeypatch):
    counted, commit = [], DefaultDialect.do_commit
    monkeypatch.setattr(DefaultDialect, "do_commit", lambda *each: (counted.append(each), commit(*each)))
    return counted


def test_plates_on_one_machine_share_the_commits_of_their_intents(store, tmp_path, commits):
    executor = WorkflowExecutor(store, LedgerMachine(tmp_path / "ledger", declares=False))

    def commits_of(*names):
        ids = [executor.submit(plate(name)) for name in names]
        commits.clear()
        ended = executor.run(ids)
        assert {run.status for run in ended.values()} == {JobStatus.SUCCEEDED}
        return len(commits)

    alone = commits_of("demo/alone")
    # The lease, the claim, five intents and the end; what a step did is stored with the next intent.
    assert alone <= 9
    # Two dispenses and a reading of each plate take turns on their devices; all else goes side by side.
    assert commits_of(*(f"demo/p{k}" for k in range(10))) <= 5 * alone


def test_an_intent_whose_call_was_not_made_is_taken_back(store, tmp_path):
    machine = LedgerMachine(tmp_path / "ledger", is_simulated=True, remembers=False)
    executor = WorkflowExecutor(store, machine)
    ids = [executor.submit(plate("demo/p1")), executor.submit(plate("demo/p2"))]

    def interrupt(event):
        if isinstance(event, RunStarted) and event.plate_id == "demo/p2":
            raise KeyboardInterrupt

    # The first plate's intent is noted by then, and its call waits for the commit.
    with pytest.raises(KeyboardInterrupt):
        executor.run(ids, interrupt)
    with store.read() as tx:
        assert tx.execute(select(steps.c.status)).all() == []
    assert not machine.effects()
    # A machine that cannot tell would have it in doubt otherwise.
    executor.run(ids)
    assert [run_of_plate(store, f"demo/p{k}").status for k in (1, 2)] == [JobStatus.SUCCEEDED] * 2
    assert machine.effects() == {(f"demo/p{k}", uid): 1 for k in (1, 2) for uid in WET}
