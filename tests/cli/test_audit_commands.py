"""`cellos audit`: who decided what, and whether the log is still what was written."""

from __future__ import annotations

import json
import sqlite3

import pytest
from command import assert_one_clear_line, cellos_here

from cellos_nb import Lab
from cellos_nb.execution.control import flags_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    with Lab.open(tmp_path / "lab.db") as lab:
        flags_of(lab.store).set("paused", "cleaning the deck")
        flags_of(lab.store).clear("paused", by="Ben")
    return tmp_path


def run(folder, *arguments, code=0):
    ended = cellos_here(*arguments, cwd=folder)
    assert ended.code == code, ended
    return ended.out


def tampered(folder, statement):
    with sqlite3.connect(folder / "lab.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_log'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
    connection.close()


def test_the_list_says_who_did_what_and_why(folder):
    out = run(folder, "audit", "list")
    assert "cleaning the deck" in out
    assert "queue.allowed" in out
    (entry,) = json.loads(run(folder, "audit", "list", "--who", "Ben", "--json"))
    assert (entry["entry"], entry["kind"], entry["about"], entry["account"]) == (
        3,
        "queue.allowed",
        "queue",
        "jupyterhub:ada",
    )
    assert "nothing like that" in run(folder, "audit", "list", "--since", "2999-01-01")


def test_one_entry_is_shown_whole(folder):
    out = run(folder, "audit", "show", "3")
    assert "sha256" in out
    assert '"was": "paused"' in out
    assert_one_clear_line(cellos_here("audit", "show", "9", cwd=folder), 2, "has no entry 9", "`cellos audit list`")


def test_a_whole_log_is_verified_and_its_head_noted(folder):
    noted = run(folder, "audit", "head").strip()
    assert f"all 3 entries are as they were written. Head: {noted}" in run(folder, "audit", "verify")
    run(folder, "kill", "--reason", "smoke")
    assert "4 entries are as they were written, 1 since the noted one" in run(
        folder, "audit", "verify", "--head", noted
    )


def test_a_changed_entry_is_named_and_ends_with_code_1(folder):
    tampered(folder, "UPDATE audit_log SET who = 'Eve' WHERE seq = 2")
    assert "entry 2 was changed" in run(folder, "audit", "verify", code=1)
    (problem,) = json.loads(run(folder, "audit", "verify", "--json", code=1))["problems"]
    assert (problem["entry"], problem["problem"]) == (2, "changed")


def test_what_was_cut_off_shows_by_the_noted_head(folder):
    noted = run(folder, "audit", "head").strip()
    tampered(folder, "DELETE FROM audit_log WHERE seq = 3")
    run(folder, "audit", "verify")
    assert "cut off or written anew" in run(folder, "audit", "verify", "--head", noted, code=1)


@pytest.mark.parametrize("given", ["12", "z" * 64], ids=["short", "no digits"])
def test_a_head_that_cannot_be_one_is_refused(folder, given):
    assert_one_clear_line(cellos_here("audit", "verify", "--head", given, cwd=folder), 2, "the 64 hex digits")


def test_a_moment_that_cannot_be_one_is_refused(folder):
    assert_one_clear_line(cellos_here("audit", "list", "--since", "soon", cwd=folder), 2, "'soon' is no moment")


def test_an_export_is_verified_without_the_database(folder):
    run(folder, "audit", "export", "audit.jsonl")
    (folder / "elsewhere").mkdir()
    path = (folder / "audit.jsonl").rename(folder / "elsewhere" / "audit.jsonl")
    assert "all 3 entries" in run(folder / "elsewhere", "audit", "verify", "--file", "audit.jsonl")
    path.write_text(path.read_text().replace("cleaning", "cleansing"))
    assert "entry 2 was changed" in run(folder, "audit", "verify", "--file", str(path), code=1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("no JSON\n", "line 1: is no entry", id="no json"),
        pytest.param('{"seq": 1}\n', "missing or unknown: account", id="fields missing"),
        pytest.param('{"seq": "1", "sha256": 3}\n{"seq": 1.5}\n', "line 2: is no entry", id="wrong types"),
    ],
)
def test_a_file_that_is_no_export_is_refused(folder, content, said):
    (folder / "odd.jsonl").write_text(content)
    assert_one_clear_line(cellos_here("audit", "verify", "--file", "odd.jsonl", cwd=folder), 2, said)
