"""What a daemon without work costs, and that work is seen all the same; what it stores together."""

from __future__ import annotations

import threading

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from sqlalchemy import update

from cellos_nb import CampaignConfig, JobQueue, Lab
from cellos_nb.errors import LeaseError
from cellos_nb.execution import daemon as daemon_module
from cellos_nb.execution.actions import submit_action
from cellos_nb.execution.conclusions import Conclusions
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.daemon import Daemon
from cellos_nb.execution.events import RunStarted
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.journal import entries_of
from cellos_nb.execution.notes import store_together
from cellos_nb.execution.queue import JobStatus
from cellos_nb.store.schema import lease
from cellos_nb.store.store import Store

CAMPAIGN = CampaignConfig(
    name="tiny",
    cell_lines=["SK-LMS-1"],
    compounds=["Trametinib", "Dinaciclib"],
    dose_range_um=[0.001, 10],
    n_doses=8,
    batch_size=4,
    max_iterations=2,
    plate_format=24,
    controls={"vehicle": 2},
    machine="replay",
    planner="random",
)


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(daemon_module, "LOOK_S", 0.01)
    return tmp_path / "lab.db"


class Looks:
    """Counts the stamps that a daemon asks for, and its whole looks at the database."""

    def __init__(self, monkeypatch):
        self.stamps, self.whole, self.at_least = 0, 0, {}
        stamp, waiting = Store.stamp, Conclusions.waiting

        def counted_stamp(store):
            self.stamps += 1
            for number, event in self.at_least.items():
                if self.stamps >= number:
                    event.set()
            return stamp(store)

        def counted_look(conclusions):
            self.whole += 1
            return waiting(conclusions)

        monkeypatch.setattr(Store, "stamp", counted_stamp)
        monkeypatch.setattr(Conclusions, "waiting", counted_look)

    def wait_for(self, n_stamps):
        event = self.at_least.setdefault(self.stamps + n_stamps, threading.Event())
        assert event.wait(60)


def at_work(lab):
    daemon = Daemon(lab.store, lab)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    return daemon, thread


def test_an_idle_daemon_looks_only_when_somebody_has_committed_something(database, monkeypatch):
    looks = Looks(monkeypatch)
    with Lab.open(database) as lab, Store.open(database) as other:
        daemon, thread = at_work(lab)
        looks.wait_for(20)
        # What it wrote itself when it began, and a heart-beat that may fall in between, are worth a look each.
        assert looks.whole <= 5
        job_id = submit_action(other, "notify", {"title": "now"}, idempotency_key="now")
        looks.wait_for(20)
        daemon.stop()
        thread.join(60)
        assert JobQueue(other).job(job_id).status is not JobStatus.QUEUED


@pytest.mark.parametrize("what", ["queue", "campaign"])
def test_work_that_is_paused_makes_an_idle_daemon_no_busier(what, database, monkeypatch):
    looks = Looks(monkeypatch)
    with Lab.open(database) as lab, Store.open(database) as other:
        campaign = lab.submit(CAMPAIGN)
        if what == "queue":
            flags_of(other).set("paused")
        else:
            campaign.pause()
        daemon, thread = at_work(lab)
        looks.wait_for(20)
        assert looks.whole <= 5
        if what == "queue":
            flags_of(other).clear("paused")
            looks.wait_for(5)
            assert looks.whole > 5 or JobQueue(other).stats()["succeeded"] > 0
        daemon.stop()
        thread.join(60)


def test_results_are_stored_together_with_the_planning_that_follows_or_not_at_all(database, monkeypatch):
    with Lab.open(database) as lab:
        campaign = lab.submit(CAMPAIGN)
        with monkeypatch.context() as patched:

            def dies(_, campaign_id, iteration):
                raise KeyboardInterrupt(f"{campaign_id}, {iteration}")

            patched.setattr(Lab, "go_on", dies)
            with pytest.raises(KeyboardInterrupt, match="tiny, 1"):
                Daemon(lab.store, lab).run(max_ticks=20)
        assert len(campaign.history()) == 0
        # The next daemon finds the plate as it ended, and nothing is missing from the way on.
        _until_finished(lab, campaign)
        assert campaign.history().iteration.unique().tolist() == [1, 2]


def _until_finished(lab, campaign):
    daemon = Daemon(lab.store, lab)
    for _ in range(20):
        daemon.run(once=True)
        if campaign.summary().status == "finished":
            return
    raise AssertionError(campaign.summary())


class Ink:
    """Notes that count how often they were written and stored."""

    is_strict, is_due = True, True

    def __init__(self, error=None):
        self.error, self.n_written, self.n_stored, self.told = error, 0, 0, []

    def write(self, tx):
        self.n_written += 1
        if self.error is not None:
            raise self.error

    def stored(self):
        self.n_stored += 1
        return lambda: self.told.append(self.n_stored)


def test_notes_of_several_machines_are_stored_all_or_none(database):
    with Store.open(database) as store:
        good, bad = Ink(), Ink(LeaseError("Another dispatcher took over"))
        with pytest.raises(LeaseError, match="Another dispatcher"):
            store_together(store, [good, bad])
        assert (good.n_written, good.n_stored, good.told) == (1, 0, [])
        bad.error = None
        store_together(store, [good, bad])
        assert (good.n_stored, bad.n_stored, good.told, bad.told) == (1, 1, [1], [1])


def test_an_executor_that_lost_the_lease_forgets_its_plates_and_can_be_used_again(database, tmp_path):
    with Store.open(database) as store:
        machine = LedgerMachine(tmp_path / "ledger", declares=False)
        executor = WorkflowExecutor(store, machine)
        run_id = executor.submit(plate("demo/p1"))

        def lose(event):
            if isinstance(event, RunStarted):
                with store.write() as tx:
                    tx.execute(update(lease).values(fencing=lease.c.fencing + 1, owner=None))

        with pytest.raises(LeaseError, match="Another dispatcher took over"):
            executor.run([run_id], lose)
        assert executor.n_in_hand == 0
        assert entries_of(store, run_id) == ()
        ended = executor.run([run_id])
        assert ended[run_id].status is JobStatus.SUCCEEDED
        assert set(machine.effects().values()) == {1}
