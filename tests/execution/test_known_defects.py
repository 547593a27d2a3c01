"""The defects that systems of this kind have had, each by its name."""

from __future__ import annotations

import threading

import pytest

from cellos_nb.errors import LeaseError
from cellos_nb.execution.lease import Lease
from cellos_nb.store.store import Store


@pytest.fixture
def store(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store.open(database) as opened:
        yield opened


def test_two_leases_at_once_also_not_beside_a_holder_that_is_busy_writing(store, database):
    mine = Lease(store, ttl_s=0.6, linger_s=0.1)
    with mine.held(), Store.open(database) as other:
        for _ in range(20):
            with store.write() as tx:
                mine.check(tx)
            with pytest.raises(LeaseError, match="runs this database"), Lease(other).held(patience_s=0.0):
                pass
            threading.Event().wait(0.06)
