"""`cellos history`: a mapping proposed, a file checked and imported."""

from __future__ import annotations

import json

from command import assert_one_clear_line, cellos_here

TABLE = """\
Cell line,Drug,Dose (nM),Viability (%)
A,x,10,90
A,x,100,50
A,y,10,80
A,y,100,20
"""


def test_a_file_is_guessed_checked_and_imported(tmp_path):
    (tmp_path / "screen.csv").write_text(TABLE, encoding="utf-8")
    guessed = cellos_here("history", "guess", "screen.csv", "--out", "map.yaml", "--json", cwd=tmp_path)
    assert guessed.code == 0, guessed
    assert {row["key"]: row["value"] for row in json.loads(guessed.out)}["dose_unit"] == "nM"

    arguments = ("history", "import", "screen.csv", "--mapping", "map.yaml", "--json")
    checked = cellos_here(*arguments, "--check", cwd=tmp_path)
    assert json.loads(checked.out)["result"] == "checked; nothing was stored"
    assert not (tmp_path / "lab.db").exists()

    done = json.loads(cellos_here(*arguments, "--name", "old screen", cwd=tmp_path).out)
    assert (done["campaign"], done["result"], done["experiments"]) == ("old-screen", "imported", 4)
    again = json.loads(cellos_here(*arguments, cwd=tmp_path).out)
    assert (again["campaign"], again["result"]) == ("old-screen", "was there already; nothing was stored")

    assert "imported from screen.csv" in cellos_here("status", "old-screen", cwd=tmp_path).out
    assert_one_clear_line(cellos_here("resume", "old-screen", cwd=tmp_path), 2, "cannot be resumed")


def test_a_mapping_is_not_overwritten(tmp_path):
    (tmp_path / "screen.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "map.yaml").write_text("mine\n", encoding="utf-8")
    ended = cellos_here("history", "guess", "screen.csv", "--out", "map.yaml", cwd=tmp_path)
    assert_one_clear_line(ended, 2, "is there already")
    assert (tmp_path / "map.yaml").read_text(encoding="utf-8") == "mine\n"


def test_a_bad_line_fails_the_command_and_stores_nothing(tmp_path):
    (tmp_path / "screen.csv").write_text(TABLE, encoding="utf-8")
    cellos_here("history", "guess", "screen.csv", "--out", "map.yaml", cwd=tmp_path)
    (tmp_path / "screen.csv").write_text(TABLE.replace("100,20", "100,?"), encoding="utf-8")
    ended = cellos_here("history", "import", "screen.csv", "--mapping", "map.yaml", cwd=tmp_path)
    assert_one_clear_line(ended, 2, "nothing was imported", "line 5: column 'Viability (%)': '?' is not possible")
    assert not (tmp_path / "lab.db").exists()
