from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import StoreCorruptError, StoreError, StoreVersionError, StoreWriteError
from cellos_nb.store import migrate
from cellos_nb.store.database import Database
from cellos_nb.store.schema import metadata
from cellos_nb.store.store import Store

CONFIG = CampaignConfig(name="Demo", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))


def one_line(error):
    return "\n" not in str(error.value)


def schema_of(path):
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"
        ).fetchall()
        # A column that was added later stands elsewhere in the text of its table, which means nothing.
        schema = {(kind, name): sql for kind, name, sql in found if kind != "table"}
        for table in (name for kind, name, _ in found if kind == "table"):
            columns, keys, unique = (
                connection.execute(f"PRAGMA {pragma}({table})").fetchall()
                for pragma in ("table_info", "foreign_key_list", "index_list")
            )
            schema["table", table] = (
                sorted(column[1:] for column in columns),
                sorted(key[2:] for key in keys),
                sorted((name, is_unique) for _, name, is_unique, *_ in unique if not name.startswith("sqlite_")),
                sum(name.startswith("sqlite_") for _, name, *_ in unique),
            )
    connection.close()
    return schema


def test_a_new_database_has_the_form_that_the_migrations_lead_to(tmp_path):
    Store.open(tmp_path / "new.db").close()
    migrated = Database(tmp_path / "migrated.db")
    with migrated.write() as connection:
        migrate.upgrade(connection)
    migrated.close()
    Store.open(tmp_path / "migrated.db").close()
    assert schema_of(tmp_path / "new.db") == schema_of(tmp_path / "migrated.db")


def test_the_known_revisions_are_those_of_the_migrations():
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(migrate.alembic_config())
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == migrate.REVISIONS


def test_the_migrations_make_what_the_tables_say(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = Database(tmp_path / "lab.db")
    with database.write() as connection:
        migrate.upgrade(connection)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_opening_a_current_database_imports_no_alembic(tmp_path):
    Store.open(tmp_path / "lab.db").close()
    code = (
        "import sys; from cellos_nb.store.store import Store; "
        f"Store.open({str(tmp_path / 'lab.db')!r}).close(); Store.open({str(tmp_path / 'new.db')!r}).close(); "
        "heavy = {'alembic', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules); sys.exit(f'{heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_file_is_in_wal_and_keeps_foreign_keys(tmp_path):
    with Store.open(tmp_path / "lab.db") as store, store.read() as tx:
        assert tx.scalar(text("PRAGMA journal_mode")) == "wal"
        assert tx.scalar(text("PRAGMA foreign_keys")) == 1
        assert tx.scalar(text("PRAGMA synchronous")) == 1


def test_a_durable_write_waits_for_the_disk_and_others_do_not(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        for durable, level in ((True, 2), (False, 1), (True, 2)):
            with store.write(durable=durable) as tx:
                assert tx.scalar(text("PRAGMA synchronous")) == level
        with store.write(), pytest.raises(RuntimeError, match="begin it outside"), store.write(durable=True):
            pass


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"], ids=["path", "url"])
def test_a_database_is_named_by_path_or_url(tmp_path, form):
    with Store.open(form.format(tmp_path / "lab.db")) as store:
        assert store.path == tmp_path / "lab.db"
        assert "SQLite" in store.description


@pytest.mark.parametrize(
    ("url", "match"),
    [
        pytest.param(
            "mysql://u:secret@host/db", r"^mysql://u@host/db: the store is kept by SQLite or by Post", id="mysql"
        ),
        pytest.param("postgresql+asyncpg://u:secret@host/db", r"^postgresql://u@host/db: .* psycopg\.", id="driver"),
        pytest.param(
            "postgresql://u:secret@host:port/db", r"^postgresql://\*\*\*@host:port/db: no database", id="port"
        ),
        pytest.param(":memory:", "needs a file", id="memory"),
        pytest.param("sqlite://", "needs a file", id="memory url"),
        pytest.param("://", "no database URL", id="no url"),
    ],
)
def test_what_cannot_hold_a_store_is_refused(url, match):
    with pytest.raises(StoreError, match=match) as error:
        Store.open(url)
    assert one_line(error)
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_database_that_must_exist_is_not_created(tmp_path):
    with pytest.raises(StoreError, match="there is no such database"):
        Store.open(tmp_path / "lab.db", create=False)
    assert not (tmp_path / "lab.db").exists()


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(StoreWriteError, match=r"the folder .*missing does not exist"):
        Store.open(tmp_path / "missing" / "lab.db")


def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(tmp_path)


def test_a_file_of_another_kind_is_left_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 100)
    with pytest.raises(StoreCorruptError, match="is not a database of this software") as error:
        Store.open(path)
    assert one_line(error)
    assert path.read_text() == "dear diary " * 100
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_an_sqlite_database_of_another_program_is_left_as_it_is(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with pytest.raises(StoreCorruptError, match=r"of another program \(it holds bookmarks\)"):
        Store.open(path)
    assert list(schema_of(path)) == [("table", "bookmarks")]


def test_a_database_of_a_newer_release_is_left_as_it_is(tmp_path):
    with Store.open(tmp_path / "lab.db") as store, store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreVersionError, match=r"newer release of cellos_nb .*Upgrade cellos_nb, or use another --db"):
        Store.open(tmp_path / "lab.db")
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    connection.close()


@pytest.mark.parametrize("where", ["truncated", "overwritten"])
def test_a_damaged_database_says_so(tmp_path, where):
    path = tmp_path / "lab.db"
    with Store.open(path) as store:
        for _ in range(50):
            store.add_campaign(CONFIG)
    content = path.read_bytes()
    path.write_bytes(content[:5000] if where == "truncated" else content[:100] + b"\xff" * (len(content) - 100))
    with pytest.raises(StoreCorruptError, match=r"damaged.*restore a backup") as error:  # noqa: SIM117
        with Store.open(path) as store:
            store.campaigns()
    assert one_line(error)


def fill_the_disk(store):
    """Lets the file grow no more, as a full disk does: SQLite gives the same error for both."""
    with store.write() as tx:
        n_pages = tx.scalar(text("PRAGMA page_count"))
        tx.execute(text(f"PRAGMA max_page_count = {n_pages}"))


def test_on_a_full_disk_nothing_is_half_written(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        store.add_campaign(CONFIG)
        fill_the_disk(store)
        with pytest.raises(StoreWriteError, match="the disk is full; nothing of this change was stored") as error:  # noqa: SIM117
            with store.write():
                for _ in range(1000):
                    store.add_campaign(CONFIG)
        assert one_line(error)
        assert [record.campaign_id for record in store.campaigns()] == ["demo"]


@pytest.mark.skipif(sys.platform != "linux", reason="/sys is what refuses new files even to root, on Linux")
def test_a_read_only_folder_is_named():
    with pytest.raises(StoreWriteError, match="cannot be opened for writing"):
        Store.open("/sys/lab.db")


def test_a_file_that_cannot_be_written_says_so(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        with store.write() as tx:
            tx.execute(text("PRAGMA query_only = ON"))
        with pytest.raises(StoreWriteError, match=r"read-only. Make both writable"):
            store.add_campaign(CONFIG)


def test_a_database_that_is_locked_for_too_long_says_so(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with Store.open(store.path, busy_timeout_s=0.05) as hasty:  # noqa: SIM117
            with pytest.raises(StoreWriteError, match="locked by another process for too long"):
                hasty.add_campaign(CONFIG)
        other.execute("ROLLBACK")
        other.close()
        assert store.campaigns() == ()


def test_a_closed_store_says_so(tmp_path):
    store = Store.open(tmp_path / "lab.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match=r"was closed. Open it again"):
        store.add_campaign(CONFIG)


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        with pytest.raises(ZeroDivisionError), store.write():
            store.add_campaign(CONFIG)
            assert len(store.campaigns()) == 1
            _ = 1 / 0
        assert store.campaigns() == ()


def test_many_processes_may_create_the_same_database_at_once(tmp_path):
    path = tmp_path / "lab.db"
    code = (
        "import sys; from cellos_nb.store.store import Store; "
        "from cellos_nb.domain.campaign import CampaignConfig as C; sys.stdin.readline(); "
        f"s = Store.open({str(path)!r}); "
        "s.add_campaign(C(name='Demo', cell_lines=['U2OS'], compounds=['drug'], dose_range_um=(0.1, 10.0))); s.close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        process.communicate(b"\n")
    assert [process.returncode for process in processes] == [0] * 4
    with Store.open(path) as store:
        assert sorted(record.campaign_id for record in store.campaigns()) == ["demo", "demo-2", "demo-3", "demo-4"]


def test_threads_share_a_store(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        threads = [threading.Thread(target=lambda: [store.add_campaign(CONFIG) for _ in range(5)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({record.campaign_id for record in store.campaigns()}) == 20


def test_the_packaged_migrations_lie_beside_the_code():
    assert (Path(migrate.__file__).parent / "migrations" / "env.py").is_file()
