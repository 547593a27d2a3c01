"""The defects that systems of this kind have had, each by its name."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.engine.default import DefaultDialect

from cellos_nb.errors import LeaseError
from cellos_nb.execution import lease as lease_module
from cellos_nb.execution.lease import Lease
from cellos_nb.store.schema import lease
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc


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


class Clock:
    """Stands still until it is moved."""

    now_s = 0.0

    def monotonic(self):
        return self.now_s


def test_two_leases_at_once_not_for_one_who_was_stopped_just_after_renewing_it(store, database, monkeypatch):
    clock, commit = Clock(), DefaultDialect.do_commit
    monkeypatch.setattr(lease_module, "time", clock)
    mine = Lease(store)

    def commit_and_be_stopped(dialect, connection):
        commit(dialect, connection)
        clock.now_s += 60.0

    with mine.held(), Store.open(database) as other:
        clock.now_s = 20.0
        with monkeypatch.context() as stopping:
            stopping.setattr(DefaultDialect, "do_commit", commit_and_be_stopped)
            mine._renew(mine.fencing)
        with store.write() as tx:
            tx.execute(update(lease).values(expires_at=now_utc() - timedelta(seconds=30)))
        with Lease(other).held(patience_s=0.0), pytest.raises(LeaseError, match="Another dispatcher took over"):
            mine.confirm()
