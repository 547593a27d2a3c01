"""`cellos facility plan`: its tables, its files, and one clear line for each mistake."""

from __future__ import annotations

import csv
import json

import pytest
from command import assert_one_clear_line, cellos_here

SMALL = """\
name: small
months: 1
warm_up_days: 5
replications: 3
resources:
  - {name: robot}
  - {name: people, opens: 8, closes: 18, weekends: false}
campaigns:
  - name: screen
    every_days: 2
    plates: 3
    steps:
      - {name: dose, hours: 2, needs: [{resource: robot}, {resource: people, hours: 0.5}]}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lab.yaml").write_text(SMALL, encoding="utf-8")
    return tmp_path


def test_it_prints_resources_work_and_the_bottleneck(folder):
    ended = cellos_here("facility", "plan", "lab.yaml", "--csv", "jobs.csv", cwd=folder)
    assert ended.code == 0, ended
    for words in ("robot", "people", "screen", "The bottleneck is", "95 % within", "1 months after 5 days"):
        assert words in ended.out
    with (folder / "jobs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["replication"] for row in rows} == {"0", "1", "2"}
    assert all(float(row["flow_h"]) > 0 for row in rows)


def test_a_change_is_compared_with_the_facility_as_it_is(folder):
    words = ("facility", "plan", "lab.yaml", "--what-if", "robot=2, people=2", "--json", "--replications", "4")
    found = json.loads(cellos_here(*words, cwd=folder).out)
    assert found["bottleneck"] in {"robot", "people"}
    (change,) = found["changes"]
    assert change["flow_days"]["screen"]["mean"] < 0
    assert [one["name"] for one in found["resources"]] == ["robot", "people"]


def test_one_more_of_each_is_tried(folder):
    ended = cellos_here("facility", "plan", "lab.yaml", "--one-more", cwd=folder)
    assert "robot=2" in ended.out
    assert "people=2" in ended.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.yaml",), "there is no such file"),
        (("lab.yaml", "--what-if", "robots=2"), "robots: is none of the resources; possible: robot, people"),
        (("lab.yaml", "--months", "0"), "months: 0.0 is too small"),
        (("lab.yaml", "--replications", "1"), "replications: 1 is too small; give a number of at least 2"),
    ],
    ids=["no file", "misspelt", "no time", "no interval"],
)
def test_each_mistake_is_one_clear_line(folder, words, said):
    assert_one_clear_line(cellos_here("facility", "plan", *words, cwd=folder), 2, said)
