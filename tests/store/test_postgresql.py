"""What is PostgreSQL's own; what the engines share is tested on both in the other files."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from postgres_server import PASSWORD, PostgresServer
from sqlalchemy import text

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import LeaseError, StoreCorruptError, StoreError, StoreVersionError, StoreWriteError
from cellos_nb.execution.lease import Lease
from cellos_nb.lab import Lab
from cellos_nb.store import migrate
from cellos_nb.store.database import Database
from cellos_nb.store.schema import lease, metadata
from cellos_nb.store.store import Store

CONFIG = CampaignConfig(name="Demo", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))


@pytest.fixture
def url(postgres):
    return postgres.new()


def test_the_migrations_make_what_the_tables_say(postgres):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = Database(postgres.empty())
    with database.write() as connection:
        migrate.upgrade(connection)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_many_processes_may_fill_the_same_empty_database_at_once(postgres):
    url = postgres.empty()
    code = (
        "import sys; from cellos_nb.store.store import Store; "
        "from cellos_nb.domain.campaign import CampaignConfig as C; url = sys.stdin.readline().strip(); "
        "s = Store.open(url); "
        "s.add_campaign(C(name='Demo', cell_lines=['U2OS'], compounds=['drug'], dose_range_um=(0.1, 10.0))); s.close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        process.communicate(f"{url}\n".encode())
    assert [process.returncode for process in processes] == [0] * 4
    with Store.open(url) as store:
        assert sorted(record.campaign_id for record in store.campaigns()) == ["demo", "demo-2", "demo-3", "demo-4"]


def test_an_empty_database_is_not_filled_when_it_should_hold_a_lab(postgres):
    url = postgres.empty()
    with pytest.raises(StoreError, match="there is no such database"):
        Store.open(url, create=False)
    Store.open(url).close()
    Store.open(url, create=False).close()


def test_the_databases_of_others_are_left_as_they_are(postgres):
    url = postgres.new()
    with Store.open(url) as store, store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreVersionError, match="newer release"):
        Store.open(url)
    database = Database(postgres.empty())
    with database.write() as tx:
        tx.execute(text("CREATE TABLE bookmarks (url TEXT)"))
    with pytest.raises(StoreCorruptError, match=r"of another program \(it holds bookmarks\)"):
        migrate.bring_up_to_date(database)
    database.close()


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
def test_a_url_may_be_written_as_elsewhere(url, scheme):
    with Store.open(url.replace("postgresql+psycopg", scheme)) as store:
        assert store.path is None
        assert store.description.startswith(store.where)
        assert "PostgreSQL 1" in store.description


def test_the_environment_names_the_database(url, monkeypatch):
    monkeypatch.setenv("CELLOS_DATABASE_URL", url)
    with Lab.open() as lab:
        assert lab.store.where.startswith("postgresql://postgres@/lab")


def test_only_a_durable_write_waits_for_the_disk(url):
    with Store.open(url) as store:
        for durable, setting in ((True, "on"), (False, "off"), (True, "on")):
            with store.write(durable=durable) as tx:
                assert tx.scalar(text("SHOW synchronous_commit")) == setting


def test_a_reader_sees_one_state_while_another_writes(url):
    with Store.open(url) as store, Store.open(url) as other, store.read() as tx:
        count = text("SELECT count(*) FROM campaigns")
        assert tx.scalar(count) == 0
        other.add_campaign(CONFIG)
        assert tx.scalar(count) == 0
        assert len(other.campaigns()) == 1


def test_a_writer_waits_for_its_turn_and_sees_what_came_before(url):
    began, found = threading.Event(), []
    with Store.open(url) as store, Store.open(url) as other:

        def second():
            began.set()
            found.append(other.add_campaign(CONFIG))

        with store.write():
            first = store.add_campaign(CONFIG)
            thread = threading.Thread(target=second)
            thread.start()
            began.wait()
        thread.join()
    assert [first, *found] == ["demo", "demo-2"]


def test_a_database_that_is_locked_for_too_long_says_so(url):
    with Store.open(url) as store, Store.open(url, busy_timeout_s=0.05) as hasty:
        with store.write(), pytest.raises(StoreWriteError, match="locked by another process for too long"):
            hasty.add_campaign(CONFIG)
        assert hasty.add_campaign(CONFIG) == "demo"


def test_a_lease_ends_by_the_clock_of_the_server(postgres, url):
    name = url.partition("@/")[2].partition("?")[0]
    day = timedelta(days=1)
    with Store.open(url) as store, store.write() as tx:
        # A server whose clock is a day ahead of this host's.
        tx.execute(
            text(
                "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
                "AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 day' $$"
            )
        )
    postgres.administer(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    with Store.open(url) as store, Store.open(url) as other, Lease(store).held():
        with store.read() as tx:
            row = tx.execute(lease.select()).one()
        assert abs(row.acquired_at - datetime.now(UTC) - day) < timedelta(hours=1)
        assert row.expires_at - row.acquired_at == timedelta(seconds=30)
        with pytest.raises(LeaseError, match="runs this database"), Lease(other).held(patience_s=0.0):
            pass


def test_after_a_restart_of_the_server_an_open_store_goes_on():
    server = PostgresServer()
    try:
        server.start()
        with Store.open(server.new()) as store:
            store.add_campaign(CONFIG)
            server.end()
            with pytest.raises(StoreError, match="the server cannot be reached or closed the connection"):
                store.campaigns()
            server.begin()
            assert store.add_campaign(CONFIG) == "demo-2"
            with pytest.raises(StoreError, match="cannot be reached or closed"), store.write():
                store.add_campaign(CONFIG)
                server.end()
                store.add_campaign(CONFIG)
            server.begin()
            # What the server ended left nothing.
            assert store.add_campaign(CONFIG) == "demo-3"
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(("@/", "x@/"), "password authentication failed", id="wrong password"),
        pytest.param(("@/lab", "@/nolab"), 'database "nolab.*" does not exist', id="no such database"),
        pytest.param(("host=/", "host=/nowhere/"), "cannot be reached", id="no server"),
        pytest.param(("?", "?unheard_of=1&"), "refused: .*unheard_of", id="unknown option"),
        pytest.param(("postgresql+psycopg", "postgresql+pg8000"), "through psycopg", id="another driver"),
    ],
)
def test_what_does_not_open_says_why_in_one_line_and_never_the_password(url, caplog, change, match):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StoreError, match=match) as error:
        Store.open(url.replace(*change))
    assert "\n" not in str(error.value)
    assert PASSWORD not in "".join(traceback.format_exception(error.value))
    assert PASSWORD not in caplog.text


def test_the_password_is_shown_nowhere(url, caplog):
    caplog.set_level(logging.DEBUG)
    with Store.open(f"{url}&application_name=mine") as store:
        shown = [store.where, store.description, store.identity, repr(store), repr(store._database.address)]
    assert PASSWORD not in " ".join(shown) + caplog.text


def test_a_password_among_the_options_is_one_too(url):
    plain = url.replace(f":{PASSWORD}@", "@")
    with Store.open(f"{plain}&password={PASSWORD}") as store:
        assert PASSWORD not in store.description
    with pytest.raises(StoreError, match="password authentication failed") as error:
        Store.open(f"{plain}&password={PASSWORD}x")
    assert PASSWORD not in str(error.value)


def test_each_database_has_a_folder_of_its_own_for_its_machines(postgres, tmp_path, monkeypatch):
    first = postgres.empty("twin")
    monkeypatch.setenv("CELLOS_MACHINES", str(tmp_path / "machines"))
    small = CONFIG.model_copy(update={"machine": CONFIG.machine.model_copy(update={"kind": "virtual"})})
    folders = []
    for _ in range(2):
        with Lab.open(first) as lab:
            lab.machine_for(small.machine)
            folders.append(lab.store.identity)
        # The same name on another day is another database: nothing that was done on the first holds for it.
        postgres.administer("DROP DATABASE twin WITH (FORCE)")
        postgres.empty("twin")
    assert all(name.startswith("twin-") for name in folders)
    assert sorted(path.name for path in (tmp_path / "machines").iterdir()) == sorted(set(folders))
    assert len(set(folders)) == 2
