"""Planning beside campaigns: over a table of one's own, and with what finished campaigns taught."""

from __future__ import annotations

import csv
import json

import pytest
from command import CAMPAIGN, cellos_here

TABLE = "medium,glucose_mm,growth\nA,5,1.0\nA,25,1.6\nB,5,\nB,25,2.1\nC,5,\nC,25,\n"


def test_plan_table_names_the_lines_to_measure_next_and_writes_them(tmp_path):
    (tmp_path / "media.csv").write_text(TABLE, encoding="utf-8")
    options = ("plan-table", "media.csv", "--outcome", "growth", "--batch", "2")
    rows = json.loads(cellos_here(*options, "--json", cwd=tmp_path).out)
    assert {row["line"] for row in rows} <= {4, 6, 7}
    done = cellos_here(*options, "--out", "next.csv", cwd=tmp_path)
    assert done.out.splitlines()[0].split() == ["line", "medium", "glucose_mm"]
    with (tmp_path / "next.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["medium"] for row in written] == [row["medium"] for row in rows]
    assert all(row["growth"] == "" for row in written)


def test_plan_table_tells_ec50s(tmp_path):
    lines = ["compound,conc_nM,viability"]
    lines += [f"x,{dose},{1 / (1 + dose / 100)}" for dose in (1, 10, 100, 1000)] + ["x,10000,", "y,1000,"]
    (tmp_path / "screen.csv").write_text("\n".join(lines), encoding="utf-8")
    done = cellos_here("plan-table", "screen.csv", "--outcome", "viability", "--goal", "ic50", "--json", cwd=tmp_path)
    known = {row["compound"]: row["ec50_um"] for row in json.loads(done.out)["ec50"]}
    assert known["x"] == pytest.approx(0.1, rel=0.6)


def test_plan_table_refuses_a_column_that_is_not_there(tmp_path):
    (tmp_path / "media.csv").write_text(TABLE, encoding="utf-8")
    done = cellos_here("plan-table", "media.csv", "--outcome", "titre", cwd=tmp_path)
    assert done.code != 0
    assert "columns: medium, glucose_mm, growth" in done.err


def test_what_a_campaign_taught_is_used_by_the_next(tmp_path):
    compounds = "[Trametinib, Dinaciclib, Capmatinib, Afatinib, Alectinib]"
    first = CAMPAIGN.replace("[Trametinib, Dinaciclib, Capmatinib]", compounds).replace(
        "batch_size: 4", "batch_size: 20"
    )
    (tmp_path / "first.yaml").write_text(first, encoding="utf-8")
    assert cellos_here("run", "first.yaml", cwd=tmp_path).code == 0
    done = cellos_here("learn-prior", "--by-name", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    (facts,) = json.loads(done.out)
    assert facts["compounds"] == 77
    assert facts["remembered_wells"] >= 20
    assert "Dinaciclib" in (tmp_path / "prior.yaml").read_text(encoding="utf-8")
    second = CAMPAIGN.replace("planner: random", "planner: {kind: mechanistic, prior: prior.yaml}")
    (tmp_path / "second.yaml").write_text(second, encoding="utf-8")
    assert cellos_here("run", "second.yaml", cwd=tmp_path).code == 0


def test_a_campaign_whose_prior_is_none_is_refused_before_it_begins(tmp_path):
    wrong = CAMPAIGN.replace("planner: random", "planner: {kind: mechanistic, prior: nowhere.yaml}")
    (tmp_path / "campaign.yaml").write_text(wrong, encoding="utf-8")
    done = cellos_here("run", "campaign.yaml", cwd=tmp_path)
    assert done.code != 0
    assert "there is no prior 'nowhere.yaml'; possible: default, vague" in done.err
    assert not (tmp_path / "lab.db").exists()
