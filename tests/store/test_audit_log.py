"""The audit log of a database: added to by whoever acts, edited by nobody, checked by anyone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text, update

from cellos_nb.domain.audit import GENESIS, Act, AuditEntry
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import StoreError
from cellos_nb.store import audit, migrate
from cellos_nb.store.audit import Wanted, note
from cellos_nb.store.audit_begin import BEFORE, begin
from cellos_nb.store.audit_table import audit_log
from cellos_nb.store.database import Database
from cellos_nb.store.schema import approvals, overrulings
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

CONFIG = CampaignConfig(name="Demo", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0))
FIELDS = [field.name for field in fields(AuditEntry)]


@pytest.fixture
def store(database):
    with Store.open(database) as opened:
        yield opened


def fill(store, n=6):
    with store.write() as tx:
        for number in range(n):
            note(tx, Act.QUEUE_PAUSED, "queue", who="Ada", why=f"reason {number}", facts={"number": number})


def unguard(tx):
    """Takes the guards away, as somebody with all rights on the database can."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        return
    for (name,) in tx.execute(
        text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_log'")
    ).all():
        tx.execute(text(f"DROP TRIGGER {name}"))


def verified(store, noted=None):
    with store.read() as tx:
        return audit.verify(tx, noted)


def told(store):
    return [(each.what, each.seq) for each in verified(store).breaks]


def test_a_new_database_has_a_log_that_begins(store):
    with store.read() as tx:
        (first,) = audit.entries(tx)
    assert (first.seq, first.kind, first.previous) == (1, "audit.begun", GENESIS)
    assert first.facts == {"n_before": 0}
    assert first.account.startswith(("system:", "jupyterhub:"))


def test_an_entry_is_stored_with_the_act_or_not_at_all(store):
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        note(tx, Act.QUEUE_PAUSED, "queue", who="Ada")
        _ = 1 / 0
    assert verified(store).n_entries == 1


def test_entries_read_back_as_they_were_written(store):
    with store.write() as tx:
        made = note(tx, Act.OVERRULED, "demo/i001-p1", who="Ada µ", why="l1\nl2 \0 \ud800", facts={"ä": [1, None]})
    with store.read() as tx:
        assert audit.entries(tx)[-1] == made
    assert made.facts == {"ä": [1, None]}
    assert verified(store).is_whole


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET why = 'other' WHERE seq = 3",
        "DELETE FROM audit_log WHERE seq = 3",
        "DELETE FROM audit_log",
        (
            "INSERT INTO audit_log SELECT seq + 1, at, who, account, kind, subject, why, payload, 'x', 'y' "
            "FROM audit_log WHERE seq = 7"
        ),
        (
            "INSERT INTO audit_log SELECT 99, at, who, account, kind, subject, why, payload, sha256, 'y' "
            "FROM audit_log WHERE seq = 7"
        ),
    ],
    ids=["update", "delete", "delete all", "insert another chain", "insert out of turn"],
)
def test_the_database_itself_refuses_to_edit_the_log(store, statement):
    fill(store)
    with pytest.raises(StoreError, match="audit log"), store.write() as tx:
        tx.execute(text(statement))
    assert verified(store).is_whole
    assert verified(store).n_entries == 7


def test_sqlite_does_not_replace_an_entry_either(tmp_path):
    with Store.open(tmp_path / "lab.db") as store:
        fill(store)
        columns = ", ".join(FIELDS)
        with pytest.raises(StoreError, match="follows the last one"), store.write() as tx:
            tx.execute(
                text(f"INSERT OR REPLACE INTO audit_log ({columns}) SELECT {columns} FROM audit_log WHERE seq = 3")
            )


def test_postgresql_does_not_empty_the_log_either(postgres):
    with Store.open(postgres.new()) as store:
        with pytest.raises(StoreError, match="only added to"), store.write() as tx:
            tx.execute(text("TRUNCATE audit_log"))
        assert verified(store).n_entries == 1


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_field_of_every_entry_that_somebody_changes_is_found(tampered_with, data):
    store = tampered_with
    seq = data.draw(st.integers(1, 7))
    name = data.draw(st.sampled_from(FIELDS))
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    with store.read() as tx:
        before = tx.execute(select(audit_log).where(audit_log.c.seq == seq)).mappings().one()
    new = data.draw(st.integers(8, 50) if name == "seq" else st.text(characters, max_size=70), label="new")
    assume(new != before[name])
    with store.write() as tx:
        tx.execute(update(audit_log).where(audit_log.c.seq == seq), {name: new})
    found = {at for _, at in told(store)}
    with store.write() as tx:  # back, for the next example
        here = new if name == "seq" else seq
        tx.execute(update(audit_log).where(audit_log.c.seq == here), {name: before[name]})
    assert (new if name == "seq" else seq) in found
    assert told(store) == []


@pytest.fixture
def tampered_with(store):
    fill(store)
    with store.write() as tx:
        unguard(tx)
    return store


def test_an_entry_that_was_removed_is_named(tampered_with):
    with tampered_with.write() as tx:
        tx.execute(text("DELETE FROM audit_log WHERE seq IN (3, 4)"))
    (found,) = verified(tampered_with).breaks
    assert found.text == "entries 3 to 4 are missing"


def test_entries_that_changed_places_are_named(tampered_with):
    with tampered_with.write() as tx:
        for was, becomes in ((3, 99), (4, 3), (99, 4)):
            tx.execute(update(audit_log).where(audit_log.c.seq == was), {"seq": becomes})
    assert told(tampered_with)[:2] == [("moved", 3), ("moved", 4)]


def test_an_entry_that_was_put_in_is_named(tampered_with):
    with tampered_with.write() as tx:
        forged = tx.execute(select(audit_log).where(audit_log.c.seq == 4)).mappings().one()
        for seq in (7, 6, 5):
            tx.execute(update(audit_log).where(audit_log.c.seq == seq), {"seq": seq + 1})
        entry = AuditEntry(**(dict(forged) | {"seq": 5, "previous": forged["sha256"][::-1], "sha256": ""}))
        values = {name: getattr(entry, name) for name in FIELDS} | {"sha256": entry.digest()}
        tx.execute(insert(audit_log), values)
    assert ("foreign", 5) in told(tampered_with)


def test_what_was_cut_off_the_end_is_told_by_a_hash_that_was_noted(tampered_with):
    with tampered_with.read() as tx:
        noted = audit.head(tx)
    assert verified(tampered_with, noted).noted_at == 7
    with tampered_with.write() as tx:
        note(tx, Act.QUEUE_ALLOWED, "queue", who="Ben")
    assert verified(tampered_with, noted.upper()).is_whole, "a log that has grown has what was noted"
    with tampered_with.write() as tx:
        tx.execute(text("DELETE FROM audit_log WHERE seq > 5"))
    assert verified(tampered_with).breaks == (), "nothing is left that could show it"
    found = verified(tampered_with, noted)
    assert found.is_noted_lost
    assert not found.is_whole


def test_a_log_that_was_written_anew_from_some_entry_on_is_told_by_a_hash_that_was_noted(tampered_with):
    with tampered_with.read() as tx:
        noted = audit.head(tx)
    with tampered_with.write() as tx:
        tx.execute(text("DELETE FROM audit_log WHERE seq > 3"))
        for _ in range(4):
            note(tx, Act.QUEUE_ALLOWED, "queue", who="Mallory")
    assert verified(tampered_with).is_whole
    assert verified(tampered_with, noted).is_noted_lost


def test_writers_in_several_processes_never_fork_the_chain(database):
    Store.open(database).close()
    n_each, names = 25, ("one", "two", "three")
    command = [sys.executable, str(Path(__file__).with_name("audit_writers.py"))]
    writers = [
        subprocess.Popen(
            [*command, name, str(n_each)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for name in names
    ]
    for writer in writers:
        writer.stdin.write(f"{database}\n")
        writer.stdin.flush()
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:  # all of them are ready now, so that they write at the same time
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Store.open(database) as store:
        found = verified(store)
        assert (found.n_entries, found.breaks) == (1 + n_each * len(names), ())
        with store.read() as tx:
            for name in names:
                mine = audit.entries(tx, Wanted(who=name))
                assert [each.subject for each in mine] == [f"job {number}" for number in range(n_each)]


@pytest.mark.parametrize(
    ("wanted", "reasons"),
    [
        pytest.param(Wanted(), ["", "1", "2", "3", "4"], id="all"),
        pytest.param(Wanted(kind="queue"), ["1"], id="kinds that begin so"),
        pytest.param(Wanted(kind="quarantine.overruled"), ["3"], id="one kind"),
        pytest.param(Wanted(who="Ben"), ["2", "4"], id="person"),
        pytest.param(Wanted(subject="demo"), ["2", "3"], id="a campaign and its plates"),
        pytest.param(Wanted(subject="demo/i001-p1"), ["3"], id="a plate"),
        pytest.param(Wanted(since=datetime(2999, 1, 1, tzinfo=UTC)), [], id="later"),
        pytest.param(Wanted(until=datetime(2999, 1, 1, tzinfo=UTC), last=2), ["3", "4"], id="the newest"),
    ],
)
def test_entries_are_found_by_kind_person_subject_and_time(store, wanted, reasons):
    with store.write() as tx:
        note(tx, Act.QUEUE_PAUSED, "queue", who="Ada", why="1")
        note(tx, Act.CAMPAIGN_PAUSED, "demo", who="Ben", why="2")
        note(tx, Act.OVERRULED, "demo/i001-p1", who="Ada", why="3")
        note(tx, Act.CAMPAIGN_PAUSED, "demo-2", who="Ben", why="4")
        assert [each.why for each in audit.entries(tx, wanted)] == reasons


def test_an_extract_about_a_campaign_keeps_of_other_entries_their_hashes_alone(store):
    with store.write() as tx:
        note(tx, Act.CAMPAIGN_PAUSED, "other", who="Ben", why="a secret of another campaign")
        note(tx, Act.CAMPAIGN_BEGUN, "demo", who="Ada")
        note(tx, Act.CAMPAIGN_PAUSED, "other", who="Ben", why="a secret of another campaign")
        note(tx, Act.QUEUE_PAUSED, "queue", who="Ben")
        found = audit.extract(tx, "demo")
        assert [getattr(each, "subject", None) for each in found] == ["demo", None, "queue"]
        assert audit.extract(tx, "nothing") == []


def test_the_account_is_that_of_jupyterhub_or_else_of_the_system(store, monkeypatch):
    monkeypatch.setenv("LOGNAME", "mallory")
    with store.write() as tx:
        assert note(tx, Act.QUEUE_PAUSED, "queue", who="Ada").account != "system:mallory"
        monkeypatch.setenv("JUPYTERHUB_USER", "ada")
        assert note(tx, Act.QUEUE_PAUSED, "queue", who="Ada").account == "jupyterhub:ada"


def test_what_was_decided_before_there_was_a_log_stands_at_its_beginning(new_database):
    url = new_database()
    with Store.open(url) as store:
        campaign_id = store.add_campaign(CONFIG)
        with store.write() as tx:
            decided = {"campaign_id": campaign_id, "plate_id": "demo/i001-p1", "from_iteration": 2}
            decided |= {"person": "Ada", "reason": "seen by eye", "decided_at": now_utc() - timedelta(days=9)}
            tx.execute(insert(overrulings), decided)
            given = {"workflow_sha256": "f" * 64, "machine": "robot", "person": "Ben"}
            given |= {"approved_at": now_utc() - timedelta(days=8), "expires_at": now_utc()}
            tx.execute(insert(approvals), given)
            unguard(tx)
            tx.execute(text("DELETE FROM audit_log"))
            begin(tx)
            begin(tx)  # once and no more
            first, *old = audit.entries(tx)
    assert (first.kind, first.facts) == ("audit.begun", {"n_before": 2})
    assert [(each.who, each.kind, each.why, each.account) for each in old] == [
        ("Ada", "quarantine.overruled", "seen by eye", BEFORE),
        ("Ben", "approval.given", "", BEFORE),
    ]
    assert datetime.fromisoformat(old[0].facts["done_at"]) < now_utc() - timedelta(days=8)


def test_a_database_of_the_form_before_gets_its_log_when_it_is_opened(new_database, tmp_path):
    from alembic import command

    database = Database(tmp_path / "old.db")
    with database.write() as connection:
        config = migrate.alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        given = "INSERT INTO approvals (workflow_sha256, machine, person, approved_at, expires_at) VALUES "
        connection.execute(text(f"{given} ('abc', 'robot', 'Ada', '2026-01-02 10:00:00', '2026-01-03 10:00:00')"))
    database.close()
    with Store.open(tmp_path / "old.db") as store:
        with store.read() as tx:
            _, old = audit.entries(tx)
        assert (old.who, old.kind, old.subject, old.account) == ("Ada", "approval.given", "abc", BEFORE)
        assert old.facts["done_at"] == "2026-01-02T10:00:00+00:00"
        assert verified(store).is_whole
