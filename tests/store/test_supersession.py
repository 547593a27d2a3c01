"""Which results an iteration saw can always be told again, whatever was rolled back and forked since."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.errors import CampaignError
from cellos_nb.store import steering
from cellos_nb.store.iterations import begun_query
from cellos_nb.store.store import Store

CONFIG = CampaignConfig(name="Demo", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))


def add_lap(store: Store, campaign_id: str, *, is_concluded: bool = True) -> int:
    number = store.standing(campaign_id).next_iteration
    asked = [ExperimentProposal("U2OS", "drug", 0.1 * k, proposal_id=f"i{number:03d}-e{k}") for k in (1, 2)]
    store.add_iteration(campaign_id, number, asked)
    if is_concluded:
        answers = [ExperimentResult(p, ResultStatus.OK, 0.1 * number, iteration=number, cost_usd=1.0) for p in asked]
        store.add_results(campaign_id, number, answers)
    return number


def roll_back(store: Store, campaign_id: str, to: int) -> None:
    with store.write() as tx:
        steering.roll_back(tx, campaign_id, to, by="ada", reason="")


moves = st.lists(st.tuples(st.sampled_from(["lap", "lap", "rollback", "fork"]), st.integers(0, 9)), max_size=12)


@given(moves=moves)
@settings(max_examples=40, deadline=None)
def test_history_is_what_was_not_rolled_back_and_every_iteration_remembers_what_it_saw(moves):
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "lab.db") as store:
        campaigns = {store.add_campaign(CONFIG): ([], 0)}  # what counts, and the last iteration inherited
        seen = {}
        for move, choice in moves:
            campaign_id = list(campaigns)[choice % len(campaigns)]
            counts, inherited = campaigns[campaign_id]
            if move == "lap":
                number = add_lap(store, campaign_id)
                seen[campaign_id, number] = tuple(counts)
                counts.append(number)
            elif move == "rollback":
                possible = [n for n in (inherited, *counts[:-1]) if n >= inherited and n < max(counts, default=0)]
                if possible:
                    to = possible[choice % len(possible)]
                    roll_back(store, campaign_id, to)
                    campaigns[campaign_id] = [n for n in counts if n <= to], inherited
            elif counts:
                at = counts[choice % len(counts)]
                with store.write() as tx:
                    campaigns[steering.fork(tx, campaign_id, at, CONFIG)] = [n for n in counts if n <= at], at
            for each, (numbers, _) in campaigns.items():
                assert store.history(each).iterations == tuple(numbers)
        for (campaign_id, number), numbers in seen.items():
            assert store.history(campaign_id, seen_by=number).iterations == numbers
        for campaign_id in campaigns:
            n_own = len(store.iterations(campaign_id))
            assert store.spent_usd(campaign_id) == 2.0 * n_own
            assert store.campaign(campaign_id).n_iterations <= n_own


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


def test_an_iteration_that_was_begun_is_found_until_it_is_concluded_or_superseded(store):
    campaign_id = store.add_campaign(CONFIG)
    assert store.begun_iteration(campaign_id) is None
    add_lap(store, campaign_id)
    assert store.begun_iteration(campaign_id) is None
    number = add_lap(store, campaign_id, is_concluded=False)
    begun = store.begun_iteration(campaign_id)
    assert (begun.iteration, len(begun.proposals)) == (number, 2)
    roll_back(store, campaign_id, 1)
    assert store.begun_iteration(campaign_id) is None
    assert add_lap(store, campaign_id, is_concluded=False) == 3
    with pytest.raises(CampaignError, match="demo/i002: was superseded when the campaign was rolled back"):
        store.add_iteration(campaign_id, 2, begun.proposals)


def test_finding_the_begun_iteration_reads_no_iteration_that_was_concluded(tmp_path):
    with Store.open(tmp_path / "lab.db") as store, store.read() as tx:
        query = begun_query("demo").compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        plan = tx.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
    assert "ix_iterations_begun" in str(plan)


def test_the_form_before_is_migrated_and_its_campaigns_go_on(tmp_path):
    from alembic import command

    from cellos_nb.store import migrate
    from cellos_nb.store.database import Database

    database = Database(tmp_path / "lab.db")
    with database.write() as connection:
        config = migrate.alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, migrate.REVISIONS[-2])
        connection.execute(
            text(
                "INSERT INTO campaigns (campaign_id, name, config, status, created_at, changed_at) "
                "VALUES ('demo', 'Demo', :config, 'running', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
            ),
            {"config": CONFIG.to_json()},
        )
    database.close()
    with Store.open(tmp_path / "lab.db") as store:
        assert store.campaign("demo").parent is None
        assert add_lap(store, "demo") == 1
        assert store.model_states("demo") == ()


def test_campaigns_are_named_in_the_order_in_which_they_were_begun(database):
    with Store.open(database) as store:
        begun = [store.add_campaign(CONFIG) for _ in range(3)]
        assert store.campaign_ids() == tuple(begun) == tuple(each.campaign_id for each in store.campaigns())
