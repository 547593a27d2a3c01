"""The mark that panels ask for many times a second: it changes with what anybody stores, and with nothing else."""

from __future__ import annotations

import pytest

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import StoreError
from cellos_nb.store.store import Store

CONFIG = CampaignConfig(name="Demo", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))


def test_the_mark_changes_with_what_this_store_and_any_other_stores(database):
    with Store.open(database) as store, Store.open(database) as other:
        marks = [store.mark()]
        for writer in (store, other):
            campaign_id = writer.add_campaign(CONFIG)
            marks.append(store.mark())
            writer.set_campaign_status(campaign_id, "paused")
            marks.append(store.mark())
        assert len(set(marks)) == len(marks)


def test_the_mark_stays_while_nothing_is_stored(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        store.add_campaign(CONFIG)
        before = store.mark()
        store.campaigns()
        with pytest.raises(RuntimeError, match="changed my mind"), store.write() as tx:
            assert tx is not None
            raise RuntimeError("changed my mind")
        assert store.mark() == before


def test_a_closed_store_has_no_mark(tmp_path):
    store = Store.open(tmp_path / "lab.db")
    store.mark()
    store.close()
    with pytest.raises(StoreError, match="was closed"):
        store.mark()


def test_campaigns_are_named_in_the_order_in_which_they_were_begun(database):
    with Store.open(database) as store:
        begun = [store.add_campaign(CONFIG) for _ in range(3)]
        assert store.campaign_ids() == tuple(begun) == tuple(each.campaign_id for each in store.campaigns())
