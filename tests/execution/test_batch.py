from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from crash_child import batch, config
from ledger_machine import LedgerMachine

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ResultStatus
from cellos_nb.errors import CampaignError, CompileError, InDoubtError, InputError, MachineError, StepFailedError
from cellos_nb.execution import plate_run
from cellos_nb.execution.autonomous import AutonomousExecutor, default_plan
from cellos_nb.execution.batch import forecast_cost, run_batch
from cellos_nb.execution.events import ResultsStored, RunDone
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.recovery import discard, mark_done
from cellos_nb.execution.runs import run_records
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store.store import Store


@dataclass
class Lab:
    store: Store
    machine: HardwareInterface


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


@pytest.fixture
def machine(tmp_path):
    return LedgerMachine(tmp_path / "ledger")


@pytest.fixture
def asked(store):
    return batch(store.add_campaign(config(2)), 2)


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch):
    monkeypatch.setattr(plate_run, "retry_delay_s", lambda attempt: 0.0)


def proposals(n=3):
    return [ExperimentProposal("U2OS", "drug", 0.5 * k) for k in range(1, n + 1)]


def wet_uids(machine, plate_id):
    return [step for plate, step in machine.effects() if plate == plate_id]


def test_a_batch_gives_a_result_for_every_proposal_in_order(store, machine, asked):
    results = run_batch(store, machine, asked)
    assert tuple(result.proposal for result in results) == asked.proposals
    assert {result.status for result in results} == {ResultStatus.OK}
    assert all(result.iteration == 1 and result.cost_usd > 0 for result in results)
    assert all(result.started_at <= result.finished_at for result in results)
    assert store.history("crash").results == results
    assert store.iterations("crash")[0].is_concluded


def test_a_batch_costs_what_was_forecast(store, machine, asked):
    expected = forecast_cost(store, asked, machine.describe())
    assert sum(result.cost_usd for result in run_batch(store, machine, asked)) == pytest.approx(expected)


def test_a_batch_of_ones_own_making_needs_no_campaign(store, machine, asked):
    own = replace(asked, batch_id="tuesday", campaign_id=None, iteration=0)
    assert {result.iteration for result in run_batch(store, machine, own)} == {0}
    assert [run.plate_id for run in run_records(store)] == ["tuesday-p1", "tuesday-p2"]
    assert len(AutonomousExecutor(Lab(store, machine)).execute_batch(proposals())) == 3


def test_a_batch_that_is_done_is_not_executed_again(store, machine, asked):
    first = run_batch(store, machine, asked)
    machine.execute = None
    assert run_batch(store, machine, asked) == first


def test_the_story_ends_with_the_results(store, machine, asked):
    events = []
    run_batch(store, machine, asked, events.append)
    assert [event.plate_id for event in events if isinstance(event, RunDone)] == ["crash/i001-p1", "crash/i001-p2"]
    assert isinstance(events[-1], ResultsStored)
    assert events[-1].n_experiments == 6


def test_a_plate_that_fails_gives_failed_results_and_the_other_is_concluded(store, machine, asked):
    machine.trouble["crash/i001-p1 1-seed"] = [StepFailedError("clogged")]
    results = run_batch(store, machine, asked)
    failed = [result for result in results if result.status is ResultStatus.FAILED]
    assert len(failed) == 3
    assert {result.error for result in failed} == {"crash/i001-p1, step 1-seed, attempt 1 of 3: clogged"}
    assert store.iterations("crash")[0].is_concluded


def in_doubt(store, machine, asked):
    machine.trouble["crash/i001-p1 1-seed"] = [MachineError("connection lost")]
    machine.answers["1-seed"] = Outcome(OutcomeState.UNKNOWN)
    with pytest.raises(InDoubtError, match="crash/i001-p1: it cannot be told whether step 1-seed took effect"):
        run_batch(store, machine, asked)


def test_with_a_plate_in_doubt_the_others_are_stored_and_the_iteration_stays_open(store, machine, asked):
    in_doubt(store, machine, asked)
    assert len(store.history("crash")) == 3
    assert not store.iterations("crash")[0].is_concluded


def test_a_batch_in_doubt_goes_on_after_a_person_has_decided(store, machine, asked):
    in_doubt(store, machine, asked)
    mark_done(store, "crash/i001-p1", person="Ada")
    assert {result.status for result in run_batch(store, machine, asked)} == {ResultStatus.OK}
    assert "1-seed" not in wet_uids(machine, "crash/i001-p1")


def test_a_discarded_plate_gives_failed_results(store, machine, asked):
    in_doubt(store, machine, asked)
    discard(store, "crash/i001-p1", person="Ada")
    results = run_batch(store, machine, asked)
    assert {result.error for result in results if result.status is ResultStatus.FAILED} == {"discarded by Ada"}
    assert store.iterations("crash")[0].is_concluded


def test_a_machine_that_remembers_after_all_settles_the_doubt_on_resume(store, machine, asked):
    in_doubt(store, machine, asked)
    machine.answers.clear()
    assert {result.status for result in run_batch(store, machine, asked)} == {ResultStatus.OK}
    assert set(machine.effects().values()) == {1}


def test_a_batch_that_cannot_be_compiled_leaves_nothing(store, machine, asked):
    impossible = replace(asked, proposals=(replace(asked.proposals[0], compound="unknown"),))
    with pytest.raises(InputError):
        run_batch(store, machine, impossible)
    assert store.iterations("crash") == ()
    assert run_records(store) == ()


def test_a_resumed_batch_is_not_compiled_again(store, machine, asked, monkeypatch):
    in_doubt(store, machine, asked)
    machine.answers.clear()

    def refuse(*args, **values):
        raise CompileError("compiled again")

    monkeypatch.setattr("cellos_nb.execution.batch.compile_plates", refuse)
    assert len(run_batch(store, machine, asked)) == 6


def test_equal_seeds_give_equal_results(tmp_path):
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        with Store.open(folder / "lab.db") as store:
            asked = batch(store.add_campaign(config(2)), 2)
            results = run_batch(store, LedgerMachine(folder / "ledger"), asked)
            found.append([replace(result, started_at=None, finished_at=None) for result in results])
    assert found[0] == found[1]


def test_people_with_their_own_planner_get_results_in_order(store, machine):
    executor = AutonomousExecutor(Lab(store, machine))
    results = executor.execute_batch(proposals(), seed=3)
    assert [result.proposal.dose_um for result in results] == [0.5, 1.0, 1.5]
    assert [result.proposal.proposal_id for result in results] == ["e001", "e002", "e003"]
    assert {result.iteration for result in results} == {0}
    assert executor.results("ad-hoc/b000001") == results
    assert executor.stats()["experiments"] == 3
    assert executor.stats()["succeeded"] == 1
    assert executor.execute_batch([]) == []


def test_every_call_prepares_new_plates(store, machine):
    executor = AutonomousExecutor(Lab(store, machine))
    for _ in range(2):
        executor.execute_batch(proposals())
    assert [run.plate_id for run in run_records(store)] == ["ad-hoc/b000001-p1", "ad-hoc/b000002-p1"]
    assert store.campaigns() == ()


def test_a_batch_can_be_submitted_now_and_executed_later(store, machine):
    executor = AutonomousExecutor(Lab(store, machine))
    batch_id = executor.submit(proposals())
    assert executor.execute_batch(proposals(), wait=False) == []
    assert executor.results(batch_id, wait=False) == []
    assert not machine.effects()
    assert len(executor.results(batch_id)) == 3
    assert executor.stats()["queued"] == 1
    with pytest.raises(CampaignError, match="ad-hoc/b000009: no such batch"):
        executor.results("ad-hoc/b000009")


def test_a_cancelled_batch_gives_failed_results(store, machine):
    executor = AutonomousExecutor(Lab(store, machine))
    batch_id = executor.submit(proposals())
    JobQueue(store).cancel(run_records(store)[0].run_id, "not needed")
    assert {result.error for result in executor.results(batch_id)} == {"not needed"}
    assert not machine.effects()


def test_a_plan_without_experiments_is_refused():
    with pytest.raises(InputError, match="at least one proposal"):
        default_plan([])


@pytest.mark.parametrize("has_ledger", [True, False], ids=["grouped", "strict"])
def test_the_shipped_machine_runs_a_batch(store, tmp_path, has_ledger):
    machine = VirtualMachine(tmp_path / "machine.jsonl" if has_ledger else None)
    results = AutonomousExecutor(Lab(store, machine)).execute_batch(proposals(5), plate_format=384)
    machine.stop()
    assert len(results) == 5
    assert {str(run.status) for run in run_records(store)} == {"succeeded"}
