"""Whatever a person decides about the execution stands in the audit log: who, when, why, and what it was about."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from sqlalchemy import text

from cellos_nb import CampaignConfig, Lab
from cellos_nb.errors import ApprovalError, InputError, StoreError
from cellos_nb.execution import recovery
from cellos_nb.execution.approvals import allowed_machines, approvals_of, approve, require_approval, withdraw
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.due import approved_runs
from cellos_nb.execution.held import held_runs
from cellos_nb.execution.jobs import JobStatus
from cellos_nb.execution.proof import prove
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import add_run
from cellos_nb.store import audit
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

TINY = CampaignConfig(
    name="tiny",
    cell_lines=["SK-LMS-1"],
    compounds=["Trametinib", "Dinaciclib"],
    dose_range_um=[0.001, 10],
    n_doses=8,
    batch_size=4,
    max_iterations=2,
    machine="replay",
    planner="random",
    seed=5,
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    with Store.open(tmp_path / "lab.db") as opened:
        yield opened


def acts(store, kind=""):
    """Who, what, about what and why, but for the beginning of the log."""
    with store.read() as tx:
        return [(e.who, e.kind, e.subject, e.why) for e in audit.entries(tx, audit.Wanted(kind=kind)) if e.seq > 1]


def test_pause_kill_and_their_end_once_each(store):
    flags = flags_of(store)
    flags.set("paused", "cleaning")
    flags.set("paused", "again, which changes nothing")
    flags.set("killed", "smoke", by="Ben")
    flags.clear("paused", "clean")
    flags.clear("paused")
    flags.clear("killed", "air is clear", by="Ben")
    assert acts(store) == [
        ("ada", "queue.paused", "queue", "cleaning"),
        ("Ben", "queue.killed", "queue", "smoke"),
        ("ada", "queue.allowed", "queue", "clean"),
        ("Ben", "queue.allowed", "queue", "air is clear"),
    ]


def test_the_mode_when_it_changes(store):
    for is_real in (False, True, True, False):
        flags_of(store).set_mode(is_real=is_real)
    assert acts(store) == [("ada", "mode.real", "queue", ""), ("ada", "mode.proof", "queue", "")]


def test_a_cancelled_job_and_one_that_is_tried_again(store):
    queue = JobQueue(store)
    first, second = (queue.submit("notify", {"n": n}, idempotency_key=f"k{n}", max_attempts=1) for n in (1, 2))
    queue.cancel(first, "not wanted")
    queue.cancel(first, "which changes nothing")
    queue.claim(job_id=second, start=True)
    queue.fail(second, "no network")
    recovery.requeue(store, second, reason="network is back", by="Ben")
    queue.cancel(second)
    assert acts(store) == [
        ("ada", "job.cancelled", "k1", "not wanted"),
        ("Ben", "job.requeued", "k2", "network is back"),
        ("ada", "job.cancelled", "k2", "cancelled"),
    ]
    with pytest.raises(InputError, match="is not in the dead letters"):
        recovery.requeue(store, first)
    assert len(acts(store)) == 3


def proved(store, tmp_path):
    robot = LedgerMachine(tmp_path / "ledger", is_simulated=False).describe()
    run_id = add_run(store, plate())
    prove(store, plate(), robot)
    return robot, run_id


def test_an_approval_and_that_it_was_taken_back(store, tmp_path):
    robot, run_id = proved(store, tmp_path)
    digest = plate().sha256
    approve(store, digest, machine="ledger", person="Ada L.", expires_at=now_utc() + timedelta(hours=1))
    assert require_approval(store, plate(), robot) is not None
    assert withdraw(store, digest, machine="ledger", person="Ben", reason="old tips") == 1
    assert acts(store) == [
        ("Ada L.", "approval.given", plate().plate_id, ""),
        ("Ben", "approval.withdrawn", plate().plate_id, "old tips"),
    ]
    with store.read() as tx:
        given = audit.entries(tx, audit.Wanted(kind="approval.given"))[0]
    assert (given.account, given.facts["workflow_sha256"]) == ("jupyterhub:ada", digest)
    assert allowed_machines(store, run_id) == frozenset()
    with pytest.raises(ApprovalError, match=r"Ben took back the approval for ledger at .* UTC: old tips"):
        require_approval(store, plate(), robot)
    (kept,) = approvals_of(store, digest)
    assert (kept.withdrawn_by, kept.withdrawn_reason) == ("Ben", "old tips")


def test_a_run_that_waits_is_not_begun_under_an_approval_that_was_taken_back(store, tmp_path):
    _, run_id = proved(store, tmp_path)
    queue, digest = JobQueue(store), plate().sha256
    queue.claim(job_id=run_id, start=True)
    queue.end(run_id, JobStatus.PAUSED, "waits for an approval")
    approve(store, digest, machine="ledger", person="Ada", expires_at=now_utc() + timedelta(hours=1))
    assert approved_runs(store) == (run_id,)
    assert held_runs(store)[0].approved_until is not None
    withdraw(store, digest, machine="ledger", person="Ben", reason="old tips")
    assert approved_runs(store) == ()
    assert held_runs(store)[0].approved_until is None
    approve(store, digest, machine="ledger", person="Ada", expires_at=now_utc() + timedelta(hours=1))
    assert approved_runs(store) == (run_id,)


@pytest.mark.parametrize(("person", "reason"), [("", "why"), ("Ada", " ")], ids=["nobody", "no reason"])
def test_nobody_takes_an_approval_back_without_name_and_reason(store, person, reason):
    with pytest.raises(InputError, match="by somebody and for a reason"):
        withdraw(store, "f" * 64, machine="ledger", person=person, reason=reason)


def test_there_must_be_an_approval_to_take_back(store):
    with pytest.raises(ApprovalError, match="no approval for ledger counts now"):
        withdraw(store, "f" * 64, machine="ledger", person="Ada", reason="why")


def test_the_course_of_a_campaign(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    with Lab.open(tmp_path / "lab.db") as lab:
        campaign = lab.run(TINY)
        name = campaign.campaign_id
        campaign.rollback(1, "the wrong plate")
        campaign.unpause("back at work")
        campaign.pause("lunch", by="Ben")
        campaign.stop_after_iteration("enough")
        lab.fork(name, at=1, max_iterations=5)
        assert acts(lab.store) == [
            ("ada", "campaign.begun", name, ""),
            ("campaign tiny", "campaign.ended", name, "all 2 iterations are done"),
            ("ada", "campaign.rolled_back", name, "the wrong plate"),
            ("ada", "campaign.unpaused", name, "back at work"),
            ("Ben", "campaign.paused", name, "lunch"),
            ("ada", "campaign.stopped", name, "enough"),
            ("ada", "campaign.forked", "tiny-2", ""),
        ]
        with lab.store.read() as tx:
            (forked,) = audit.entries(tx, audit.Wanted(kind="campaign.forked"))
        assert forked.facts == {"at": 1, "changes": {"max_iterations": 5}, "parent": "tiny"}


def test_no_act_is_stored_when_its_entry_cannot_be(store):
    with store.write() as tx:
        # Stands in for a disk that is full at just that moment.
        tx.execute(
            text("CREATE TRIGGER full_disk BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'audit log'); END")
        )
    with pytest.raises(StoreError, match="audit log"):
        flags_of(store).set("paused", "cleaning")
    assert flags_of(store).read() == {}
