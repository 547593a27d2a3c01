"""What a planner knew is kept with each iteration, equal whether the campaign was killed or not."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest
from planned_child import CONFIG, run
from sqlalchemy import text

from cellos_nb import CampaignConfig, Lab
from cellos_nb.errors import StoreCorruptError
from cellos_nb.execution.events import StepStarted
from cellos_nb.loop import Loop, next_batch, run_campaign
from cellos_nb.planner import RandomPlanner


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Proposals and states of a campaign that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(folder) == 0
    with Lab.open(folder / "lab.db") as lab:
        campaign = lab.campaign("learning")
        return [lap.proposals for lap in campaign.iterations()], campaign.model_states()


@pytest.mark.parametrize("k", range(1, CONFIG["max_iterations"] + 1))
def test_a_campaign_killed_after_an_iteration_proposes_and_knows_what_the_uninterrupted_one_did(
    undisturbed, tmp_path, k
):
    assert run(tmp_path, die_after=k) == -signal.SIGKILL
    assert run(tmp_path) == 0
    with Lab.open(tmp_path / "lab.db") as lab:
        campaign = lab.campaign("learning")
        assert ([lap.proposals for lap in campaign.iterations()], campaign.model_states()) == undisturbed


def test_a_state_says_seed_observations_and_what_was_fitted(undisturbed):
    states = [kept.state for kept in undisturbed[1]]
    assert [(s.iteration, s.planner, s.seed, s.n_observations) for s in states] == [
        (k, "mechanistic", 11, 3 * (k - 1)) for k in range(1, 5)
    ]
    assert states[0].parameters == {}
    for state in states[1:]:
        assert 0 < state.parameters["noise_sd"] < 1
        assert 0 < state.parameters["inactive_share"] < 1
        assert state.parameters["prior"]["baseline"] == 1.0
    assert len({state.history_sha256 for state in states}) == 4


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


def config(**changes) -> CampaignConfig:
    return CampaignConfig(**CONFIG | {"planner": "random", "max_iterations": 3} | changes)


def test_states_of_superseded_iterations_are_kept_and_agree_with_what_they_saw(lab):
    campaign = lab.run(config())
    campaign.rollback(1)
    lab.resume("learning")
    kept = campaign.model_states()
    assert [each.state.iteration for each in kept] == [1, 2, 3, 4, 5]
    assert all(each.is_consistent for each in kept)


def test_a_result_that_was_altered_shows_in_the_states_that_rest_on_it(lab):
    campaign = lab.run(config())
    with lab.store.write() as tx:
        tx.execute(text("UPDATE results SET measurement = measurement + 0.01 WHERE proposal_id = 'i002-e001'"))
    assert [each.is_consistent for each in campaign.model_states()] == [True, True, False]


def test_an_iteration_that_goes_on_over_altered_results_is_reported(lab, caplog):
    class Crash(Exception):
        pass

    def crash(event):
        if isinstance(event, StepStarted) and "/i002-" in event.plate_id:
            raise Crash

    with pytest.raises(Crash):
        lab.run(config(), crash)
    lab.fork("learning", at=1)
    with lab.store.write() as tx:
        tx.execute(text("UPDATE results SET measurement = 0.123 WHERE proposal_id = 'i001-e001'"))
    lab.resume("learning")
    said = "iteration 2 was proposed from other results than those stored now"
    assert said in caplog.text
    with lab.store.read() as tx:
        logged = tx.execute(text("SELECT level, message FROM execution_logs WHERE message LIKE '%other results%'"))
        ((level, message),) = logged.all()
    assert level == "WARNING"
    assert said in message


def test_a_damaged_state_names_its_iteration(lab):
    campaign = lab.run(config(max_iterations=1))
    with lab.store.write() as tx:
        tx.execute(text("UPDATE model_states SET state = '{}'"))
    with pytest.raises(StoreCorruptError, match="learning/i001: its stored model state is damaged"):
        campaign.model_states()


class Telling(RandomPlanner):
    """Tells numbers as a plug-in may: with more digits than two computers agree on, and of numpy's kinds."""

    name = "telling"

    def propose_and_tell(self, config, history, iteration, n):
        return self.propose(config, history, iteration, n), {"scales": (1 / 3, np.float64(2e-9) / 3), "n": n}


def test_a_planner_of_ones_own_may_tell_what_it_fitted(lab):
    campaign_id = lab.store.add_campaign(config(max_iterations=2))
    loop = Loop(lab.store, lab.machine_for(config().machine), Telling(), lambda event: None)
    run_campaign(loop, campaign_id)
    kept = lab.campaign(campaign_id).model_states()
    assert [each.state.parameters for each in kept] == [{"scales": [0.3333, 6.667e-10], "n": 3}] * 2


def test_the_next_batch_is_stored_with_its_state_or_not_at_all(lab):
    campaign_id = lab.store.add_campaign(config())
    loop = Loop(lab.store, lab.machine_for(config().machine), RandomPlanner(), lambda event: None)
    with lab.store.write() as tx:
        tx.execute(text("ALTER TABLE model_states RENAME TO elsewhere"))
    with pytest.raises(Exception, match="model_states"):
        next_batch(loop, campaign_id)
    assert lab.store.iterations(campaign_id) == ()
    with lab.store.write() as tx:
        tx.execute(text("ALTER TABLE elsewhere RENAME TO model_states"))
    batch = next_batch(loop, campaign_id)
    assert next_batch(loop, campaign_id) == batch
    (state,) = lab.store.model_states(campaign_id)
    assert replace(state, iteration=1) == state
