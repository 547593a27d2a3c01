"""The results that panels share: always those of the store, at the cost of what is new."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb.campaign import Campaign
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.panels.histories import KEPT, conditions_of, results_of, uncollected
from cellos_nb.store import steering
from cellos_nb.store.store import Store

CONFIG = CampaignConfig(name="Demo", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))


def begin(store: Store, campaign_id: str) -> int:
    number = store.standing(campaign_id).next_iteration
    asked = [ExperimentProposal("U2OS", "drug", 0.1 * k, proposal_id=f"i{number:03d}-e{k}") for k in (1, 2)]
    store.add_iteration(campaign_id, number, asked)
    return number


def answer(store: Store, campaign_id: str, number: int, which: slice) -> None:
    lap = next(lap for lap in store.iterations(campaign_id) if lap.iteration == number)
    answers = [ExperimentResult(p, ResultStatus.OK, 0.1 * number, iteration=number) for p in lap.proposals[which]]
    store.add_results(campaign_id, number, answers)


def move(store: Store, campaign_id: str, what: str, k: int) -> None:
    begun = store.begun_iteration(campaign_id)
    if what == "lap":
        answer(store, campaign_id, begun.iteration if begun else begin(store, campaign_id), slice(None))
    elif what == "part" and begun is None:
        answer(store, campaign_id, begin(store, campaign_id), slice(k % 3))
    elif what == "rollback" and begun is None:
        last = store.standing(campaign_id).next_iteration - 1
        counting = sorted({result.iteration for result in store.history(campaign_id)})
        to = [0, *counting][k % (len(counting) + 1)]
        first = store.campaign(campaign_id).parent
        if counting and (first.iteration if first else 0) <= to < max(counting) <= last:
            with store.write() as tx:
                steering.roll_back(tx, campaign_id, to, by="ada", reason="")


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["lap", "part", "rollback"]), st.integers(0, 9), st.booleans()), max_size=14
    )
)
@settings(max_examples=40, deadline=None)
def test_they_are_those_of_the_store_whatever_was_added_or_rolled_back_since(moves):
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "lab.db") as store:
        parent = store.add_campaign(CONFIG)
        answer(store, parent, begin(store, parent), slice(None))
        with store.write() as tx:
            child = steering.fork(tx, parent, 1, CONFIG)
        for what, k, is_looked_at in moves:
            for campaign_id in (parent, child):
                move(store, campaign_id, what, k)
                if is_looked_at:
                    campaign = Campaign(store, campaign_id)
                    assert results_of(campaign) == store.history(campaign_id)
                    assert conditions_of(campaign) == score_conditions(CONFIG, store.history(campaign_id))


def test_a_settled_iteration_is_read_once_for_all_panels(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        campaign = Campaign(store, store.add_campaign(CONFIG))
        answer(store, campaign.campaign_id, begin(store, campaign.campaign_id), slice(None))
        first = results_of(campaign)
        assert results_of(Campaign(store, campaign.campaign_id)) is first
        answer(store, campaign.campaign_id, begin(store, campaign.campaign_id), slice(None))
        second = results_of(campaign)
        assert len(second) == 4
        assert all(new is old for new, old in zip(second.results[:2], first.results, strict=True))


def test_only_the_campaigns_read_last_are_kept(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        campaigns = [Campaign(store, store.add_campaign(CONFIG)) for _ in range(KEPT + 1)]
        for campaign in campaigns:
            answer(store, campaign.campaign_id, begin(store, campaign.campaign_id), slice(None))
        first = [results_of(campaign) for campaign in campaigns]
        assert results_of(campaigns[-1]) is first[-1]
        assert results_of(campaigns[0]) is not first[0]
        assert results_of(campaigns[0]) == first[0]


def test_the_garbage_collector_is_as_it_was_after_it_was_held_back():
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
