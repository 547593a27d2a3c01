"""Images on the command line: practise, measure, compare."""

from __future__ import annotations

import csv
import json

import pytest
from command import cellos_here


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    words = ("--wells", "2", "--sites", "2", "--cells", "40", "--dead", "0,0.5", "--out-of-focus", "0")
    ended = cellos_here("images", "practise", "practice", *words, cwd=folder)
    assert ended.code == 0, ended.err
    assert "12 images in practice; read them by `cellos images measure practice`" in ended.out
    return folder


def test_a_folder_is_measured_by_the_settings_beside_the_images(practice):
    words = ("images", "measure", "practice", "--out", "tables/wells.csv", "--sites", "tables/sites.csv", "--json")
    ended = cellos_here(*words, cwd=practice)
    assert ended.code == 0, ended.err
    rows = json.loads(ended.out)
    assert [(row["well"], row["sites used"]) for row in rows] == [("A1", "2 of 2"), ("A2", "2 of 2")]
    assert rows[0]["viability %"] > 98
    assert 35 < rows[1]["viability %"] < 65
    with (practice / "tables" / "wells.csv").open(encoding="utf-8") as file:
        assert [row["Well"] for row in csv.DictReader(file)] == ["A1", "A2"]
    assert len((practice / "tables" / "sites.csv").read_text(encoding="utf-8").splitlines()) == 5


def test_agreement_is_said_in_numbers_and_drawn(practice):
    ended = cellos_here("images", "agree", "practice", "--figure", "agreement.png", "--json", cwd=practice)
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    assert facts["fields"] == 4
    assert facts["true cells found %"] > 95
    assert (practice / "agreement.png").read_bytes().startswith(b"\x89PNG")
    assert "true cells found %" in cellos_here("images", "agree", "practice", cwd=practice).out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param(("measure", "nowhere"), "nowhere: there is no such folder. Check the path.", id="no folder"),
        pytest.param(("measure", "practice", "--pattern", "{well}.tif"), "must name {channel}", id="pattern"),
        pytest.param(("measure", "practice", "--settings", "no.yaml"), "no.yaml", id="no settings"),
        pytest.param(("agree", "practice", "--figure", "a.doc"), "Name a .png, .pdf or .svg", id="figure"),
        pytest.param(("practise", "practice"), "there is something in it. Name a new folder.", id="not empty"),
        pytest.param(("practise", "new", "--dead", "2"), "write shares from 0 to 1", id="share"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(practice, words, problem):
    ended = cellos_here("images", *words, cwd=practice)
    assert ended.code != 0
    assert problem in ended.err
    assert "Traceback" not in ended.err
