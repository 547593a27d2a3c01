"""The stamp of a database: whether anyone has committed a change since."""

from __future__ import annotations

import pytest

from cellos_nb import CampaignConfig
from cellos_nb.errors import StoreError
from cellos_nb.store.store import Store

CAMPAIGN = CampaignConfig(name="Any", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))


def test_a_stamp_changes_with_every_commit_and_only_then(database):
    with Store.open(database) as store, Store.open(database) as other:
        before = store.stamp()
        assert store.stamp() == before
        assert store.campaigns() == ()
        assert store.stamp() == before
        other.add_campaign(CAMPAIGN)
        after_another = store.stamp()
        assert after_another != before
        store.add_campaign(CAMPAIGN)
        assert store.stamp() != after_another


def test_what_was_taken_back_or_is_under_way_is_seen_when_it_is_committed(tmp_path):
    with Store.open(tmp_path / "lab.db") as store, Store.open(tmp_path / "lab.db") as other:
        before = store.stamp()
        with pytest.raises(ZeroDivisionError, match="division"), other.write():
            other.add_campaign(CAMPAIGN)
            _ = 1 / 0
        assert store.stamp() == before
        with other.write():
            other.add_campaign(CAMPAIGN)
            assert store.stamp() == before
        assert store.stamp() != before


def test_a_closed_store_has_no_stamp(tmp_path):
    store = Store.open(tmp_path / "lab.db")
    store.stamp()
    store.close()
    with pytest.raises(StoreError, match="was closed"):
        store.stamp()


def test_within_one_state_everything_is_read_as_it_was_at_the_first_look(database):
    with Store.open(database) as store, Store.open(database) as other:
        with store.one_state():
            assert store.campaign_ids() == ()
            other.add_campaign(CAMPAIGN)
            with store.one_state():
                assert store.campaign_ids() == ()
            assert store.campaign_ids() == ()
            mine = store.add_campaign(CAMPAIGN)
            with store.write():
                assert mine in store.campaign_ids()
        assert len(store.campaign_ids()) == 2
